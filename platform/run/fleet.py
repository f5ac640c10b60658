"""Fleets: they hand the shards of a trial to simulators and join the results in shard order.

`LocalFleet` runs everything in process, `Fleet` on Ray workers; the numbers are the same.
"""
from typing import Any

from custom_algos.core import Transition

from ..trial.build import is_ours
from ..trial.trial import Spec
from .workers import Simulator


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


