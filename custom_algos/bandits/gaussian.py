r"""Thompson sampling for rewards with Gaussian noise of known size.

    θ_a ~ N(m_a, v_a),     1/v_a = 1/s² + N_a/σ²,     m_a = v_a (m/s² + S_a/σ²),     a = arg max_a θ_a

Agrawal & Goyal 2013; regret O(√(A T ln T)).  With ``window`` or ``discount`` old observations are forgotten.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.beta import fast
from ..parts.params import param
from .counting import CountingConfig
from .thompson import Thompson


@dataclass(frozen=True)
class Config(CountingConfig):
    noise: float = param(1.0, above=0)
    """σ: standard deviation of a reward around its mean."""
    prior_mean: float = param(0.0)
    """m: what an action is thought to be worth before it was tried; any finite number."""
    prior_std: float = param(1.0, above=0)
    """s: how far from m an action may well be."""
    propensity_draws: int = param(0, 0)
    """M: posterior draws for the estimate of the propensity (0: unknown, NaN); see `thompson.py`."""


class GaussianThompson(Thompson):
    Config = Config

    def posterior(self):
        """(m_a, v_a), each ``[R, A]``."""
        noise, prior = self.config.noise**-2, self.config.prior_std**-2
        variance = 1.0 / (prior + noise * self.count)
        return variance * (prior * self.config.prior_mean + noise * self.total), variance

    def centre(self):
        return self.posterior()[0]

    def draws(self, obs, rng):
        mean, variance = (self.per_user(part, obs) for part in self.posterior())
        return mean + np.sqrt(variance) * fast(rng).standard_normal(mean.shape)

    def check(self, rewards):
        pass
