"""Does the log behind fitted users teach anything?

It does where the gain is > 0 in every split and the oracle stands ≥ 10 standard errors above random.
"""
from pathlib import Path
from typing import Any

import pandas as pd

from ..trial.build import Task
from ..trial.trial import Role


def calibrate(task: Task, scores: pd.DataFrame) -> dict[str, Any] | None:
    """The model's own calibration with a verdict: ``teaches``, ``why``, ``oracle_minus_random``, ``standard_error``.

    ``scores`` is the table of final scores.  None where users are not fitted to a log, or nothing was scored.
    """
    if task.knows.calibration is None or task.knows.log is None or scores.empty:
        return None
    found = task.knows.calibration()
    oracle, random = scores[scores.role == Role.BOUND], scores[scores.row == "random"]
    users, blocks = oracle.users.sum(), len(oracle)
    level = (oracle.return_mean * oracle.users).sum() / users
    error = float((((oracle.return_mean - level) ** 2 * oracle.users).sum() / (blocks - 1) / users) ** 0.5) \
        if blocks > 1 else float("nan")                    # blocks hold different people
    gap = float(level - (random.return_mean * random.users).sum() / random.users.sum())
    splits = len(found["gain_splits"])
    positive = sum(gain > 0 for gain in found["gain_splits"])
    teaches = positive == splits and gap >= 10 * error
    if blocks < 10 or users < 100:
        error, teaches = float("nan"), positive == splits  # too few users to judge the gap
    why = (f"held-out likelihood beats the base rate in {positive} of {splits} splits; the oracle "
           f"is {gap:.2f} likes a session above random, "
           + (f"{gap / error:.0f} standard errors of a score" if error > 0
              else "scored on too few users to judge that"))
    return found | {"log": Path(task.knows.log.world.source).name, "teaches": bool(teaches), "why": why,
                    "oracle_minus_random": gap, "standard_error": error if error > 0 else None}
