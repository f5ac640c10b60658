r"""Fitted Q evaluation: what is a policy worth a session, from the rows of a log alone?

    Q_0 = 0,      Q_{k+1} = arg min_f Σ_i [ f(s_i, a_i) − r_i − γ (1 − terminated_i) Σ_a' π(a'|s'_i) Q_k(s'_i, a') ]²

and the value is the mean over first observations s_0 of Σ_a π(a|s_0) Q(s_0, a).  Le, Voloshin & Yue 2019
(arXiv:1903.08738), algorithm 3.  Q_k is the value of k steps: with γ = 1 and ``horizon`` = H the answer is that of a
session of H steps, truncated rows included, because the clock is in k; without a horizon, γ < 1, it is the fixed point.

No propensity is needed.  In exchange the answer is as good as the class of functions f and as the log's coverage: what
π does and the log never did is a guess, and ``support`` says how little of π that is.

| f | | fit |
|---|---|---|
| `Table`    | one number for every state and action | the mean: exact policy evaluation on the log's empirical MDP |
| `Linear`   | w_a · φ(s)                            | ridge regression, one for every action |
| `fqe_network:Network` | a neural network              | gradient descent |

Differences from the paper: (1) a horizon may end the iteration, beside γ; (2) the expectation over a' is a sum over all
actions, not one draw.
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..core import Algorithm, Transition, flat
from ..parts.features import Design
from ..parts.spaces import batch_size
from ..rollout import make_rng
from ..tabular.states import States


class Fitted(Protocol):
    """A class of functions f(s, a) that is fitted again and again to the same rows, each time to other targets."""

    def look(self, obs) -> np.ndarray:
        """M observations as this class sees them, ``[M, …]``."""

    def take(self, x: np.ndarray, action: np.ndarray) -> None:
        """The rows to be fitted from now on; f is 0."""

    def fit(self, target: np.ndarray) -> None:
        """Bring f(s_i, a_i) as close to ``target [M]`` as this class can."""

    def values(self, x: np.ndarray) -> np.ndarray:
        """f(s_i, ·) ``[M, A]``."""

    def tried(self, x: np.ndarray) -> np.ndarray:
        """``[M, A]`` bool: whether the rows have anything to say about it."""


@dataclass(frozen=True)
class Value:
    """What a policy is worth a session, and how it was found."""

    value: float                   # mean over the first observations
    at_start: np.ndarray           # [M] of each of them
    support: float                 # share of π's choices in first and next states that the log has tried
    iterations: int                # k
    change: float                  # largest change of a state's value in the last iteration


def fqe(model: Fitted, log: Transition, policy: Algorithm, start, gamma: float = 1.0, horizon: int | None = None,
        start_mask: np.ndarray | None = None, explore: bool = False, tolerance: float = 1e-10,
        max_iterations: int = 100_000, seed: int = 0) -> Value:
    """The value of ``policy`` (greedy, or as it explores) from rows ``[T, N]``; ``start [M, …]``: first observations.

    Stops after ``horizon`` iterations, or where no state's value moves by more than ``tolerance``.  ValueError where
    γ = 1 without a horizon; RuntimeError where it has not settled after ``max_iterations``.
    """
    if not 0.0 <= gamma <= 1.0 or (gamma == 1.0 and horizon is None):
        raise ValueError(f"gamma = {gamma} must lie in [0, 1], and below 1 where there is no horizon")
    log = flat(log)
    going, reward = ~log.terminated, log.reward.astype(np.float64)
    next_mask = None if log.next_mask is None else log.next_mask | log.terminated[:, None]   # nothing is chosen there
    after, begin = model.look(log.next_obs), model.look(start)
    chance = probabilities(policy, log.next_obs, next_mask, explore, seed)                   # [N, A]
    first = probabilities(policy, start, start_mask, explore, seed)                          # [M, A]
    model.take(model.look(log.obs), log.action)
    value, at_start, k, change = np.zeros(len(reward)), np.zeros(len(first)), 0, np.inf
    while k < (max_iterations if horizon is None else horizon) and (horizon is not None or change > tolerance):
        model.fit(reward + gamma * going * value)
        new, new_start = (chance * model.values(after)).sum(axis=1), (first * model.values(begin)).sum(axis=1)
        change = max(np.abs(new - value).max(), np.abs(new_start - at_start).max())
        value, at_start, k = new, new_start, k + 1
    if horizon is None and change > tolerance:
        raise RuntimeError(f"the values still move by {change:.3g} after {k} iterations of fitted Q evaluation")
    tried = np.concatenate([(chance * model.tried(after)).sum(axis=1)[going], (first * model.tried(begin)).sum(axis=1)])
    return Value(float(at_start.mean()), at_start, float(tried.mean()), k, float(change))


def probabilities(policy: Algorithm, obs, mask=None, explore: bool = False, seed: int = 0,
                  draws: int = 200) -> np.ndarray:
    """π(·|s_n) ``[N, A]`` of any policy with ``act``, from repeated draws.

    Where propensities are known, an action has its own once it is drawn, and what is missing to 1 belongs to the
    others in equal parts: exact after one draw of a greedy policy, and as soon as at most one action is missing.  Where
    they are not known (NaN): the frequencies of all ``draws``.
    """
    n, actions = batch_size(obs), int(policy.action_space.n)
    rng, row = make_rng(seed), np.arange(n)
    known, drawn = np.zeros((n, actions)), np.zeros((n, actions))
    missing = np.ones((n, actions), bool) if mask is None else np.array(mask, bool)
    rest = np.ones(n)
    for _ in range(draws):
        action, log_prob = policy.act(obs, rng, explore, mask)
        drawn[row, action] += 1.0
        known[row, action] = np.exp(log_prob.astype(np.float64))
        missing[row, action] = False
        rest = np.maximum(1.0 - known.sum(axis=1), 0.0)                      # NaN stays NaN
        if ((rest < 1e-6) | (missing.sum(axis=1) <= 1) & ~np.isnan(rest)).all():
            break
    share = missing * (rest / np.maximum(missing.sum(axis=1), 1))[:, None]
    chance = np.where(np.isnan(rest)[:, None], drawn, known + share)
    return chance / chance.sum(axis=1, keepdims=True)


class Table:
    """f is a number for every state and action; 0 where the log has no row."""

    def __init__(self, obs_space, action_space, bins: int = 0):
        self.states, self.actions = States(obs_space, bins), int(action_space.n)

    def look(self, obs):
        return self.states(obs, batch_size(obs))

    def take(self, x, action):
        self.cell, self.q = x * self.actions + action, np.zeros((self.states.count, self.actions))
        self.rows = np.bincount(self.cell, minlength=self.q.size)            # [S · A]

    def fit(self, target):
        total = np.bincount(self.cell, target, self.q.size)
        self.q = (total / np.maximum(self.rows, 1)).reshape(self.q.shape)

    def values(self, x):
        return self.q[x]

    def tried(self, x):
        return self.rows.reshape(self.q.shape)[x] > 0


class Linear:
    """f is w_a · φ(s): the ridge regression of penalty ``l2`` for every action; φ is (1, obs) unless it is given."""

    def __init__(self, obs_space, action_space, l2: float = 1e-6, features: Callable | None = None):
        if l2 <= 0.0:
            raise ValueError(f"l2 = {l2} must be positive")
        self.actions, self.l2 = int(action_space.n), l2
        self.look = features or Design(obs_space, self.actions, model="disjoint").context

    def take(self, x, action):
        self.rows = [np.flatnonzero(action == a) for a in range(self.actions)]
        ridge = self.l2 * np.eye(x.shape[1])                                 # [D, D]
        self.project = [np.linalg.solve(x[i].T @ x[i] + ridge, x[i].T) for i in self.rows]   # [D, M_a] each
        self.weights = np.zeros((self.actions, x.shape[1]))                  # [A, D]

    def fit(self, target):
        self.weights = np.stack([p @ target[i] for p, i in zip(self.project, self.rows, strict=True)])

    def values(self, x):
        return x @ self.weights.T

    def tried(self, x):
        return np.tile([len(i) > 0 for i in self.rows], (len(x), 1))
