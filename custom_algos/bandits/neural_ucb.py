r"""A deep reward model with simple exploration: ε-greedy, or an upper confidence bound on its last layer.

    a = arg max_a  θ'z(s, a) + α √(z(s, a)' A⁻¹ z(s, a))    with probability 1 − ε,   uniform otherwise

Xu, Wen, Zhao & Gu 2022 (neural contextual bandits with deep representation and shallow exploration).  α = 0 is the
ε-greedy deep model; ε = 0 is the bound alone.  Propensities are exact.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.explore import epsilon_greedy
from ..parts.params import param
from .neural import NeuralBandit, NeuralConfig


@dataclass(frozen=True)
class Config(NeuralConfig):
    alpha: float = param(0.5, 0)
    """α: width of the confidence bound in standard deviations of unit noise."""
    epsilon: float = param(0.0, 0, 1)
    """Probability of a uniformly random action."""


class NeuralUCB(NeuralBandit):
    Config = Config
    ranks = False

    def act(self, obs, rng, explore=True, mask=None):
        mean, variance = self.moments(self.see(obs))                                 # [N, A]
        if not explore:
            return self.choose(mean, len(mean), rng, mask)
        return epsilon_greedy(mean + self.config.alpha * np.sqrt(variance), self.config.epsilon, rng, mask)
