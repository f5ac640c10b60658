"""Headlines: arms with the click rates of real A/B tests of headlines, drawn from a prior fitted to a table of them.

The table (CSV, may be gzipped) has the columns test, arm, impressions, clicks, one row an arm, as in the Upworthy
Research Archive (Matias et al. 2021).  Clicks are beta-binomial: an arm's rate is Beta(a, b), its clicks Binomial
(impressions, rate); `fit_prior` finds a and b by maximum likelihood.  Every slot is a test of its own: a fresh draw
of ``arms`` rates.  Everything else is the Bernoulli bandit.
"""
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.params import param
from ..engine.rng import kernel
from .arm_users import Params as ArmParams
from .arms import ArmBandit


@dataclass(frozen=True)
class Params(ArmParams):
    path: str = param("")
    """The table of arms; needed unless ``prior_b`` is given."""
    arms: int = param(4, 1)
    """Headlines of a test (a test of the archive has 4.8 on average)."""
    own_arms: bool = param(True)
    """Each slot is another test."""
    prior_a: float = param(0.0, 0.0)
    """Set by the fit unless given."""
    prior_b: float = param(0.0, 0.0)
    """Set by the fit unless given."""


def read_arms(path) -> tuple[np.ndarray, np.ndarray]:
    """(impressions, clicks), float64, one entry an arm; FileNotFoundError or ValueError says what is wrong."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"parameter 'path' = {str(path)!r} is not a file; it must name a CSV of headline tests "
                                "with the columns test, arm, impressions, clicks")
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(2, 3), ndmin=2)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} is not a table test,arm,impressions,clicks: {error}") from None
    impressions, clicks = table.T
    if not (0 <= clicks).all() or not (clicks <= impressions).all():
        raise ValueError(f"{path} has arms with more clicks than impressions, or negative ones")
    return impressions.copy(), clicks.copy()


@kernel
def log_likelihood(impressions, clicks, a, b):
    """Beta-binomial: Σ ln B(a + c, b + n − c) − ln B(a, b), without the constant of a and b."""
    total = 0.0
    for n, c in zip(impressions, clicks):                                    # noqa: B905 (compiled)
        total += math.lgamma(a + c) + math.lgamma(b + n - c) - math.lgamma(a + b + n)
    return total - len(clicks) * (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))


def golden(function, low: float, high: float, steps: int = 40) -> float:
    """The maximum of a unimodal ``function`` by golden-section search."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    f_left, f_right = function(left), function(right)
    for _ in range(steps):
        if f_left > f_right:
            high, right, f_right = right, left, f_left
            left = high - ratio * (high - low)
            f_left = function(left)
        else:
            low, left, f_left = left, right, f_right
            right = low + ratio * (high - low)
            f_right = function(right)
    return (low + high) / 2


def fit_prior(impressions, clicks, rounds: int = 8) -> tuple[float, float]:
    """(a, b) of maximum likelihood, by turns in the mean m = a / (a + b) and the strength s = a + b.

    The two are nearly orthogonal, so that a few turns suffice.
    """
    mean, strength = float(clicks.sum() / impressions.sum()), 100.0
    for _ in range(rounds):
        strength = math.exp(golden(lambda s, m=mean: log_likelihood(impressions, clicks, m * math.exp(s),
                                                                    (1 - m) * math.exp(s)), 0.0, 14.0))
        mean = golden(lambda m, s=strength: log_likelihood(impressions, clicks, m * s, (1 - m) * s),
                      mean / 3, min(3 * mean, 0.999))
    return mean * strength, (1 - mean) * strength


class HeadlineBandit(ArmBandit):
    Params = Params

    def _build(self):
        super()._build()
        self.prior = (self.params.prior_a, self.params.prior_b)
        if self.given is None and min(self.prior) <= 0.0:
            self.prior = fit_prior(*read_arms(self.params.path))

    def draw(self, slot):
        return np.random.default_rng([self.params.world_seed, slot]).beta(*self.prior, self.shape)
