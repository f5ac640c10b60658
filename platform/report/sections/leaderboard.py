"""The leaderboard as a table and as a figure, with what a careful reader must know about it."""
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from ...trial.trial import Role
from ..drawing import draw, explain, looks, special_lines, stroke
from ..leaderboard import Board, Standing
from ..results import Results
from ..words import percent
from . import trials

MOST_TICKS = 100                                            # single runs of one row


class Leaderboard(NamedTuple):
    standings: list[Standing]
    ranked: bool
    unit: str
    session: bool                  # scores of sessions on users
    sampled: bool                  # users were drawn
    way: tuple[str, str] | None    # from and to, in words
    reference: str                 # its label; empty without one
    run_word: str
    figure: Markup
    notes: list[str]


def content(r: Results, board: Board) -> Leaderboard:
    session = r.measure == "session"
    return Leaderboard(board.standings, r.teaches, r.unit, session, session and not r.exact,
                       (r.random.label, r.top) if r.random and r.top else None,
                       r.reference.label if r.reference else "", r.run_word, figure(r, board), notes(r, board))


def figure(r: Results, board: Board) -> Markup:
    return draw("dots", "Leaderboard: mean and 95 % interval of every algorithm", 7.6,
                1.2 + 0.31 * len(board.standings), lambda f: dots(f, r, board))


def dots(figure: Figure, r: Results, board: Board) -> None:
    """Every row's mean with its interval, and the mean of every run."""
    axes, look = figure.subplots(), looks(r.rows.values())
    special = special_lines(r, board, axes.axvline)
    shapes = {Role.LEARNER: "o", Role.RLLIB: "s"}
    for y, s in enumerate(board.standings):
        colour = look[s.row.id].colour
        axes.plot([s.score.low, s.score.high], [y, y], color=colour, linewidth=3.2, alpha=0.45)
        runs = r.sign * r.per_run(s.row)
        if 1 < len(runs) <= MOST_TICKS:
            axes.plot(runs, np.full(len(runs), y + 0.27), "|", color=colour, markersize=5, alpha=0.8)
        axes.plot(s.score.mean, y, shapes.get(s.row.role, "D"), color=colour, markersize=6.5)
    axes.set_yticks(range(len(board.standings)), [s.row.label for s in board.standings])
    axes.set_ylim(len(board.standings) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{r.unit} {r.per}")
    axes.set_ylabel("algorithm")
    kinds = ("mean, ours", "o"), ("mean, RLlib", "s"), ("mean, does not learn", "D"), ("single run", "|")
    used = {line.get_marker() for line in axes.get_lines()}
    explain(figure, [*(stroke(text, marker=shape, linestyle="") for text, shape in kinds if shape in used),
                     stroke("95 % interval", linewidth=3.2, alpha=0.45), *special])


def notes(r: Results, board: Board) -> list[str]:
    """What a careful reader must know about this table."""
    found = []
    every = trials.listed(r)
    bad = [t.trial for t in every if not t.finished]
    planned = r.experiment.get("seeds")
    if bad:
        named = ", ".join(bad[:8]) + (" …" if len(bad) > 8 else "")
        found.append(f"{len(bad)} of {len(every)} trials have no complete final score and are left out: {named}")
    short = [s for s in board.standings if s.row.role.races and isinstance(planned, int) and s.runs < planned]
    if short:
        found.append(f"fewer runs than the {planned} planned: "
                     + ", ".join(f"{s.row.label} ({s.runs})" for s in short))
    if (r.folder / "errors.txt").exists():
        found.append("some trials ended with an error; errors.txt in the results folder has the tracebacks")
    return found + _about_intervals(r, board) + _about_play(r, board)


def _about_intervals(r: Results, board: Board) -> list[str]:
    found = []
    if any(s.runs == 1 for s in board.learners):
        found.append("a learner with one seed: its interval speaks of other users only, not of other runs"
                     if r.measure == "session" else "a learner with one run has no interval")
    if r.exact:
        found.append("scores are exact expected returns (dynamic programming): the intervals speak of other runs")
    elif len(r.users) == 1 and r.measure == "session":
        found.append("one block of users: the intervals speak of other runs only, not of other users")
    return found


def _about_play(r: Results, board: Board) -> list[str]:
    found = []
    if "repeated" in r.scores:
        share = [(row.label, part.repeated.mean()) for row, part in r.parts(r.scores) if row.role.races]
        twice = ", ".join(f"{label} in {percent(part)} of its places" for label, part in share if part > 0)
        found += [f"slates that show an item again: {twice}"] if twice else []
    steps = [s.env_steps for s in board.learners if np.isfinite(s.env_steps)]
    if steps and max(steps) > 1.01 * min(steps):
        found.append("the learners did not take equally many environment steps: "
                     f"{min(steps):,.0f} to {max(steps):,.0f}")
    return found
