r"""KL-UCB: the confidence bound that knows rewards lie in [0, 1].

    a = arg max_a  max{q : N_a kl(S_a / N_a, q) ≤ ln t + c ln ln t},     kl(p, q) = p ln(p/q) + (1−p) ln((1−p)/(1−q))

Garivier & Cappé 2011; regret ~ Σ_a Δ_a / kl(μ_a, μ*) · ln T, the lower bound of Lai & Robbins 1985.  Every action is
tried once first; t = Σ_a N_a.  With ``window`` or ``discount``, counts, sums and t forget.
"""
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np

from ..parts.params import param
from ..parts.spaces import batch_size
from .counting import CountingBandit, CountingConfig


@dataclass(frozen=True)
class Config(CountingConfig):
    c: float = param(0.0, 0)
    """Weight of the ln ln t term: the proof wants 3, practice 0."""


class KLUCB(CountingBandit):
    Config: ClassVar[type] = Config

    def level(self) -> np.ndarray:
        """ln t + c ln ln t, ``[R, 1]``."""
        log_t = np.log(np.maximum(self.count.sum(axis=1, keepdims=True), 1.0))
        return log_t + self.config.c * np.log(np.maximum(log_t, 1.0))

    def index(self) -> np.ndarray:
        """``[R, A]``; infinite for an action that was never tried."""
        index = np.full_like(self.count, np.inf)
        kl_upper(self.total, self.count, self.level(), index)
        return index

    def act(self, obs, rng, explore=True, mask=None):
        values = self.served(self.index() if explore else self.mean(), obs)
        return self.choose(values, batch_size(obs), rng, mask)

    def update(self, rows):
        low, high = rows.reward.min(), rows.reward.max()
        if low < 0.0 or high > 1.0:
            raise ValueError(f"KL-UCB needs rewards in [0, 1], not [{low:g}, {high:g}]")
        super().update(rows)


@numba.njit(cache=True, error_model="numpy")
def kl_upper(total, count, level, out):
    """``out [R, A]``: the q ≥ p = total / count with count · kl(p, q) = level [R, 1], where count > 0.

    kl is convex in q, so Newton's method from above never overshoots.  It starts at the smaller of Pinsker's bound
    p + √(l/2) and 1 − (1−p) exp((p ln p − l) / (1−p)), which drops p ln(1/q) ≥ 0 from kl.
    """
    for r in range(out.shape[0]):
        for a in range(out.shape[1]):
            if count[r, a] <= 0.0:
                continue
            p, bound = min(max(total[r, a] / count[r, a], 0.0), 1.0), level[r, 0] / count[r, a]
            if p == 1.0 or bound <= 0.0:
                out[r, a] = p
                continue
            plogp = p * np.log(p) if p > 0.0 else 0.0
            entropy = plogp + (1.0 - p) * np.log(1.0 - p)
            q = min(p + np.sqrt(0.5 * bound), 1.0 - (1.0 - p) * np.exp((plogp - bound) / (1.0 - p)))
            for _ in range(100):
                if q >= 1.0 or q <= p:
                    break
                excess = entropy - (p * np.log(q) if p > 0.0 else 0.0) - (1.0 - p) * np.log(1.0 - q) - bound
                step = excess * q * (1.0 - q) / (q - p)
                q -= step
                if step < 1e-14 + 1e-13 * (1.0 - q):
                    break
            out[r, a] = max(q, p)
