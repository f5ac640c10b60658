"""The vocabulary of the project: one data type and six methods.  Read this file first.

A `Transition` is what parallel users did; an `Algorithm` turns observations into actions and transitions into a
better policy.  An algorithm is built from two Gymnasium spaces and sees only arrays, so the same object runs on
simulated users, on any Gymnasium environment, on a log, on remote workers and in a server.
"""
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np


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

    ``Config`` is a frozen dataclass of hyper-parameters.  ``act`` never learns and ``learn`` never acts.  No method
    uses a global random generator.  States are snapshots: dicts of NumPy arrays and plain values (nested dicts are
    allowed), safe to send to another process and to write as safetensors + JSON.
    """

    Config: ClassVar[type]
    rollout_steps: int = 1         # T: steps of every user between two calls of `learn`
    tasks: ClassVar[str] = "any"   # what it learns from: "any", or "sequences" of its own actions, never a log

    def __init__(self, obs_space, action_space, config=None, seed: int = 0, items: np.ndarray | None = None):
        self.obs_space, self.action_space = obs_space, action_space
        self.config = self.Config() if config is None else config
        self.seed, self.items = seed, items                # items: [A, D] features of the static catalogue, or None
        self.rollout_steps = getattr(self.config, "rollout_steps", type(self).rollout_steps)
        if self.rollout_steps < 1:
            raise ValueError(f"rollout_steps = {self.rollout_steps} must be at least 1")

    @abstractmethod
    def act(self, obs, rng: np.random.Generator, explore: bool = True, mask: np.ndarray | None = None):
        """Choose for N users: observations ``[N, …]`` -> (action ``[N, …]``, log_prob ``[N]`` float32)."""

    @abstractmethod
    def learn(self, batch: Transition) -> dict[str, float]:
        """One update from ``[T, N]`` transitions; returns the numbers worth plotting."""

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
    """``algorithm.Config`` from plain values; ValueError names an unknown field or a value of the wrong type."""
    fields = {f.name: f for f in dataclasses.fields(algorithm.Config)}
    coerced = {}
    for name, value in params.items():
        if name not in fields:
            raise ValueError(f"unknown parameter '{name}'; valid are: {', '.join(fields)}")
        coerced[name] = coerce(value, fields[name])
    return algorithm.Config(**coerced)


def coerce(value, field: dataclasses.Field):
    """``value`` as the type of the field's default (YAML reads 1e-3 as a string); ValueError where it does not fit."""
    default = field.default if field.default is not dataclasses.MISSING else None
    if default is None or value is None:
        return tuple(value) if isinstance(value, list) else value
    try:
        if isinstance(default, bool) or isinstance(value, bool):
            if not (isinstance(default, bool) and isinstance(value, bool)):
                raise TypeError
            return value
        if isinstance(default, int) and float(value) == int(float(value)):
            return int(float(value))
        if isinstance(default, float):
            return float(value)
        if isinstance(default, tuple) and isinstance(value, list | tuple):
            return tuple(value)
        if isinstance(default, str) and isinstance(value, str):
            return value
        raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"parameter '{field.name}' = {value!r} must be a {type(default).__name__}") from None
