"""What a trial collects while it learns, run by run: expected reward, regret, and which actions were shown.

A run is one independent learner: R replications in one array program are R runs, a trial without them is one.
"""
from typing import Any

import numpy as np

from custom_algos.core import Transition

MARKS = 40                                                # points of a curve on a linear and on a logarithmic axis
MOST_ACTIONS = 100                                        # beyond, shares of single actions say nothing to a reader


class Tally:
    """``runs`` learners with ``budget`` real steps in all; ``actions`` (0: not counted) of a discrete choice.

    ``reward``, ``regret`` are sums ``[R]`` of the expected reward (of the sampled one where the model does not know
    it) and of the regret; ``shown [A]`` counts actions; ``curve`` holds a row (t, mean, sd, 95th percentile of the
    runs' regret) for every mark t, interactions of one run.
    """

    def __init__(self, runs: int, budget: int, actions: int = 0):
        last = max(budget // runs, 1)
        marks = np.concatenate([np.geomspace(1, last, MARKS), np.linspace(0, last, MARKS + 1)[1:]])
        self.marks = np.unique(marks.round().astype(np.int64))
        self.runs, self.steps = runs, 0
        self.reward, self.regret = np.zeros(runs), np.zeros(runs)
        self.shown = np.zeros(actions if actions <= MOST_ACTIONS else 0, np.int64)
        self.curve: list[list[float]] = []

    def add(self, batch: Transition, totals: dict[str, np.ndarray]) -> None:
        """One block of ``[T, N]`` transitions and the sums ``[N]`` that `custom_algos.rollout.collect` made of them."""
        def per_run(name):
            return totals[name].reshape(self.runs, -1).sum(axis=1)
        passed = self.marks_passed()
        self.steps += batch.reward.size
        self.reward += per_run("expected_reward" if "expected_reward" in totals else "reward")
        if len(self.shown):
            self.shown += np.bincount(batch.action.ravel(), minlength=len(self.shown))
        if "regret" in totals:
            self.regret += per_run("regret")
            if self.marks_passed() > passed:
                spread = float(self.regret.std(ddof=1)) if self.runs > 1 else 0.0
                self.curve.append([self.steps // self.runs, float(self.regret.mean()), spread,
                                   float(np.percentile(self.regret, 95))])

    def marks_passed(self) -> int:
        return int(np.searchsorted(self.marks, self.steps // self.runs, side="right"))

    def score(self, measure: str) -> np.ndarray:
        """``[R]``: minus the regret, or the reward a step (measure ``collected``); higher is better."""
        return -self.regret if measure == "regret" else self.reward * self.runs / max(self.steps, 1)

    def rows(self, measure: str, seed: int) -> list[dict[str, float]]:
        """A row of the table of scores for every run."""
        return [{"block": 0, "users": 1, "seed": seed * self.runs + run, "return_mean": float(value)}
                for run, value in enumerate(self.score(measure))]

    def regret_rows(self) -> list[dict[str, float]]:
        """A row for every mark of the regret's curve."""
        return [{"runs": self.runs, "t": t, "mean": mean, "sd": sd, "high": high} for t, mean, sd, high in self.curve]

    def shown_rows(self) -> list[dict[str, int]]:
        """A row for every action that was counted."""
        return [{"action": action, "count": count} for action, count in enumerate(self.shown.tolist())]

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("steps", "reward", "regret", "shown", "curve")}

    def load(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
