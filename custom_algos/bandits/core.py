"""What bandits share: rewards that arrive late, statistics with a replication axis, and the arg-max that serves them.

Statistics are ``[R, A]``: R independent learners, each serving N / R of the batch's users (user n belongs to learner
``n // (N / R)``).  R = 1 with N users is one learner serving many; R = 1000 with N = 1000 is a regret experiment.
Counts and sums are additive: the order of the batch and of the workers cannot matter.  With a window or a discount
the row order, t then n, is the definition of time.

An action is one of A (Discrete) or a slate of K of them (MultiDiscrete: K equal entries).  A slate is K rows, one
for every item shown, and the reward of a row is the response of its slot.
"""
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numba
import numpy as np

from ..core import Algorithm, Transition, tree_map


@dataclass(frozen=True)
class BanditConfig:
    replications: int = 1
    """R: independent learners in one array program; the number of users must be a multiple of it."""
    rollout_steps: int = 1
    """T: steps of every user between two updates."""


@dataclass(frozen=True)
class CountingConfig(BanditConfig):
    window: int = 0
    """Only the latest ``window`` observations of a learner count (0: all of them)."""
    discount: float = 1.0
    """γ: before an observation is added, counts and sums are multiplied by γ (1: nothing is forgotten)."""
    per_context: bool = False
    """Statistics of its own for every context: a Discrete value, or which of a Box's D entries are positive (2^D)."""


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
        sizes = np.atleast_1d(getattr(action_space, "n", getattr(action_space, "nvec", 0)))
        if sizes.min() < 1 or (sizes != sizes[0]).any():
            raise ValueError(f"action space {action_space}: a bandit needs Discrete(A) or MultiDiscrete([A] * K)")
        self.actions, self.slate, self.replications = int(sizes[0]), len(sizes), self.config.replications
        self.slates = hasattr(action_space, "nvec")
        if self.slates and not self.ranks:
            raise ValueError(f"{type(self).__name__} chooses one action, not a slate: {action_space}")
        self.clock, self.pending = 0, {}             # steps learnt from; rows whose reward is still unknown

    def share(self, n: int) -> int:
        """Users of one learner in a batch of ``n``."""
        if n % self.replications:
            raise ValueError(f"{n} users cannot be shared by {self.replications} replications")
        return n // self.replications

    def learn(self, batch: Transition) -> dict[str, float]:
        """Learn from every reward that is known by now; ``delay`` counts the steps after which it is."""
        rows = self.known(self.rows(batch), batch)
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

    def known(self, rows: Rows, batch: Transition) -> Rows:
        """The rows whose reward is known after this batch: what was pending first, then by the step it is due."""
        steps, n = batch.reward.shape
        begin, self.clock = self.clock, self.clock + steps
        if batch.delay is None and not self.pending:
            return rows
        due = begin + np.arange(steps)[:, None] + (0 if batch.delay is None else batch.delay) + np.zeros((1, n), int)
        due = np.repeat(due.reshape(-1), len(rows.action) // due.size)
        if self.pending:
            waiting = Rows(**{"mask": None, **self.pending["rows"]})
            rows = tree_map(lambda *parts: np.concatenate(parts), waiting, rows)
            due = np.concatenate([self.pending["due"], due])
        order = np.argsort(due, kind="stable")
        ready, later = order[due[order] < self.clock], order[due[order] >= self.clock]
        self.pending = {}
        if len(later):
            held = tree_map(lambda part: part[later], rows)._asdict()
            self.pending = {"due": due[later], "rows": {k: v for k, v in held.items() if v is not None}}
        return tree_map(lambda part: part[ready], rows)

    def policy_state(self):
        return {name: getattr(self, name).copy() for name in self.policy_arrays}

    def load_policy_state(self, policy):
        for name in self.policy_arrays:
            setattr(self, name, np.array(policy[name], order="C"))

    def state_dict(self):
        learner = {name: getattr(self, name).copy() for name in self.learner_arrays}
        return {**self.policy_state(), **learner, "clock": self.clock, "pending": tree_map(np.array, self.pending)}

    def load_state_dict(self, state):
        self.load_policy_state(state)
        for name in self.learner_arrays:
            setattr(self, name, np.array(state[name], order="C"))
        self.clock, self.pending = int(state["clock"]), tree_map(np.array, state["pending"])

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


class CountingBandit(Bandit):
    """State: ``count [R, A]`` and ``total [R, A]`` (sum of rewards), float64, possibly forgetting.

    With ``per_context`` each of C contexts is a learner of its own: R·C rows, row r·C + c.
    """

    Config: ClassVar[type] = CountingConfig
    policy_arrays: ClassVar[tuple[str, ...]] = ("count", "total", "seen")
    learner_arrays: ClassVar[tuple[str, ...]] = ("ring_action", "ring_reward")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        self.contexts = number_of_contexts(obs_space) if getattr(self.config, "per_context", False) else 1
        self.looks = self.contexts > 1
        shape, window = (self.replications * self.contexts, self.actions), getattr(self.config, "window", 0)
        self.discount = getattr(self.config, "discount", 1.0)
        if window < 0 or not 0.0 < self.discount <= 1.0 or (window and self.discount < 1.0):
            raise ValueError(f"window = {window}, discount = {self.discount}: one of window >= 1, discount in (0, 1)")
        self.count, self.total = np.zeros(shape), np.zeros(shape)
        self.seen = np.zeros(shape[0], np.int64)                             # observations so far
        self.ring_action = np.zeros((shape[0], window), np.int64)            # the observations inside the window
        self.ring_reward = np.zeros((shape[0], window))

    def served(self, table: np.ndarray, obs) -> np.ndarray:
        """``[R·C, A] -> [R, A]`` without contexts, ``[N, A]`` with them: the rows that serve these users."""
        if self.contexts == 1:
            return table
        n = batch_size(obs)
        return table[np.arange(n) // self.share(n) * self.contexts + context_of(obs)]

    def per_user(self, table: np.ndarray, obs) -> np.ndarray:
        """``[R·C, A] -> [N, A]``: every user sees the row that serves it (no copy where R = 1 or R = N)."""
        table, n = self.served(table, obs), batch_size(obs)
        if len(table) == 1:
            return np.broadcast_to(table, (n, self.actions))
        return table if len(table) == n else np.repeat(table, self.share(n), axis=0)

    def rows(self, batch):
        rows = super().rows(batch)
        if self.contexts == 1:
            return rows
        return rows._replace(learner=rows.learner * self.contexts + context_of(rows.obs))

    def update(self, rows: Rows):
        """Add counts and rewards per (learner, action)."""
        observe(self.count, self.total, rows.learner, rows.action, rows.reward, self.discount, self.seen,
                self.ring_action, self.ring_reward)

    def mean(self, prior: float = 0.0) -> np.ndarray:
        """Mean reward ``[R, A]``; an action never tried has the value ``prior``."""
        return np.divide(self.total, self.count, out=np.full_like(self.total, prior), where=self.count > 0)


def number_of_contexts(space) -> int:
    """C of `context_of`; ValueError where there are too many, or none can be told apart."""
    if hasattr(space, "n") and space.shape == ():
        return int(space.n)
    if space.shape is None or len(space.shape) != 1 or space.shape[0] > 20:
        raise ValueError(f"per_context = true: observations {space} are no contexts; valid are Discrete, and Box [D] "
                         "with D ≤ 20, of which the signs are looked at")
    return 2 ** space.shape[0]


def context_of(obs) -> np.ndarray:
    """``[N]`` or ``[N, D] -> [N]`` int64: the value, or the positive entries read as a binary number."""
    return obs if obs.ndim == 1 else (obs > 0) @ (1 << np.arange(obs.shape[1]))


def batch_size(obs) -> int:
    """N, from an observation ``[N, …]`` or a dict of them."""
    return len(next(iter(obs.values()))) if isinstance(obs, dict) else len(obs)


@numba.njit(cache=True, error_model="numpy")
def observe(count, total, learner, action, reward, discount, seen, ring_action, ring_reward):
    """Add rows to ``count``, ``total`` [R, A]; forgetting comes before the new observation is added."""
    window = ring_action.shape[1]
    for i in range(len(action)):
        r, a = learner[i], action[i]
        if discount < 1.0:
            for other in range(count.shape[1]):
                count[r, other] *= discount
                total[r, other] *= discount
        if window > 0:
            slot = seen[r] % window
            if seen[r] >= window:
                old = ring_action[r, slot]
                count[r, old] -= 1.0
                total[r, old] = total[r, old] - ring_reward[r, slot] if count[r, old] > 0.0 else 0.0
            ring_action[r, slot], ring_reward[r, slot] = a, reward[i]
        seen[r] += 1
        count[r, a] += 1.0
        total[r, a] += reward[i]


@numba.njit(cache=True, error_model="numpy")
def coin(key, i):
    """The i-th uniform of the generator SplitMix64 with seed ``key`` (Steele, Lea & Flood 2014), without the others."""
    z = np.uint64(key) + np.uint64(i + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True, error_model="numpy")
def place(values, value, nth):
    """Where ``value`` stands in ``values [A]`` for the (nth + 1)-th time."""
    for a in range(len(values)):
        if values[a] == value:
            if nth == 0:
                return a
            nth -= 1
    return -1


@numba.njit(cache=True, error_model="numpy")
def pick(values, share, key, mask, action, log_prob):
    """Arg-max of ``values [N / share, A]`` per user, K times without replacement; ties by coins that ``key`` names."""
    users, slots = action.shape
    left = np.empty(values.shape[1])                             # NaN, which equals nothing, where it may not be shown
    for n in range(users):
        r, log_p = n if share == 1 else n // share, 0.0
        for a in range(len(left)):
            left[a] = values[r, a] if mask is None or mask[n, a] else np.nan
        for k in range(slots):
            best, ties, last = -np.inf, 0, 0
            for a in range(len(left)):                           # loops without branches: nothing to mispredict
                best = left[a] if left[a] > best else best
            for a in range(len(left)):
                top = int(left[a] == best)
                ties, last = ties + top, last + top * a          # the only one's index, if there is only one
            if ties == 0:
                raise ValueError("a user has fewer allowed actions than slots to fill")
            if ties > 1:
                last = place(left, best, int(coin(key, n * slots + k) * ties))
                log_p -= np.log(ties)
            action[n, k], left[last] = last, np.nan
        log_prob[n] = log_p


@numba.njit(cache=True, error_model="numpy")
def draw(prob, share, coins, mask, action, log_prob):
    """Draw from ``prob [N / share, A]`` restricted to what is allowed and not yet in the slate."""
    for n in range(action.shape[0]):
        row, log_p = prob[n // share], 0.0
        for k in range(action.shape[1]):
            total = 0.0
            for a in range(len(row)):
                if (mask is None or mask[n, a]) and not (k > 0 and (action[n, :k] == a).any()):
                    total += row[a]
            left, last = coins[n, k] * total, -1
            for a in range(len(row)):
                if row[a] > 0.0 and (mask is None or mask[n, a]) and not (k > 0 and (action[n, :k] == a).any()):
                    last, left = a, left - row[a]
                    if left < 0.0:
                        break
            if last < 0:
                raise ValueError("a user has fewer allowed actions of positive probability than slots to fill")
            action[n, k] = last
            log_p += np.log(row[last] / total)
        log_prob[n] = log_p
