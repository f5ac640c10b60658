r"""Softmax over an online linear model: chances fall exponentially with the predicted gap to the best action.

    p_a ∝ exp(−gap_a / τ)

Boltzmann exploration (Sutton & Barto 2018, section 2.8).  At a constant temperature τ it goes on exploring among
actions that are nearly as good; the features, the regression and the gaps are those of `hashed_linear.py`.
"""
from dataclasses import dataclass

from ..parts import exact
from ..parts.params import param
from .hashed_linear import HashedConfig, HashedLinear


@dataclass(frozen=True)
class Config(HashedConfig):
    temperature: float = param(0.05, above=0)
    """τ, in units of the range of rewards seen so far."""


class LinearSoftmax(HashedLinear):
    Config = Config

    def spread(self, gaps, count, seen):
        weight = exact.exp(-gaps / self.config.temperature)
        return weight / weight.cumsum(axis=1)[:, -1:]
