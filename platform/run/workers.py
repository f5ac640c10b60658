"""Simulators: shards of users as values, workers as warm places to run a pure function.

    (shard state, policy state, key) -> (Transition [T, n], shard state', sums)

The trainer keeps the latest state of every shard; any worker can run any shard, a lost worker loses nothing, and the
numbers do not depend on how many workers there are.  `LocalFleet` runs the same function in process.
"""
import hashlib
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.rollout import begin, collect, make_rng


@dataclass(frozen=True)
class Spec:
    """What a process needs to build one trial's environment and algorithm (plain values: it travels by pickle)."""

    env_id: str
    env_params: dict[str, Any] = field(default_factory=dict)
    algorithm: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    shards: int = 1
    users_per_shard: int = 64


def stable_seed(*parts) -> int:
    """A 31-bit seed from names and numbers, the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "big") >> 1


def is_ours(env_id: str) -> bool:
    """Whether the environment's state can be taken out and put back (all of our ids)."""
    import envs

    return env_id in envs.MODELS


def make_env(env_id: str, params: dict[str, Any], users: int, autoreset: str = "same_step", **place):
    """``users`` parallel users of any Gymnasium id; ``place`` (first_user, slot0, stride) is for our ids."""
    if is_ours(env_id):
        env = gym.make_vec(env_id, users, vectorization_mode="vector_entry_point", autoreset=autoreset, **place,
                           **params)
        return env.unwrapped
    mode = gym.vector.AutoresetMode["NEXT_STEP" if autoreset == "next_step" else "SAME_STEP"]
    return gym.make_vec(env_id, users, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **params)


def make_algorithm(spec: Spec, env):
    """The algorithm of a trial, built from the environment's two spaces."""
    found = find_algorithm(spec.algorithm)                 # imports torch where it is needed …
    one_thread()                                           # … whose initial weights depend on the threads, too
    return found(env.single_observation_space, env.single_action_space, make_config(found, spec.params), spec.seed,
                 getattr(env, "items", None))


def one_thread() -> None:
    """Keep this process's BLAS, OpenMP and torch on one thread: sums depend on how many there are."""
    import sys

    import threadpoolctl

    threadpoolctl.threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


class Simulator:
    """The pure function, with a warm environment and a warm policy."""

    def __init__(self, spec: Spec):
        self.spec, self.native = spec, is_ours(spec.env_id)
        self.envs: dict[int, Any] = {}                     # shard -> environment
        self.seen: dict[int, Any] = {}                     # shard -> what the agent sees, if we left the env there
        self.algorithm = make_algorithm(spec, self.env(0))

    def env(self, shard: int):
        if shard not in self.envs:
            n = self.spec.users_per_shard
            place: dict[str, Any] = {"slot0": shard * n, "stride": self.spec.shards * n} if self.native else {}
            self.envs[shard] = make_env(self.spec.env_id, self.spec.env_params, n, **place)
        return self.envs[shard]

    def collect(self, shard: int, iteration: int, steps: int):
        """Roll shard on from where this process left it (or from its first reset)."""
        env = self.env(shard)
        if shard not in self.seen:
            seed = self.spec.seed if self.native else stable_seed(self.spec.seed, shard)
            self.seen[shard] = begin(env, seed)
        rng = make_rng(self.spec.seed, shard, iteration)
        batch, self.seen[shard], totals = collect(env, self.algorithm, self.seen[shard], steps, rng)
        return batch, totals

    def get_state(self, shard: int):
        """The shard as a value; None where the environment cannot say (third party) or was not started."""
        return self.envs[shard].get_state() if self.native and shard in self.seen else None

    def set_state(self, shard: int, state) -> None:
        """Continue from ``state`` (None: from the first reset, or from where a third-party environment stands)."""
        if state is not None:
            obs, info = self.env(shard).set_state(state)
            self.seen[shard] = obs, info.get("action_mask")
        elif self.native:
            self.seen.pop(shard, None)

    def run(self, shard: int, state, policy: dict[str, Any], iteration: int, steps: int):
        """One remote call: (transitions ``[T, n]``, shard state', sums)."""
        self.set_state(shard, state)
        self.algorithm.load_policy_state(policy)
        batch, totals = self.collect(shard, iteration, steps)
        return batch, self.get_state(shard), totals

    def process(self) -> int:
        """The process id (tests kill it)."""
        import os

        return os.getpid()


class LocalFleet:
    """Workers: 0.  Every shard is rolled in this process, in shard order."""

    def __init__(self, spec: Spec):
        self.spec, self.simulator = spec, Simulator(spec)

    def collect(self, policy, iteration: int, steps: int) -> list[tuple[Transition, dict[str, float]]]:
        self.simulator.algorithm.load_policy_state(policy)
        return [self.simulator.collect(shard, iteration, steps) for shard in range(self.spec.shards)]

    def get_state(self) -> list[Any]:
        return [self.simulator.get_state(shard) for shard in range(self.spec.shards)]

    def set_state(self, states) -> None:
        for shard, state in enumerate(states):
            self.simulator.set_state(shard, state)

    def stop(self) -> None:
        pass


class Fleet:
    """Workers: 1 and more.  Hands shards to free workers and gives a dead one's shard to another.

    Shards of environments that cannot save their state stay with one worker; losing it costs the sessions in flight.
    """

    def __init__(self, spec: Spec, workers: int):
        self.spec, self.native = spec, is_ours(spec.env_id)
        self.states: list[Any] = [None] * spec.shards
        self.workers: list[Any] = [None] * workers         # Ray's handles
        self.starting: dict[Any, int] = {}                 # first sign of life -> worker
        self.lost = 0                                      # workers that died so far
        for worker in range(workers):
            self._start(worker)

    def _start(self, worker: int) -> None:
        """Ask for a worker; it gets work once it lives (on a full cluster that may be never: the others go on)."""
        import ray

        self.workers[worker] = ray.remote(num_cpus=1, max_restarts=0)(Simulator).remote(self.spec)
        self.starting[self.workers[worker].process.remote()] = worker

    def collect(self, policy, iteration: int, steps: int) -> list[tuple[Transition, dict[str, float]]]:
        import ray

        sent = ray.put(policy)                             # once an iteration, not once a call
        waiting = list(range(self.spec.shards))
        free, flying = [w for w in range(len(self.workers)) if w not in self.starting.values()], {}
        done: dict[int, tuple[Transition, Any, dict[str, float]]] = {}
        while len(done) < self.spec.shards:
            for worker in list(free):
                shard = next((s for s in waiting if self.native or s % len(self.workers) == worker), None)
                if shard is not None:
                    waiting.remove(shard)
                    free.remove(worker)
                    call = self.workers[worker].run.remote(shard, self.states[shard], sent, iteration, steps)
                    flying[call] = shard, worker
            for call in ray.wait([*flying, *self.starting], num_returns=1)[0]:
                if call in self.starting:
                    free.append(self.starting.pop(call))   # alive (or dead already: its first shard will tell)
                    continue
                shard, worker = flying.pop(call)
                try:
                    done[shard] = ray.get(call)
                    free.append(worker)
                except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
                    if getattr(error, "actor_init_failed", False) or self.lost >= 10 * len(self.workers):
                        raise
                    self.lost += 1
                    ray.kill(self.workers[worker])
                    self._start(worker)
                    waiting.insert(0, shard)               # from the state we hold: the same result
        self.states = [done[shard][1] for shard in range(self.spec.shards)]
        return [(done[shard][0], done[shard][2]) for shard in range(self.spec.shards)]

    def get_state(self) -> list[Any]:
        return self.states

    def set_state(self, states) -> None:
        self.states = list(states)

    def stop(self) -> None:
        import ray

        for worker in self.workers:
            ray.kill(worker)


def make_fleet(spec: Spec, workers: int) -> LocalFleet | Fleet:
    """The fleet of one trial."""
    return Fleet(spec, workers) if workers else LocalFleet(spec)


