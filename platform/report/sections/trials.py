"""Every trial that reported anything, whether it finished or not, and what tuning tried."""
import math
from typing import NamedTuple

import numpy as np

from ...trial.trial import Row
from ..leaderboard import Board
from ..results import Results

MOST_TRIALS = 1000                                          # in the table: the page stays small
MOST_OPEN = 40                                              # a longer table is folded


class Trial(NamedTuple):
    """One trial; NaN and None where nothing is known.  Scores face as they are shown."""

    trial: str
    row: Row
    seed: int
    env_steps: float | None
    validation: float | None       # the last score on validation users
    score: float                   # the final one
    wall_s: float | None
    state: str

    @property
    def finished(self) -> bool:
        return self.state == "finished"


class Tried(NamedTuple):
    params: str
    env_steps: int
    score: float


class Tuning(NamedTuple):
    label: str
    tried: list[Tried]             # best first


class Trials(NamedTuple):
    trials: list[Trial]
    total: int
    left_out: int
    unfolded: bool
    tuning: list[Tuning]


def content(r: Results, board: Board) -> Trials:
    every = listed(r)
    return Trials(every[:MOST_TRIALS], len(every), max(len(every) - MOST_TRIALS, 0), len(every) <= MOST_OPEN,
                  [_tuning(r, key, found["trials"]) for key, found in (r.json("search.json") or {}).items()])


def listed(r: Results) -> list[Trial]:
    """Every trial, in the order of the rows and of their seeds."""
    scored = dict(list(r.scores.groupby("trial", sort=False)))
    reported = {trial: part.sort_values("iteration", kind="stable").ffill().iloc[-1]
                for trial, part in r.curves.groupby("trial", sort=False)}
    found = []
    for trial in dict.fromkeys([*scored, *reported]):
        last, part = reported.get(trial), scored.get(trial)
        value = None if last is None else last.get("eval/return_mean")
        validation = None if value is None else r.sign * float(value)
        if part is not None:
            first, complete = part.iloc[0], len(part) >= len(r.users) and part.return_mean.notna().all()
            score = r.sign * float(np.average(part.return_mean, weights=part.users)) if complete else math.nan
            found.append(Trial(trial, r.rows[first.row], int(first.seed) // r.runs_each, first.get("env_steps"),
                               validation, score, first.get("wall_s"),
                               "finished" if complete else "incomplete: left out"))
        elif last is not None:
            found.append(Trial(trial, r.rows[last.row], int(last.seed), last.env_steps, validation, math.nan,
                               last.get("time_s"), "no final score"))
    order = list(r.rows)
    return sorted(found, key=lambda t: (order.index(t.row.id), t.seed))


def _tuning(r: Results, key: str, trials: list[dict]) -> Tuning:
    """What was tried for one row, named by its id."""
    tried = [Tried(", ".join(f"{name} = {value}" for name, value in t["params"].items()), t["env_steps"],
                   math.nan if t["score"] is None else t["score"]) for t in trials]
    tried.sort(key=lambda t: -t.score if math.isfinite(t.score) else math.inf)
    return Tuning(r.rows[key].label if key in r.rows else key, tried)
