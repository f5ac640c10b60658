"""Textbook problems and two small user models as `TabularMDP`: `envs.tabular.env` steps, `envs.engine.solver` solves.

| problem | states | actions |
|---|---|---|
| `grid`        | cells of a map                         | left, right, up, down |
| `frozen_lake` | cells of a map                         | left, down, right, up (Gymnasium's order) |
| `cliff`       | cells of a map                         | up, right, down, left (Gymnasium's order) |
| `boredom`     | boredom 0 … 4 of each topic            | show topic 0 … T-1, or something diverse |
| `churn`       | satisfaction 0 … 10, and gone          | clickbait, quality |

A map is rows of cells divided by "/": S start, G goal, # wall, H hole, C cliff, . floor.
"""
import numpy as np

from ..engine.solver import TabularMDP

MAPS = {
    "easy": "/".join(["S........."] + [".........."] * 8 + [".........G"]),
    "hard": "S........./........../########../........../........../..########/"
            "..#......./..#..#..../..#..#..../.....#...G",
    "cliff": "............/............/............/SCCCCCCCCCCG",
    "4x4": "S.../.H.H/...H/H..G",
    "8x8": "S......./......../...H..../.....H../...H..../.HH...H./.H..H.H./...H...G",
}
LEFT, RIGHT, UP, DOWN = (0, -1), (0, 1), (-1, 0), (1, 0)
BOREDOM, SATISFACTION = 4, 10                    # highest level of boredom and of satisfaction


def read_map(text: str) -> np.ndarray:
    """The cells ``[rows, columns]`` of a map given by name or by its rows; ValueError says what is wrong with it."""
    rows = [row.strip() for row in MAPS.get(text, text).replace("\n", "/").split("/") if row.strip()]
    if not rows or len({len(row) for row in rows}) != 1 or not set("".join(rows)) <= set("SG#HC."):
        raise ValueError(f"parameter 'map' = {text!r} must be one of {', '.join(MAPS)} or rows of equal length made of "
                         "S G # H C . and divided by '/'")
    cells = np.array([list(row) for row in rows])
    if (cells == "S").sum() != 1 or not (cells == "G").any():
        raise ValueError(f"parameter 'map' = {text!r} must have one start S and at least one goal G")
    return cells


def walk(text: str, moves, slip: np.ndarray, pay, horizon: int | None) -> TabularMDP:
    """A walk over the cells of a map.

    ``slip [A, A]``: chance that move b is made when a was chosen; a wall or the edge leaves you in place, a cliff
    brings you back to the start.  ``pay`` is the reward by the kind of the cell that is entered, ``pay["."]`` for
    all kinds that it does not name.  Goal and holes are terminal.
    """
    cells = read_map(text)
    (height, width), start = cells.shape, int(np.flatnonzero(cells == "S")[0])
    outcomes = []
    for row, column in np.ndindex(height, width):
        landed = []                                                          # (cell, reward) by move
        for down, right in moves:
            to = (min(height - 1, max(0, row + down)), min(width - 1, max(0, column + right)))
            if cells[to] == "#":
                to = (row, column)
            kind = cells[to]
            landed.append((start if kind == "C" else to[0] * width + to[1], pay.get(kind, pay["."])))
        outcomes.append([[(chance, *landed[b]) for b, chance in enumerate(law) if chance > 0] for law in slip])
    where = np.stack(np.divmod(np.arange(height * width), width), axis=1)    # [S, 2]
    return TabularMDP.from_outcomes(outcomes, start, np.flatnonzero(np.isin(cells, ["G", "H"])).tolist(),
                                    horizon=horizon, features=scaled(where, (height - 1, width - 1)))


def scaled(levels, most) -> np.ndarray:
    """Levels 0 … most as float32 in [-1, 1]."""
    return (2.0 * np.asarray(levels) / np.maximum(most, 1) - 1.0).astype(np.float32)


def any_move(slip: float) -> np.ndarray:
    """With probability ``slip`` the move is a uniformly random one ``[4, 4]``."""
    return (1.0 - slip) * np.eye(4) + slip / 4


def sideways(slip: float) -> np.ndarray:
    """With probability ``slip`` the move goes to one of the two sides ``[4, 4]``; moves are in circular order."""
    return (1.0 - slip) * np.eye(4) + slip / 2 * (np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1))


def grid(map: str, slip: float, horizon: int | None) -> TabularMDP:
    """The lecture GridWorld: -1 a step, and +10 instead on the step that reaches the goal."""
    return walk(map, (LEFT, RIGHT, UP, DOWN), any_move(slip), {".": -1.0, "G": 10.0}, horizon)


def frozen_lake(map: str, slip: float, horizon: int | None) -> TabularMDP:
    """Gymnasium's FrozenLake: 1 for the goal, nothing else; holes end the session."""
    return walk(map, (LEFT, DOWN, RIGHT, UP), sideways(slip), {".": 0.0, "G": 1.0}, horizon)


def cliff(map: str, slip: float, horizon: int | None) -> TabularMDP:
    """CliffWalking (Sutton & Barto, example 6.6): -1 a step, -100 and back to the start for the cliff."""
    return walk(map, (UP, RIGHT, DOWN, LEFT), sideways(slip), {".": -1.0, "C": -100.0}, horizon)


def boredom(topics: int, horizon: int | None) -> TabularMDP:
    """A topic is clicked with 0.9, or 0.05 when boredom is full; a click adds one to its boredom.

    Something diverse is clicked with 0.4, and every topic's boredom falls by one.  The reward is the click.
    """
    base = BOREDOM + 1
    levels = np.stack(np.divmod(np.arange(base**topics)[:, None], base ** np.arange(topics)), axis=-1)[..., 0] % base
    outcomes = []
    for s, bored in enumerate(levels):
        branches = []
        for topic in range(topics):
            click, full = (0.9, 0) if bored[topic] < BOREDOM else (0.05, 1)
            branches.append([(click, s + (1 - full) * base**topic, 1.0), (1.0 - click, s, 0.0)])
        rested = int(np.maximum(bored - 1, 0) @ base ** np.arange(topics))
        outcomes.append([*branches, [(0.4, rested, 1.0), (0.6, rested, 0.0)]])
    return TabularMDP.from_outcomes(outcomes, 0, horizon=horizon, features=scaled(levels, BOREDOM))


def churn(horizon: int | None) -> TabularMDP:
    """Clickbait pays 1 and costs a level of satisfaction; quality pays 0.5 and wins one with probability 0.5.

    After the step the user leaves with probability 0.01 + 0.3 (1 - s / 10)², s being the satisfaction after it.
    """
    gone = SATISFACTION + 1
    leave = 0.01 + 0.3 * (1.0 - np.arange(gone) / SATISFACTION) ** 2
    outcomes: list = []
    for s in range(gone):
        down, up = max(0, s - 1), min(SATISFACTION, s + 1)
        outcomes.append([[(leave[down], gone, 1.0), (1 - leave[down], down, 1.0)],
                         [branch for to in (up, s) for branch in ((leave[to] / 2, gone, 0.5),
                                                                  ((1 - leave[to]) / 2, to, 0.5))]])
    outcomes.append(outcomes[0])
    features = np.append(scaled(np.arange(gone), SATISFACTION), np.float32(-1.0))[:, None]
    return TabularMDP.from_outcomes(outcomes, 5, [gone], horizon=horizon, features=features)
