r"""The fixed A/B test: everything equally often, then the winner for ever.

    a uniform over {a : N_a < n} while there are any,  then  a = arg max_a S_a / N_a

Robbins 1952; regret ≤ n Σ_a Δ_a + T Σ_a Δ_a exp(−n Δ_a²/4).  The policy that bandits replace: n must be fixed before
the gaps are known, every visitor of the test pays for it, and a wrong winner costs linear regret.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from ..parts.spaces import batch_size
from .core import BanditConfig, Rows
from .counting import CountingBandit


@dataclass(frozen=True)
class Config(BanditConfig):
    samples: int = param(1000, 0)
    """n: how often every action is shown before the decision."""


class ExploreThenCommit(CountingBandit):
    Config = Config

    def act(self, obs, rng, explore=True, mask=None):
        open_ = self.count < self.config.samples                             # [R, A]
        value = self.mean()
        if explore:
            testing = open_.any(axis=1, keepdims=True)                       # [R, 1]
            value = np.where(testing, open_.astype(float), value)
        return self.choose(value, batch_size(obs), rng, mask)

    def update(self, rows):
        """What comes in after the decision is no longer looked at."""
        testing = (self.count < self.config.samples).any(axis=1)             # [R]
        if testing.all():
            return super().update(rows)
        keep = testing[rows.learner]
        return super().update(Rows(rows.learner[keep], rows.action[keep], rows.reward[keep], rows.log_prob[keep], None))
