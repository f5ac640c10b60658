"""Figures of lessons: regret and what was shown while learning, maps of GridWorlds, how wrong action values are."""
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy import stats

from .drawing import GREY, curve, thousands

if TYPE_CHECKING:
    from .results import Results

ARROWS = {"grid": "←→↑↓", "frozen_lake": "←↓→↑", "cliff": "↑→↓←"}      # of the actions, in their order


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


def regret(figure: Figure, r: "Results") -> None:
    """Cumulative regret against time, linear and on a logarithmic axis: a straight line there is logarithmic growth."""
    panels, handles, top = figure.subplots(1, 2, sharey=True), {}, 0.0
    learners = r.regret[r.regret.kind.isin(["ours", "rllib"])]
    for label, rows in learners.groupby("algorithm", sort=False):
        found, colour = pooled(rows), r.colours.get(label, GREY)
        top = max(top, float(found["mean"].max()))
        for panel in panels:
            panel.fill_between(found.t, found["mean"] - found.half, found["mean"] + found.half, color=colour,
                               alpha=0.2, linewidth=0)
            panel.plot(found.t, found.high, color=colour, linewidth=0.8, linestyle=":")
            handles[label], = panel.plot(found.t, found["mean"], color=colour, linewidth=1.8, label=label)
    for panel in panels:
        panel.set_xlabel("interactions of a run")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda v, _: thousands(v)))
        if slope := r.problem.get("lai_robbins"):
            t = np.geomspace(1, learners.t.max(), 200)
            handles[""], = panel.plot(t, slope * np.log(t), color=GREY, linewidth=1.2, linestyle="--",
                                      label=f"{slope:.3g} ln t (Lai & Robbins)")
    panels[1].set_xscale("log")
    panels[0].set_title("cumulative regret")
    panels[1].set_title("the same, logarithmic time")
    panels[0].set_ylim(0, 1.25 * top)
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=4)


def shown(figure: Figure, r: "Results") -> None:
    """Shares of the actions that every row showed, from the first action to the last."""
    axes, labels = figure.subplots(), list(dict.fromkeys(r.shown.algorithm))
    colours = matplotlib.colormaps["viridis"]
    table = r.shown.groupby(["algorithm", "action"])["count"].sum().unstack().loc[labels]
    table = table.div(table.sum(axis=1), axis=0)
    left = np.zeros(len(labels))
    for action in table.columns:
        share, colour = table[action].to_numpy(), colours(action / max(len(table.columns) - 1, 1))
        axes.barh(range(len(labels)), share, left=left, color=colour, edgecolor="white", linewidth=0.4)
        for y, (start, width) in enumerate(zip(left, share, strict=True)):
            if width > 0.06:
                axes.text(start + width / 2, y, f"{action}", ha="center", va="center", fontsize=8,
                          color="white" if action < 0.6 * len(table.columns) else "black")
        left += share
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(visible=False)
    axes.set_xlabel("share of what was shown while learning (numbers: the actions)")


def height_of_maps(r: "Results") -> float:
    """Inches of the picture of `maps`."""
    rows = r.problem["optimum"]["rows"]
    return 0.2 + (0.35 + 2.6 * len(rows) / len(rows[0])) * -(-(len(r.maps) + 1) // 3)


def maps(figure: Figure, r: "Results") -> None:
    """Values and greedy actions of every cell: the optimum, then the first run of every learner."""
    shown = {"optimum": r.problem["optimum"], **r.maps}
    columns = min(len(shown), 3)
    panels = np.atleast_1d(figure.subplots(-(-len(shown) // columns), columns)).ravel()
    finite = [v for v in shown["optimum"]["value"] if np.isfinite(v)]
    for panel, (label, found) in zip(panels, shown.items(), strict=False):
        cells = np.array([list(row) for row in found["rows"]])
        value = np.where(np.isin(cells, ["#", "G", "H", "C"]), np.nan, np.reshape(found["value"], cells.shape))
        panel.imshow(value, cmap="viridis", vmin=min(finite), vmax=max(finite))
        for (row, column), kind in np.ndenumerate(cells):
            if kind in "GHC#":
                text = "" if kind == "#" else kind
            else:
                text = ARROWS[found["problem"]][found["action"][row * cells.shape[1] + column]]
            panel.text(column, row, text, ha="center", va="center", fontsize=7,
                       color=GREY if kind in "GHC" else "white")
        panel.set_title(label)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(visible=False)
    for panel in panels[len(shown):]:
        panel.set_axis_off()


def gaps(figure: Figure, r: "Results") -> None:
    """The largest error of an action value against the exact one, over time."""
    axes = figure.subplots()
    drawn = curve(axes, r, "train/q_gap")
    axes.set_yscale("log")
    axes.set_title("largest error of an action value, max |Q − Q*|")
    figure.legend(handles=drawn, loc="outside lower center", ncols=5)
