r"""ε-greedy over an online linear model: the best action by prediction, and a share ε of uniform decisions.

    p_a = (1 − ε) [a is best] / ties + ε / K

The policy of Langford & Zhang 2008 (epoch-greedy) with a constant ε.  With ``weighting: inverse`` rows count by their
inverse propensity: a model that cannot be right everywhere is then right on average over all actions and not only on
those that it shows (Bietti, Agarwal & Langford 2021); where it can, that costs (docs/algorithms-bandits.md).
"""
from dataclasses import dataclass

from ..parts.params import param
from .hashed_linear import HashedConfig, HashedLinear


@dataclass(frozen=True)
class Config(HashedConfig):
    epsilon: float = param(0.1, 0, 1)
    """ε: the share of decisions that are uniform over the allowed actions."""


class LinearEpsilonGreedy(HashedLinear):
    Config = Config

    def spread(self, gaps, count, seen):
        best = gaps == 0.0
        return best / best.sum(axis=1, keepdims=True)
