r"""UCB: the action that is best if luck has been as bad as it plausibly was.

    a = arg max_a  S_a / N_a + √(α ln t / (2 N_a)),        t = Σ_a N_a

Auer, Cesa-Bianchi & Fischer 2002 (UCB1 is α = 4); every action is tried once first.  Regret ≤ 8 Σ_a ln T / Δ_a + O(1)
for α = 4.  With ``window`` or ``discount`` it is SW-UCB or D-UCB (Garivier & Moulines 2011): counts, sums and t forget.
"""
from dataclasses import dataclass

import numba
import numpy as np

from ..parts.params import param
from ..parts.spaces import batch_size
from .counting import CountingBandit, CountingConfig


@dataclass(frozen=True)
class Config(CountingConfig):
    alpha: float = param(4.0, 0)
    """α: squared width of the confidence interval; 4 is UCB1, smaller explores less."""


class UCB(CountingBandit):
    Config = Config

    def index(self) -> np.ndarray:
        """``[R, A]``; infinite for an action that was never tried."""
        index = np.empty_like(self.count)
        upper_bound(self.total, self.count, self.config.alpha, index)
        return index

    def act(self, obs, rng, explore=True, mask=None):
        values = self.served(self.index() if explore else self.mean(), obs)
        return self.choose(values, batch_size(obs), rng, mask)


@numba.njit(cache=True, error_model="numpy")
def upper_bound(total, count, alpha, out):
    """``out [R, A]``: the formula of the module's docstring.  All arrays are C-contiguous."""
    before, width = -1.0, 0.0
    for r in range(out.shape[0]):
        t = 0.0
        for a in range(out.shape[1]):
            t += count[r, a]
        if t != before:                                          # learners that march in step share a logarithm
            before, width = t, 0.5 * alpha * np.log(max(t, 1.0))
        for a in range(out.shape[1]):
            out[r, a] = width
    total, count, out = total.ravel(), count.ravel(), out.ravel()
    for i in range(len(out)):                                    # one long loop, not R short ones: it is vectorised
        each = 1.0 / count[i]
        out[i] = total[i] * each + np.sqrt(out[i] * each) if count[i] > 0.0 else np.inf
