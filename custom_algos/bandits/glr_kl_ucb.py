r"""GLR-klUCB: KL-UCB that starts again when the likelihood says that the world has changed.

    max_s  s kl(m_{1:s}, m_{1:n}) + (n − s) kl(m_{s+1:n}, m_{1:n})  ≥  ln(3 n^{3/2} / δ)

Besson, Kaufmann, Maillard & Seznec 2022: the generalised likelihood ratio test of "one mean" against "two means", on
the n rewards of an action since its last restart.  An alarm forgets that action (local) or all of them (global).
Rarely shown actions must be watched too: a fraction of the steps shows any of them.

Difference from the paper: those steps are decided by a coin of each user and not in turns, so that the users of one
batch do not march in step and the propensities are exact.
"""
from dataclasses import dataclass

import numba
import numpy as np

from ..parts.change import changed
from ..parts.explore import epsilon_greedy
from ..parts.params import param
from .core import BanditConfig
from .kl_ucb import KLUCB


@dataclass(frozen=True)
class Config(BanditConfig):
    c: float = param(0.0, 0)
    """Weight of the ln ln t term of KL-UCB."""
    delta: float = param(0.01, above=0, high=1)
    """δ: probability of a false alarm in a world that never changes."""
    forced: float = param(0.02, 0, 1)
    """Share of the steps that shows a uniformly random action."""
    local: bool = True
    """Whether an alarm forgets only the action that changed."""
    test_every: int = param(10, 1)
    """Observations of an action between two tests."""
    split_every: int = param(5, 1)
    """Distance of the split points that a test tries."""


class GLRKLUCB(KLUCB):
    Config = Config
    ranks = False
    policy_arrays = ("count", "total", "seen")
    learner_arrays = ("prefix", "restarts", "ring_action", "ring_reward")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.prefix = np.zeros((self.replications, self.actions, 64))        # sums of the first 1, 2, … rewards
        self.restarts = np.zeros(self.replications, np.int64)

    def act(self, obs, rng, explore=True, mask=None):
        values = self.per_user(self.index() if explore else self.mean(), obs)                  # [N, A]
        return epsilon_greedy(values, self.config.forced if explore else 0.0, rng, mask)

    def update(self, rows):
        most = int(self.count.max()) + int(np.bincount(rows.learner).max())
        if most > self.prefix.shape[2]:
            self.prefix = np.concatenate([self.prefix, np.zeros((*self.prefix.shape[:2], most))], axis=2)
        watch(self.count, self.total, self.seen, self.prefix, self.restarts, rows.learner, rows.action, rows.reward,
              self.config.delta, self.config.local, self.config.test_every, self.config.split_every)


@numba.njit(cache=True, error_model="numpy")
def watch(count, total, seen, prefix, restarts, learner, action, reward, delta, local, test_every, split_every):
    """Add rows to the statistics and restart where the test alarms."""
    for i in range(len(action)):
        r, a = learner[i], action[i]
        seen[r] += 1
        n = int(count[r, a])
        total[r, a] += reward[i]
        prefix[r, a, n] = total[r, a]
        count[r, a] = n + 1
        if (n + 1) % test_every == 0 and changed(prefix[r, a], n + 1, delta, split_every):
            restarts[r] += 1
            for other in range(count.shape[1]):
                if other == a or not local:
                    count[r, other] = total[r, other] = 0.0
