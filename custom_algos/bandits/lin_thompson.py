r"""Linear Thompson sampling: act as if one draw of the weights were true.

    θ~ ~ N(θ, v² A⁻¹),      a = arg max_a θ~'φ(s, a)

Agrawal & Goyal 2013b; regret Õ(d^{3/2} √T).  Every user of a batch draws its own θ~.  Given the user's context x, the
scores depend on θ~ only through the D weights W~ = θ~x over item features, N(θx, v² (x'A⁻¹x) [D, D]): drawing those is
the same law and costs D² instead of (D·H)².  Disjoint models draw independently per action.
"""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..parts.params import param
from .linear import LinearConfig, LinearModel


@dataclass(frozen=True)
class Config(LinearConfig):
    scale: float = param(0.5, 0)
    """v: standard deviation of the reward's noise, times how much wider than the posterior one draws."""


class LinThompson(LinearModel):
    Config: ClassVar[type] = Config

    def act(self, obs, rng, explore=True, mask=None):
        scores = self.draws(obs, rng) if explore else self.moments(obs)[0]                   # [N, A]
        action, log_prob = self.choose(scores, len(scores), rng, mask)
        return action, np.full_like(log_prob, np.nan) if explore else log_prob

    def draws(self, obs, rng) -> np.ndarray:
        """One draw ``[N, A]`` of every user's scores."""
        if not self.design.shared:
            mean, variance = self.moments(obs)
            return mean + self.config.scale * np.sqrt(variance) * rng.standard_normal(mean.shape)
        x, f = self.by_learner(obs), self.design.item_features(obs)
        assert f is not None                                                                 # shared
        n = x.shape[0] * x.shape[1]
        mean, square = self.user_model(x)                                                    # [N or R, D], … [D, D]
        tiny = 1e-12 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(square.shape[-1])
        root, share = np.linalg.cholesky(square + tiny), n // len(mean)
        noise = rng.standard_normal((len(mean), share, mean.shape[1])) @ root.swapaxes(1, 2)
        weights = (mean[:, None] + self.config.scale * noise).reshape(n, -1)                 # [N, D]
        return weights @ f.T if f.ndim == 2 else (f @ weights[:, :, None])[..., 0]
