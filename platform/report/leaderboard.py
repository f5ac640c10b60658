"""The leaderboard: the score of every row with its interval, how far it came, and its difference to the reference."""
import functools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..judge import verdict
from ..trial.trial import Role, Row
from . import words
from .results import Results

PASSED = 1.05                                    # a learner this far from random to the bound shows it to be no bound
UNKNOWN = verdict.Interval(math.nan, math.nan, math.nan)


class Standing(NamedTuple):
    """One line: what a row scored.  Intervals are 95 %, facing as they are shown (regret: less is better)."""

    row: Row
    runs: int                      # complete runs behind it
    score: verdict.Interval        # return of a session, reward per step, or regret
    share: float                   # of the way from random to the bound
    share_reference: float         # of the way from random to the reference
    difference: verdict.Interval   # to the reference, paired over users; NaN for the reference itself
    env_steps: float               # of a trial, as its speed and its time; NaN for rows that do not learn
    env_steps_per_s: float
    wall_s: float


class Board:
    """The leaderboard of a results folder, best first (in the experiment's order where the log teaches nothing).

    ValueError where no run has a final score.
    """

    def __init__(self, r: Results):
        standings = _standings(r)
        if not standings:
            raise ValueError(f"{r.folder / 'scores.parquet'}: no run has a final score, so there is nothing to report")
        merit = sorted(standings, key=lambda s: s.score.mean, reverse=r.sign > 0)
        self.standings = merit if r.teaches else standings
        self.learners = [s for s in merit if s.row.role.races]                  # by merit, whatever the log teaches
        self.best = self.learners[0] if self.learners else None
        self.passed = self.best is not None and self.best.share > PASSED    # the bound is none: learners pass it
        every = [s.score.mean for s in self.standings]                      # how bad random is must not hide the rest
        near = [s.score.mean for s in self.standings if s.row.role not in (Role.REFERENCE, Role.BEHAVIOUR)]
        self.show = words.number(near if len(set(near)) > 1 else every)
        self.signed = functools.partial(words.signed, show=self.show)

    def of(self, row: Row | None) -> Standing | None:
        """Where ``row`` stands; None where it has no complete run."""
        return next((s for s in self.standings if row is not None and s.row.id == row.id), None)

    def badge(self, role: Role) -> str:
        """What a row is, in words."""
        return {Role.LEARNER: "ours", Role.RLLIB: "RLlib", Role.BEHAVIOUR: "behaviour policy",
                Role.REFERENCE: "reference", Role.BOUND: "knows the user" if self.passed else "upper bound"}[role]


def _standings(r: Results) -> list[Standing]:
    zero, one = r.ends()
    reference = r.reference
    theirs = r.runs(reference) if reference else np.empty((0, len(r.users)))
    users, found = r.users.to_numpy(), []
    for row in r.scored:
        runs = r.runs(row)
        if not len(runs):
            continue
        own, gap, covered = verdict.level_of(runs, users), UNKNOWN, math.nan
        if len(theirs) and row != reference:
            gap = verdict.difference(runs, theirs, users)
            covered = float(verdict.normalise(own.mean, zero, own.mean - gap.mean))
        trials = r.scores[r.scores.row == row.id].drop_duplicates(["trial", "seed"])
        effort = [_mean(trials, name) if row.role.races else math.nan
                  for name in ("env_steps", "env_steps_per_s", "wall_s")]
        found.append(Standing(row, len(runs), r.facing(own), float(verdict.normalise(own.mean, zero, one)), covered,
                              r.facing(gap), *effort))
    return found


def _mean(trials: pd.DataFrame, column: str) -> float:
    return float(trials[column].mean()) if column in trials else math.nan
