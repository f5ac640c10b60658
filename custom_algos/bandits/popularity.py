r"""Popularity: rank by the rate at which earlier users liked an item, then stand still.

    score_a = (S_a + s·r̄) / (N_a + s),       r̄ = ΣS / ΣN

The pseudo-count s shrinks items with little data towards the base rate r̄ (an empirical-Bayes mean, Efron & Morris
1975): three likes out of three views are no proof.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from ..parts.spaces import batch_size
from .core import BanditConfig
from .counting import CountingBandit


@dataclass(frozen=True)
class Config(BanditConfig):
    prior_strength: float = param(10.0, 0)
    """s: how many views at the base rate every item is credited with before its own are counted."""
    keep_learning: bool = False
    """Whether the counts go on after the first batch, the log."""


class Popularity(CountingBandit):
    """Learns from the first batch it is given, the log (T = 1, N = rows), and then stands still."""

    Config = Config
    from_log = True

    def act(self, obs, rng, explore=True, mask=None):
        views = self.count.sum(axis=1, keepdims=True)                                          # [R, 1]
        base = self.total.sum(axis=1, keepdims=True) / np.maximum(views, 1.0)                  # [R, 1]
        strength = self.config.prior_strength
        score = (self.total + strength * base) / np.maximum(self.count + strength, 1e-12)      # [R, A]
        return self.choose(score, batch_size(obs), rng, mask)

    def update(self, rows):
        if self.config.keep_learning or not self.seen.any():
            super().update(rows)
