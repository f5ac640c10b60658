"""A simulator: a warm place to run a pure function on a shard of users.

    (shard state, policy state, key) -> (Transition [T, n], shard state', sums)

The trainer keeps the latest state of every shard; any worker can run any shard, a lost worker loses nothing, and the
numbers do not depend on how many workers there are.
"""
from typing import Any

from custom_algos.rollout import begin, collect, make_rng

from ..trial.build import is_ours, keeps_state, make_algorithm, make_env, stable_seed
from ..trial.trial import Spec


class Simulator:
    """The pure function, with a warm environment and a warm policy."""

    def __init__(self, spec: Spec):
        self.spec, self.native = spec, is_ours(spec.env_id)
        self.envs: dict[int, Any] = {}                     # shard -> environment
        self.seen: dict[int, Any] = {}                     # shard -> what the agent sees, if we left the env there
        self.algorithm = make_algorithm(spec)

    def env(self, shard: int):
        if shard not in self.envs:
            n = self.spec.users_per_shard
            place: dict[str, Any] = {"slot0": shard * n, "stride": self.spec.shards * n} if self.native else {}
            self.envs[shard] = make_env(self.spec.env_id, self.spec.env_params, n, **place)
        return self.envs[shard]

    def collect(self, shard: int, iteration: int, steps: int, restarts: int = 0):
        """Roll shard on from where this process left it (or from its first reset, for the ``restarts``-th time)."""
        env = self.env(shard)
        if shard not in self.seen:
            seed = self.spec.seed if self.native else stable_seed(self.spec.seed, shard, *[restarts] * bool(restarts))
            self.seen[shard] = begin(env, seed)
        rng = make_rng(self.spec.seed, shard, iteration)
        batch, self.seen[shard], totals = collect(env, self.algorithm, self.seen[shard], steps, rng)
        return batch, totals

    def get_state(self, shard: int):
        """The shard as a value; None where the environment cannot say (third party) or was not started."""
        env = self.envs.get(shard)
        return env.get_state() if shard in self.seen and keeps_state(env) else None

    def set_state(self, shard: int, state) -> None:
        """Continue from ``state`` (None: from the first reset, or from where a third-party environment stands)."""
        if state is not None:
            obs, info = self.env(shard).set_state(state)
            self.seen[shard] = obs, info.get("action_mask")
        elif keeps_state(self.env(shard)):
            self.seen.pop(shard, None)

    def run(self, shard: int, state, policy: dict[str, Any], iteration: int, steps: int,
            restarts: int = 0):
        """One remote call: (transitions ``[T, n]``, shard state', sums)."""
        self.set_state(shard, state)
        self.algorithm.load_policy_state(policy)
        batch, totals = self.collect(shard, iteration, steps, restarts)
        return batch, self.get_state(shard), totals

    def process(self) -> int:
        """The process id (tests kill it)."""
        import os

        return os.getpid()
