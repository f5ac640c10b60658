"""A quantity against environment steps: mean and 95 % band over the trials of every learner."""
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from scipy import stats

from .drawing import looks, shaded, stroke, trace
from .results import Results
from .words import thousands

MAX_POINTS = 160                                            # of a curve: the page stays small
MAX_SINGLE = 10                                             # more single runs hide the mean


def band(curves: pd.DataFrame, column: str):
    """``column`` against env steps on common points [X]: (x, mean, half-width of 95 %, each trial [S, X]).

    None where no trial has a number.
    """
    each = [part.dropna(subset=[column]).sort_values("env_steps") for _, part in curves.groupby("trial", sort=False)]
    each = [part.drop_duplicates("env_steps", keep="last") for part in each if len(part)]
    if not each:
        return None
    x = np.unique(np.concatenate([part.env_steps.to_numpy(float) for part in each]))
    x = x[np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(int))]
    y = np.array([np.interp(x, part.env_steps, part[column], left=np.nan, right=np.nan) for part in each])    # [S, X]
    seen = (~np.isnan(y)).sum(axis=0)
    x, y, seen = x[seen > 0], y[:, seen > 0], seen[seen > 0]
    half = np.full(len(x), np.nan)
    many = seen > 1
    half[many] = stats.t.ppf(0.975, seen[many] - 1) * np.nanstd(y[:, many], axis=0, ddof=1) / np.sqrt(seen[many])
    return x, np.nanmean(y, axis=0), half, y


def known(r: Results, column: str) -> bool:
    """Whether any trial reported ``column``."""
    return column in r.curves and bool(r.curves[column].notna().any())


def curve(axes: Axes, r: Results, column: str) -> dict[str, Line2D]:
    """One panel: mean and 95 % band over seeds of every learner (RLlib dashed), every seed as a thin line.

    Returns the lines of the means by row.
    """
    drawn: dict[str, Line2D] = {}
    look = looks(r.rows.values())
    for row, part in r.parts(r.curves):
        found = band(part, column) if row.role.races else None
        if found is None:
            continue
        x, mean, half, each = found
        colour = look[row.id].colour
        if len(each) > 1:
            axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
            if len(each) <= MAX_SINGLE:
                axes.plot(x, each.T, color=colour, linewidth=0.5, alpha=0.45)
        drawn[row.id] = trace(axes, x, mean, look[row.id], row.label)
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: thousands(v)))
    return drawn


def shades(r: Results) -> list[Artist]:
    """The legend's entries for what `curve` draws behind the means."""
    trials = [part.trial.nunique() for row, part in r.parts(r.curves) if row.role.races]
    return [*([shaded("95 % interval")] if max(trials, default=0) > 1 else []),
            *([stroke("single run", linewidth=0.5)] if any(1 < n <= MAX_SINGLE for n in trials) else [])]
