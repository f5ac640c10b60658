"""The vocabulary of the project: one data type and six methods.  Read this file first.

A `Transition` is what parallel users did; an `Algorithm` turns observations into actions and transitions into a
better policy.  An algorithm is built from two Gymnasium spaces and sees only arrays, so the same object runs on
simulated users, on any Gymnasium environment, on a log, on remote workers and in a server.
"""
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .parts.border import GATES
from .parts.params import build, check
from .parts.spaces import flat_size


class Transition(NamedTuple):
    """T consecutive steps of N parallel users: arrays with leading axes ``[T, N]``.

    A bandit is the case ``terminated`` = True at every step; a log is the case T = 1, N = rows.
    """

    obs: Any                       # [T, N, …] or a dict of such arrays: what the agent saw
    action: np.ndarray             # [T, N] int64, slate [T, N, K] or control [T, N, D] float32
    reward: np.ndarray             # [T, N] float32
    next_obs: Any                  # [T, N, …] the true successor, before any reset
    terminated: np.ndarray         # [T, N] bool: the user left, do not bootstrap
    truncated: np.ndarray          # [T, N] bool: the clock ended, bootstrap from next_obs but cut the return here
    log_prob: np.ndarray           # [T, N] float32 log-propensity under the policy that chose (NaN = unknown)
    response: np.ndarray | None = None    # [T, N, K] what the user did with each slot of a slate
    mask: np.ndarray | None = None        # [T, N, A] bool: allowed actions, when not all are
    next_mask: np.ndarray | None = None   # [T, N, A] bool: the same for next_obs
    delay: np.ndarray | None = None       # [T, N] int: steps after which the reward becomes known

    @property
    def ends(self) -> np.ndarray:
        """``[T, N]`` bool: the session ends here, either way."""
        return self.terminated | self.truncated


def tree_map(function: Callable, *trees):
    """Apply ``function`` to the arrays of equally shaped trees (an array, a dict, a tuple, None, a Transition)."""
    head = trees[0]
    if head is None:
        return None
    if isinstance(head, dict):
        return {key: tree_map(function, *(tree[key] for tree in trees)) for key in head}
    if isinstance(head, tuple):
        parts = [tree_map(function, *part) for part in zip(*trees, strict=True)]
        return type(head)(*parts) if hasattr(head, "_fields") else tuple(parts)
    return function(*trees)


def stack(rows: list[Transition]) -> Transition:
    """T transitions with leading axis ``[N]`` become one with ``[T, N]``."""
    return tree_map(lambda *parts: np.stack(parts), *rows)


def concat(shards: list[Transition]) -> Transition:
    """Join shards along the users' axis: ``[T, n₁], [T, n₂] … -> [T, n₁ + n₂ + …]``."""
    return tree_map(lambda *parts: np.concatenate(parts, axis=1), *shards)


def flat(batch: Transition) -> Transition:
    """``[T, N, …] -> [T·N, …]``, row order t then n."""
    return tree_map(lambda part: part.reshape(-1, *part.shape[2:]), batch)


class Algorithm(ABC):
    """A policy and its learner.

    What enters ``act``, ``learn`` and the two ``load…`` is checked before it arrives there (`parts/border.py`): masks
    are bools that allow something, rewards and observations are finite, states have the shapes of this learner.
    Actions are indices 0 … A − 1; the loop adds the ``start`` of a Discrete space.

    ``Config`` is a frozen dataclass of hyper-parameters.  ``act`` never learns and ``learn`` never acts.  No method
    uses a global random generator.  States are snapshots: dicts of NumPy arrays and plain values (nested dicts are
    allowed), safe to send to another process and to write as safetensors + JSON.
    """

    Config: ClassVar[type]
    rollout_steps: int = 1         # T: steps of every user between two calls of `learn`
    tasks: ClassVar[str] = "any"   # what it learns from: "any", or "sequences" of its own actions, never a log
    from_log: ClassVar[bool] = False     # whether `learn` is meant to be given a log before the users arrive
    gamma: float | None = None     # discount per step of the values it learns; None: it learns none
    blind: bool = False            # whether nothing that it is given tells one item from another
    final_epsilon: float | None = None   # share of random actions that it ends with; None: it has no such share
    grows: ClassVar[tuple[str, ...]] = ("pending", "memory", "optimizer", "sessions", "return_scale", "prefix")
    #                                    beginnings of the keys of a state whose shapes depend on what was seen

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, gate in GATES.items():
            if name in vars(cls):
                setattr(cls, name, gate(vars(cls)[name]))

    def __init__(self, obs_space, action_space, config=None, seed: int = 0, items: np.ndarray | None = None):
        flat_size(obs_space)                               # ValueError where observations are no numbers
        self.obs_space, self.action_space = obs_space, action_space
        self.config = self.Config() if config is None else config
        check(self.config)
        self.seed, self.items = seed, items                # items: [A, D] features of the static catalogue, or None
        self.rollout_steps = getattr(self.config, "rollout_steps", type(self).rollout_steps)

    @abstractmethod
    def act(self, obs, rng: np.random.Generator, explore: bool = True, mask: np.ndarray | None = None):
        """Choose for N users: observations ``[N, …]`` -> (action ``[N, …]``, log_prob ``[N]`` float32)."""

    @abstractmethod
    def learn(self, batch: Transition) -> dict[str, float]:
        """One update from ``[T, N]`` transitions; returns the numbers worth plotting."""

    def action_values(self, obs) -> np.ndarray | None:
        """Q of the observations ``[N, …]``: ``[N, A]``; None where the algorithm has no action values."""
        return None

    @abstractmethod
    def policy_state(self) -> dict[str, Any]:
        """A snapshot of exactly what `act` reads: it goes to workers and to serving."""

    @abstractmethod
    def load_policy_state(self, policy: dict[str, Any]) -> None:
        """Act from now on as the sender of ``policy`` did."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """A snapshot of exactly what an identical resume needs (policy, learner, generators)."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue bit for bit from ``state``."""


def make_config(algorithm: type[Algorithm], params: dict[str, Any]):
    """``algorithm.Config`` from plain values; ValueError names an unknown field and a value that is not valid."""
    return build(algorithm.Config, params)
