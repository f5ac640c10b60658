"""From a results folder to a leaderboard, one sentence that answers the question, and one self-contained HTML page.

`leaderboard`, `answer` and `write_report` read only the files of the folder, so a report can be made again at any
time, anywhere.  The statistics are those of `platform.verdict`; the page is ``report.html.j2``.
"""
import contextlib
import functools
import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import matplotlib
import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup
from matplotlib.figure import Figure
from scipy import stats

from . import verdict

LEARNERS = ("ours", "rllib")
KINDS = {"ours": "ours", "rllib": "RLlib", "reference": "reference", "bound": "upper bound"}
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#a6761d")   # Okabe & Ito first
GREY = "#8b929c"
INK, LINE = "#010203", "#040506"                            # stand-ins: the page puts its own colours in their place
MAX_POINTS, MAX_TRIALS = 160, 1000                          # of a curve, of the trial table: the page stays small


class Results:
    """The files of one results folder."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.experiment: dict[str, Any] = yaml.safe_load((self.folder / "experiment.yaml").read_text()) or {}
        self.machine = self._json("machine.json") or {}
        self.calibration, self.stories = self._json("calibration.json"), self._json("stories.json")
        self.search = self._json("search.json") or {}
        self.failed = (self.folder / "errors.txt").exists()
        curves = self._table("curves.parquet", ["trial", "algorithm", "kind", "seed", "iteration", "env_steps"])
        self.curves = curves.drop_duplicates(["trial", "iteration"], keep="last")    # a resumed trial reports again
        scores = self._table("scores.parquet", ["trial", "algorithm", "kind", "seed", "block", "users", "return_mean"])
        if "stage" in scores:
            scores = scores[scores.stage == "test"]
        self.scores = scores.drop_duplicates(["trial", "seed", "block"], keep="last")
        self.users = self.scores.groupby("block").users.first().sort_index().astype(float)           # [B]

    def _json(self, name: str):
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def _table(self, name: str, columns: list[str]) -> pd.DataFrame:
        path = self.folder / name
        table = pd.read_parquet(path) if path.exists() else pd.DataFrame()
        return table if set(columns) <= set(table.columns) else pd.DataFrame(columns=columns)

    @property
    def unit(self) -> str:
        return "likes" if str(self.experiment.get("env", {}).get("id", "")).startswith("recloop/Logged") else "return"

    @property
    def teaches(self) -> bool:
        """Whether the log (if there is one) tells recommenders apart at all."""
        return bool((self.calibration or {}).get("teaches", True))

    @functools.cached_property
    def kinds(self) -> dict[str, str]:
        """label -> kind, in the experiment's order."""
        found = dict(zip(self.scores.algorithm, self.scores.kind, strict=True))
        order = [a.get("label") or a.get("name") or f"RLlib {a.get('rllib')}" for a in self.experiment["algorithms"]]
        return {label: found[label] for label in [*order, *sorted(found)] if label in found}

    @functools.cached_property
    def colours(self) -> dict[str, str]:
        learners = [label for label, kind in self.kinds.items() if kind in LEARNERS]
        return {label: GREY for label in self.kinds} | {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(learners)}

    def label_of(self, name: str) -> str | None:
        """The row called ``name``, also where the experiment gave it another label; None where there is none."""
        given = [a.get("label") for a in self.experiment["algorithms"] if a.get("name") == name and a.get("label")]
        return next((label for label in [name, *given] if label in self.kinds), None)

    @property
    def random(self) -> str | None:
        return self.label_of("random")

    @property
    def reference(self) -> str | None:
        return self.label_of(self.experiment.get("reference") or "")

    @property
    def bound(self) -> str | None:
        return next((label for label, kind in self.kinds.items() if kind == "bound"), None)

    def runs(self, label: str) -> np.ndarray:
        """``[S, B]``: the complete runs of one row; a run without a score on every block is left out (and noted)."""
        rows = self.scores[self.scores.algorithm == label]
        wide = rows.set_index(["seed", "trial", "block"]).return_mean.unstack("block").reindex(columns=self.users.index)
        return wide.dropna().to_numpy(float)

    def per_run(self, label: str) -> np.ndarray:
        """``[S]``: the mean over users of each complete run."""
        return self.runs(label) @ (self.users.to_numpy() / self.users.sum())

    def ends(self) -> tuple[float, float]:
        """What counts as 0 and as 1: random and the bound (without one: the best row); NaN where random is missing."""
        means = {label: float(self.per_run(label).mean()) for label in self.kinds if len(self.runs(label))}
        high = means.get(self.bound or "", max(means.values(), default=math.nan))
        return means.get(self.random or "", math.nan), high


# the leaderboard -------------------------------------------------------------------------------------------------
def leaderboard(folder: str | Path | Results) -> pd.DataFrame:
    """One row per algorithm, best first (in the experiment's order where the log teaches nothing).

    mean, low, high: return of a session with the 95 % interval; share: of the way from random to the bound;
    share_reference: from random to today's policy; difference…: to today's policy, paired over users.
    """
    r = folder if isinstance(folder, Results) else Results(folder)
    zero, one = r.ends()
    today = r.runs(r.reference) if r.reference else np.empty((0, len(r.users)))
    users, rows = r.users.to_numpy(), []
    for label, kind in r.kinds.items():
        runs = r.runs(label)
        if not len(runs):
            continue
        own = verdict.level_of(runs, users)
        row: dict[str, Any] = {"algorithm": label, "kind": kind, "seeds": len(runs), "mean": own.mean, "low": own.low,
                               "high": own.high, "share": float(verdict.normalise(own.mean, zero, one)),
                               "share_reference": math.nan}
        gap = verdict.Interval(math.nan, math.nan, math.nan)
        if len(today) and label != r.reference:
            gap = verdict.difference(runs, today, users)
            row["share_reference"] = float(verdict.normalise(own.mean, zero, own.mean - gap.mean))
        row |= {"difference": gap.mean, "difference_low": gap.low, "difference_high": gap.high}
        trials = r.scores[r.scores.algorithm == label].drop_duplicates(["trial", "seed"])
        for name in ("env_steps", "env_steps_per_s", "wall_s"):
            row[name] = float(trials[name].mean()) if name in trials else math.nan
        rows.append(row)
    if not rows:
        raise ValueError(f"{r.folder / 'scores.parquet'}: no run has a final score, so there is nothing to report")
    table = pd.DataFrame(rows)
    return table.sort_values("mean", ascending=False, ignore_index=True, kind="stable") if r.teaches else table


class Answer(NamedTuple):
    word: str                      # win, loss, unclear, unranked or open (nothing to compare with)
    text: str


def answer(folder: str | Path) -> str:
    """One plain sentence: would the best learner beat today's policy?"""
    r = Results(folder)
    return judge(r, leaderboard(r)).text


def judge(r: Results, board: pd.DataFrame) -> Answer:
    """The answer.  The best of k learners is judged at level 1 − .05/k: it was picked by the scores it is judged by."""
    learners = board[board.kind.isin(LEARNERS) & (board.algorithm != r.reference)].sort_values("mean", ascending=False)
    if not r.teaches:
        why = str(r.calibration.get("why", "")).rstrip(".")
        return Answer("unranked", "This log teaches nothing about who likes what, so nobody is ranked"
                                  + (f": {why}." if why else "."))
    if learners.empty:
        return Answer("open", "No learner has finished, so the question stays open.")
    best, k = learners.iloc[0], len(learners)
    show, unit = number(board), f"{r.unit} per session"
    if r.reference is None or not len(r.runs(r.reference)):
        share = "" if math.isnan(best.share) or not r.bound else \
            f", {percent(best.share)} of the way from {r.random} to {r.bound}"
        return Answer("open", f"There is no policy of today to compare with: the best learner is {best.algorithm} with "
                              f"{show(best['mean'])} {unit} (95 % interval {show(best.low)} to {show(best.high)}){share}.")
    gap = verdict.difference(r.runs(best.algorithm), r.runs(r.reference), r.users.to_numpy(), 1 - 0.05 / k)
    against = f"{show(best['mean'])} against {show(best['mean'] - gap.mean)} {unit}"
    chosen = f", allowing for the choice among {k} learners" if k > 1 else ""
    sure = f"95 % interval of the difference {signed(gap.low, show)} to {signed(gap.high, show)}{chosen}; {best.seeds} seeds, " \
           f"{int(r.users.sum()):,} held-out users"
    policy = f"today's policy ({r.reference})"
    way = "" if math.isnan(best.share_reference) else \
        f"; it covers {percent(best.share_reference)} of the way from {r.random} to {r.reference}"
    if best.seeds < 2:
        return Answer("unclear", f"It cannot be told from one seed: the best learner, {best.algorithm}, stands at {against} of "
                                 f"{policy}{way}.")
    if gap.low > 0:
        return Answer("win", f"Yes, {best.algorithm} beats {policy}: {against} ({sure}).")
    if gap.high < 0:
        return Answer("loss", f"No, even the best learner, {best.algorithm}, loses to {policy}: {against} ({sure}){way}.")
    return Answer("unclear", f"It cannot be told yet whether the best learner, {best.algorithm}, beats {policy}: {against}, and "
                             f"the interval contains zero ({sure}){way}.")


def print_leaderboard(folder: str | Path, console) -> None:
    """The leaderboard as a table for the terminal."""
    from rich.table import Table

    r = Results(folder)
    board, show = (table := leaderboard(r)), number(table)
    title = f"{r.unit} per session of {int(r.users.sum()):,} held-out users, 95 % intervals"
    out = Table(title=title if r.teaches else title + " (no ranking: the log teaches nothing)", box=None, padding=(0, 1),
                title_justify="left", header_style="bold")
    headers = {"algorithm": "left", r.unit: "right", "interval": "left", "way": "right", "to today's": "right",
               "interval ": "left", "seeds": "right", "steps/s": "right", "time": "right"}
    for name, side in headers.items():
        out.add_column(name.strip(), justify=side, no_wrap=name != "algorithm")
    for row in board.itertuples():
        style = {"bound": "dim", "reference": "cyan"}.get(row.kind, "")
        gap = ("", "") if math.isnan(row.difference) else (signed(row.difference, show), span(
            row.difference_low, row.difference_high, functools.partial(signed, show=show)))
        out.add_row(row.algorithm, show(row.mean), span(row.low, row.high, show), percent(row.share), *gap, str(row.seeds),
                    count(row.env_steps_per_s), duration(row.wall_s), style=style)
    console.print(out)
    notes = [f"way: from {r.random} (0 %) to {r.bound} (100 %)"] if r.random and r.bound else []
    notes += [f"to today's: difference to {r.reference}"] if r.reference else []
    console.print("; ".join(notes), style="dim")


# numbers as words ------------------------------------------------------------------------------------------------
def number(board: pd.DataFrame):
    """A formatter with decimals that fit the spread of the leaderboard (a three-hundredth of it is the last digit)."""
    spread = float(np.nanmax(board["mean"]) - np.nanmin(board["mean"])) or abs(float(board["mean"].iloc[0])) or 1.0
    decimals = min(max(2 - math.floor(math.log10(spread / 3)), 0), 6)
    return lambda value: blank(value) or f"{value:,.{decimals}f}".replace("-", "−")


def blank(value) -> str:
    """A dash for what is not known, nothing for what is."""
    missing = value is None or isinstance(value, jinja2.Undefined) or (isinstance(value, float) and not math.isfinite(value))
    return "–" if missing else ""


def signed(value, show) -> str:
    text = show(value)
    return text if text[0] in "−–" else f"+{text}"


def span(low, high, show) -> str:
    return "unknown" if blank(low) else f"{show(low)} to {show(high)}"


def percent(value) -> str:
    return blank(value) or f"{100 * value:.0f} %".replace("-", "−")


def count(value) -> str:
    """A whole number with three significant digits at most when it is a rate; nothing for 0."""
    return "–" if blank(value) or not value else f"{float(f'{value:.3g}') if value >= 1000 else round(value):,.0f}"


def whole(value) -> str:
    return "–" if blank(value) or not value else f"{value:,.0f}"


def duration(seconds) -> str:
    if blank(seconds) or not seconds:
        return "–"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# figures ---------------------------------------------------------------------------------------------------------
STYLE = {"font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": LINE,
         "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": LINE,
         "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
         "legend.frameon": False, "svg.fonttype": "none", "lines.solid_capstyle": "round"}


def draw(name: str, alt: str, width: float, height: float, paint) -> Markup:
    """An inline SVG of what ``paint(figure)`` draws: no outside reference, ids of its own, the page's colours."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}), io.StringIO() as out:
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.S)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{Markup.escape(alt)}">', text, count=1)
    text = text.replace(INK, "currentColor").replace(LINE, "var(--line)")
    return Markup(re.sub(r"\n\s*", "\n", text))


def lines(axes, r: Results, means: dict[str, float], along) -> None:
    """Random dotted, today's policy dashed, the bound solid."""
    for label, dash in ((r.random, ":"), (r.reference, "--"), (r.bound, "-")):
        if label in means and label not in r.colours | {label: GREY} or label not in means:
            continue
        along(means[label], color=GREY, linestyle=dash, linewidth=1.2, zorder=1, label=label)


def dots(figure: Figure, r: Results, board: pd.DataFrame) -> None:
    """Every row's mean with its interval, and the mean of every run."""
    axes = figure.subplots()
    lines(axes, r, dict(zip(board.algorithm, board["mean"], strict=True)), axes.axvline)
    for y, row in enumerate(board.itertuples()):
        colour, shape = r.colours[row.algorithm], {"ours": "o", "rllib": "s"}.get(row.kind, "D")
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3.2, alpha=0.45)
        runs = r.per_run(row.algorithm)
        if len(runs) > 1:
            axes.plot(runs, np.full(len(runs), y + 0.27), "|", color=colour, markersize=5, alpha=0.8)
        axes.plot(row.mean, y, shape, color=colour, markersize=6.5)
    axes.set_yticks(range(len(board)), board.algorithm)
    axes.set_ylim(len(board) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{r.unit} per session")


def band(curves: pd.DataFrame, column: str):
    """Mean over trials of ``column`` against env steps on common points: (x, mean, half-width of 95 %, each, 95th pct)."""
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
    return x, np.nanmean(y, axis=0), half, y, np.nanpercentile(y, 95, axis=0)


def curve(axes, r: Results, column: str, extreme: bool = False) -> list:
    """One panel: mean and 95 % band over seeds of every algorithm (RLlib dashed), every seed as a thin line."""
    drawn = []
    for label, part in r.curves.groupby("algorithm", sort=False):
        found = band(part, column) if column in part else None
        if found is None:
            continue
        x, mean, half, each, high = found
        colour = r.colours.get(label, GREY)
        if len(each) > 1:
            axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
            if not extreme and len(each) <= 10:
                axes.plot(x, each.T, color=colour, linewidth=0.5, alpha=0.45)
        if extreme and len(each) > 1:
            axes.plot(x, high, color=colour, linewidth=0.8, linestyle=":")
        dash = "--" if (part.kind == "rllib").any() else "-"
        drawn += axes.plot(x, mean, color=colour, linewidth=1.8, linestyle=dash, label=label,
                           marker="o" if len(x) == 1 else None)
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda v, _: thousands(v)))
    return drawn


def thousands(value: float) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def learning(figure: Figure, r: Results, board: pd.DataFrame, panels: list[tuple[str, str]]) -> None:
    """The learning curves: what has been learnt, what was earned on the way."""
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for panel, (column, title) in zip(axes, panels, strict=True):
        drawn = curve(panel, r, column)
        panel.set_title(title)
        if column == "eval/return_mean":
            lines(panel, r, dict(zip(board.algorithm, board["mean"], strict=True)), panel.axhline)
    handles = {h.get_label(): h for h in [*drawn, *axes[0].get_lines()] if not str(h.get_label()).startswith("_")}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=5)


def regret(figure: Figure, r: Results) -> None:
    """Cumulative regret against time, linear and on a logarithmic axis: a straight line there is logarithmic growth."""
    left, right = figure.subplots(1, 2, sharey=True)
    drawn = curve(left, r, "rollout/regret", extreme=True)
    curve(right, r, "rollout/regret", extreme=True)
    right.set_xscale("log")
    left.set_title("cumulative regret")
    right.set_title("the same, logarithmic time")
    figure.legend(handles=drawn, loc="outside lower center", ncols=5)


def reliability(figure: Figure, r: Results) -> None:
    """Predicted against observed shares with Wilson's 95 % intervals; the diagonal is honesty."""
    bins = pd.DataFrame(r.calibration["reliability"])
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    z2, n, p = stats.norm.ppf(0.975) ** 2, bins.rows, bins.observed
    centre, half = (p + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    axes.vlines(bins.predicted, centre - half, centre + half, color=PALETTE[0], linewidth=2.5, alpha=0.5)
    axes.plot(bins.predicted, p, "o", color=PALETTE[0], markersize=5)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted P(like)", ylabel="share that was liked", aspect="equal")


# the page --------------------------------------------------------------------------------------------------------
def figures(r: Results, board: pd.DataFrame) -> dict[str, Markup]:
    """Every figure that the files allow."""
    made = {"dots": draw("dots", "Leaderboard: mean and 95 % interval of every algorithm", 7.6, 0.7 + 0.31 * len(board),
                         lambda f: dots(f, r, board))}
    panels = [(column, title) for column, title in (
        ("eval/return_mean", f"what has been learnt: {r.unit} per session, no exploration"),
        ("rollout/reward_mean", "what was earned on the way: reward per step"))
        if column in r.curves and r.curves[column].notna().any()]
    if panels:
        made["learning"] = draw("learning", "Learning curves with 95 % bands", 4.0 * len(panels) + 0.6, 3.5,
                                lambda f: learning(f, r, board, panels))
    if "rollout/regret" in r.curves and r.curves["rollout/regret"].notna().any():
        made["regret"] = draw("regret", "Cumulative regret with 95 % bands", 8.6, 3.5, lambda f: regret(f, r))
    if r.calibration and r.calibration.get("reliability"):
        made["reliability"] = draw("reliability", "Predicted against observed share of likes", 3.6, 3.5,
                                   lambda f: reliability(f, r))
    return made


def comparisons(r: Results) -> list[dict[str, Any]]:
    """Every algorithm of ours against every baseline of RLlib: the verdicts, normalised, Holm over all pairs."""
    zero, one = r.ends()
    sides = {kind: [label for label, k in r.kinds.items() if k == kind and len(r.runs(label))] for kind in LEARNERS}
    pairs = [(a, b) for b in sides["rllib"] for a in sides["ours"]]
    if math.isnan(zero) or not one > zero:
        return []
    scores = {label: verdict.normalise(r.per_run(label), zero, one) for label in r.kinds}
    found = verdict.verdicts([(scores[a], scores[b]) for a, b in pairs])
    return [{"ours": a, "theirs": b, "verdict": v, "seeds": f"{len(scores[a])} / {len(scores[b])}",
             "css": v.word.lower() if v.decided else "unclear"} for (a, b), v in zip(pairs, found, strict=True)]


def seed_table(r: Results) -> list[dict[str, Any]]:
    """The spread over seeds of every learner, normalised: mean, SD, IQM, median, 10th percentile, failures."""
    zero, one = r.ends()
    rows = []
    for label, kind in r.kinds.items():
        s = verdict.normalise(r.per_run(label), zero, one)
        if kind in LEARNERS and len(s) and np.isfinite(s).all():
            rows.append({"algorithm": label, "kind": KINDS[kind], "n": len(s), "mean": float(s.mean()),
                         "sd": float(s.std(ddof=1)) if len(s) > 1 else math.nan, "iqm": float(verdict.iqm(s)),
                         "median": float(np.median(s)), "low": float(np.quantile(s, 0.1)),
                         "failures": int((s < verdict.FAILED).sum())})
    return rows


def trial_table(r: Results) -> list[dict[str, Any]]:
    """Every trial that reported anything, whether it finished or not."""
    last = r.curves.sort_values("iteration", kind="stable").groupby("trial").last() if len(r.curves) else pd.DataFrame()
    rows = {}
    for (trial, seed), part in r.scores.groupby(["trial", "seed"], sort=False):
        first, complete = part.iloc[0], len(part) == len(r.users) and part.return_mean.notna().all()
        rows[trial] = {"trial": trial, "seed": seed, "algorithm": first.algorithm, "kind": first.kind,
                       "score": float(np.average(part.return_mean, weights=part.users)) if complete else math.nan,
                       "env_steps": first.get("env_steps"), "wall_s": first.get("wall_s"),
                       "state": "finished" if complete else "incomplete: left out"}
    for trial, row in last.iterrows():
        entry = rows.setdefault(trial, {"trial": trial, "seed": row.seed, "algorithm": row.algorithm, "kind": row.kind,
                                        "score": math.nan, "env_steps": row.env_steps, "wall_s": row.get("time_s"),
                                        "state": "no final score"})
        entry["validation"] = row.get("eval/return_mean")
    order = {label: i for i, label in enumerate(r.kinds)}
    return sorted(rows.values(), key=lambda row: (order.get(row["algorithm"], len(order)), row["seed"]))


def notes(r: Results, board: pd.DataFrame, trials: list[dict]) -> list[str]:
    """What a careful reader must know about this table."""
    found = []
    learners = board[board.kind.isin(LEARNERS)]
    bad = [t["trial"] for t in trials if t["state"] != "finished"]
    planned = r.experiment.get("seeds")
    if bad:
        found.append(f"{len(bad)} of {len(trials)} trials have no complete final score and are left out: {', '.join(bad[:8])}"
                     + (" …" if len(bad) > 8 else ""))
    short = learners[learners.seeds < planned] if isinstance(planned, int) else learners.iloc[:0]
    if len(short):
        found.append(f"fewer runs than the {planned} planned: {', '.join(f'{a} ({n})' for a, n in zip(short.algorithm, short.seeds, strict=True))}")
    if r.failed:
        found.append("some trials ended with an error; errors.txt in the results folder has the tracebacks")
    if (learners.seeds == 1).any():
        found.append("a learner with one seed: its interval speaks of other users only, not of other runs")
    if len(r.users) == 1:
        found.append("one block of users: the intervals speak of other runs only, not of other users")
    steps = learners.env_steps.dropna()
    if len(steps) and steps.max() > 1.01 * steps.min():
        found.append(f"the learners did not take equally many environment steps: {steps.min():,.0f} to {steps.max():,.0f}")
    return found


def write_report(folder: str | Path) -> Path:
    """Write ``report.html`` into the folder, whole or not at all; returns its path."""
    r = Results(folder)
    board = leaderboard(r)
    show, trials = number(board), trial_table(r)
    source = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
                                lstrip_blocks=True)
    source.filters |= {"show": show, "signed": functools.partial(signed, show=show), "percent": percent, "whole": whole,
                       "rate": count, "duration": duration,
                       "fixed": lambda v, n=3: blank(v) or f"{v:.{n}f}".replace("-", "−"),
                       "plus": lambda v, n=3: blank(v) or f"{v:+.{n}f}".replace("-", "−")}
    best = board[board.kind.isin(LEARNERS)].sort_values("mean", ascending=False)
    page = source.get_template("report.html.j2").render(
        r=r, e=r.experiment, m=r.machine, c=r.calibration, answer=judge(r, board), board=board.to_dict("records"),
        best=None if best.empty else best.iloc[0].to_dict(), kinds=KINDS, figures=figures(r, board),
        comparisons=comparisons(r), seed_table=seed_table(r), trials=trials[:MAX_TRIALS], left_out=len(trials) - MAX_TRIALS,
        notes=notes(r, board, trials), text=yaml.safe_dump(r.experiment, sort_keys=False, allow_unicode=True),
        length=session_length(r), exp=math.exp, rule=verdict)
    target = r.folder / "report.html"
    part = target.with_name("report.html.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    part.write_text(page, encoding="utf-8")
    os.replace(part, target)
    return target


def session_length(r: Results) -> str:
    """The mean length of a session in steps, as text; empty where it is not known."""
    if "length_mean" not in r.scores or r.scores.length_mean.isna().all():
        return ""
    low, high = r.scores.length_mean.min(), r.scores.length_mean.max()
    return f"{low:.0f}" if high - low < 0.5 else f"{low:.0f} to {high:.0f}"
