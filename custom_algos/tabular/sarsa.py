r"""SARSA: the value of the policy that is followed, its exploration included.

    y = r + γ (1 − terminated) Q(s', a'),   a' ~ π(s'),      Q(s, a) ← Q(s, a) + α (y − Q(s, a))

with π ε-greedy in Q.  Rummery & Niranjan 1994 ("modified connectionist Q-learning"); Sutton & Barto 2018, section 6.4.
Next to a cliff it keeps away from the edge that Q-learning walks along, because it knows that it will stumble.

Differences from the paper: (1) a' is drawn when the table is updated, from the policy of that moment, and is not the
action that the user is shown next: in one step of N users both have the same law, and a log or a block of steps
collected with an older table is no trap; the generator is made from (seed, update), so a resumed run draws the same;
(2) the rows of one step are averaged per cell.
"""
import numpy as np

from ..parts.explore import epsilon_greedy
from ..rollout import make_rng
from .core import Tabular


class Sarsa(Tabular):
    def target(self, rows):
        values, rng = self.values(rows.learner, rows.next_state), make_rng(self.seed, self.updates)    # [M, A]
        action, _ = epsilon_greedy(values, self.epsilon, rng, rows.next_mask)                        # a' [M]
        return rows.reward + self.config.gamma * rows.going * values[np.arange(len(action)), action]
