r"""The policies that do not learn while they act: what everybody starts from and every other file must beat.

`Random` recommends uniformly.  `Popularity` ranks by the rate at which earlier users liked an item,

    score_a = (S_a + s·r̄) / (N_a + s),       r̄ = ΣS / ΣN

where the pseudo-count s shrinks items with little data towards the base rate r̄ (an empirical-Bayes mean, Efron &
Morris 1975): three likes out of three views are no proof.
"""
from dataclasses import dataclass

import numpy as np

from .core import Bandit, BanditConfig, CountingBandit, batch_size


class Random(Bandit):
    """Uniform over the allowed actions (slates: over ordered slates without repetition)."""

    def act(self, obs, rng, explore=True, mask=None):
        return self.choose(np.zeros((self.replications, self.actions)), batch_size(obs), rng, mask)

    def update(self, rows):
        pass


@dataclass(frozen=True)
class MixConfig(BanditConfig):
    shares: tuple = ()
    """Probability of each action, whatever is seen; they must add up to 1 (empty: the same for all)."""


class Mix(Random):
    """Every action with a fixed probability: what many a log was written by, and whose propensities are known."""

    Config = MixConfig

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.shares = np.array(self.config.shares or [1.0 / self.actions] * self.actions, np.float64)[None]   # [1, A]
        if self.shares.shape[1] != self.actions or self.shares.min() < 0 or abs(self.shares.sum() - 1.0) > 1e-9:
            raise ValueError(f"shares = {self.config.shares} must be {self.actions} probabilities that add up to 1")

    def act(self, obs, rng, explore=True, mask=None):
        n = batch_size(obs)
        return self.sample(np.repeat(self.shares, n, axis=0), n, rng, mask)


@dataclass(frozen=True)
class Config(BanditConfig):
    prior_strength: float = 10.0
    """s: how many views at the base rate every item is credited with before its own are counted."""
    keep_learning: bool = False
    """Whether the counts go on after the first batch, the log."""


class Popularity(CountingBandit):
    """Learns from the first batch it is given, the log (T = 1, N = rows), and then stands still."""

    Config = Config
    from_log = True                # give `learn` a log before the users arrive

    def act(self, obs, rng, explore=True, mask=None):
        views = self.count.sum(axis=1, keepdims=True)                                          # [R, 1]
        base = self.total.sum(axis=1, keepdims=True) / np.maximum(views, 1.0)                  # [R, 1]
        strength = self.config.prior_strength
        score = (self.total + strength * base) / np.maximum(self.count + strength, 1e-12)      # [R, A]
        return self.choose(score, batch_size(obs), rng, mask)

    def update(self, rows):
        if self.config.keep_learning or not self.seen.any():
            super().update(rows)
