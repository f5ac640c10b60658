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

import numpy as np

from ..parts.beta import beta_odds, fast
from ..parts.params import param
from ..parts.spaces import batch_size
from .counting import CountingBandit, CountingConfig


@dataclass(frozen=True)
class Config(CountingConfig):
    prior_success: float = param(1.0, above=0)
    """α: successes every action is credited with."""
    prior_failure: float = param(1.0, above=0)
    """β: failures every action is credited with."""
    propensity_draws: int = param(0, 0)
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
