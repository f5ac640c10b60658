"""Off-policy estimates: what the log alone says a policy is worth, beside what the simulator says.

The same numbers go to the page (`content`) and to the terminal (`lines`).
"""
import math
from typing import NamedTuple

import numpy as np

from ...trial.trial import Row
from ..leaderboard import Board
from ..results import Results
from ..words import fixed

NEAR = 0.1                                                  # an estimate this close to the simulator's counts as right
MOST_OPEN = 40                                              # a longer table is folded


class Estimator(NamedTuple):
    """What an estimator does, in words, and of what: a row of the log, or a whole session."""

    name: str
    words: str
    session: bool = False
    corrects: bool = True          # for what the log's policy chose to show


ESTIMATORS = {e.name: e for e in (
    Estimator("direct_method", "a model fitted to the log predicts the reward of what the policy would have shown; "
                               "nothing corrects for what the log's policy chose to show", corrects=False),
    Estimator("ips", "inverse propensity scores: the log's rewards where the policy would have shown the same, each "
                     "weighted by how unlikely the log was to show it"),
    Estimator("snips", "the same, divided by the sum of the weights: a little bias for a smaller spread"),
    Estimator("clipped_ips", "inverse propensity scores with the largest weights cut off: a bias for a smaller spread"),
    Estimator("doubly_robust", "the model's prediction, corrected by the weighted errors it makes on the log: right "
                               "when either the model or the propensities are"),
    Estimator("sndr", "doubly robust, with its correction divided by the sum of the weights"),
    Estimator("switch_dr", "doubly robust, but the model alone where a weight would be large"),
    Estimator("dr_os", "doubly robust, with large weights shrunk"),
    Estimator("fitted_q", "fitted Q evaluation: the return of a session, from a model of long-term value that was "
                          "fitted to other users of the log", session=True))}


class Estimate(NamedTuple):
    """One trial by one estimator; NaN where the estimator says nothing."""

    trial: str
    row: Row
    seed: int
    estimator: Estimator
    value: float
    low: float                     # of the 95 % interval
    high: float
    effective: float               # rows of the log, after weighting
    rows: float                    # rows of the log
    support: float                 # share of the policy's choices that the log has tried
    simulated: float               # the same in the simulator: reward per step, or return of a session
    reason: str = ""               # why the estimator says nothing

    @property
    def near(self) -> bool:
        return abs(self.value / self.simulated - 1.0) <= NEAR if self.simulated else False


class Summary(NamedTuple):
    """All runs of one row that one estimator can value."""

    row: Row
    estimator: Estimator
    runs: int
    value: float
    simulated: float
    near: int                      # runs within 10 % of the simulator


class Estimates(NamedTuple):
    summaries: list[Summary]
    each: list[Estimate]
    unfolded: bool
    used: list[Estimator]
    sessions: bool                 # any estimate of a whole session
    steps: bool                    # any estimate of a row of the log


def content(r: Results, board: Board) -> Estimates | None:
    each = measure(r)
    if not each:
        return None
    used = list(dict.fromkeys(e.estimator for e in each))
    return Estimates(summed(each), each, len(each) <= MOST_OPEN, used, any(e.session for e in used),
                     any(not e.session for e in used))


def measure(r: Results) -> list[Estimate]:
    """Every estimate of the folder, in the order of the rows."""
    table = r.table("estimates", "estimator", "value")
    sessions, steps = _simulated(r, "return_mean"), _simulated(r, "reward_mean")
    found = []
    for row, part in r.parts(table):
        for line in part.to_dict("records"):
            estimator = ESTIMATORS.get(line["estimator"], Estimator(line["estimator"], "an estimator of another kind"))
            low, high, effective, rows, support = (
                float(line.get(name, math.nan)) for name in ("low", "high", "effective_sample_size", "rows", "support"))
            real = (sessions if estimator.session else steps).get(line["trial"], math.nan)
            found.append(Estimate(line["trial"], row, int(line["seed"]), estimator, float(line["value"]), low, high,
                                  effective, rows, support, real, _text(line.get("reason"))))
    return found


def _text(reason) -> str:
    """A cell of text; empty where the table has none (a missing cell is None or NaN)."""
    return reason if isinstance(reason, str) else ""


def _simulated(r: Results, column: str) -> dict[str, float]:
    """The mean over users of a column of the scores, by trial; empty where it is not known."""
    if column not in r.scores or not len(r.scores):
        return {}
    return {str(trial): float(np.average(part[column], weights=part.users))
            for trial, part in r.scores.groupby("trial", sort=False)}


def summed(each: list[Estimate]) -> list[Summary]:
    """The runs of a row by one estimator together, in their order."""
    groups: dict[tuple[str, str], list[Estimate]] = {}
    for e in each:
        groups.setdefault((e.row.id, e.estimator.name), []).append(e)
    return [_summary(part[0], [e for e in part if math.isfinite(e.value)]) for part in groups.values()]


def _summary(first: Estimate, known: list[Estimate]) -> Summary:
    value, simulated = (float(np.mean([getattr(e, name) for e in known])) if known else math.nan
                        for name in ("value", "simulated"))
    return Summary(first.row, first.estimator, len(known), value, simulated, sum(e.near for e in known))


def lines(r: Results) -> list[str]:
    """The estimates for the terminal; none where the experiment did not ask for any."""
    each = measure(r)
    rows, sessions = ([e for e in each if e.estimator.session is kind] for kind in (False, True))
    out: list[str] = []
    if rows:
        out += ["", "rewards a row of the log, estimated off-policy:"]
        for trial in dict.fromkeys(e.trial for e in rows):
            own = [e for e in rows if e.trial == trial]
            parts = [f"{e.estimator.name} {fixed(e.value, 4)} [{fixed(e.low, 4)}, {fixed(e.high, 4)}] (effective rows "
                     f"{fixed(e.effective, 0)})" if math.isfinite(e.value) else f"{e.estimator.name} none ({e.reason})"
                     for e in own]
            out.append(f"  {own[0].row.label}, seed {own[0].seed}: {'; '.join(parts)}")
        if not any(e.estimator.corrects for e in rows):
            out.append("  the direct method alone: no estimate here corrects for what the log's policy chose to show")
    if sessions:
        out += ["", "return of a session by fitted Q evaluation (from other users of the log) and in the simulator:"]
        out += [f"  {s.row.label}: {fixed(s.value, 1)} and {fixed(s.simulated, 1)}; within 10 % in {s.near} of {s.runs}"
                for s in summed(sessions)]
    return out
