"""Fleets: they hand the shards of a trial to simulators and join the results in shard order.

`LocalFleet` runs everything in process, `Fleet` on Ray workers; the numbers are the same.
"""
import time
from typing import Any

from custom_algos.core import Transition

from ..trial.build import keeps_state, task_of
from ..trial.trial import Spec
from .workers import Simulator

LOSSES, WITHIN_ITERATIONS, WITHIN_SECONDS = 10, 100, 600.0           # a worker may be lost so often in such a window


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

    def notices(self) -> list[str]:
        return []

    def stop(self) -> None:
        pass


class Fleet:
    """Workers: 1 and more.  Hands shards to free workers and gives a dead one's shard to another.

    Shards of environments that cannot save their state stay with one worker; losing it costs the sessions in flight.
    """

    def __init__(self, spec: Spec, workers: int):
        self.spec, self.native = spec, keeps_state(task_of(spec.env_id, spec.env_params).env)
        self.states: list[Any] = [None] * spec.shards
        self.workers: list[Any] = [None] * workers         # Ray's handles
        self.starting: dict[Any, int] = {}                 # first sign of life -> worker
        self.lost = 0                                      # workers that died so far
        self.losses: list[tuple[int, float]] = []          # the recent ones: (iteration, moment)
        self.restarts = [0] * spec.shards                  # how often each shard began anew
        self.told: list[str] = []
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
                    call = self.workers[worker].run.remote(shard, self.states[shard], sent, iteration, steps,
                                                           self.restarts[shard])
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
                    if getattr(error, "actor_init_failed", False) or self._too_many(iteration):
                        raise
                    self._replace(worker, shard, iteration)
                    waiting.insert(0, shard)               # from the state we hold: the same result
        self.states = [done[shard][1] for shard in range(self.spec.shards)]
        return [(done[shard][0], done[shard][2]) for shard in range(self.spec.shards)]

    def _too_many(self, iteration: int) -> bool:
        """Whether one loss more is too many for the last iterations, or for the last minutes."""
        self.losses = [(i, at) for i, at in self.losses
                       if iteration - i < WITHIN_ITERATIONS or time.monotonic() - at < WITHIN_SECONDS]
        return len(self.losses) >= LOSSES * len(self.workers)

    def _replace(self, worker: int, shard: int, iteration: int) -> None:
        """Another worker in the place of a dead one, and a word about it."""
        import ray

        self.lost += 1
        self.losses.append((iteration, time.monotonic()))
        cost = "nothing is lost"
        if not self.native:                                # its shards begin anew, with other sessions than the first
            cost = "its sessions in flight are lost"
            for own in range(worker, self.spec.shards, len(self.workers)):
                self.restarts[own] += 1
        self.told.append(f"worker {worker} died in iteration {iteration} with shard {shard} of {self.spec.env_id} and "
                         f"was replaced; {cost}")
        ray.kill(self.workers[worker])
        self._start(worker)

    def notices(self) -> list[str]:
        told, self.told = self.told, []
        return told

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


