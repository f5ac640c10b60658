"""The figures of a report as inline SVG: no file, no outside reference, the page's own colours and font.

Everything is drawn with Matplotlib's object interface; no state is shared between figures or with the caller.
"""
import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy import stats

if TYPE_CHECKING:
    from .results import Results

PALETTE = ("#1f83c9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#a6761d")   # after Okabe & Ito
GREY = "#8b929c"                                            # what does not learn
INK, LINE = "#010203", "#040506"                            # stand-ins: the page puts its own colours in their place
MAX_POINTS = 160                                            # of a curve: the page stays small
STYLE = {"font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": LINE,
         "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": LINE,
         "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
         "legend.frameon": False, "svg.fonttype": "none", "lines.solid_capstyle": "round"}


def draw(name: str, alt: str, width: float, height: float, paint) -> Markup:
    """An inline SVG of what ``paint(figure)`` draws: no outside reference, ids of its own, the page's colours."""
    settings: Any = STYLE | {"svg.hashsalt": name}
    with matplotlib.rc_context(settings), io.StringIO() as out:
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.S)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    head = rf'<svg \1 role="img" aria-label="{escape(alt)}">'
    text = re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', head, text, count=1)
    text = text.replace(INK, "currentColor").replace(LINE, "var(--line)")
    return Markup(re.sub(r"\n\s*", "\n", text))


def standalone(picture: str) -> str:
    """An inline picture as a file of its own, in inks that are legible on white and on black."""
    text = str(picture).replace("currentColor", "#6f7782").replace("var(--line)", "#c3cad2")
    return text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)


def lines(axes, r: "Results", means: dict[str, float], along) -> None:
    """Random dotted, today's policy dashed, the bound solid."""
    for label, dash in ((r.random, ":"), (r.reference, "--"), (r.bound, "-")):
        if label in means:
            along(means[label], color=GREY, linestyle=dash, linewidth=1.2, zorder=1, label=label)


def dots(figure: Figure, r: "Results", board: pd.DataFrame) -> None:
    """Every row's mean with its interval, and the mean of every run."""
    axes = figure.subplots()
    lines(axes, r, dict(zip(board.algorithm, board["mean"], strict=True)), axes.axvline)
    for y, row in enumerate(board.itertuples()):
        colour, shape = r.colours[row.algorithm], {"ours": "o", "rllib": "s"}.get(row.kind, "D")
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3.2, alpha=0.45)
        runs = r.sign * r.per_run(row.algorithm)
        if 1 < len(runs) <= 100:
            axes.plot(runs, np.full(len(runs), y + 0.27), "|", color=colour, markersize=5, alpha=0.8)
        axes.plot(row.mean, y, shape, color=colour, markersize=6.5)
    axes.set_yticks(range(len(board)), board.algorithm)
    axes.set_ylim(len(board) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{r.unit} {r.per}")


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


def curve(axes, r: "Results", column: str) -> list:
    """One panel: mean and 95 % band over seeds of every algorithm (RLlib dashed), every seed as a thin line."""
    drawn = []
    for label, part in r.curves.groupby("algorithm", sort=False):
        found = band(part, column) if column in part else None
        if found is None or r.kinds.get(label) in ("reference", "bound"):
            continue
        x, mean, half, each = found
        colour = r.colours.get(label, GREY)
        if len(each) > 1:
            axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
            if len(each) <= 10:
                axes.plot(x, each.T, color=colour, linewidth=0.5, alpha=0.45)
        dash = "--" if (part.kind == "rllib").any() else "-"
        drawn += axes.plot(x, mean, color=colour, linewidth=1.8, linestyle=dash, label=label,
                           marker="o" if len(x) == 1 else None)
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: thousands(v)))
    return drawn


def sight(panel, board: pd.DataFrame | None) -> None:
    """Show what the learners did after their first stumbles; how bad random is may lie far below the picture."""
    y = np.concatenate([np.asarray(line.get_ydata(), float) for line in panel.get_lines()] or [np.zeros(0)])
    if not np.isfinite(y).any():
        return
    top = [] if board is None else board["mean"].to_numpy()
    high, low = max([np.nanmax(y), *top]), float(np.nanpercentile(y, 10))
    span = max(high - low, 1e-9)
    for value in [np.nanmin(y), *top]:
        if value >= high - 3 * span:
            low = min(low, float(value))
    panel.set_ylim(low - 0.06 * (high - low + 1e-9), high + 0.06 * (high - low + 1e-9))


def thousands(value: float) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def learning(figure: Figure, r: "Results", board: pd.DataFrame, panels: list[tuple[str, str]]) -> None:
    """The learning curves: what has been learnt, what was earned on the way."""
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for panel, (column, title) in zip(axes, panels, strict=True):
        drawn = curve(panel, r, column)
        panel.set_title(title)
        sight(panel, board if column == "eval/return_mean" else None)
        if column == "eval/return_mean":
            lines(panel, r, dict(zip(board.algorithm, board["mean"], strict=True)), panel.axhline)
        for epsilon, value in r.problem.get("soft_optima", {}).items() if column == "rollout/return_mean" else ():
            panel.axhline(value, color=GREY, linestyle="-.", linewidth=1.2, zorder=1,
                          label=f"best that explores with ε = {epsilon}")
    each = [line for panel in axes for line in panel.get_lines()]
    handles = {h.get_label(): h for h in [*drawn, *each] if not str(h.get_label()).startswith("_")}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=5)


def reliability(figure: Figure, r: "Results") -> None:
    """Predicted against observed shares with Wilson's 95 % intervals; the diagonal is honesty."""
    bins = pd.DataFrame(r.calibration["reliability"])
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    z2, n, p = stats.norm.ppf(0.975) ** 2, bins.rows, bins.observed
    centre, half = (p + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    axes.vlines(bins.predicted, centre - half, centre + half, color=PALETTE[0], linewidth=2.5, alpha=0.5)
    axes.plot(bins.predicted, p, "o", color=PALETTE[0], markersize=5)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted P(like)", ylabel="share that was liked", aspect="equal")


def figures(r: "Results", board: pd.DataFrame) -> dict[str, Markup]:
    """Every figure that the files allow."""
    from . import charts

    made = {"dots": draw("dots", "Leaderboard: mean and 95 % interval of every algorithm", 7.6, 0.7 + 0.31 * len(board),
                         lambda f: dots(f, r, board))}
    earned = ("rollout/return_mean", "earned on the way: return of a session") if r.exact else \
        ("rollout/reward_mean", "earned on the way: reward per step")
    learnt = ("eval/return_mean", f"learnt: {r.unit} per session, no exploration")
    wanted = {"session": (learnt, earned), "collected": (earned,), "regret": ()}[r.measure]    # regret has its own
    panels = [(column, title) for column, title in wanted if column in r.curves and r.curves[column].notna().any()]
    if panels:
        made["learning"] = draw("learning", "Learning curves with 95 % bands", 8.6, 3.5,
                                lambda f: learning(f, r, board, panels))
    if len(r.regret):
        made["regret"] = draw("regret", "Cumulative regret with 95 % bands", 8.6, 3.8, lambda f: charts.regret(f, r))
    if len(r.shown):
        made["shown"] = draw("shown", "Shares of the actions shown by every algorithm", 8.6,
                             0.8 + 0.28 * r.shown.algorithm.nunique(), lambda f: charts.shown(f, r))
    if "train/q_gap" in r.curves and r.curves["train/q_gap"].notna().any():
        made["gaps"] = draw("gaps", "Largest error of the action values over time", 6.4, 3.2,
                            lambda f: charts.gaps(f, r))
    if r.maps and r.problem.get("optimum"):
        made["maps"] = draw("maps", "Values and policies of every cell", 8.6, charts.height_of_maps(r),
                            lambda f: charts.maps(f, r))
    if r.calibration and r.calibration.get("reliability"):
        made["reliability"] = draw("reliability", "Predicted against observed share of likes", 3.6, 3.5,
                                   lambda f: reliability(f, r))
    return made
