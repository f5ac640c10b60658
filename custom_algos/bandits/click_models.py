r"""Rankers that are retrained on the clicks of their own slates, with and without a model of the click.

    P(click on i at place j) = θ_i γ^j,      θ̂_i = (m s + Σ clicks on i) / (s + Σ_{shown at j} w_j)

``corrected``: w_j = γ^j, as in the position-based model (Richardson et al. 2007).  Not corrected: w_j = 1, the
click-through rate.  All users of a round and learner get one ranking: greedy in θ̂, or (``thompson``) by one draw from
Beta(m s + S, (1 - m) s + Σ w - S), an approximation (Lagrée, Vernade & Cappé 2016), or a random slate.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig


@dataclass(frozen=True)
class Config(BanditConfig):
    corrected: bool = True
    """Weigh an impression by how likely its place is looked at."""
    examination: float = param(0.7, 0, 1)
    """γ of the correction."""
    thompson: bool = False
    """Rank by a draw from the posterior instead of its mean."""
    random_share: float = param(0.1, 0, 1)
    """Share of users who see a uniformly random slate."""
    prior_mean: float = param(0.1, 0, 1)
    """m, the rate of an item that was never shown."""
    prior_strength: float = param(10.0, above=0)
    """s, the impressions that the prior is worth."""


class ClickModel(Bandit):
    Config = Config
    policy_arrays = ("clicks", "views")              # [R, A] each; views are weighted impressions

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if c.thompson and c.prior_mean in (0.0, 1.0):
            raise ValueError(f"prior_mean = {c.prior_mean} must lie in (0, 1) where thompson = True")
        self.clicks, self.views = np.zeros((2, self.replications, self.actions))
        self.weight = c.examination ** np.arange(self.slate) if c.corrected else np.ones(self.slate)      # [K]

    def estimate(self) -> np.ndarray:
        """θ̂ ``[R, A]``."""
        strength = self.config.prior_strength
        return (self.config.prior_mean * strength + self.clicks) / (strength + self.views)

    def ranking(self, rng, explore: bool) -> np.ndarray:
        """One order per learner ``[R, A]``, as scores without ties (equal items in a random order)."""
        c, score = self.config, self.estimate()
        if c.thompson and explore:               # a weighted impression may count below 1: no failures below 0
            failures = np.maximum(self.views - self.clicks, 0.0)
            likes, dislikes = c.prior_mean * c.prior_strength, (1.0 - c.prior_mean) * c.prior_strength
            score = rng.beta(likes + self.clicks, dislikes + failures)
        return np.argsort(np.lexsort((rng.random(score.shape), score), axis=1), axis=1).astype(np.float64)

    def act(self, obs, rng, explore=True, mask=None):
        n, share = batch_size(obs), self.config.random_share if explore else 0.0
        action, log_prob = self.choose(self.ranking(rng, explore), n, rng, mask)
        if share > 0.0:
            best, lucky = action.copy(), np.flatnonzero(rng.random(n) < share)
            free, equal = None if mask is None else mask[lucky], np.zeros((len(lucky), self.actions))
            action[lucky], _ = self.choose(equal, len(lucky), rng, free)
            allowed = np.full(n, self.actions) if mask is None else mask.sum(axis=1)
            uniform = 1.0 / np.prod([allowed - k for k in range(self.slate)], axis=0)       # [N] of any one slate
            ranked = (action == best).reshape(n, -1).all(axis=1)
            log_prob = np.log(share * uniform + (1.0 - share) * ranked).astype(np.float32)
        if self.config.thompson and explore:
            log_prob = np.full(n, np.nan, np.float32)                        # P(this order wins) has no closed form
        return action, log_prob

    def update(self, rows):
        """Add clicks and impressions; the rows of one slate stand together, place by place."""
        place = np.arange(len(rows.action)) % self.slate
        cell, size = rows.learner * self.actions + rows.action, self.clicks.size
        self.clicks += np.bincount(cell, rows.reward, size).reshape(self.clicks.shape)
        self.views += np.bincount(cell, self.weight[place], size).reshape(self.views.shape)
