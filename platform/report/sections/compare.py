"""Ours against RLlib, pair by pair, and how much the runs of one learner differ."""
import math
from typing import NamedTuple

import numpy as np

from ...judge import verdict
from ...trial.trial import Role, Row
from ..leaderboard import Board
from ..results import Results


class Pair(NamedTuple):
    ours: Row
    theirs: Row
    runs: tuple[int, int]
    verdict: verdict.Verdict

    @property
    def css(self) -> str:
        return self.verdict.word.lower() if self.verdict.decided else "unclear"


class Spread(NamedTuple):
    """Normalised scores of the runs of one learner."""

    row: Row
    runs: int
    mean: float
    sd: float
    middle: float                  # interquartile mean
    median: float
    low: float                     # 10th percentile
    failed: int


class Compared(NamedTuple):
    pairs: list[Pair]
    spreads: list[Spread]
    zero: str                      # what counts as 0
    one: str                       # what counts as 1, among the pairs
    top: str                       # the same, among the spreads
    run_word: str
    least: int = verdict.MIN_SEEDS
    relevant: float = verdict.RELEVANT
    equal: float = verdict.EQUAL


def content(r: Results, board: Board) -> Compared | None:
    pairs, spreads = compare(r), spread(r)
    if r.random is None or not (pairs or spreads):
        return None
    best = "the best row"
    return Compared(pairs, spreads, r.random.label, r.bound.label if r.bound else best, r.top or best, r.run_word)


def compare(r: Results) -> list[Pair]:
    """Every algorithm of ours against every baseline of RLlib: the verdicts, normalised, Holm over all pairs.

    None where the log teaches nothing, or where random is missing and nothing can be normalised.
    """
    zero, one = r.ends()
    if not r.teaches or math.isnan(zero) or not one > zero:
        return []
    ours, theirs = ([row for row in r.scored if row.role == role and len(r.runs(row))]
                    for role in (Role.LEARNER, Role.RLLIB))
    pairs = [(a, b) for b in theirs for a in ours]
    scores = {row.id: verdict.normalise(r.per_run(row), zero, one) for row in (*ours, *theirs)}
    found = verdict.verdicts([(scores[a.id], scores[b.id]) for a, b in pairs])
    return [Pair(a, b, (len(scores[a.id]), len(scores[b.id])), v) for (a, b), v in zip(pairs, found, strict=True)]


def spread(r: Results) -> list[Spread]:
    """The runs of every learner; none where nothing can be normalised."""
    zero, one = r.ends()
    found = []
    for row in r.scored:
        s = verdict.normalise(r.per_run(row), zero, one)
        if row.role.races and len(s) and np.isfinite(s).all():
            found.append(Spread(row, len(s), float(s.mean()), float(s.std(ddof=1)) if len(s) > 1 else math.nan,
                                float(verdict.iqm(s)), float(np.median(s)), float(np.quantile(s, 0.1)),
                                int((s < verdict.FAILED).sum())))
    return found
