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
    from .report import Results

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
    text = str(picture).replace("currentColor", "#6f7782").replace("var(--line)", "#9aa3ad")
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


def thousands(value: float) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def learning(figure: Figure, r: "Results", board: pd.DataFrame, panels: list[tuple[str, str]]) -> None:
    """The learning curves: what has been learnt, what was earned on the way."""
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for panel, (column, title) in zip(axes, panels, strict=True):
        drawn = curve(panel, r, column)
        panel.set_title(title)
        if column == "eval/return_mean":
            lines(panel, r, dict(zip(board.algorithm, board["mean"], strict=True)), panel.axhline)
    handles = {h.get_label(): h for h in [*drawn, *axes[0].get_lines()] if not str(h.get_label()).startswith("_")}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=5)


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
    panels, handles = figure.subplots(1, 2, sharey=True), {}
    learners = r.regret[r.regret.kind.isin(["ours", "rllib"])]
    for label, rows in learners.groupby("algorithm", sort=False):
        found, colour = pooled(rows), r.colours.get(label, GREY)
        for panel in panels:
            panel.fill_between(found.t, found["mean"] - found.half, found["mean"] + found.half, color=colour,
                               alpha=0.2, linewidth=0)
            panel.plot(found.t, found.high, color=colour, linewidth=0.8, linestyle=":")
            handles[label], = panel.plot(found.t, found["mean"], color=colour, linewidth=1.8, label=label)
    for panel in panels:
        panel.set_xlabel("interactions of a run")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda v, _: thousands(v)))
        if r.slope:
            t = np.geomspace(1, learners.t.max(), 200)
            handles[""], = panel.plot(t, r.slope * np.log(t), color=GREY, linewidth=1.2, linestyle="--",
                                      label=f"{r.slope:.3g} ln t (Lai & Robbins)")
    panels[1].set_xscale("log")
    panels[0].set_title("cumulative regret")
    panels[1].set_title("the same, logarithmic time")
    top = max(pooled(rows)["mean"].max() for _, rows in learners.groupby("algorithm"))
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
    made = {"dots": draw("dots", "Leaderboard: mean and 95 % interval of every algorithm", 7.6, 0.7 + 0.31 * len(board),
                         lambda f: dots(f, r, board))}
    panels = [(column, title) for column, title in (
        ("eval/return_mean", f"what has been learnt: {r.unit} per session, no exploration"),
        ("rollout/reward_mean", "what was earned on the way: reward per step"))
        if column in r.curves and r.curves[column].notna().any() and (r.measure == "session" or "rollout" in column)]
    if panels and not (r.measure == "regret" and len(r.regret)):
        made["learning"] = draw("learning", "Learning curves with 95 % bands", 8.6, 3.5,
                                lambda f: learning(f, r, board, panels))
    if len(r.regret):
        made["regret"] = draw("regret", "Cumulative regret with 95 % bands", 8.6, 3.8, lambda f: regret(f, r))
    if len(r.shown):
        made["shown"] = draw("shown", "Shares of the actions shown by every algorithm", 8.6,
                             0.8 + 0.28 * r.shown.algorithm.nunique(), lambda f: shown(f, r))
    if r.calibration and r.calibration.get("reliability"):
        made["reliability"] = draw("reliability", "Predicted against observed share of likes", 3.6, 3.5,
                                   lambda f: reliability(f, r))
    return made
