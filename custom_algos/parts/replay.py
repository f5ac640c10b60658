"""Experience replay: the latest rows in a ring, drawn uniformly (Mnih et al. 2015) or by priority (Schaul et al. 2016).

With priorities p_i = (|δ_i| + 10⁻⁶)^α kept in a sum tree, row i is drawn with probability P(i) = p_i / Σ p and its loss
is weighted by w_i = (n P(i))^(−β), divided by the largest weight of the draw.  A new row has the largest priority seen.
"""
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..core import Transition, tree_map
from .params import param
from .returns import n_step_rows

SMALL = 1e-6                       # what a row without error keeps of its chance to be drawn (before the power α)


@dataclass(frozen=True)
class ReplayConfig:
    batch_size: int = param(32, 1)
    """Rows of a gradient step."""
    replay_ratio: float = param(8.0, 0)
    """Rows trained on for every env step: replay_ratio / batch_size gradient steps each (Mnih et al.: 32 every 4)."""
    buffer_size: int = param(50_000, 0)
    """Rows in memory; 0: no replay, every gradient step sees the latest block and nothing else."""
    learning_starts: int = param(1000, 1)
    """Rows in memory before the first gradient step."""
    priority_alpha: float = param(0.0, 0, 1)
    """α: 0 draws uniformly from memory, 1 in proportion to the TD error."""
    priority_beta: float = param(0.4, 0, 1)
    """β: how far importance weights undo the bias of priorities (1: fully)."""


class Rows(NamedTuple):
    """M transitions as a learner of action values needs them: (s, a) earned ``reward``, and then came ``next_obs``.

    Of n steps, ``reward`` is their discounted sum and ``next_obs`` what came after the last.
    """

    obs: Any                       # [M, …] or a dict of such arrays
    action: np.ndarray             # [M] int64, or slates [M, K]
    reward: np.ndarray             # [M] float32
    next_obs: Any                  # [M, …]
    discount: np.ndarray           # [M] float32: what next_obs' value counts, γⁿ (1 − terminated)
    mask: np.ndarray | None = None         # [M, A] bool
    next_mask: np.ndarray | None = None    # [M, A] bool
    taken: np.ndarray | None = None        # [M] int64: of a slate, the place that was taken; K: nothing


def rows_of(batch: Transition, gamma: float, n_step: int = 1) -> Rows:
    """Steps ``[T, N]`` as rows ``[T·N]``, with up to ``n_step`` rewards each: fewer before an end and a block's end."""
    total, discount, last = n_step_rows(batch.reward, batch.terminated, batch.ends, gamma, n_step)
    reached = (last, np.arange(last.shape[1]))                                 # [T, N], [N]
    after, after_mask = (tree_map(lambda x: x[reached], part) for part in (batch.next_obs, batch.next_mask))
    rows = Rows(batch.obs, batch.action, total.astype(np.float32), after, discount.astype(np.float32), batch.mask,
                after_mask)
    return tree_map(lambda x: x.reshape(-1, *x.shape[2:]), rows)


class Replay:
    """A ring of ``size`` rows; ``alpha`` = 0 draws uniformly, with replacement.

    The arrays are allocated with the first rows, in their shapes and types.
    """

    def __init__(self, size: int, alpha: float = 0.0):
        self.size, self.alpha = size, alpha
        self.store: Rows | None = None
        self.place = self.filled = 0                           # where the next row goes; rows in memory
        self.tree = np.zeros(2 * size if alpha else 0)         # node i = node 2i + node 2i + 1; leaves at size + place
        self.highest = 1.0                                     # priority (before the power α)

    def __len__(self) -> int:
        return self.filled

    def add(self, rows: Rows) -> None:
        """Write M rows over the oldest; ValueError where they are more than the ring holds."""
        m = len(rows.action)
        if m > self.size:
            raise ValueError(f"buffer_size = {self.size} must hold the {m} rows that come at once")
        if self.store is None:
            self.store = tree_map(lambda x: np.zeros((self.size, *x.shape[1:]), x.dtype), rows)
        where = (self.place + np.arange(m)) % self.size
        tree_map(lambda ring, x: ring.__setitem__(where, x), self.store, rows)
        self.place, self.filled = int((self.place + m) % self.size), min(self.filled + m, self.size)
        if self.alpha:
            set_leaves(self.tree, where, np.full(m, self.highest**self.alpha))

    def sample(self, rng: np.random.Generator, n: int, beta: float = 0.0):
        """``n`` rows, where they lie ``[n]`` and their importance weights ``[n]`` float32 (None: all are 1)."""
        if not self.alpha:
            where, weight = rng.integers(self.filled, size=n), None
        else:
            mass = (np.arange(n) + rng.random(n)) * (self.tree[1] / n)         # one draw from each of n equal slices
            where = find_leaves(self.tree, mass)
            weight = (self.filled * self.tree[self.size + where] / self.tree[1]) ** -beta
            weight = (weight / weight.max()).astype(np.float32)
        return tree_map(lambda ring: ring[where], self.store), where, weight

    def update(self, where: np.ndarray, error: np.ndarray) -> None:
        """The rows at ``where [n]`` turned out to have the TD errors ``error [n]``."""
        if self.alpha:
            priority = np.abs(error).astype(np.float64) + SMALL
            self.highest = max(self.highest, float(priority.max()))
            set_leaves(self.tree, where, priority**self.alpha)

    def state_dict(self) -> dict[str, Any]:
        """A snapshot of the filled part of the ring."""
        rows = {} if self.store is None else tree_map(lambda ring: ring[:self.filled].copy(), self.store)._asdict()
        leaves = self.tree[self.size:self.size + self.filled] if self.alpha else self.tree
        return {"rows": rows, "place": self.place, "filled": self.filled, "highest": self.highest,
                "leaves": leaves.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The reverse of `state_dict`."""
        self.__init__(self.size, self.alpha)                   # type: ignore[misc]
        if state["rows"]:
            self.add(Rows(**state["rows"]))
        self.place, self.filled, self.highest = int(state["place"]), int(state["filled"]), float(state["highest"])
        if self.alpha:
            set_leaves(self.tree, np.arange(self.filled), state["leaves"])


@njit(cache=True)
def set_leaves(tree, where, value):
    """Leaf ``where [n]`` becomes ``value [n]``; the sums above are added up anew, so that no rounding gathers."""
    for i in range(len(where)):
        node = where[i] + len(tree) // 2
        tree[node] = value[i]
        while node > 1:
            node //= 2
            tree[node] = tree[2 * node] + tree[2 * node + 1]


@njit(cache=True)
def find_leaves(tree, mass):
    """The leaves ``[n]`` into which ``mass [n]`` in [0, Σ p) falls; never one without priority."""
    where = np.empty(len(mass), np.int64)
    size = len(tree) // 2
    for i in range(len(mass)):
        node, left = 1, mass[i]
        while node < size:
            node *= 2
            if left >= tree[node] and tree[node + 1] > 0.0:
                left -= tree[node]
                node += 1
        where[i] = node - size
    return where
