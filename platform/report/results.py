"""From a results folder to a leaderboard, one sentence that answers the question, and one self-contained HTML page.

`leaderboard`, `answer` and `write_report` read only the files of the folder, so a report can be made again at any
time, anywhere.  The statistics are those of `platform.judge.verdict`; the page is ``page.html.j2``.
"""
import functools
import json
import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
import yaml

from ..judge import verdict
from .drawing import GREY, PALETTE, figures, standalone

LEARNERS = ("ours", "rllib")
KINDS = {"ours": "ours", "rllib": "RLlib", "reference": "reference", "bound": "upper bound"}
PASSED = 1.05                                    # a learner this far from random to the oracle shows it to be no bound
MAX_TRIALS = 1000                                           # of the trial table: the page stays small


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
        self.regret = self._table("regret.parquet", ["trial", "algorithm", "kind", "runs", "t", "mean", "sd", "high"])
        self.shown = self._table("shown.parquet", ["algorithm", "trial", "action", "count"])
        self.problem = self._json("problem.json") or {}
        self.maps = self._json("maps.json") or {}
        self.users = self.scores.groupby("block").users.first().sort_index().astype(float)           # [B]

    def _json(self, name: str):
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def _table(self, name: str, columns: list[str]) -> pd.DataFrame:
        path = self.folder / name
        table = pd.read_parquet(path) if path.exists() else pd.DataFrame()
        return table if set(columns) <= set(table.columns) else pd.DataFrame(columns=columns)

    @property
    def measure(self) -> str:
        """session: the final policy on held-out users; collected, regret: what happened while learning."""
        return self.experiment.get("score") or "session"

    @property
    def exact(self) -> bool:
        """Whether scores are computed instead of sampled from users."""
        return "exact" in self.scores and len(self.scores) > 0 and bool(self.scores.exact.eq(True).all())

    @property
    def sign(self) -> int:
        """−1 where less is better.  Scores are kept as "more is better" (minus the regret) and shown with this sign."""
        return -1 if self.measure == "regret" else 1

    @property
    def runs_each(self) -> int:
        """Independent learners in one trial."""
        return int((self.experiment.get("population") or {}).get("replications") or 1)

    @property
    def unit(self) -> str:
        if self.measure != "session":
            return {"regret": "regret", "collected": "reward"}[self.measure]
        env_id = str(self.experiment.get("env", {}).get("id", ""))
        return "likes" if env_id.startswith("recloop/Logged") else "return"

    @property
    def live(self) -> bool:
        """Whether the reference stands for the policy in use: users are fitted to its log."""
        return self.unit == "likes"

    @property
    def per(self) -> str:
        """What follows the unit."""
        budget = int(self.experiment["budget"]["env_steps"]) // self.runs_each
        return {"session": "per session", "collected": "per step, exploration included",
                "regret": f"after {budget:,} interactions"}[self.measure]

    @property
    def judge(self) -> str:
        """Who says how good a policy is, in words; empty where what was collected on the way counts."""
        if self.measure != "session":
            return ""
        return "exact expected returns" if self.exact else f"{int(self.users.sum()):,} held-out users"

    def sample(self, runs) -> str:
        """How much stands behind a comparison, in words."""
        return ", ".join(filter(None, (f"{int(runs):,} {'runs' if self.runs_each > 1 else 'seeds'}", self.judge)))

    def facing(self, found: verdict.Interval) -> verdict.Interval:
        """An interval of "more is better" scores as it is shown."""
        if self.sign > 0:
            return found
        return found._replace(mean=-found.mean, low=-found.high, high=-found.low)

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
        own = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(learners)}
        return dict.fromkeys(self.kinds, GREY) | own

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

    @property
    def top(self) -> str | None:
        """What is 100 % of the way."""
        return "no regret" if self.measure == "regret" else self.bound

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
        best = 0.0 if self.measure == "regret" else max(means.values(), default=math.nan)
        high = means.get(self.bound or "", best)
        return means.get(self.random or "", math.nan), high


# the leaderboard -------------------------------------------------------------------------------------------------
def leaderboard(folder: str | Path | Results) -> pd.DataFrame:
    """One row per algorithm, best first (in the experiment's order where the log teaches nothing).

    mean, low, high: the score (return of a session, reward a step, or regret) with the 95 % interval; share: of the
    way from random to the bound; share_reference: from random to today's policy; difference…: to that, paired over
    users.
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
        mean, low, high = r.facing(own)[:3]
        row: dict[str, Any] = {"algorithm": label, "kind": kind, "seeds": len(runs), "mean": mean, "low": low,
                               "high": high, "share": float(verdict.normalise(own.mean, zero, one)),
                               "share_reference": math.nan}
        gap = verdict.Interval(math.nan, math.nan, math.nan)
        if len(today) and label != r.reference:
            gap = verdict.difference(runs, today, users)
            row["share_reference"] = float(verdict.normalise(own.mean, zero, own.mean - gap.mean))
        row |= dict(zip(("difference", "difference_low", "difference_high"), r.facing(gap)[:3], strict=True))
        trials = r.scores[r.scores.algorithm == label].drop_duplicates(["trial", "seed"])
        for name in ("env_steps", "env_steps_per_s", "wall_s"):
            row[name] = float(trials[name].mean()) if name in trials and kind in LEARNERS else math.nan
        rows.append(row)
    if not rows:
        raise ValueError(f"{r.folder / 'scores.parquet'}: no run has a final score, so there is nothing to report")
    table = pd.DataFrame(rows)
    return table.sort_values("mean", ascending=r.sign < 0, ignore_index=True, kind="stable") if r.teaches else table


class Answer(NamedTuple):
    word: str                      # win, loss, unclear, unranked or open (nothing to compare with)
    text: str


def answer(folder: str | Path) -> str:
    """One plain sentence: would the best learner beat today's policy?"""
    r = Results(folder)
    return judge(r, leaderboard(r)).text


def judge(r: Results, board: pd.DataFrame) -> Answer:
    """The answer.  The best of k learners is judged at level 1 − .05/k: it was picked by the scores it is judged by."""
    learners = board[board.kind.isin(LEARNERS) & (board.algorithm != r.reference)]
    learners = learners.sort_values("mean", ascending=r.sign < 0)
    if not r.teaches:
        why = str(r.calibration.get("why", "")).rstrip(".")
        return Answer("unranked", "This log teaches nothing about who likes what, so nobody is ranked"
                                  + (f": {why}." if why else "."))
    if learners.empty:
        return Answer("open", "No learner has finished, so the question stays open.")
    best, k = learners.iloc[0], len(learners)
    name, show, unit = best.algorithm, number(board), f"{r.unit} {r.per}"
    if r.reference is None or not len(r.runs(r.reference)):
        way = f", {percent(best.share)} of the way from {r.random} to {r.bound}" if r.bound and r.random else ""
        return Answer("open", f"There is no policy of today to compare with: the best learner is {name} with "
                              f"{show(best['mean'])} {unit} (95 % interval {span(best.low, best.high, show)}){way}.")
    gap = verdict.difference(r.runs(name), r.runs(r.reference), r.users.to_numpy(), 1 - 0.05 / k)
    shown = r.facing(gap)
    against = f"{show(best['mean'])} against {show(best['mean'] - shown.mean)} {unit}"
    sure = (f"95 % interval of the difference {span(shown.low, shown.high, functools.partial(signed, show=show))}"
            + (f", allowing for the choice among {k} learners" if k > 1 else "") + f"; {r.sample(best.seeds)}")
    policy = f"today's policy ({r.reference})" if r.live else r.reference
    way = "" if math.isnan(best.share_reference) or best.share_reference >= 1 else \
        f"; it covers {percent(best.share_reference)} of the way from {r.random} to {r.reference}"
    if best.seeds < 2:
        return Answer("unclear", f"It cannot be told from one seed whether the best learner, {name}, beats {policy}: "
                                 f"{against}{way}.")
    if gap.low > 0:
        return Answer("win", f"Yes, {name} beats {policy}: {against} ({sure}).")
    if gap.high < 0:
        return Answer("loss", f"No, even the best learner, {name}, loses to {policy}: {against} ({sure}){way}.")
    return Answer("unclear", f"It cannot be told yet whether the best learner, {name}, beats {policy}: {against}, and "
                             f"the interval contains zero ({sure}){way}.")


def print_leaderboard(folder: str | Path, console) -> None:
    """The leaderboard as a table for the terminal; a narrow one leaves out the seeds and the second interval."""
    from rich.table import Table

    r = Results(folder)
    board = leaderboard(r)
    show = number(board)
    title = ", ".join(filter(None, (f"{r.unit} {r.per}", r.judge, "95 % intervals")))
    title += "" if r.teaches else " (no ranking: the log teaches nothing)"
    out = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left", header_style="bold")
    runs = "runs" if r.runs_each > 1 else "seeds"
    other = "to today's" if r.live else "difference"
    columns = ["algorithm", r.unit, "interval", "way", other, "its interval", runs, "steps/s", "time"]
    wide = console.width >= 100
    for name in columns:
        if wide or name not in ("its interval", runs):
            out.add_column(name, justify="left" if name in ("algorithm", "interval", "its interval") else "right",
                           no_wrap=name != "algorithm", min_width=12 if name == "algorithm" else None)
    for row in board.itertuples():
        style = {"bound": "dim", "reference": "cyan"}.get(row.kind, "")
        gap, known = functools.partial(signed, show=show), not math.isnan(row.difference)
        more = [span(row.difference_low, row.difference_high, gap) if known else "", str(row.seeds)]
        out.add_row(row.algorithm, show(row.mean), span(row.low, row.high, show), percent(row.share),
                    gap(row.difference) if known else "", *(more if wide else []), rate(row.env_steps_per_s),
                    duration(row.wall_s), style=style)
    console.print(out)
    notes = [f"way: from {r.random} (0 %) to {r.top} (100 %)"] if r.random and r.top else []
    paired = ", paired over users" if r.measure == "session" and not r.exact else ""
    notes += [f"{other}: to {r.reference}{paired}"] if r.reference else []
    console.print("; ".join(notes), style="dim")


# numbers as words ------------------------------------------------------------------------------------------------
def number(board: pd.DataFrame):
    """A formatter with decimals that fit the spread of the leaderboard (a three-hundredth of it is the last digit)."""
    near = board["mean"][board.kind != "reference"]        # how bad random is must not hide how learners differ
    near = near if near.nunique() > 1 else board["mean"]
    spread = float(np.nanmax(near) - np.nanmin(near)) or abs(float(board["mean"].iloc[0])) or 1.0
    decimals = min(max(2 - math.floor(math.log10(spread / 3)), 0), 6)
    return lambda value: blank(value) or f"{value:,.{decimals}f}".replace("-", "−")


def blank(value) -> str:
    """A dash for what is not known, nothing for what is."""
    known = value is not None and not isinstance(value, jinja2.Undefined) and math.isfinite(value)
    return "" if known else "–"


def signed(value, show) -> str:
    text = show(value)
    return text if text[0] in "−–" else f"+{text}"


def span(low, high, show) -> str:
    return "unknown" if blank(low) else f"{show(low)} to {show(high)}"


def percent(value) -> str:
    return blank(value) or f"{100 * value:.0f} %".replace("-", "−")


def rate(value) -> str:
    """A speed with three significant digits; a dash for 0."""
    return "–" if blank(value) or not value else f"{float(f'{value:.3g}') if value >= 1000 else round(value):,.0f}"


def fixed(value, decimals: int = 3, sign: str = "") -> str:
    return blank(value) or f"{value:{sign}.{decimals}f}".replace("-", "−")


def whole(value) -> str:
    return "–" if blank(value) or not value else f"{value:,.0f}"


def duration(seconds) -> str:
    if blank(seconds) or not seconds:
        return "–"
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# the page --------------------------------------------------------------------------------------------------------
def comparisons(r: Results) -> list[dict[str, Any]]:
    """Every algorithm of ours against every baseline of RLlib: the verdicts, normalised, Holm over all pairs.

    None where the log teaches nothing, or where random is missing and nothing can be normalised.
    """
    zero, one = r.ends()
    sides = {kind: [label for label, k in r.kinds.items() if k == kind and len(r.runs(label))] for kind in LEARNERS}
    pairs = [(a, b) for b in sides["rllib"] for a in sides["ours"]]
    if not r.teaches or math.isnan(zero) or not one > zero:
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
    for trial, part in r.scores.groupby("trial", sort=False):
        first, complete = part.iloc[0], len(part) >= len(r.users) and part.return_mean.notna().all()
        score = r.sign * float(np.average(part.return_mean, weights=part.users)) if complete else math.nan
        rows[trial] = {"trial": trial, "seed": first.seed // r.runs_each, "algorithm": first.algorithm,
                       "kind": first.kind, "score": score,
                       "env_steps": first.get("env_steps"), "wall_s": first.get("wall_s"),
                       "state": "finished" if complete else "incomplete: left out"}
    for trial, row in last.iterrows():
        entry = rows.setdefault(trial, {"trial": trial, "seed": row.seed, "algorithm": row.algorithm, "kind": row.kind,
                                        "score": math.nan, "env_steps": row.env_steps, "wall_s": row.get("time_s"),
                                        "state": "no final score"})
        last = row.get("eval/return_mean")
        entry["validation"] = None if last is None else r.sign * last
    order = {label: i for i, label in enumerate(r.kinds)}
    return sorted(rows.values(), key=lambda row: (order.get(row["algorithm"], len(order)), row["seed"]))


def notes(r: Results, board: pd.DataFrame, trials: list[dict]) -> list[str]:
    """What a careful reader must know about this table."""
    found = []
    learners = board[board.kind.isin(LEARNERS)]
    bad = [t["trial"] for t in trials if t["state"] != "finished"]
    planned = r.experiment.get("seeds")
    if bad:
        named = ", ".join(bad[:8]) + (" …" if len(bad) > 8 else "")
        found.append(f"{len(bad)} of {len(trials)} trials have no complete final score and are left out: {named}")
    short = learners[learners.seeds < planned] if isinstance(planned, int) else learners.iloc[:0]
    if len(short):
        runs = ", ".join(f"{name} ({n})" for name, n in zip(short.algorithm, short.seeds, strict=True))
        found.append(f"fewer runs than the {planned} planned: {runs}")
    if r.failed:
        found.append("some trials ended with an error; errors.txt in the results folder has the tracebacks")
    if (learners.seeds == 1).any():
        found.append("a learner with one seed: its interval speaks of other users only, not of other runs"
                     if r.measure == "session" else "a learner with one run has no interval")
    if r.exact:
        found.append("scores are exact expected returns (dynamic programming): the intervals speak of other runs")
    elif len(r.users) == 1 and r.measure == "session":
        found.append("one block of users: the intervals speak of other runs only, not of other users")
    if "repeated" in r.scores:
        share = r.scores[r.scores.kind.isin(LEARNERS)].groupby("algorithm", sort=False).repeated.mean()
        twice = ", ".join(f"{name} in {percent(part)} of its places" for name, part in share.items() if part > 0)
        found += [f"slates that show an item again: {twice}"] if twice else []
    steps = learners.env_steps.dropna()
    if len(steps) and steps.max() > 1.01 * steps.min():
        found.append("the learners did not take equally many environment steps: "
                     f"{steps.min():,.0f} to {steps.max():,.0f}")
    return found


def write_report(folder: str | Path) -> Path:
    """Write ``report.html`` into the folder, whole or not at all; returns its path."""
    r = Results(folder)
    board = leaderboard(r)
    show, trials = number(board), trial_table(r)
    source = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
                                trim_blocks=True, lstrip_blocks=True)
    source.filters |= {"show": show, "signed": functools.partial(signed, show=show), "percent": percent, "rate": rate,
                       "whole": whole, "duration": duration, "fixed": fixed, "plus": functools.partial(fixed, sign="+")}
    best = board[board.kind.isin(LEARNERS)].sort_values("mean", ascending=r.sign < 0)
    passed = len(best) and best.share.iloc[0] > PASSED
    page = source.get_template("page.html.j2").render(
        r=r, e=r.experiment, m=r.machine, c=r.calibration, answer=judge(r, board), board=board.to_dict("records"),
        best=None if best.empty else best.iloc[0].to_dict(), figures=figures(r, board),
        passed=passed, kinds=KINDS | {"bound": "knows the user"} if passed else KINDS,
        comparisons=comparisons(r), seed_table=seed_table(r), trials=trials[:MAX_TRIALS],
        left_out=len(trials) - MAX_TRIALS, notes=notes(r, board, trials), length=session_length(r), exp=math.exp,
        text=yaml.safe_dump(r.experiment, sort_keys=False, allow_unicode=True), rule=verdict)
    target = r.folder / "report.html"
    part = target.with_name("report.html.part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, target)
    return target


def write_figures(folder: str | Path, target: str | Path) -> list[Path]:
    """Write the figures as SVG files and the leaderboard as Markdown into ``target``; returns their paths.

    Pages (Markdown) beside ``target`` that mark a place for this table, from ``<!-- table NAME -->`` to
    ``<!-- end -->``, get the new one.
    """
    r, target = Results(folder), Path(target)
    board, name = leaderboard(r), r.experiment["name"]
    show = number(board)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    pictures = figures(r, board)
    del pictures["dots"]                                   # the table says it
    for kind, picture in pictures.items():
        paths.append(target / f"{name}-{kind}.svg")
        paths[-1].write_text(standalone(picture))
    runs = "runs" if r.runs_each > 1 else "seeds"
    versus = f"difference to {r.reference or '–'} | its interval"
    table = [f"| algorithm | {r.unit} {r.per} | 95 % interval | {versus} | {runs} |", "|---|---|---|---|---|---|"]
    for row in board.itertuples():
        gap = functools.partial(signed, show=show)
        between = span(row.difference_low, row.difference_high, gap) if not math.isnan(row.difference) else "–"
        own = f"{show(row.mean)} | {span(row.low, row.high, show)}"
        table.append(f"| {row.algorithm} | {own} | {gap(row.difference)} | {between} | {row.seeds:,} |")
    paths.append(target / f"{name}.md")
    command = f"`python -m platform.tune {name}`"
    paths[-1].write_text("\n".join([f"# {r.experiment.get('question') or name}", "", answer(folder), "", *table, "",
                                    f"Printed by {command}, {r.experiment['budget']['env_steps']:,} steps a trial on "
                                    f"`{r.experiment['env']['id']}`.", ""]))
    place = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.S)
    for page in sorted(target.resolve().parent.glob("*.md")):
        old = page.read_text()
        new = place.sub(lambda found: found[1] + "\n".join(table) + "\n" + found[2], old)
        if new != old:
            page.write_text(new)
            paths.append(page)
    return paths


def session_length(r: Results) -> str:
    """The mean length of a session in steps, as text; empty where it is not known."""
    if "length_mean" not in r.scores or r.scores.length_mean.isna().all():
        return ""
    low, high = r.scores.length_mean.min(), r.scores.length_mean.max()
    return f"{low:.0f}" if high - low < 0.5 else f"{low:.0f} to {high:.0f}"
