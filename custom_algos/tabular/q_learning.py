r"""Q-learning: learn the value of the best policy while following another one, or from a log alone.

    y = r + γ (1 − terminated) max_a' Q(s', a'),      Q(s, a) ← Q(s, a) + α (y − Q(s, a))

Watkins 1989; it converges to Q* if every cell is visited for ever and Σα = ∞, Σα² < ∞ (Watkins & Dayan 1992).

With ``conservative_coef`` = c > 0 the rows' loss is that of conservative Q-learning (CQL(H), Kumar et al. 2020,
arXiv:2006.04779, equation 4, with the sampled Bellman target y held fixed)

    L(Q) = mean over rows of [ ½ (y − Q(s, a))² + c (log Σ_b exp Q(s, b) − Q(s, a)) ]

and an update is a gradient step in which the rows of a state are averaged, because the penalty couples its actions:

    Q(s, b) ← Q(s, b) + α [ π̂(b|s) mean(y − Q(s, b)) − c (softmax(Q(s, ·))_b − π̂(b|s)) ]

with π̂(b|s) the share of action b among the state's rows.  It rests where mean(y − Q) = c (softmax / π̂ − 1), the
tabular iterate of the paper (its equation 2 with μ = softmax Q): what the log hardly ever did is trusted least, and
what it never did sinks as long as it has weight.

Differences from the papers: (1) the rows of one step are averaged per cell; (2) ``step_power`` decays α per cell and
not with time; (3) the conservative form knows constant α only.
"""
from dataclasses import dataclass

import numba
import numpy as np

from .core import Tabular, TabularConfig, allowed


@dataclass(frozen=True)
class Config(TabularConfig):
    conservative_coef: float = 0.0
    """c: weight of the conservative penalty, in units of reward (0: plain Q-learning)."""


class QLearning(Tabular):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if c.conservative_coef < 0.0 or (c.conservative_coef and c.step_power):
            raise ValueError(f"conservative_coef = {c.conservative_coef} must be >= 0, and 0 where step_power > 0")

    def target(self, rows):
        best = allowed(self.values(rows.learner, rows.next_state), rows).max(axis=1)         # [M]
        return rows.reward + self.config.gamma * rows.going * best

    def move(self, rows):
        if not self.config.conservative_coef:
            return super().move(rows)
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
