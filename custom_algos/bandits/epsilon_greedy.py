r"""ε-greedy: the best mean so far with probability 1 − ε, anything with probability ε.

    a = arg max_a  S_a / N_a   with probability 1 − ε_t,   uniform otherwise

Sutton & Barto 2018, section 2.2.  With constant ε the regret grows for ever by ε times the mean gap a step; the
schedule ε_t = min(ε, scale / t) (Auer, Cesa-Bianchi & Fischer 2002) makes it logarithmic if ``scale`` fits the gaps.
Actions that were never tried are worth ``optimism``: infinity tries each once first.
"""
from dataclasses import dataclass

from ..parts.explore import epsilon_greedy
from ..parts.params import param
from ..parts.schedules import inverse
from .counting import CountingBandit, CountingConfig


@dataclass(frozen=True)
class Config(CountingConfig):
    epsilon: float = param(0.1, 0, 1)
    """Probability of a uniformly random action (the largest one, when a schedule is set)."""
    schedule: str = param("constant", choices=("constant", "inverse"))
    """``constant``, or ``inverse``: ε_t = min(epsilon, scale / t), t = interactions of this learner."""
    scale: float = param(1000.0, 0)
    """Interactions after which the inverse schedule has fallen to ε = 1."""
    optimism: float = param(float("inf"), -float("inf"), float("inf"))
    """Value of an action that was never tried; infinity: it is tried first."""


class EpsilonGreedy(CountingBandit):
    Config = Config
    ranks = False

    @property
    def epsilon(self) -> float:
        """ε now; t is the number of interactions a learner has had (the learners of one batch march in step)."""
        if self.config.schedule == "constant":
            return self.config.epsilon
        return inverse(self.config.epsilon, self.config.scale, self.seen.sum() / self.replications)

    def act(self, obs, rng, explore=True, mask=None):
        values = self.per_user(self.mean(self.config.optimism if explore else 0.0), obs)                 # [N, A]
        return epsilon_greedy(values, self.epsilon if explore else 0.0, rng, mask)

    def learn(self, batch):
        return super().learn(batch) | {"epsilon": self.epsilon}
