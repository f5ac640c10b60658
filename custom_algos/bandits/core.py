"""What bandits over a fixed set of actions share: counts and sums per action, with a replication axis.

Statistics are ``[R, A]``: R independent learners, each serving N / R of the batch's users (user n belongs to learner
``n // (N / R)``).  R = 1 with N users is one learner serving many; R = 1000 with N = 1000 is a regret experiment.
Statistics are sums, so learning is additive: the order of the batch and of the workers cannot matter.
"""
from dataclasses import dataclass

import numpy as np

from ..core import Algorithm, Transition, flat


@dataclass(frozen=True)
class BanditConfig:
    replications: int = 1
    """R: independent learners in one array program; the number of users must be a multiple of it."""
    rollout_steps: int = 1
    """T: steps of every user between two updates."""


class CountingBandit(Algorithm):
    """State: ``count [R, A]`` and ``total [R, A]`` (sum of rewards), float64."""

    Config = BanditConfig

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.actions, self.replications = int(action_space.n), self.config.replications
        self.count = np.zeros((self.replications, self.actions))
        self.total = np.zeros((self.replications, self.actions))

    def per_user(self, table: np.ndarray, n: int) -> np.ndarray:
        """``[R, A] -> [N, A]``: every user sees its own learner's row (a view, not a copy, when R = 1)."""
        if self.replications == 1:
            return np.broadcast_to(table, (n, self.actions))
        if n % self.replications:
            raise ValueError(f"{n} users cannot be shared by {self.replications} replications")
        return np.repeat(table, n // self.replications, axis=0)

    def learn(self, batch: Transition) -> dict[str, float]:
        """Add counts and rewards per (learner, action)."""
        learner = np.arange(batch.reward.shape[1]) * self.replications // batch.reward.shape[1]   # [N]
        rows = flat(batch)
        cell = np.tile(learner, batch.reward.shape[0]) * self.actions + rows.action               # [T·N]
        shape, size = self.count.shape, self.count.size
        self.count += np.bincount(cell, minlength=size).reshape(shape)
        self.total += np.bincount(cell, rows.reward.astype(np.float64), size).reshape(shape)
        return {"reward_mean": float(rows.reward.mean())}

    def mean(self, prior: float = 0.0) -> np.ndarray:
        """Mean reward ``[R, A]``; an action never tried has the value ``prior``."""
        return np.divide(self.total, self.count, out=np.full_like(self.total, prior), where=self.count > 0)

    def policy_state(self):
        return {"count": self.count.copy(), "total": self.total.copy()}

    def load_policy_state(self, policy):
        self.count, self.total = np.array(policy["count"]), np.array(policy["total"])

    def state_dict(self):
        return self.policy_state()

    def load_state_dict(self, state):
        self.load_policy_state(state)


def batch_size(obs) -> int:
    """N, from an observation ``[N, …]`` or a dict of them."""
    return len(next(iter(obs.values()))) if isinstance(obs, dict) else len(obs)
