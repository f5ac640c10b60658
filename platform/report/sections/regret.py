"""What learning cost: the regret of single runs, added up over time."""
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from scipy import stats

from ..drawing import GREY, draw, explain, looks, shaded, stroke, trace
from ..leaderboard import Board
from ..results import Results
from ..words import thousands


class Regret(NamedTuple):
    figure: Markup
    lower_bound: bool              # Lai & Robbins' constant of this problem is known


def content(r: Results, board: Board) -> Regret | None:
    table = r.table("regret", "runs", "t", "mean", "sd", "high")
    if not len(table):
        return None
    figure = draw("regret", "Cumulative regret with 95 % bands", 8.6, 3.8, lambda f: paint(f, r, table))
    return Regret(figure, bool(r.problem.get("lai_robbins")))


def pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Trials of one algorithm together at each t: mean, half (95 % half-width of the mean), high (95th percentile).

    A trial brings the mean and standard deviation of its n runs; sums of squares add up.  With several trials of
    several runs each, ``high`` is the 95th percentile of the trials' own ones.
    """
    def join(part):
        n, runs = part.runs.sum(), part.runs.iloc[0]
        mean = part["mean"].mean()
        squares = ((runs - 1) * part.sd**2 + runs * (part["mean"] - mean) ** 2).sum()
        half = stats.t.ppf(0.975, n - 1) * np.sqrt(squares / (n - 1) / n) if n > 1 else np.nan
        return pd.Series({"mean": mean, "half": half, "high": np.percentile(part.high, 95)})
    return rows.groupby("t")[["runs", "mean", "sd", "high"]].apply(join).reset_index()


def paint(figure: Figure, r: Results, table: pd.DataFrame) -> None:
    """Cumulative regret against time, linear and on a logarithmic axis: a straight line there is logarithmic growth."""
    linear, logarithmic = figure.subplots(1, 2, sharey=True)
    look, top = looks(r.rows.values()), 0.0
    handles: list[Line2D] = []
    for row, part in r.parts(table):
        if not row.role.races:
            continue
        found, colour = pooled(part), look[row.id].colour
        top = max(top, float(found["mean"].max()))
        for axes in (linear, logarithmic):
            axes.fill_between(found.t, found["mean"] - found.half, found["mean"] + found.half, color=colour, alpha=0.2,
                              linewidth=0)
            axes.plot(found.t, found.high, color=colour, linewidth=0.8, linestyle=":")
            line = trace(axes, found.t, found["mean"], look[row.id], row.label)
        handles.append(line)
    logarithmic.set_xscale("log")
    for axes in (linear, logarithmic):
        axes.set_xlabel("interactions of a run")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: thousands(v)))
        if slope := r.problem.get("lai_robbins"):
            t = np.geomspace(1, table.t.max(), 200)
            bound, = axes.plot(t, slope * np.log(t), color=GREY, linewidth=1.2, linestyle="--",
                               label=f"{slope:.3g} ln t (Lai & Robbins)")
    linear.set_ylabel("regret of a run, added up")
    linear.set_title("cumulative regret")
    logarithmic.set_title("the same, logarithmic time")
    linear.set_ylim(0, 1.25 * top)
    explain(figure, [*handles, *([bound] if slope else []), shaded("95 % interval of the mean"),
                     stroke("95th percentile of the runs", linewidth=0.8, linestyle=":")])
