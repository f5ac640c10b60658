r"""Neural-linear Thompson sampling: a network finds the features, a Bayesian last layer knows how little it knows.

    θ~_g ~ N(θ_g, v² A_g⁻¹),       a = arg max_a θ~'z(s, a)

Riquelme, Tucker & Snoek 2018.  Differences from the paper: the noise v is a parameter instead of having an
inverse-gamma posterior; a shared model over item features is possible; every user of a batch draws its own θ~.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from .neural import NeuralBandit, NeuralConfig


@dataclass(frozen=True)
class Config(NeuralConfig):
    scale: float = param(0.5, 0)
    """v: standard deviation of the reward's noise, times how much wider than the posterior one draws."""


class NeuralLinear(NeuralBandit):
    Config = Config

    def act(self, obs, rng, explore=True, mask=None):
        z = self.see(obs)                                                            # [N, 1 or m, F]
        if not explore:
            return self.choose(self.moments(z)[0], len(z), rng, mask)
        if self.design.shared:
            root = np.linalg.cholesky(self.covariance[0])
            theta = self.theta[0] + self.config.scale * rng.standard_normal((len(z), z.shape[2])) @ root.T    # [N, F]
            scores = (z @ theta[:, :, None])[:, :, 0]
        else:
            mean, variance = self.moments(z)
            scores = mean + self.config.scale * np.sqrt(variance) * rng.standard_normal(mean.shape)
        action, log_prob = self.choose(scores, len(z), rng, mask)                     # [N, A]
        return action, np.full_like(log_prob, np.nan)
