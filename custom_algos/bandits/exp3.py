r"""EXP3: exponential weights for rewards in [0, 1] that an adversary may have chosen.

    p_a = (1 − γ) w_a / Σ w + γ / A,       w_A *= exp(γ r / (A p_A))

Auer, Cesa-Bianchi, Freund & Schapire 2002; regret ≤ 2.63 √(A T ln A) against the best fixed action for the right γ.
The division by the propensity at which the action was shown makes the estimate of every action's reward unbiased.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.explore import softmax
from ..parts.params import param
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig


@dataclass(frozen=True)
class Config(BanditConfig):
    gamma: float = param(0.1, 0, 1)
    """γ: share of uniform exploration, and the learning rate."""


class EXP3(Bandit):
    Config = Config
    ranks = False
    policy_arrays = ("log_weight",)

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.log_weight = np.zeros((self.replications, self.actions))        # ln w

    def act(self, obs, rng, explore=True, mask=None):
        n, gamma = batch_size(obs), self.config.gamma
        if not explore:
            return self.choose(self.log_weight, n, rng, mask)
        prob = (1.0 - gamma) * softmax(self.log_weight) + gamma / self.actions       # [R, A]
        return self.sample(prob, n, rng, mask)

    def update(self, rows):
        """Additive in ln w: every row brings the propensity it was drawn with."""
        if np.isnan(rows.log_prob).any():
            raise ValueError("EXP3 needs the propensity of every action: log_prob has NaN")
        reward = rows.reward / np.exp(rows.log_prob, dtype=np.float64)      # [M] unbiased for the reward of `action`
        np.add.at(self.log_weight, (rows.learner, rows.action), self.config.gamma / self.actions * reward)
