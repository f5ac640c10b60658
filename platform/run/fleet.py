"""Fleets: they hand the shards of a trial to simulators and join the results in shard order.

`LocalFleet` runs everything in process, `Fleet` on Ray workers; the numbers are the same.  What happens to a worker is
told to the trial's `Watch` when it happens.
"""
import time
from collections import defaultdict
from typing import Any

from custom_algos.core import Transition

from ..trial.build import keeps_state, task_of
from ..trial.trial import Spec
from .watch import Alarm, Watch
from .workers import Simulator

LOSSES, WITHIN_ITERATIONS, WITHIN_SECONDS = 10, 100, 600.0           # a worker may be lost so often in such a window
OVERDUE = 3                                               # calls of one block that may take too long


class LocalFleet:
    """Workers: 0.  Every shard is rolled in this process, in shard order."""

    def __init__(self, spec: Spec, watch: Watch | None = None):
        self.spec, self.watch, self.simulator = spec, watch or Watch(), Simulator(spec)
        self.restarts = [0] * spec.shards

    def collect(self, policy, iteration: int, steps: int) -> list[tuple[Transition, dict[str, float]]]:
        self.simulator.algorithm.load_policy_state(policy)
        done = []
        for shard in range(self.spec.shards):
            with self.watch.at(_block(self.spec, shard, iteration)):
                done.append(self.simulator.collect(shard, iteration, steps, self.restarts[shard]))
        return done

    def get_state(self) -> dict[str, list]:
        states = [self.simulator.get_state(shard) for shard in range(self.spec.shards)]
        return {"states": states, "restarts": list(self.restarts)}

    def set_state(self, saved: dict[str, list]) -> None:
        self.restarts = _begun_anew(saved)
        for shard, state in enumerate(saved["states"]):
            self.simulator.set_state(shard, state)

    def stop(self) -> None:
        pass


class Fleet:
    """Workers: 1 and more.  Hands shards to free workers and gives a dead one's shard to another.

    A worker that holds a shard for more than ``timeout`` seconds is taken for dead.  Shards of environments that cannot
    save their state stay with one worker; losing it costs the sessions in flight.
    """

    def __init__(self, spec: Spec, workers: int, watch: Watch | None = None, timeout: float | None = None):
        self.spec, self.watch, self.timeout = spec, watch or Watch(), timeout
        self.native = keeps_state(task_of(spec.env_id, spec.env_params).env)
        self.states: list[Any] = [None] * spec.shards
        self.workers: list[Any] = [None] * workers         # Ray's handles
        self.starting: dict[Any, int] = {}                 # first sign of life -> worker
        self.lost = 0                                      # workers that died so far
        self.losses: list[tuple[int, float]] = []          # the recent ones: (iteration, moment)
        self.restarts = [0] * spec.shards                  # how often each shard began anew
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
        free = [w for w in range(len(self.workers)) if w not in self.starting.values()]
        flying: dict[Any, tuple[int, int, float]] = {}     # call -> (shard, worker, since when)
        alarms: dict[int, Alarm] = defaultdict(lambda: Alarm(self.watch.every))
        overdue: dict[int, int] = defaultdict(int)         # shard -> calls of this block that took too long
        done: dict[int, tuple[Transition, Any, dict[str, float]]] = {}
        began = time.monotonic()
        while len(done) < self.spec.shards:
            for worker in list(free):
                shard = next((s for s in waiting if self.native or s % len(self.workers) == worker), None)
                if shard is not None:
                    waiting.remove(shard)
                    free.remove(worker)
                    call = self.workers[worker].run.remote(shard, self.states[shard], sent, iteration, steps,
                                                           self.restarts[shard])
                    flying[call] = shard, worker, time.monotonic()
            ready, _ = ray.wait([*flying, *self.starting], num_returns=1, timeout=1.0)
            for call in ready:
                if call in self.starting:
                    free.append(self.starting.pop(call))   # alive (or dead already: its first shard will tell)
                    continue
                shard, worker, _ = flying.pop(call)
                try:
                    done[shard] = ray.get(call)
                    free.append(worker)
                except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
                    if getattr(error, "actor_init_failed", False) or self._too_many(iteration):
                        raise
                    self._replace(worker, shard, iteration, "died")
                    waiting.insert(0, shard)               # from the state we hold: the same result
            if not ready:
                for shard in self._look(flying, alarms, began, iteration):
                    waiting.insert(0, shard)
                    overdue[shard] += 1
                    if overdue[shard] == OVERDUE or self._too_many(iteration):
                        raise TimeoutError(f"{_block(self.spec, shard, iteration)} did not come back within "
                                           f"resources.step_timeout = {self.timeout:g} s; {self.lost} workers were "
                                           "lost in this trial")
        self.states = [done[shard][1] for shard in range(self.spec.shards)]
        return [(done[shard][0], done[shard][2]) for shard in range(self.spec.shards)]

    def _look(self, flying, alarms, began: float, iteration: int) -> list[int]:
        """Nothing came back for a second: tells of what takes long; the shards taken from workers that hang."""
        if not flying and (took := alarms[-1].due(began)):
            self.watch.tell(f"no worker has started for {took:.0f} s: has the machine or the cluster a free CPU?")
        taken = []
        for call, (shard, worker, since) in list(flying.items()):
            if self.timeout is not None and time.monotonic() - since > self.timeout:
                del flying[call]
                self._replace(worker, shard, iteration, f"was stopped after {self.timeout:g} s")
                taken.append(shard)
            elif took := alarms[shard].due(since):
                self.watch.tell(f"{_block(self.spec, shard, iteration)} has not come back for {took:.0f} s")
        return taken

    def _too_many(self, iteration: int) -> bool:
        """Whether one loss more is too many for the last iterations, or for the last minutes."""
        self.losses = [(i, at) for i, at in self.losses
                       if iteration - i < WITHIN_ITERATIONS or time.monotonic() - at < WITHIN_SECONDS]
        return len(self.losses) >= LOSSES * len(self.workers)

    def _replace(self, worker: int, shard: int, iteration: int, what: str) -> None:
        """Another worker in the place of one that died or hangs, and a word about it."""
        import ray

        self.lost += 1
        self.losses.append((iteration, time.monotonic()))
        cost = "nothing is lost"
        if not self.native:                                # its shards begin anew, with other sessions than the first
            cost = "its sessions in flight are lost"
            for own in range(worker, self.spec.shards, len(self.workers)):
                self.restarts[own] += 1
        self.watch.tell(f"worker {worker} {what} with {_block(self.spec, shard, iteration)} and was replaced; {cost}")
        ray.kill(self.workers[worker])
        self._start(worker)

    def get_state(self) -> dict[str, list]:
        return {"states": self.states, "restarts": list(self.restarts)}

    def set_state(self, saved: dict[str, list]) -> None:
        self.states, self.restarts = list(saved["states"]), _begun_anew(saved)

    def stop(self) -> None:
        import ray

        for worker in self.workers:
            ray.kill(worker)


def _block(spec: Spec, shard: int, iteration: int) -> str:
    return f"shard {shard} of {spec.env_id} (iteration {iteration})"


def _begun_anew(saved: dict[str, list]) -> list[int]:
    """How often each shard began anew, once more where its state could not be saved: it must not meet the sessions of
    its beginning again."""
    return [count + (state is None) for count, state in zip(saved["restarts"], saved["states"], strict=True)]


def make_fleet(spec: Spec, workers: int, watch: Watch | None = None, timeout: float | None = None):
    """The fleet of one trial: `Fleet`, or `LocalFleet` without workers."""
    return Fleet(spec, workers, watch, timeout) if workers else LocalFleet(spec, watch)
