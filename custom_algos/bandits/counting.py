"""Bandits that count: how often each action was shown and what it earned, possibly forgetting.

Counts and sums are additive; with a window or a discount the row order, t then n, is the definition of time.
"""
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np
from gymnasium import spaces

from ..parts.params import param
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig, Rows


@dataclass(frozen=True)
class CountingConfig(BanditConfig):
    window: int = param(0, 0)
    """Only the latest ``window`` observations of a learner count (0: all of them)."""
    discount: float = param(1.0, above=0, high=1)
    """γ: before an observation is added, counts and sums are multiplied by γ (1: nothing is forgotten)."""
    per_context: bool = False
    """Statistics of its own for every context: a Discrete value, or which of a Box's D entries are positive (2^D)."""


class CountingBandit(Bandit):
    """State: ``count [R, A]`` and ``total [R, A]`` (sum of rewards), float64, possibly forgetting.

    With ``per_context`` each of C contexts is a learner of its own: R·C rows, row r·C + c.
    """

    Config: ClassVar[type] = CountingConfig
    policy_arrays: ClassVar[tuple[str, ...]] = ("count", "total", "seen")
    learner_arrays: ClassVar[tuple[str, ...]] = ("ring_action", "ring_reward")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config if isinstance(self.config, CountingConfig) else CountingConfig()     # others forget nothing
        if c.window and c.discount < 1.0:
            raise ValueError(f"window = {c.window}, discount = {c.discount}: only one of them can forget; valid are "
                             "window = 0 or discount = 1")
        self.contexts, self.discount = number_of_contexts(obs_space) if c.per_context else 1, c.discount
        self.looks, self.first = self.contexts > 1, int(getattr(obs_space, "start", 0)) if self.contexts > 1 else 0
        shape, window = (self.replications * self.contexts, self.actions), c.window
        self.count, self.total = np.zeros(shape), np.zeros(shape)
        self.seen = np.zeros(shape[0], np.int64)                             # observations so far
        self.ring_action = np.zeros((shape[0], window), np.int64)            # the observations inside the window
        self.ring_reward = np.zeros((shape[0], window))

    def served(self, table: np.ndarray, obs) -> np.ndarray:
        """``[R·C, A] -> [R, A]`` without contexts, ``[N, A]`` with them: the rows that serve these users."""
        if self.contexts == 1:
            return table
        n = batch_size(obs)
        return table[np.arange(n) // self.share(n) * self.contexts + context_of(obs, self.first)]

    def per_user(self, table: np.ndarray, obs) -> np.ndarray:
        """``[R·C, A] -> [N, A]``: every user sees the row that serves it (no copy where R = 1 or R = N)."""
        table, n = self.served(table, obs), batch_size(obs)
        if len(table) == 1:
            return np.broadcast_to(table, (n, self.actions))
        return table if len(table) == n else np.repeat(table, self.share(n), axis=0)

    def rows(self, batch):
        rows = super().rows(batch)
        if self.contexts == 1:
            return rows
        return rows._replace(learner=rows.learner * self.contexts + context_of(rows.obs, self.first))

    def update(self, rows: Rows):
        """Add counts and rewards per (learner, action)."""
        observe(self.count, self.total, rows.learner, rows.action, rows.reward, self.discount, self.seen,
                self.ring_action, self.ring_reward)

    def mean(self, prior: float = 0.0) -> np.ndarray:
        """Mean reward ``[R, A]``; an action never tried has the value ``prior``."""
        return np.divide(self.total, self.count, out=np.full_like(self.total, prior), where=self.count > 0)


def number_of_contexts(space) -> int:
    """C of `context_of`; ValueError where there are too many, or none can be told apart."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if space.shape is None or len(space.shape) != 1 or space.shape[0] > 20:
        raise ValueError(f"per_context = true: observations {space} are no contexts; valid are Discrete, and Box [D] "
                         "with D ≤ 20, of which the signs are looked at")
    return 2 ** space.shape[0]


def context_of(obs, first: int = 0) -> np.ndarray:
    """``[N]`` or ``[N, D] -> [N]`` int64: the value above ``first``, or the positive entries as a binary number."""
    return obs - first if obs.ndim == 1 else (obs > 0) @ (1 << np.arange(obs.shape[1]))


@numba.njit(cache=True, error_model="numpy")
def observe(count, total, learner, action, reward, discount, seen, ring_action, ring_reward):
    """Add rows to ``count``, ``total`` [R, A]; forgetting comes before the new observation is added."""
    window = ring_action.shape[1]
    for i in range(len(action)):
        r, a = learner[i], action[i]
        if discount < 1.0:
            for other in range(count.shape[1]):
                count[r, other] *= discount
                total[r, other] *= discount
        if window > 0:
            slot = seen[r] % window
            if seen[r] >= window:
                old = ring_action[r, slot]
                count[r, old] -= 1.0
                total[r, old] = total[r, old] - ring_reward[r, slot] if count[r, old] > 0.0 else 0.0
            ring_action[r, slot], ring_reward[r, slot] = a, reward[i]
        seen[r] += 1
        count[r, a] += 1.0
        total[r, a] += reward[i]
