"""How they learnt: what the policy of each moment is worth, and what was earned on the way."""
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import curves
from ..drawing import GREY, draw, explain, special_lines
from ..leaderboard import Board
from ..results import Results

LEARNT, SESSIONS, STEPS = "eval/return_mean", "rollout/return_mean", "rollout/reward_mean"


class Learning(NamedTuple):
    figure: Markup
    other_users: bool              # the curves' users stand nowhere else on the page
    lines: list[str]               # the labels of the grey lines


class Panel(NamedTuple):
    column: str                    # of curves.parquet
    title: str
    axis: str


def content(r: Results, board: Board) -> Learning | None:
    found = panels(r)
    if not found:
        return None
    figure = draw("learning", "Learning curves with 95 % bands", 8.6, 3.6, lambda f: paint(f, r, board, found))
    return Learning(figure, r.users_are_people and not r.exact,
                    [row.label for row in (r.random, r.reference, r.bound) if row])


def panels(r: Results) -> list[Panel]:
    """What is drawn; regret has a section of its own."""
    earned = Panel(SESSIONS, "earned on the way: return of a session", "return of a session") if r.exact else \
        Panel(STEPS, "earned on the way: reward per step", "reward per step")
    learnt = Panel(LEARNT, f"learnt: {r.unit} per session, no exploration", f"{r.unit} per session")
    wanted = {"session": (learnt, earned), "collected": (earned,), "regret": ()}[r.measure]
    return [panel for panel in wanted if curves.known(r, panel.column)]


def paint(figure: Figure, r: Results, board: Board, wanted: list[Panel]) -> None:
    """One panel beside the other, under one legend."""
    drawn: dict[str, Line2D] = {}
    grey: list[Line2D] = []
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(wanted))), wanted, strict=True):
        drawn |= curves.curve(axes, r, panel.column)
        axes.set_title(panel.title)
        axes.set_ylabel(panel.axis)
        sight(axes, board if panel.column == LEARNT else None)
        if panel.column == LEARNT:
            grey += special_lines(r, board, axes.axhline)
        for epsilon, value in r.problem.get("soft_optima", {}).items() if panel.column == SESSIONS else ():
            grey.append(axes.axhline(value, color=GREY, linestyle="-.", linewidth=1.2, zorder=1,
                                     label=f"best that explores with ε = {epsilon}"))
    explain(figure, [*drawn.values(), *grey, *curves.shades(r)])


def sight(axes: Axes, board: Board | None) -> None:
    """Show what the learners did after their first stumbles; how bad random is may lie far below the picture."""
    y = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.get_lines()] or [np.zeros(0)])
    if not np.isfinite(y).any():
        return
    top = [] if board is None else [s.score.mean for s in board.standings]
    high, low = max([np.nanmax(y), *top]), float(np.nanpercentile(y, 10))
    span = max(high - low, 1e-9)
    for value in [np.nanmin(y), *top]:
        if value >= high - 3 * span:
            low = min(low, float(value))
    axes.set_ylim(low - 0.06 * (high - low + 1e-9), high + 0.06 * (high - low + 1e-9))
