r"""Conservative Q-learning: Q-learning from a log that trusts least what the log hardly ever did.

    L(Q) = mean over rows of [ ½ (y − Q(s, a))² + c (log Σ_b exp Q(s, b) − Q(s, a)) ],   y: the target of Q-learning

Kumar et al. 2020 (arXiv:2006.04779), CQL(H), equation 4, with the sampled target y held fixed.  An update is a gradient
step in which the rows of a state are averaged, because the penalty couples its actions:

    Q(s, b) ← Q(s, b) + α [ π̂(b|s) mean(y − Q(s, b)) − c (softmax(Q(s, ·))_b − π̂(b|s)) ]

with π̂(b|s) the share of action b among the state's rows.  It rests where mean(y − Q) = c (softmax / π̂ − 1), the
tabular iterate of the paper (its equation 2 with μ = softmax Q).  An action that the log never took sinks as long as
the softmax gives it weight.

Differences from the paper: (1) the rows of one step are averaged per state; (2) α is constant.
"""
from dataclasses import dataclass

import numba
import numpy as np

from ..parts.params import param
from .core import TabularConfig
from .q_learning import QLearning


@dataclass(frozen=True)
class Config(TabularConfig):
    conservative_coef: float = param(1.0, 0)
    """c: weight of the conservative penalty, in units of reward."""


class ConservativeQLearning(QLearning):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if self.config.step_power:
            raise ValueError(f"step_power = {self.config.step_power} must be 0: conservative updates have a constant α")

    def move(self, rows):
        conserve(self.q, self.seen, rows.learner, rows.state, rows.mask, self._error, self._rows,
                 self.config.learning_rate, self.config.conservative_coef)


@numba.njit(cache=True, error_model="numpy")
def conserve(q, seen, learner, state, mask, error, rows, learning_rate, coef):
    """The last equation of the docstring for every state of the batch; ``error`` and ``rows`` are zero afterwards.

    Only the actions that the state's first row allows have weight in the softmax.
    """
    for i in range(len(state)):
        r, s = learner[i], state[i]
        n = rows[r, s].sum()
        if n > 0:                                    # the first row of the state moves it for all of them
            top, total = q[r, s].max(), 0.0
            for b in range(q.shape[2]):
                if mask is None or mask[i, b]:
                    total += np.exp(q[r, s, b] - top)
            for b in range(q.shape[2]):
                m = rows[r, s, b]
                weight = np.exp(q[r, s, b] - top) / total if mask is None or mask[i, b] else 0.0
                q[r, s, b] += learning_rate * (error[r, s, b] - coef * (n * weight - m)) / n
                seen[r, s, b] += m
                error[r, s, b], rows[r, s, b] = 0.0, 0
