r"""Thompson sampling for rewards in [0, 1]: play what is best in one draw from the posterior.

    θ_a ~ Beta(α + S_a, β + N_a − S_a),       a = arg max_a θ_a

Thompson 1933; regret ~ Σ_a Δ_a / kl(μ_a, μ*) · ln T, the lower bound of Lai & Robbins 1985 (Kaufmann, Korda & Munos
2012).  With ``window`` or ``discount`` old observations are forgotten (Trovò et al. 2020; Raj & Kalyani 2017).
A reward strictly between 0 and 1 counts as that fraction of a success.

The propensity P(a wins) has no closed form: it is NaN unless ``propensity_draws`` = M asks for the Monte-Carlo
estimate (wins + 1) / (M + A) from M further draws (add-one smoothing keeps it positive; no estimate for slates).
"""
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np

from .core import CountingBandit, CountingConfig, batch_size


@dataclass(frozen=True)
class Config(CountingConfig):
    prior_success: float = 1.0
    """α: successes every action is credited with."""
    prior_failure: float = 1.0
    """β: failures every action is credited with."""
    propensity_draws: int = 0
    """M: posterior draws for the estimate of the propensity (0: unknown, NaN)."""


class Thompson(CountingBandit):
    Config: ClassVar[type] = Config

    def act(self, obs, rng, explore=True, mask=None):
        if not explore:
            return self.choose(self.served(self.centre(), obs), batch_size(obs), rng, mask)
        action, _ = self.choose(self.draws(obs, rng), batch_size(obs), rng, mask)
        return action, self.log_propensity(action, obs, rng, mask)

    def posterior(self):
        """(α + S, β + N − S), each ``[R, A]``."""
        return self.config.prior_success + self.total, self.config.prior_failure + (self.count - self.total)

    def centre(self):
        """Posterior means ``[R, A]``."""
        success, failure = self.posterior()
        return success / (success + failure)

    def draws(self, obs, rng) -> np.ndarray:
        """One draw from every user's posterior, ``[N, A]``, as odds θ / (1 − θ): the order is the same."""
        success, failure = (self.served(part, obs) for part in self.posterior())
        odds = np.empty((batch_size(obs), self.actions))
        beta_odds(fast(rng), success, failure, len(odds) // len(success), odds)
        return odds

    def log_propensity(self, action, obs, rng, mask) -> np.ndarray:
        """``[N]``: NaN, or the Monte-Carlo estimate of the module's docstring."""
        wins, draws = np.zeros(len(action)), self.config.propensity_draws
        if draws == 0 or self.slates:
            return np.full(len(action), np.nan, np.float32)
        for _ in range(draws):
            wins += self.choose(self.draws(obs, rng), len(action), rng, mask)[0] == action
        return np.log((wins + 1.0) / (draws + self.actions)).astype(np.float32)

    def update(self, rows):
        self.check(rows.reward)
        super().update(rows)

    def check(self, rewards):
        low, high = rewards.min(), rewards.max()
        if low < 0.0 or high > 1.0:
            raise ValueError(f"Thompson sampling with Beta posteriors needs rewards in [0, 1], not [{low:g}, {high:g}];"
                             f" use gaussian_thompson")


def fast(rng: np.random.Generator) -> np.random.Generator:
    """The fastest bit generator there is, seeded by ``rng``."""
    return np.random.Generator(np.random.SFC64(rng.integers(2**63)))


@numba.njit(cache=True, error_model="numpy")
def beta_odds(rng, success, failure, share, out):
    """``out [N, A]``: odds of Beta(success, failure), the ratio of two gamma variables (Marsaglia & Tsang 2000)."""
    for n in range(out.shape[0]):
        for a in range(out.shape[1]):
            above = below = -1.0
            p, q = success[n // share, a], failure[n // share, a]
            while above < 0.0:
                above = gamma(p, rng.standard_normal(), rng.random())
            while below < 0.0:
                below = gamma(q, rng.standard_normal(), rng.random())
            if p < 1.0:                                           # Γ_p = Γ_{p+1} U^(1/p)
                above *= rng.random() ** (1.0 / p)
            if q < 1.0:
                below *= (1.0 - rng.random()) ** (1.0 / q)
            out[n, a] = above / below


@numba.njit(cache=True, error_model="numpy")
def gamma(shape, x, u):
    """A gamma variable of this shape (below 1: of shape + 1) from a normal x and a uniform u, or −1: draw again."""
    d = shape - 1.0 / 3.0 if shape >= 1.0 else shape + 2.0 / 3.0
    v = 1.0 + x / np.sqrt(9.0 * d)
    if v <= 0.0:
        return -1.0
    v = v * v * v
    if u < 1.0 - 0.0331 * (x * x) * (x * x) or np.log(u) < 0.5 * x * x + d * (1.0 - v + np.log(v)):
        return d * v
    return -1.0
