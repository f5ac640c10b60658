r"""Double Q-learning: two tables, one chooses and the other one says what it is worth.

    heads:  y = r + γ (1 − terminated) Q_B(s', arg max_a' Q_A(s', a')),      Q_A(s, a) ← Q_A(s, a) + α (y − Q_A(s, a))
    tails:  the same with A and B exchanged;          the policy is ε-greedy in (Q_A + Q_B) / 2

van Hasselt 2010.  The maximum of noisy estimates is too high on average; an estimate whose noise did not take part in
the choice is not.

Differences from the paper: (1) every user tosses its own coin, and the rows of one step are averaged per cell of the
table they fell to; (2) the first of tied best actions is chosen in y.
"""
from ..rollout import make_rng
from .core import Tabular, allowed


class DoubleQLearning(Tabular):
    """Learner r has the tables 2r and 2r + 1."""

    tables = 2

    def values(self, learner, state):
        return 0.5 * (self.q[2 * learner, state] + self.q[2 * learner + 1, state])

    def update(self, rows):
        heads = make_rng(self.seed, self.updates).random(len(rows.action)) < 0.5
        return super().update(rows._replace(learner=2 * rows.learner + heads))

    def target(self, rows):
        """y ``[M]``; `update` has put the number of the table to be changed in the place of the learner's."""
        best = allowed(self.q[rows.learner, rows.next_state], rows).argmax(axis=1)           # [M]
        value = self.q[rows.learner ^ 1, rows.next_state, best]                              # [M] by the other table
        return rows.reward + self.config.gamma * rows.going * value
