"""What the command says in the terminal: what is going to be run; then the leaderboard, the answer, the report."""
import math
import traceback
from pathlib import Path

from . import words

RLLIB_RATE = 3_000                                        # env steps/s of RLlib's PPO: quickstart.yaml, one quiet core


def conclude(console, folder, verbose, target=None) -> int:
    """Leaderboard, answer, estimates, report; returns the exit status."""
    from . import docs_tables, page
    from .answer import answer
    from .leaderboard import Board
    from .results import Results
    from .sections import estimates

    try:
        r = Results(folder)
        board = Board(r)
        print_leaderboard(console, r, board)
        console.print(f"\n[bold]{answer(r, board).text}[/bold]")
        for line in estimates.lines(r):
            console.print(line, soft_wrap=True)
        leave_bundle(console, r)
        console.print(f"report: {page.write_report(r, board)}", soft_wrap=True)
        if target:
            docs_tables.write_figures(r, board, target)
    except (OSError, ValueError, KeyError) as error:
        if verbose:
            traceback.print_exc()
        console.print(f"[red]no report[/red]: {error} (folder {folder})")
        return 1
    return 0


def leave_bundle(console, r) -> None:
    """The best learner of ours as a bundle beside the results; where it cannot be one, it is said why."""
    from ..experiment.model import Problem
    from ..serving.decision import Refused
    from ..serving.export import leave

    try:
        made = leave(r)
    except (Problem, Refused) as refused:
        console.print(f"no bundle: {refused}", style="dim", markup=False, soft_wrap=True)
    else:
        console.print(f"bundle: {made.folder} ({made.row.label})", markup=False, soft_wrap=True)


def print_leaderboard(console, r, board) -> None:
    """The leaderboard as a table; a narrow terminal leaves out the seeds and the second interval."""
    from rich.table import Table

    title = ", ".join(filter(None, (f"{r.unit} {r.per}", r.judge, "95 % intervals")))
    title += "" if r.teaches else " (no ranking: the log teaches nothing)"
    out = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left", header_style="bold")
    other, wide = "to today's" if r.today else "difference", console.width >= 100
    for name in ["algorithm", r.unit, "interval", "way", other, *(["its interval", r.run_word] if wide else []),
                 "steps/s", "time"]:
        out.add_column(name, justify="left" if name in ("algorithm", "interval", "its interval") else "right",
                       no_wrap=name != "algorithm", min_width=12 if name == "algorithm" else None)
    for s in board.standings:
        out.add_row(*_line(s, board, wide), style="" if s.row.role.races else "dim" if s.row == r.bound else "cyan")
    console.print(out)
    notes = [f"way: from {r.random.label} (0 %) to {r.top} (100 %)"] if r.random and r.top else []
    paired = ", paired over users" if r.measure == "session" and not r.exact else ""
    notes += [f"{other}: to {r.reference.label}{paired}"] if r.reference else []
    console.print("; ".join(notes), style="dim")


def _line(s, board, wide) -> list[str]:
    """The cells of one row."""
    gap, show = s.difference, board.show
    compared = not math.isnan(gap.mean)
    more = [words.span(gap.low, gap.high, board.signed) if compared else "", str(s.runs)] if wide else []
    return [s.row.label, show(s.score.mean), words.span(s.score.low, s.score.high, show), words.percent(s.share),
            board.signed(gap.mean) if compared else "", *more, words.rate(s.env_steps_per_s), words.duration(s.wall_s)]


def introduce(console, e, trials, resources: str, where: Path) -> None:
    """What is going to be run."""
    from rich.markup import escape

    from ..experiment.checks import warnings
    from ..trial.build import task_of
    from ..trial.trial import Role

    learners = sorted({trial.row.label for trial in trials if trial.row.role.races})
    console.print(f"[bold]{escape(e.question or e.name)}[/bold]")
    runs, session = e.population.replications, e.score == "session"
    exact = task_of(e.env.id, e.env.params).knows.exact is not None
    judge = "exactly, by dynamic programming" if exact else f"on {e.population.eval_users:,} held-out users"
    console.print(f"{len(trials)} trials: {escape(', '.join(learners))} × {e.seeds} seeds"
                  + (f" × {runs:,} independent runs" if runs > 1 else "")
                  + (", and random, today's policy and the bounds once" if session else ""))
    console.print(f"budget: {e.budget.env_steps:,} real env steps a trial on {e.env.id}; "
                  f"{e.population.users} users at a time; "
                  + (f"scored {judge}" if session
                     else f"scored by the {'regret' if e.score == 'regret' else 'expected reward'} while learning"))
    if any(trial.row.role is Role.RLLIB and trial.row.algorithm == "PPO" for trial in trials):
        console.print(f"          set by the slowest row: RLlib's PPO makes about {RLLIB_RATE:,} env steps/s on one "
                      f"core, {e.budget.env_steps / RLLIB_RATE:.0f} s a seed")
    console.print(f"resources: {resources}\nresults: {where}", soft_wrap=True, markup=False)
    for warning in warnings(e):
        console.print(f"warning: {warning}", soft_wrap=True, markup=False)
