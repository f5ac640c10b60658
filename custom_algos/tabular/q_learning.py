r"""Q-learning: learn the value of the best policy while following another one, or from a log alone.

    y = r + γ (1 − terminated) max_a' Q(s', a'),      Q(s, a) ← Q(s, a) + α (y − Q(s, a))

Watkins 1989; it converges to Q* if every cell is visited for ever and Σα = ∞, Σα² < ∞ (Watkins & Dayan 1992).

Differences from the papers: (1) the rows of one step are averaged per cell; (2) ``step_power`` decays α per cell and
not with time.
"""
from .core import Tabular, allowed


class QLearning(Tabular):
    def target(self, rows):
        best = allowed(self.values(rows.learner, rows.next_state), rows).max(axis=1)         # [M]
        return rows.reward + self.config.gamma * rows.going * best
