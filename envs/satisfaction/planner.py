"""The optimum of long-term satisfaction, by dynamic programming over (NPE, step) for a known sensitivity.

    Q_t(x, c) = exp(loc(x, c) + sd(c)² / 2) + E V_{t+1}(β x − 2 (c − ½) + noise)

on 401 points of NPE with linear interpolation between them and 7-node Gauss–Hermite noise.  A step's value is a
weighted sum of Q over the clickbait levels, best first: weight 1 on the best where every level can be chosen; P(the
best of m uniform candidates is the i-th level) where only m fresh candidates can.  Equal weights: a random choice.
"""
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type
from ..engine.rng import kernel
from .user import LEVELS, drift, engagement, satisfaction_of

POINTS, NODES, FINE = 401, 7, 100                         # FINE: levels that stand for the uniform candidates


@kernel_type
class Tables(NamedTuple):
    """Points of NPE, and the nodes of its noise."""

    grid: np.ndarray               # [POINTS]
    noise: np.ndarray              # [NODES]
    weight: np.ndarray             # [NODES]


@kernel
def worth(r, tables, ahead, sensitivity, npe, clickbait):
    """Q of one clickbait value at ``npe``; ``ahead [POINTS]`` is the value of what follows."""
    grid, noise, weight = tables.grid, tables.noise, tables.weight
    mean, sd = engagement(r, clickbait, satisfaction_of(sensitivity, npe))
    total = np.exp(mean + 0.5 * sd * sd)
    for k in range(len(noise)):
        place = (drift(r, clickbait, npe) + noise[k] - grid[0]) / (grid[1] - grid[0])
        i = min(len(grid) - 2, max(0, int(np.floor(place))))
        share = min(1.0, max(0.0, place - i))
        total += weight[k] * ((1.0 - share) * ahead[i] + share * ahead[i + 1])
    return total


@kernel
def solve(r, tables, sensitivity, levels, ranked):
    """V ``[budget + 1, POINTS]``; ``ranked [L]`` are the weights of the levels from the best to the worst."""
    grid = tables.grid
    value, q = np.zeros((r.budget + 1, len(grid))), np.empty(len(levels))
    for t in range(r.budget - 1, -1, -1):
        for i in range(len(grid)):
            for k in range(len(levels)):
                q[k] = worth(r, tables, value[t + 1], sensitivity, grid[i], levels[k])
            q.sort()
            for k in range(len(levels)):
                value[t, i] += ranked[k] * q[len(levels) - 1 - k]
    return value


@kernel
def score_rows(rows, r, tables, value, state, t, choices, out):
    """Q of ``choices [N, m]`` clickbait values into ``out [N, m]`` for the users ``rows``, all of one sensitivity."""
    for n in rows:
        ahead = value[min(t[n] + 1, r.budget)]
        for k in range(choices.shape[1]):
            out[n, k] = worth(r, tables, ahead, state.sensitivity[n], state.npe[n], choices[n, k])


class Planner:
    """Optimal play with ``rules``; ``candidates`` m > 0: only m fresh uniform candidates a step can be chosen."""

    def __init__(self, rules, candidates: int = 0):
        self.rules = rules
        edge = 1.0 / (1.0 - rules.memory) + 8.0 * rules.innovation_sd / (1.0 - rules.memory**2) ** 0.5
        nodes, weight = np.polynomial.hermite_e.hermegauss(NODES)
        self.tables = Tables(np.linspace(-edge, edge, POINTS), rules.innovation_sd * nodes, weight / weight.sum())
        if candidates:
            self.levels = (np.arange(FINE) + 0.5) / FINE
            self.ranked = -np.diff((1.0 - np.arange(FINE + 1) / FINE) ** candidates)
        else:
            self.levels = np.linspace(0.0, 1.0, LEVELS)
            self.ranked = np.eye(1, LEVELS)[0]
        self.values: dict[float, np.ndarray] = {}         # V of each sensitivity, solved when it is first met

    def solve(self, sensitivity: float, levels=None, ranked=None) -> np.ndarray:
        """V ``[budget + 1, POINTS]``; other ``levels [L]`` and weights ``ranked [L]`` give the value of other rules."""
        levels = self.levels if levels is None else np.array(levels, np.float64)
        ranked = self.ranked if ranked is None else np.array(ranked, np.float64)
        return solve(self.rules, self.tables, sensitivity, levels, ranked)

    def start(self, value) -> float:
        """The mean of V over the users' start, NPE uniform on ±½ / (1 − β)."""
        npe = ((np.arange(2000) + 0.5) / 2000 - 0.5) / (1.0 - self.rules.memory)
        return float(np.interp(npe, self.tables.grid, value[0]).mean())

    def score(self, state, t, choices=None) -> np.ndarray:
        """Q ``[N, m]`` of ``choices [N, m]``, or of the levels, for users in ``state`` (`envs.satisfaction.user.State`)
        at the steps ``t [N]``."""
        if choices is None:
            choices = np.tile(self.levels, (len(t), 1))
        choices, out = np.ascontiguousarray(choices, np.float64), np.zeros(np.shape(choices))
        for one in np.unique(state.sensitivity).tolist():
            if one not in self.values:
                self.values[one] = self.solve(one)
            rows = np.flatnonzero(state.sensitivity == one)
            score_rows(rows, self.rules, self.tables, self.values[one], state, t, choices, out)
        return out
