"""The policies that do not learn: the same chances for everybody, whatever has happened."""
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ..core import Algorithm
from ..parts.draw import draw_any
from ..parts.params import param
from ..parts.pending import Pending
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig


class Random(Bandit):
    """Uniform: over the allowed actions, over ordered slates without repetition, over any other space of actions."""

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        self.chooses = isinstance(action_space, spaces.Discrete) or _is_slate(action_space)
        if self.chooses:
            super().__init__(obs_space, action_space, config, seed, items)
            return
        Algorithm.__init__(self, obs_space, action_space, config, seed, items)
        self.pending = Pending()
        draw_any(action_space, 1, np.random.default_rng(0))              # ValueError where it cannot be drawn from

    def act(self, obs, rng, explore=True, mask=None):
        if self.chooses:
            return self.choose(np.zeros((self.replications, self.actions)), batch_size(obs), rng, mask)
        action, log_prob = draw_any(self.action_space, batch_size(obs), rng)
        return action, log_prob.astype(np.float32)

    def learn(self, batch):
        return super().learn(batch) if self.chooses else {"reward_mean": float(batch.reward.mean())}

    def update(self, rows):
        pass


def _is_slate(space) -> bool:
    """Whether an action is K different ones of the same items."""
    return isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and len(set(space.nvec)) == 1 \
        and len(space.nvec) <= space.nvec[0]


@dataclass(frozen=True)
class MixConfig(BanditConfig):
    shares: tuple = param((), 0, 1)
    """Probability of each action, whatever is seen; they must add up to 1 (empty: the same for all)."""


class Mix(Random):
    """Every action with a fixed probability: what many a log was written by, and whose propensities are known."""

    Config = MixConfig

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if not self.chooses:
            raise ValueError(f"action space {action_space}: shares need Discrete(A) or MultiDiscrete([A] * K)")
        self.shares = np.array(self.config.shares or [1.0 / self.actions] * self.actions, np.float64)[None]   # [1, A]
        if self.shares.shape[1] != self.actions or abs(self.shares.sum() - 1.0) > 1e-9:
            raise ValueError(f"shares = {self.config.shares} must be {self.actions} probabilities that add up to 1")

    def act(self, obs, rng, explore=True, mask=None):
        n = batch_size(obs)
        return self.sample(np.repeat(self.shares, n, axis=0), n, rng, mask)
