"""Schedules: how exploration and step sizes fall over time, each a function of where one stands."""
from dataclasses import dataclass

from .params import param


def linear(start: float, end: float, fraction: float) -> float:
    """A straight line from ``start`` to ``end``, reached at ``fraction`` = 1."""
    return start + (end - start) * min(max(fraction, 0.0), 1.0)


def inverse(start: float, scale: float, step: float) -> float:
    """``min(start, scale / step)``: the 1/t schedule of ε (Auer, Cesa-Bianchi & Fischer 2002, ε_n-GREEDY)."""
    return min(start, scale / max(step, 1.0))


@dataclass(frozen=True)
class EpsilonConfig:
    epsilon: float = param(1.0, 0, 1)
    """Probability of a random choice at the beginning."""
    epsilon_end: float = param(0.05, 0, 1)
    """Probability of a random choice from `epsilon_steps` on."""
    epsilon_steps: int = param(10_000, 0)
    """Env steps, of all users together, over which ε falls linearly."""

    def epsilon_after(self, env_steps: int) -> float:
        """ε after this many steps."""
        return linear(self.epsilon, self.epsilon_end, env_steps / max(self.epsilon_steps, 1))
