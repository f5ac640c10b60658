"""Exact answers for small Markov decision processes, by dynamic programming (Puterman 1994; Sutton & Barto ch. 4).

A `TabularMDP` is data: in state s, action a has K possible outcomes, each with a chance, a successor and a reward.

    Q(s, a) = Σ_k chance[s, a, k] · (reward[s, a, k] + γ V(successor[s, a, k]))        V(terminal) = 0
    V(s)    = (1 - ε) max_a Q(s, a) + ε mean_a Q(s, a)

With ε = 0 the fixed point of the two lines is the optimum; with ε > 0 it is the best ε-soft policy, what SARSA with a
fixed ε converges to (Sutton & Barto §5.4).  With a horizon the lines are applied backwards from V = 0, once a step.
"""
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .rng import kernel


@dataclass(frozen=True)
class TabularMDP:
    """S states, A actions and at most K outcomes of an action; a terminal state only leads to itself, for nothing."""

    chance: np.ndarray
    """Probability of an outcome ``[S, A, K]``."""
    successor: np.ndarray
    """The state it leads to ``[S, A, K]`` int64."""
    reward: np.ndarray
    """What it pays ``[S, A, K]``."""
    start: np.ndarray
    """Distribution of the first state ``[S]``."""
    terminal: np.ndarray
    """Where a session ends ``[S]`` bool."""
    horizon: int | None = None
    """Steps of a session after which it is truncated; None: it goes on until a terminal state."""
    features: np.ndarray | None = None
    """What a function approximator may see of a state ``[S, D]`` float32 in [-1, 1]."""

    def __post_init__(self):
        if not np.allclose(self.chance.sum(axis=-1), 1.0, atol=1e-9) or self.chance.min() < 0:
            raise ValueError("the chances of the outcomes of every state and action must be ≥ 0 and sum to 1")
        if not np.isclose(self.start.sum(), 1.0) or self.start[self.terminal].any():
            raise ValueError("'start' must be a distribution over the states that are not terminal")
        ends = self.terminal
        if (self.successor[ends] != np.flatnonzero(ends)[:, None, None])[self.chance[ends] > 0].any() \
                or (self.reward[ends] * self.chance[ends]).any():
            raise ValueError("a terminal state must lead to itself with reward 0")

    @classmethod
    def from_outcomes(cls, outcomes, start, terminal=(), **rest) -> "TabularMDP":
        """From ``outcomes[s][a]``, lists of (chance, successor, reward); ``start`` and ``terminal`` name states.

        Whatever ``outcomes`` says of a terminal state is replaced by staying there for nothing.
        """
        states, actions = len(outcomes), len(outcomes[0])
        width = max(len(branch) for row in outcomes for branch in row)
        table = np.zeros((states, actions, width, 3))
        table[..., 1] = np.arange(states)[:, None, None]
        for s, row in enumerate(outcomes):
            for a, branch in enumerate([[(1.0, s, 0.0)]] * actions if s in terminal else row):
                table[s, a, :len(branch)] = branch
        first = np.zeros(states)
        first[start] = 1.0 / np.size(start)
        ends = np.isin(np.arange(states), list(terminal))
        return cls(table[..., 0], table[..., 1].astype(np.int64), table[..., 2], first, ends, **rest)

    @classmethod
    def from_tables(cls, P, R, start, terminal, **rest) -> "TabularMDP":
        """From transition probabilities ``P [S, A, S]`` and rewards ``R [S, A]`` or ``[S, A, S]``; all S outcomes."""
        P, R = np.asarray(P, np.float64), np.asarray(R, np.float64)
        terminal = np.asarray(terminal, bool)
        P = np.where(terminal[:, None, None], np.eye(len(P))[:, None, :], P)
        R = np.where(terminal[:, None, None], 0.0, np.broadcast_to(R if R.ndim == 3 else R[..., None], P.shape))
        successor = np.broadcast_to(np.arange(len(P)), P.shape).copy()
        return cls(P, successor, R.copy(), np.asarray(start, np.float64), terminal, **rest)

    @cached_property
    def P(self) -> np.ndarray:
        """Transition probabilities ``[S, A, S]``."""
        states, actions, _ = self.chance.shape
        out = np.zeros((states, actions, states))
        np.add.at(out, (np.arange(states)[:, None, None], np.arange(actions)[:, None], self.successor), self.chance)
        return out

    @cached_property
    def R(self) -> np.ndarray:
        """Expected rewards ``[S, A]``."""
        return (self.chance * self.reward).sum(axis=-1)


@kernel
def backup(chance, successor, reward, value, gamma, q):
    """``q [S, A]`` from the values of the successors ``[S]``."""
    states, actions, width = chance.shape
    for s in range(states):
        for a in range(actions):
            total = 0.0
            for k in range(width):
                if chance[s, a, k] > 0.0:
                    total += chance[s, a, k] * (reward[s, a, k] + gamma * value[successor[s, a, k]])
            q[s, a] = total


def action_values(mdp: TabularMDP, value, gamma: float = 1.0) -> np.ndarray:
    """``Q [S, A]`` of the next step, when what follows is worth ``value [S]``."""
    q = np.empty(mdp.chance.shape[:2])
    backup(mdp.chance, mdp.successor, mdp.reward, np.ascontiguousarray(value, np.float64), float(gamma), q)
    return q


def value_iteration(mdp: TabularMDP, gamma: float = 1.0, epsilon: float = 0.0, tolerance: float = 1e-12,
                    sweeps: int = 1_000_000) -> np.ndarray:
    """``Q [S, A]`` of the best ε-soft policy without a horizon (ε = 0: of the optimum).

    Raises ValueError when the values do not settle: a session without an end needs γ < 1 or a horizon.
    """
    value = np.zeros(len(mdp.start))
    for _ in range(sweeps):
        q = action_values(mdp, value, gamma)
        new = soft_value(q, epsilon)
        change, value = np.abs(new - value).max(), new
        if change <= tolerance * max(1.0, np.abs(value).max()):
            return q
        if not np.isfinite(change):
            break
    raise ValueError(f"values do not settle in {sweeps} sweeps: sessions without an end need gamma < 1 or a horizon")


def backward_induction(mdp: TabularMDP, horizon: int | None = None, gamma: float = 1.0,
                       epsilon: float = 0.0) -> np.ndarray:
    """``Q [H, S, A]`` of the best ε-soft policy that knows the step; ``horizon`` defaults to the MDP's own."""
    steps = _steps(mdp, horizon)
    q = np.empty((steps, *mdp.chance.shape[:2]))
    value = np.zeros(len(mdp.start))
    for t in range(steps - 1, -1, -1):
        q[t] = action_values(mdp, value, gamma)
        value = soft_value(q[t], epsilon)
    return q


def soft_value(q, epsilon: float = 0.0) -> np.ndarray:
    """``V [S]``: (1 - ε) max_a Q + ε mean_a Q."""
    return (1.0 - epsilon) * q.max(axis=-1) + epsilon * q.mean(axis=-1)


def soft_policy(actions, count: int, epsilon: float = 0.0) -> np.ndarray:
    """``π [S, A]``: the given ``actions [S]``, with probability ε a uniform one of ``count``."""
    return (1.0 - epsilon) * np.eye(count)[actions] + epsilon / count


def evaluate(mdp: TabularMDP, policy, gamma: float = 1.0, horizon: int | None = None) -> np.ndarray:
    """``V [S]`` of a stationary ``policy``: actions ``[S]`` or probabilities ``[S, A]``; exact.

    With ``horizon`` H: the return of H steps.  Without: one linear solve; with γ = 1, NaN in states from which the
    session may never end.
    """
    policy = np.asarray(policy)
    if policy.ndim == 1:
        policy = np.eye(mdp.chance.shape[1])[policy]
    weight = policy[..., None] * mdp.chance                                  # [S, A, K]
    pay = (weight * mdp.reward).sum(axis=(1, 2))                             # [S]
    states = len(mdp.start)
    step = np.zeros((states, states))
    np.add.at(step, (np.arange(states)[:, None, None], mdp.successor), weight)
    if horizon is not None:
        value = np.zeros(states)
        for _ in range(horizon):
            value = pay + gamma * (step @ value)
        return value
    live = ~mdp.terminal
    if gamma == 1.0:
        live &= _ends(step, mdp.terminal)
    value = np.where(live | mdp.terminal, 0.0, np.nan)
    value[live] = np.linalg.solve(np.eye(live.sum()) - gamma * step[np.ix_(live, live)], pay[live])
    return value


def _ends(step, terminal) -> np.ndarray:
    """``[S]`` bool: whether a session from this state ends with probability 1 under ``step [S, S]``."""
    reach = (step > 0) | np.eye(len(step), dtype=bool)
    for _ in range(max(1, int(np.ceil(np.log2(len(step)))))):
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0    # paths of twice the length
    stuck = ~reach[:, terminal].any(axis=1)
    return ~reach[:, stuck].any(axis=1)


def _steps(mdp: TabularMDP, horizon: int | None) -> int:
    steps = mdp.horizon if horizon is None else horizon
    if steps is None:
        raise ValueError("backward induction needs a horizon")
    return steps
