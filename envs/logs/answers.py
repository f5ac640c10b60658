"""An answer to a question about a log, and the sizes of effect that a number of rows shows."""
import math
from typing import NamedTuple

import pandas as pd

from .schema import Log

Z = 1.959963984540054 + 0.8416212335729143                       # z of 97.5 % + z of 80 %
WORTHWHILE_LIFT = 0.2                                            # few changes of a recommender are worth more
CARRY_OVER_SE, CARRY_OVER_ROWS = 0.012, 100_000                  # s.e. of a carry-over coefficient, of so many rows
CARRY_OVER = 0.1                                                 # a change of the log-odds that is worth a column
EXPLORE = "let 15-20 % of the decisions, their order included, be drawn at random"
EXPLORED = 0.15
ENOUGH_EVENTS = 2 * (Z / WORTHWHILE_LIFT) ** 2                   # rare events (leaving, return): 392
FEW_ROWS_A_USER, WEEKS, DAY = 5, 3, 86_400.0


class Answer(NamedTuple):
    """``verdict`` is yes, partly or no; ``record`` says what turns anything but a yes into one."""

    question: str
    verdict: str
    why: str
    record: str = ""

    def __str__(self):
        more = f" For a yes record {self.record}." if self.record else ""
        return f"{self.verdict:6} {self.question}: {self.why}{more}"


class Asked(NamedTuple):
    """A log and what several questions need of it."""

    log: Log
    frame: pd.DataFrame
    reward: pd.Series              # the known ones
    known: pd.Series               # the known propensities
    rows_a_day: float | None

    def has(self, name: str) -> bool:
        return name in self.frame and bool(self.frame[name].notna().any())

    def rows(self, need: float, which: str = "") -> str:
        """``need`` rows in words, and how long they take."""
        if not math.isfinite(need):
            return "more rows"
        need = float(f"{need:.2g}")
        days = f", {math.ceil(need / self.rows_a_day):,} days at this log's pace" if self.rows_a_day else ""
        return f"about {need:,.0f} rows{which}{days}"


def visible_lift(positives: float, rows: float) -> float:
    """The relative difference of rates that two groups of this size show with 95 % confidence and 80 % power."""
    return Z * math.sqrt(2 * (1 - positives / rows) / positives) if positives else math.inf


def visible_difference(reward: pd.Series) -> float:
    """The same for mean rewards of any kind, relative to the mean; ``reward [rows]`` has no nulls.

    Infinite where nothing varies, or the mean is 0.
    """
    mean, spread = abs(reward.mean()), reward.std(ddof=0)
    return float(Z * spread * math.sqrt(2 / len(reward)) / mean) if mean and spread else math.inf
