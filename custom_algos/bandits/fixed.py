"""The policies that do not learn: the same chances for everybody, whatever has happened."""
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box

from ..core import Algorithm
from ..parts.params import param
from ..parts.pending import Pending
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig


class Random(Bandit):
    """Uniform: over the allowed actions, over ordered slates without repetition, between the bounds of a control."""

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        self.control = isinstance(action_space, Box)
        if not self.control:
            super().__init__(obs_space, action_space, config, seed, items)
            return
        Algorithm.__init__(self, obs_space, action_space, config, seed, items)
        self.pending = Pending()
        if not np.isfinite([action_space.low, action_space.high]).all():
            raise ValueError(f"action space {action_space}: uniform controls need finite bounds")

    def act(self, obs, rng, explore=True, mask=None):
        if self.control:
            low, high = self.action_space.low, self.action_space.high
            action = rng.uniform(low, high, (batch_size(obs), *low.shape)).astype(np.float32)
            return action, np.full(len(action), -np.log(high - low).sum(), np.float32)
        return self.choose(np.zeros((self.replications, self.actions)), batch_size(obs), rng, mask)

    def learn(self, batch):
        return {"reward_mean": float(batch.reward.mean())} if self.control else super().learn(batch)

    def update(self, rows):
        pass


@dataclass(frozen=True)
class MixConfig(BanditConfig):
    shares: tuple = param((), 0, 1)
    """Probability of each action, whatever is seen; they must add up to 1 (empty: the same for all)."""


class Mix(Random):
    """Every action with a fixed probability: what many a log was written by, and whose propensities are known."""

    Config = MixConfig

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.shares = np.array(self.config.shares or [1.0 / self.actions] * self.actions, np.float64)[None]   # [1, A]
        if self.shares.shape[1] != self.actions or abs(self.shares.sum() - 1.0) > 1e-9:
            raise ValueError(f"shares = {self.config.shares} must be {self.actions} probabilities that add up to 1")

    def act(self, obs, rng, explore=True, mask=None):
        n = batch_size(obs)
        return self.sample(np.repeat(self.shares, n, axis=0), n, rng, mask)
