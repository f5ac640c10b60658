r"""ε-greedy over an online linear model: the best action by prediction, and a share ε of uniform decisions.

    p_a = (1 − ε) [a is best] / ties + ε / K

The policy of Langford & Zhang 2008 (epoch-greedy) with a constant ε.  Rows count by their inverse propensity, so that
the model is right on average over all actions and not only on those that it shows (Bietti, Agarwal & Langford 2021);
the features and the regression are those of `hashed_linear.py`.
"""
from dataclasses import dataclass

from ..parts.params import param
from .hashed_linear import HashedConfig, HashedLinear


@dataclass(frozen=True)
class Config(HashedConfig):
    weighting: str = param("inverse", choices=("none", "inverse"))
    """Importance of a row: none (1), or inverse (1 / its propensity)."""
    epsilon: float = param(0.1, 0, 1)
    """ε: the share of decisions that are uniform over the allowed actions."""


class LinearEpsilonGreedy(HashedLinear):
    Config = Config

    def spread(self, gaps, allowed, count, seen):
        best = allowed & (gaps == 0.0)
        return best / best.sum(axis=1, keepdims=True)
