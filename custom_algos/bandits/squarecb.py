r"""SquareCB: chances fall with the inverse of the predicted gap to the best action.

    p_a = 1 / (K + γ gap_a)  for every action but the best, which gets the rest,     γ_t = s √K t^ρ

Foster & Rakhlin 2020 ("Beyond UCB: optimal and efficient contextual bandits with regression oracles"), after Abe & Long
1999: with γ = √(K T / Reg_sq) the regret is at most O(√(K T Reg_sq)) for any online regression, here that of
`hashed_linear.py`.  Rows are not weighted: the oracle predicts what was shown.
"""
from dataclasses import dataclass

import numpy as np

from ..parts import exact
from ..parts.params import param
from .hashed_linear import HashedConfig, HashedLinear


@dataclass(frozen=True)
class Config(HashedConfig):
    gamma_scale: float = param(10.0, above=0)
    """s: how greedy from the start on, in units of 1 / the range of rewards."""
    gamma_exponent: float = param(0.5, 0, 1)
    """ρ: how fast it becomes greedier; ½ where T is not known."""


class SquareCB(HashedLinear):
    Config = Config

    def spread(self, gaps, count, seen):
        growth = exact.exp(self.config.gamma_exponent * exact.log(np.maximum(seen, 1.0)))
        gamma = self.config.gamma_scale * np.sqrt(count) * growth                                         # [N, 1]
        prob = 1.0 / (count + gamma * gaps)                                                               # [N, A]
        row, best = np.arange(len(gaps)), gaps.argmin(axis=1)                                            # the first one
        prob[row, best] = 0.0
        prob[row, best] = 1.0 - prob.cumsum(axis=1)[:, -1]
        return prob
