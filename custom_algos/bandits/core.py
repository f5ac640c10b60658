"""What bandits share: rewards that arrive late, R learners side by side, and the choice of an action or a slate.

Statistics are ``[R, A]``: R independent learners, each serving N / R of the batch's users (user n belongs to learner
``n // (N / R)``).  R = 1 with N users is one learner serving many; R = 1000 with N = 1000 is a regret experiment.
Statistics that are sums are additive: the order of the batch and of the workers cannot matter.

An action is one of A (Discrete) or a slate of K of them (MultiDiscrete: K equal entries).  A slate is K rows, one
for every item shown, and the reward of a row is the response of its slot.
"""
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces

from ..core import Algorithm, Transition, tree_map
from ..parts.choose import draw, pick
from ..parts.params import param
from ..parts.pending import Pending


@dataclass(frozen=True)
class BanditConfig:
    replications: int = param(1, 1)
    """R: independent learners in one array program; the number of users must be a multiple of it."""
    rollout_steps: int = param(1, 1)
    """T: steps of every user between two updates."""


class Rows(NamedTuple):
    """Observations whose reward is known, in row order: what a bandit learns from."""

    learner: np.ndarray            # [M] int64, 0 … R-1
    action: np.ndarray             # [M] int64
    reward: np.ndarray             # [M] float32
    log_prob: np.ndarray           # [M] float32
    mask: np.ndarray | None        # [M, A] bool
    obs: Any = None                # [M, …] for bandits that look at it


class Bandit(Algorithm):
    """Late rewards, slates and checkpoints; a subclass writes ``act`` and ``update(rows)``."""

    Config: ClassVar[type] = BanditConfig
    looks: bool = False                              # whether `update` needs the observations
    ranks: ClassVar[bool] = True                     # whether it can fill a slate
    policy_arrays: ClassVar[tuple[str, ...]] = ()    # attributes that `act` reads
    learner_arrays: ClassVar[tuple[str, ...]] = ()   # attributes that only `update` reads

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.slates = isinstance(action_space, spaces.MultiDiscrete)
        one = [action_space.n] if isinstance(action_space, spaces.Discrete) else [0]
        sizes = action_space.nvec if self.slates else np.array(one)
        if sizes.min() < 1 or (sizes != sizes[0]).any():
            raise ValueError(f"action space {action_space}: a bandit needs Discrete(A) or MultiDiscrete([A] * K)")
        self.actions, self.slate, self.replications = int(sizes[0]), len(sizes), self.config.replications
        if self.slates and not self.ranks:
            raise ValueError(f"{type(self).__name__} chooses one action, not a slate: {action_space}")
        self.pending = Pending()                     # rows whose reward is still unknown

    def share(self, n: int) -> int:
        """Users of one learner in a batch of ``n``."""
        if n % self.replications:
            raise ValueError(f"{n} users cannot be shared by {self.replications} replications")
        return n // self.replications

    def learn(self, batch: Transition) -> dict[str, float]:
        """Learn from every reward that is known by now; ``delay`` counts the steps after which it is."""
        rows, _ = self.pending.release(self.rows(batch), len(batch.reward), batch.delay)
        numbers = self.update(rows) if len(rows.action) else None
        return {"reward_mean": float(batch.reward.sum() / batch.reward.size)} | (numbers or {})

    def update(self, rows: Rows) -> dict[str, float] | None:
        raise TypeError(f"{type(self).__name__} does not say how it learns")

    def rows(self, batch: Transition) -> Rows:
        """``[T, N]`` (or slates ``[T, N, K]``) as M = T·N (·K) rows."""
        steps, n = batch.reward.shape
        learner = np.arange(n) if (share := self.share(n)) == 1 else np.arange(n) // share
        if steps > 1:
            learner = np.tile(learner, steps)
        reward, log_prob, each = batch.reward, batch.log_prob, 1
        if batch.action.ndim == 3:
            if batch.response is None:
                raise ValueError("learning from slates needs Transition.response [T, N, K]: the reward of every slot")
            reward, each = np.asarray(batch.response, np.float32), batch.action.shape[2]
            learner, log_prob = np.repeat(learner, each), np.repeat(log_prob, each)
        def spread(part):
            part = part.reshape(steps * n, *part.shape[2:])
            return np.repeat(part, each, axis=0) if each > 1 else part
        return Rows(learner, batch.action.reshape(-1), reward.reshape(-1), log_prob.reshape(-1),
                    None if batch.mask is None else spread(batch.mask),
                    tree_map(spread, batch.obs) if self.looks else None)

    def policy_state(self):
        return {name: getattr(self, name).copy() for name in self.policy_arrays}

    def load_policy_state(self, policy):
        for name in self.policy_arrays:
            setattr(self, name, np.array(policy[name], order="C"))

    def state_dict(self):
        learner = {name: getattr(self, name).copy() for name in self.learner_arrays}
        return {**self.policy_state(), **learner, "clock": self.pending.clock, "pending": self.pending.state_dict()}

    def load_state_dict(self, state):
        self.load_policy_state(state)
        for name in self.learner_arrays:
            setattr(self, name, np.array(state[name], order="C"))
        self.pending.load(state["clock"], state["pending"], Rows)

    # acting ------------------------------------------------------------------------------------------------------
    def choose(self, values: np.ndarray, n: int, rng, mask=None):
        """The best action (or slate) by ``values [R, A]`` or ``[N, A]``, fair ties; exact log-propensity."""
        action, log_prob = np.empty((n, self.slate), np.int64), np.empty(n, np.float32)
        share = 1 if len(values) == n else self.share(n)
        pick(values, share, rng.integers(2**63, dtype=np.uint64), mask, action, log_prob)
        return action if self.slates else action[:, 0], log_prob

    def sample(self, prob: np.ndarray, n: int, rng, mask=None):
        """Draw from ``prob [R, A]`` or ``[N, A]`` (a slate: without replacement); exact log-propensity."""
        action, log_prob = np.empty((n, self.slate), np.int64), np.empty(n, np.float32)
        share = 1 if len(prob) == n else self.share(n)
        draw(prob, share, rng.random((n, self.slate)), mask, action, log_prob)
        return action if self.slates else action[:, 0], log_prob
