r"""Expected SARSA: SARSA without the noise of a'.

    y = r + γ (1 − terminated) Σ_a' π(a'|s') Q(s', a')
      = r + γ (1 − terminated) [ (1 − ε) max_a' Q(s', a') + ε · mean over the allowed a' of Q(s', a') ]

van Seijen, van Hasselt, Whiteson & Wiering 2009.  The same limit as SARSA's, with targets of less variance; at ε = 0
it is Q-learning.

Differences from the paper: (1) the rows of one step are averaged per cell.
"""
import numpy as np

from .core import Tabular, allowed


class ExpectedSarsa(Tabular):
    def target(self, rows):
        values, epsilon = self.values(rows.learner, rows.next_state), self.epsilon         # [M, A]
        mean = values.mean(axis=1) if rows.next_mask is None else np.average(values, axis=1, weights=rows.next_mask)
        following = (1.0 - epsilon) * allowed(values, rows).max(axis=1) + epsilon * mean     # [M]
        return rows.reward + self.config.gamma * rows.going * following
