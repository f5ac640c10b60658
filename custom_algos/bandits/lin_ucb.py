r"""LinUCB: the action with the highest upper confidence bound of a linear model.

    a = arg max_a  θ'φ(s, a) + α √(φ(s, a)' A⁻¹ φ(s, a))

Li, Chu, Langford & Schapire 2010 (disjoint and hybrid models).  With ``delta`` > 0 the width follows the confidence
ellipsoid of OFUL (Abbasi-Yadkori, Pál & Szepesvári 2011, theorem 2), which holds for all t with probability 1 − δ:

    α_t = σ √(2 ln(1/δ) + ln det A/λ) + √λ S,        regret O(d √T ln T)
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from .linear import LinearConfig, LinearModel


@dataclass(frozen=True)
class Config(LinearConfig):
    alpha: float = param(0.5, 0)
    """α: width of the confidence bound in standard deviations of unit noise (0: greedy)."""
    item_intercept: bool = False
    """Whether every item of a shared model has a weight of its own besides its features."""
    delta: float = param(0.0, 0, 1)
    """δ: probability that OFUL's ellipsoid may fail (0: use the constant ``alpha``)."""
    noise: float = param(0.5, 0)
    """σ: the rewards' noise is σ-subgaussian (1/2 for rewards in [0, 1]); used with ``delta``."""
    norm: float = param(1.0, 0)
    """S: bound of the true weights' Euclidean norm; used with ``delta``."""


class LinUCB(LinearModel):
    Config = Config

    def wants_intercept(self):
        return self.config.item_intercept

    def width(self):
        """α, or OFUL's radius per learner: ``[R]`` (shared), ``[R, A]`` (disjoint)."""
        config = self.config
        if config.delta <= 0.0:
            return config.alpha
        growth = 2.0 * np.log(1.0 / config.delta) + self.log_det
        return config.noise * np.sqrt(growth) + np.sqrt(config.l2) * config.norm

    def act(self, obs, rng, explore=True, mask=None):
        mean, variance = self.moments(obs)                                                   # [N, A]
        if explore:
            width = np.asarray(self.width())
            if width.ndim:
                width = np.repeat(width.reshape(self.replications, -1), self.share(len(mean)), axis=0)
            mean = mean + width * np.sqrt(variance)
        return self.choose(mean, len(mean), rng, mask)
