r"""Gradient bandit: a preference per action, moved along the policy gradient.

    π = softmax(H),      H_a += η (r − r̄) (1{a = A} − π_a)   for every a

Williams 1992; Sutton & Barto 2018, section 2.8.  The baseline r̄ is the mean of the rewards before this one; without it
the step's variance grows with the level of the rewards, which carries no information about the actions.
"""
from dataclasses import dataclass

import numba
import numpy as np

from ..parts.explore import softmax
from ..parts.params import param
from ..parts.spaces import batch_size
from .core import Bandit, BanditConfig


@dataclass(frozen=True)
class Config(BanditConfig):
    learning_rate: float = param(0.1, 0)
    """η: size of a step of the preferences."""
    baseline: bool = True
    """Whether the mean reward is subtracted."""


class GradientBandit(Bandit):
    Config = Config
    ranks = False
    policy_arrays = ("preference",)
    learner_arrays = ("seen", "reward_sum")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.preference = np.zeros((self.replications, self.actions))        # H
        self.seen, self.reward_sum = np.zeros(self.replications), np.zeros(self.replications)

    def act(self, obs, rng, explore=True, mask=None):
        n = batch_size(obs)
        if explore:
            return self.sample(softmax(self.preference), n, rng, mask)
        return self.choose(self.preference, n, rng, mask)

    def update(self, rows):
        ascend(self.preference, self.seen, self.reward_sum, rows.learner, rows.action, rows.reward, rows.mask,
               self.config.learning_rate, self.config.baseline)


@numba.njit(cache=True, error_model="numpy")
def ascend(preference, seen, reward_sum, learner, action, reward, mask, learning_rate, baseline):
    """One step per row, in row order, of the log-likelihood of the allowed actions' softmax."""
    for i in range(len(action)):
        r = learner[i]
        row, top, total = preference[r], -np.inf, 0.0
        for a in range(len(row)):
            if mask is None or mask[i, a]:
                top = max(top, row[a])
        pi = np.zeros(len(row))
        for a in range(len(row)):
            if mask is None or mask[i, a]:
                pi[a] = np.exp(row[a] - top)
                total += pi[a]
        mean = 0.0
        if baseline:
            mean = reward_sum[r] / seen[r] if seen[r] > 0 else reward[i]      # the first reward is its own baseline
        step = learning_rate * (reward[i] - mean)
        for a in range(len(row)):
            row[a] += step * ((a == action[i]) - pi[a] / total)
        seen[r] += 1.0
        reward_sum[r] += reward[i]
