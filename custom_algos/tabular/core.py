r"""What tabular learners share: the table, the ε-greedy policy, and updates that are averaged per cell.

    Q(s, a) ← Q(s, a) + α · mean over the rows of (s, a) of [ y − Q(s, a) ],      y = r + γ (1 − terminated) · next

One step of N parallel users is one update: rows of the same cell are averaged, not summed, because N users who are in
one place must not multiply the step size.  T steps are T updates in their order, so a block of T steps teaches what T
blocks of one step do.  A log (T = 1, N = rows) is one update a pass; with α = 1 that is one exact sweep of dynamic
programming over the log's empirical frequencies.  What ``next`` is makes the difference between the algorithms.

Tables are ``[R, S, A]``: R independent learners, each serving N / R of the batch's users (user n belongs to learner
``n // (N / R)``).  A truncated session bootstraps from its true last observation, a terminated one does not.
"""
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces

from ..core import Algorithm, Transition, tree_map
from ..parts.averages import average, gather
from ..parts.explore import epsilon_greedy
from ..parts.params import param
from ..parts.pending import Pending
from ..parts.schedules import linear
from ..parts.spaces import batch_size
from .states import States

LARGEST = 3 * 10**7                              # cells of a table (1 GB with what its updates need)


@dataclass(frozen=True)
class TabularConfig:
    gamma: float = param(0.99, 0, 1)
    """Discount per step; 0 chases the next reward alone."""
    learning_rate: float = param(0.1, 0, 1)
    """α: share of the distance to the target that an update covers."""
    step_power: float = param(0.0, 0, 1)
    """p: α = (m / M)^p for a cell seen M times so far, m of them now: 1 / M^p where m = 1 (0: ``learning_rate``)."""
    initial_value: float = param(0.0)
    """Q before anything is known; optimistic values make the agent try everything.  Any finite number."""
    epsilon_start: float = param(1.0, 0, 1)
    """Probability of a uniformly random action at the first step."""
    epsilon_end: float = param(0.05, 0, 1)
    """The same at the end of the schedule, and for ever after."""
    epsilon_steps: int = param(10_000, 0)
    """Steps of a learner's users in which ε falls on a straight line (0: it is ``epsilon_end`` from the start)."""
    passes: int = param(1, 1)
    """How many times `learn` goes through a batch: many for a log, once for what users are doing now."""
    bins: int = param(0, 0)
    """Bins into which every number of a Box observation is cut (0: such an observation must be one-hot)."""
    replications: int = param(1, 1)
    """R: independent learners in one array program; the number of users must be a multiple of it."""
    rollout_steps: int = param(1, 1)
    """T: steps of every user between two calls of `learn`."""


class Rows(NamedTuple):
    """What M users did, with numbered states."""

    learner: np.ndarray            # [M] int64, 0 … R-1
    state: np.ndarray              # [M] int64
    action: np.ndarray             # [M] int64
    reward: np.ndarray             # [M] float64
    going: np.ndarray              # [M] bool: not terminated, what follows counts
    next_state: np.ndarray         # [M] int64
    mask: np.ndarray | None        # [M, A] bool
    next_mask: np.ndarray | None   # [M, A] bool


class Tabular(Algorithm):
    """A table, its policy, late rewards and checkpoints; a subclass writes ``target(rows)``."""

    Config: ClassVar[type] = TabularConfig
    tables: ClassVar[int] = 1                        # tables a learner has

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"action space {action_space}: a tabular learner needs Discrete(A)")
        c = self.config
        if c.step_power and c.step_power <= 0.5:
            raise ValueError(f"step_power = {c.step_power!r} must be 0 or lie in (0.5, 1]: else noise does not average "
                             "out")
        self.states, self.actions = States(obs_space, c.bins), int(action_space.n)
        self.gamma, self.final_epsilon = c.gamma, c.epsilon_end
        shape = (self.tables * c.replications, self.states.count, self.actions)
        if np.prod(shape, dtype=object) > LARGEST:
            raise ValueError(f"observation space {obs_space} has {shape[1]} states: a table {list(shape)} is too large")
        self.q = np.full(shape, float(c.initial_value))            # [tables · R, S, A]
        self.seen = np.zeros(shape, np.int64)                                # M: rows of every cell so far
        self.steps = self.updates = 0                    # of a learner's users; of the table
        self.pending = Pending()                         # rows whose reward is still unknown
        self._error, self._rows = np.zeros(shape), np.zeros(shape, np.int64)     # zero between two updates

    def target(self, rows: Rows) -> np.ndarray:
        """y ``[M]``: what Q(s, a) of every row should have been."""
        raise TypeError(f"{type(self).__name__} does not say what it learns towards")

    # acting ---------------------------------------------------------------------------------------------------------
    @property
    def epsilon(self) -> float:
        """ε now (the learners of one batch march in step)."""
        c = self.config
        return linear(c.epsilon_start, c.epsilon_end, self.steps / c.epsilon_steps if c.epsilon_steps else 1.0)

    def values(self, learner, state) -> np.ndarray:
        """Q(s, ·) ``[M, A]``."""
        return self.q[learner, state]

    def act(self, obs, rng, explore=True, mask=None):
        return epsilon_greedy(self.action_values(obs), self.epsilon if explore else 0.0, rng, mask)

    def action_values(self, obs) -> np.ndarray:
        """Q of the observations ``[N, …]``: ``[N, A]``."""
        n = batch_size(obs)
        return self.values(self.learners(n), self.states(obs, n))

    def learners(self, n: int) -> np.ndarray:
        """Whose user each of a batch's ``n`` is, ``[N]``."""
        if n % self.config.replications:
            raise ValueError(f"{n} users cannot be shared by {self.config.replications} replications")
        return np.arange(n) // (n // self.config.replications)

    # learning -------------------------------------------------------------------------------------------------------
    def learn(self, batch: Transition) -> dict[str, float]:
        """One update a step (and pass) from every reward that is known by now; loss is the mean squared TD error."""
        groups, squares = self.known(batch), 0.0
        for _ in range(self.config.passes):
            squares = sum(self.update(rows) for rows in groups)
        self.steps += batch.reward.size // self.config.replications
        return {"loss": squares / max(1, sum(len(rows.action) for rows in groups)),
                "reward_mean": float(batch.reward.mean()), "epsilon": self.epsilon}

    def known(self, batch: Transition) -> list[Rows]:
        """The rows whose reward is known after this batch, one group for every step at which it became known."""
        steps = len(batch.reward)
        rows, due = self.pending.release(self.rows(batch), steps, batch.delay)
        if due is None and steps == 1:
            return [rows]
        cuts = np.arange(1, steps) * batch.reward.shape[1] if due is None else np.flatnonzero(np.diff(due)) + 1
        ends = [0, *cuts, len(rows.action)]
        return [tree_map(lambda part, a=a, b=b: part[a:b], rows) for a, b in pairwise(ends) if b > a]

    def update(self, rows: Rows) -> float:
        """Move the table towards the targets of ``rows``; returns the sum of the squared errors."""
        squares = gather(self.q, rows.learner, rows.state, rows.action, self.target(rows), self._error, self._rows)
        self.move(rows)
        self.updates += 1
        return squares

    def move(self, rows: Rows) -> None:
        """One step of every cell of ``rows`` along its gathered errors."""
        average(self.q, self.seen, rows.learner, rows.state, rows.action, self._error, self._rows,
                self.config.learning_rate, self.config.step_power)

    def rows(self, batch: Transition) -> Rows:
        """``[T, N]`` as M = T·N rows, checked: an index outside the table would be written somewhere else."""
        steps, n = batch.reward.shape
        action, going = batch.action.reshape(-1), ~batch.terminated.reshape(-1)
        if action.min() < 0 or action.max() >= self.actions:
            raise ValueError(f"action in [{action.min()}, {action.max()}] must lie in 0 … {self.actions - 1}")
        mask, next_mask = (None if m is None else m.reshape(-1, self.actions) for m in (batch.mask, batch.next_mask))
        if next_mask is not None:
            next_mask = next_mask | ~going[:, None]      # nothing is chosen there: any action will do
        return Rows(np.tile(self.learners(n), steps), self.states(batch.obs, steps * n), action,
                    batch.reward.reshape(-1).astype(np.float64), going, self.states(batch.next_obs, steps * n),
                    mask, next_mask)

    # states ---------------------------------------------------------------------------------------------------------
    def policy_state(self):
        return {"q": self.q.copy(), "steps": self.steps}

    def load_policy_state(self, policy):
        self.q, self.steps = np.array(policy["q"]), int(policy["steps"])

    def state_dict(self):
        return {**self.policy_state(), "seen": self.seen.copy(), "updates": self.updates, "clock": self.pending.clock,
                "pending": self.pending.state_dict()}

    def load_state_dict(self, state):
        self.load_policy_state(state)
        self.seen, self.updates = np.array(state["seen"]), int(state["updates"])
        self.pending.load(state["clock"], state["pending"], Rows)


def allowed(values: np.ndarray, rows: Rows) -> np.ndarray:
    """``values [M, A]`` of the next states, −inf where the action is not allowed there."""
    return values if rows.next_mask is None else np.where(rows.next_mask, values, -np.inf)
