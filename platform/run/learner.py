"""One trial of an algorithm of ours (or of a user): collect → learn → report, on a fleet of simulators."""
import time
from typing import Any

import numpy as np
from gymnasium import spaces

from custom_algos.core import Algorithm, Transition, concat
from envs import logs

from ..judge import exact
from ..judge.online import Tally
from ..trial import checkpoint, simulated_log
from ..trial.build import make_algorithm, one_thread, task_of
from ..trial.trial import Role, Trial
from .fleet import Fleet, LocalFleet, make_fleet
from .watch import Watch


class Learner:
    """An algorithm, its users and what it collected.  The oracle has none of them.  ``watch`` hears what happens."""

    def __init__(self, trial: Trial, watch: Watch | None = None):
        self.trial, self.env_steps, self.iteration, self.wall = trial, 0, 0, 0.0
        self.task = task_of(trial.spec.env_id, trial.spec.env_params)
        self.algorithm: Algorithm | None = None
        self.fleet: LocalFleet | Fleet | None = None
        self.tally: Tally | None = None
        if trial.row.role is Role.BOUND:
            return
        self.algorithm = make_algorithm(trial.spec, self.task)
        actions, counts = self.task.spaces[1], trial.score != "session"
        self.tally = Tally(trial.replications, trial.budget,
                           int(actions.n) if counts and isinstance(actions, spaces.Discrete) else 0)
        if trial.row.role is Role.BEHAVIOUR:
            assert trial.log
            self.algorithm = simulated_log.load_policy(trial.log, trial.spec)
        elif trial.ranking:
            assert self.task.knows.log
            bias, weight = self.task.knows.log.rankings()[trial.ranking]
            self.algorithm.load_policy_state({"bias": bias, "weight": weight})
        elif trial.from_log:
            self.algorithm.learn(self._log())
        if trial.budget:
            self.fleet = make_fleet(trial.spec, trial.workers, watch, trial.step_timeout)

    def _log(self) -> Transition:
        if self.trial.log:
            return simulated_log.batch_of(logs.read(self.trial.log), *self.task.spaces)
        assert self.task.knows.log                         # checked before Ray started
        return Transition(**self.task.knows.log.batch("train"))

    def step(self) -> dict[str, Any]:
        """Train to the next mark; returns flat numbers."""
        mark = min(self.trial.budget, self.env_steps + self.trial.report_every)
        sums: dict[str, float] = {}
        before, learnt, start = self.env_steps, {}, time.monotonic()
        while self.env_steps < mark:
            learnt = self._iterate(sums)
        elapsed, rows = time.monotonic() - start, self.env_steps - before
        self.wall += elapsed
        result = {"env_steps": self.env_steps, "time_s": self.wall, "updates": self.iteration,
                  "rollout/reward_mean": sums["reward"] / rows if rows else float("nan"),
                  "time/env_steps_per_s": rows / elapsed if rows else float("nan"),
                  **{f"train/{name}": float(value) for name, value in learnt.items()}}
        if sums.get("sessions"):
            result["rollout/return_mean"] = sums["reward"] / sums["sessions"]
        if self.algorithm and self.task.knows.exact:
            result |= exact.gap(self.task, self.algorithm)
        if "expected_reward" in sums:
            result["rollout/expected_reward_mean"] = sums["expected_reward"] / rows
        return result

    def _iterate(self, sums: dict[str, float]) -> dict[str, float]:
        """Collect one block from every user and learn from it; adds to ``sums``."""
        assert self.algorithm and self.fleet and self.tally            # a trial with a budget has all three
        left = self.trial.budget - self.env_steps
        steps = min(self.algorithm.rollout_steps, -(-left // self.trial.spec.users))
        shards = self.fleet.collect(self.algorithm.policy_state(), self.iteration, steps)
        batch = concat([part for part, _ in shards]) if len(shards) > 1 else shards[0][0]
        totals = {name: np.concatenate([part[name] for _, part in shards]) for name in shards[0][1]}      # [N]
        self.tally.add(batch, totals)
        for name, value in totals.items():
            sums[name] = sums.get(name, 0.0) + float(value.sum())
        with LearnerThreads(self.trial.learner_threads):
            learnt = self.algorithm.learn(batch)
        self.iteration += 1
        self.env_steps += batch.reward.size
        return learnt

    @property
    def policy(self) -> Algorithm | None:
        """What the evaluator asks for actions (None: the oracle)."""
        return self.algorithm

    def save(self, folder: str) -> None:
        checkpoint.save(folder, {
            "counters": {"env_steps": self.env_steps, "iteration": self.iteration, "wall": self.wall},
            "tally": self.tally.state() if self.tally else {},
            "algorithm": self.algorithm.state_dict() if self.algorithm else {},
            "shards": self.fleet.get_state() if self.fleet else {}})

    def load(self, folder: str) -> None:
        saved = checkpoint.load(folder)
        self.env_steps, self.iteration = saved["counters"]["env_steps"], saved["counters"]["iteration"]
        self.wall = saved["counters"]["wall"]
        if self.algorithm and self.tally:
            self.tally.load(saved["tally"])
            self.algorithm.load_state_dict(saved["algorithm"])
        if self.fleet:
            self.fleet.set_state(saved["shards"])

    def stop(self) -> None:
        if self.fleet:
            self.fleet.stop()


class LearnerThreads:
    """Within the block torch uses ``n`` threads; acting before and after stays on one."""

    def __init__(self, n: int):
        self.n = n

    def __enter__(self):
        if self.n > 1:
            import torch

            torch.set_num_threads(self.n)
            if torch.get_num_threads() != self.n:
                raise RuntimeError(f"torch runs on {torch.get_num_threads()} threads, learner_threads = {self.n}")

    def __exit__(self, *_):
        if self.n > 1:
            one_thread()
