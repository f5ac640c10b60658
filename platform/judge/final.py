"""What is said of a trial: one number at every report, and named tables at its end.

A table is a list of rows; the run stores it and the report finds it by its name.  To add one, write a judge and add a
line to `tables`.
"""
from typing import Any, Protocol

from ..trial.trial import Role, Trial
from . import estimates, evaluation, exact, examples
from .online import Tally

Table = list[dict[str, Any]]


class Side(Protocol):
    """What runs a trial: `platform.run.learner.Learner` or `platform.run.rllib.Baseline`."""

    @property
    def tally(self) -> Tally | None:
        """What was collected on the way, run by run; None where nobody counts."""

    @property
    def policy(self) -> Any:
        """What the evaluator asks for actions; None: the oracle."""

    def step(self) -> dict[str, Any]:
        """Train to the next mark of environment steps; flat numbers."""

    def save(self, folder: str) -> None: ...

    def load(self, folder: str) -> None: ...

    def stop(self) -> None: ...


def validate(trial: Trial, side: Side) -> float:
    """The score now: on validation users, or of what has been collected so far (higher is better)."""
    if trial.score != "session":
        assert side.tally                                  # rows that collect nothing are refused before Ray starts
        return float(side.tally.score(trial.score).mean())
    return evaluation.mean_return(_session(trial, side, "validation", trial.validation_users))


def tables(trial: Trial, side: Side, cost: dict[str, float]) -> dict[str, Table]:
    """Every table of a finished trial by name, those without rows left out; ``cost`` stands beside every score."""
    collected = trial.score != "session"
    found: dict[str, Table] = {}
    if collected:
        assert side.tally
        found["scores"] = side.tally.rows(trial.score, trial.seed_number)
    else:
        found["scores"] = _session(trial, side, "test", trial.test_users)
        found["estimates"] = estimates.table(trial, side.policy)
        found["examples"] = examples.table(trial, side.policy)
    found["scores"] = [{**row, **cost} for row in found["scores"]]
    found["maps"] = exact.table(trial, side.policy)
    if side.tally:
        found |= {"regret": side.tally.regret_rows(), "shown": side.tally.shown_rows()}
    return {name: rows for name, rows in found.items() if rows}


def _session(trial: Trial, side: Side, split: str, users: int) -> Table:
    explores = trial.row.role is Role.BEHAVIOUR            # the log's policy is judged as it was when it wrote the log
    return evaluation.score(trial.spec.env_id, trial.spec.env_params, side.policy, split, users, explores)
