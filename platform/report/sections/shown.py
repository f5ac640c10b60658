"""What was shown while learning: the share of every action."""
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from ..drawing import draw
from ..leaderboard import Board
from ..results import Results

LEGIBLE = 0.06                                              # a narrower share has no room for its number


class Shown(NamedTuple):
    figure: Markup


def content(r: Results, board: Board) -> Shown | None:
    table = r.table("shown", "action", "count")
    if not len(table):
        return None
    return Shown(draw("shown", "Shares of the actions shown by every algorithm", 8.6,
                      0.8 + 0.28 * table.row.nunique(), lambda f: paint(f, r, table)))


def shares(r: Results, table: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """The labels, and the share of every action of every row: ``[row, action]``."""
    rows = [row for row, _ in r.parts(table)]
    counts = table.groupby(["row", "action"])["count"].sum().unstack().loc[[row.id for row in rows]]
    return [row.label for row in rows], counts.div(counts.sum(axis=1), axis=0)


def paint(figure: Figure, r: Results, table: pd.DataFrame) -> None:
    """Shares of the actions that every row showed, from the first action to the last."""
    axes, colours = figure.subplots(), matplotlib.colormaps["viridis"]
    labels, found = shares(r, table)
    left = np.zeros(len(labels))
    for action in found.columns:
        share, colour = found[action].to_numpy(), colours(action / max(len(found.columns) - 1, 1))
        axes.barh(range(len(labels)), share, left=left, color=colour, edgecolor="white", linewidth=0.4)
        for y, (start, width) in enumerate(zip(left, share, strict=True)):
            if width > LEGIBLE:
                axes.text(start + width / 2, y, f"{action}", ha="center", va="center", fontsize=8,
                          color="white" if action < 0.6 * len(found.columns) else "black")
        left += share
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(visible=False)
    axes.set_xlabel("share of what was shown while learning (numbers: the actions)")
    axes.set_ylabel("algorithm")
