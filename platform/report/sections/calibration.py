"""How far the simulated users can be trusted: what their model predicts of interactions it has not seen."""
import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from scipy import stats

from ..drawing import GREY, PALETTE, draw, explain, stroke
from ..leaderboard import Board
from ..results import Results

GROUP = ("users", "rows", "gain", "auc")                    # of users that are about as active


class Group(NamedTuple):
    users: str
    rows: int
    gain: float                    # nats of an interaction over the base rate
    auc: float


class Calibration(NamedTuple):
    """None where the fit does not say it."""

    teaches: bool
    why: str
    gain: float | None             # nats of an interaction over the base rate
    more_probable: float | None    # the same as a percentage of the truth's probability
    gain_over_items: float | None  # over knowing only how popular each item is
    splits: list[float]            # the gain in random splits of the log
    auc: float | None
    groups: list[Group]
    figure: Markup | None

    @property
    def positive(self) -> int:
        return sum(gain > 0 for gain in self.splits)


def content(r: Results, board: Board) -> Calibration | None:
    found = r.calibration
    if not found:
        return None
    gain = found.get("gain_over_base")
    return Calibration(r.teaches, found["why"], gain, None if gain is None else 100 * (math.exp(gain) - 1),
                       found.get("gain_over_items"), found.get("gain_splits") or [], found.get("auc"),
                       [Group(*(given[name] for name in GROUP)) for given in found.get("by_activity") or []],
                       figure(found["reliability"]) if found.get("reliability") else None)


def figure(bins: list[dict[str, Any]]) -> Markup:
    return draw("reliability", "Predicted against observed share of likes", 3.6, 3.9, lambda f: paint(f, bins))


def paint(figure: Figure, given: list[dict[str, Any]]) -> None:
    """Predicted against observed shares with Wilson's 95 % intervals; the diagonal is honesty."""
    bins, axes = pd.DataFrame(given), figure.subplots()
    honest, = axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="observed = predicted")
    z2, n, p = stats.norm.ppf(0.975) ** 2, bins.rows, bins.observed
    centre, half = (p + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    axes.vlines(bins.predicted, centre - half, centre + half, color=PALETTE[0], linewidth=2.5, alpha=0.5)
    axes.plot(bins.predicted, p, "o", color=PALETTE[0], markersize=5)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted P(like)", ylabel="share that was liked", aspect="equal")
    explain(figure, [honest, stroke("95 % interval", color=PALETTE[0], linewidth=2.5, alpha=0.5)])
