"""How right the action values are: their largest error over time, and maps of what a cell is worth."""
from typing import NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from .. import curves
from ..drawing import GREY, draw, explain
from ..leaderboard import Board
from ..results import Results

ERROR = "train/q_gap"
ARROWS = {"grid": "←→↑↓", "frozen_lake": "←↓→↑", "cliff": "↑→↓←"}      # of the actions, in their order
ENDS = {"G": "goal", "H": "hole", "C": "cliff"}             # cells where nothing is chosen; # is a wall
SHADES = 32                                                 # of the colour scale
BRIGHT = 0.6                                                # of the colour scale: letters are black from here on
ACROSS = 3                                                  # maps side by side


class Values(NamedTuple):
    error: Markup | None
    maps: Markup | None
    letters: str                   # what the letters in the maps stand for


class Map(NamedTuple):
    """A GridWorld as one policy sees it."""

    title: str
    problem: str
    cells: np.ndarray              # [H, W] letters
    value: np.ndarray              # [H, W] expected return, NaN where nothing is chosen
    arrows: np.ndarray             # [H, W] the best action, or the cell's letter

    @classmethod
    def read(cls, title: str, problem: str, rows, value, action) -> "Map":
        cells = np.array([list(row) for row in rows])
        still = np.isin(cells, ["#", *ENDS])
        letters = np.where(cells == "#", "", cells)
        arrows = np.array([ARROWS[problem][int(a)] for a in action]).reshape(cells.shape)
        return cls(title, problem, cells, np.where(still, np.nan, np.reshape(np.asarray(value, float), cells.shape)),
                   np.where(still, letters, arrows))


def content(r: Results, board: Board) -> Values | None:
    error = draw("gaps", "Largest error of the action values over time", 6.4, 3.2, lambda f: paint_error(f, r)) \
        if curves.known(r, ERROR) else None
    maps = read_maps(r)
    if error is None and not maps:
        return None
    seen = sorted(set(np.concatenate([m.cells.ravel() for m in maps])) & set(ENDS)) if maps else []
    return Values(error, paint_maps(maps) if maps else None, ", ".join(f"{c} {ENDS[c]}" for c in seen))


def read_maps(r: Results) -> list[Map]:
    """The optimum, then the first run of every learner; none where the optimum is not known."""
    table, best = r.table("maps", "rows", "problem", "value", "action"), r.problem.get("optimum")
    if not len(table) or not best:
        return []
    found = [Map.read("optimum", best["problem"], best["rows"], best["value"], best["action"])]
    for row, part in r.parts(table):
        first = part.sort_values("seed", kind="stable").iloc[0]
        found.append(Map.read(row.label, first.problem, first["rows"], first["value"], first["action"]))
    return found


def paint_maps(maps: list[Map]) -> Markup:
    height, width = maps[0].cells.shape
    down = -(-len(maps) // ACROSS)
    return draw("maps", "Values and policies of every cell", 8.6, 0.2 + (0.35 + 2.6 * height / width) * down,
                lambda f: _maps(f, maps, down))


def _maps(figure: Figure, maps: list[Map], down: int) -> None:
    panels = np.atleast_1d(figure.subplots(down, min(len(maps), ACROSS))).ravel()
    low, high = np.nanmin(maps[0].value), np.nanmax(maps[0].value)
    colours = matplotlib.colormaps["viridis"].resampled(SHADES)
    for axes, found in zip(panels, maps, strict=False):
        image = axes.pcolormesh(found.value, cmap=colours, vmin=low, vmax=high)     # no pixels: the page stays sharp
        for (y, x), text in np.ndenumerate(found.arrows):
            bright = found.value[y, x] > low + BRIGHT * (high - low)
            axes.text(x + 0.5, y + 0.5, str(text), ha="center", va="center", fontsize=7,
                      color=GREY if text in ENDS else "black" if bright else "white")
        axes.set(title=found.title, xticks=[], yticks=[], aspect="equal")
        axes.invert_yaxis()
        axes.grid(visible=False)
    for axes in panels[len(maps):]:
        axes.set_axis_off()
    figure.colorbar(image, ax=list(panels), shrink=0.8, label="expected return from a cell")


def paint_error(figure: Figure, r: Results) -> None:
    """The largest error of an action value against the exact one, over time."""
    axes = figure.subplots()
    drawn = curves.curve(axes, r, ERROR)
    axes.set_yscale("log")
    axes.set_title("largest error of an action value")
    axes.set_ylabel("max |Q − Q*|")
    explain(figure, [*drawn.values(), *curves.shades(r)])
