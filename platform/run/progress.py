"""What the user sees while a race runs, and the two files that grow with it: curves.jsonl and tables.jsonl.

A live table in a terminal, plain lines elsewhere, and what the trials write into notices.jsonl.  The files are appended
line by line and flushed, so a killed run loses at most a half-written last line, which the readers pass over.
"""
import math
import time
from pathlib import Path

from ray import tune
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..trial.trial import Trial
from .folder import append, whole_lines

MOST_NOTICES = 3                                          # at a time, in the console
PLAIN_EVERY = 5.0                                         # seconds between plain lines


class Progress(tune.Callback):
    """Tune callback: shows the race and keeps every report."""

    def __init__(self, folder: Path, total: int, budget: int, console: Console):
        self.folder, self.total, self.budget, self.console = folder, total, budget, console
        self.rows: dict[str, dict] = {}
        self.start, self.last_line, self.last_look = time.monotonic(), 0.0, 0.0
        self.told = len(whole_lines(folder / "notices.jsonl"))
        self.live = Live(self._table(), console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self):
        if self.live:
            self.live.__enter__()
        return self

    def __exit__(self, *error):
        self._tell()
        if self.live:
            self.live.update(self._table())
            self.live.__exit__(*error)

    def __getstate__(self):                              # Tune pickles its callbacks; a terminal is not part of the run
        return {name: value for name, value in vars(self).items() if name not in ("console", "live")}

    def on_trial_start(self, iteration, trials, trial, **info):
        ours = Trial.of(trial.config["trial"])
        self.rows.setdefault(trial.trial_id, {"trial": ours.row.label, "seed": ours.seed_number, "env_steps": 0,
                                              "budget": ours.budget, "state": "starting"})
        self._show()

    def on_trial_result(self, iteration, trials, trial, result, **info):
        ours = Trial.of(trial.config["trial"])
        if ours.stage == "final":
            self._keep(ours, result)
        self.rows.setdefault(trial.trial_id, {}).update(
            trial=ours.row.label, seed=ours.seed_number, env_steps=result["env_steps"], budget=ours.budget,
            rate=result.get("time/env_steps_per_s"), score=result.get("eval/return_mean"),
            state="done" if result.get("done") else "running")
        self._show()

    def on_step_end(self, iteration, trials, **info):
        if time.monotonic() - self.last_look > 1.0:
            self.last_look = time.monotonic()
            self._tell()

    def _tell(self) -> None:
        """What the trials have written since the last look: at most a few lines at a time, the file has all of it."""
        new = whole_lines(self.folder / "notices.jsonl")[self.told:]
        self.told += len(new)
        for line in new[:MOST_NOTICES]:
            self.console.print(f"{line['trial']} #{line['seed']}: {line['notice']}", markup=False, soft_wrap=True)
        if (more := len(new) - MOST_NOTICES) > 0:
            self.console.print(f"… and {more} more: notices.jsonl", markup=False)

    def _keep(self, ours: Trial, result) -> None:
        """A line of the curves, and at the end the trial's tables as they are."""
        kept = {key: _plain(value) for key, value in result.items() if key.startswith(("rollout/", "train/", "eval/"))}
        at = {"iteration": result["report"], "env_steps": result["env_steps"]}
        append(self.folder / "curves.jsonl", {
            **ours.identity, **at, "time_s": result["time_s"],
            "time/env_steps_per_s": _plain(result.get("time/env_steps_per_s")), **kept})
        if "tables" in result:
            append(self.folder / "tables.jsonl", {"trial": ours.id, **at, "identity": ours.identity,
                                                  "tables": result["tables"]})

    def on_trial_error(self, iteration, trials, trial, **info):
        self.rows.setdefault(trial.trial_id, {"trial": str(trial)})["state"] = "failed"
        self._show(force=True)

    def remaining(self) -> str:
        """Time left, guessed from the share of all trials' steps that is done."""
        done = sum(1.0 if r["state"] == "done" else r.get("env_steps", 0) / max(r.get("budget") or 1, 1)
                   for r in self.rows.values())
        elapsed = time.monotonic() - self.start
        return f"{elapsed * (self.total - done) / done:.0f} s left" if done > 0.5 else "…"

    def _show(self, force=False):
        if self.live:
            self.live.update(self._table())
        elif force or time.monotonic() - self.last_line > PLAIN_EVERY:
            self.last_line = time.monotonic()
            done = sum(r["state"] == "done" for r in self.rows.values())
            running = [f"{r['trial']} #{r['seed']} {r.get('env_steps', 0):,}" for r in self.rows.values()
                       if r["state"] in ("running", "starting")]
            self.console.print(f"{time.monotonic() - self.start:5.0f} s  {done}/{self.total} trials done, "
                               f"{self.remaining()}; running: {', '.join(running) or '—'}",
                               highlight=False, soft_wrap=True)

    def _table(self):
        done = sum(r["state"] == "done" for r in self.rows.values())
        table = Table(title=f"{done} of {self.total} trials done, {self.remaining()}", title_justify="left")
        for name in ("algorithm", "seed", "state"):
            table.add_column(name)
        for name in ("env steps", "steps/s", "score now"):
            table.add_column(name, justify="right")
        for r in list(self.rows.values())[-24:]:
            rate, score = r.get("rate"), r.get("score")
            table.add_row(r["trial"], str(r.get("seed", "")), r["state"], f"{r.get('env_steps', 0):,}",
                          f"{rate:,.0f}" if rate and math.isfinite(rate) else "",
                          f"{score:.2f}" if score is not None else "")
        return table


def _plain(value):
    return None if value is None else float(value)
