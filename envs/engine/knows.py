"""What a user model can tell beyond its steps, declared once; who wants to know asks `VectorEnv.knows`, nobody probes.

| part | where it is there |
|---|---|
| ``exact``       | the expected return of any policy can be computed, not only sampled |
| ``log``         | users are fitted to a log, whose rows can teach and judge |
| ``catalogue``   | items have features that an algorithm may see |
| ``names``       | items have names that a person can read |
| ``calibration`` | how far the fitted users can be trusted |
| ``observer``    | a server can make the observation from a user's history |
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .solver import TabularMDP


@dataclass(frozen=True)
class Exact:
    """Expected returns of a session by dynamic programming."""

    random_return: Callable[[], float]
    optimal_return: Callable[[], float]
    policy_return: Callable[[Callable], float]
    """of a function: observations ``[N, …]`` -> actions ``[N, …]``, or probabilities ``[N, A]`` where ``mixed``"""
    mixed: bool = False
    """whether ``policy_return`` also takes probabilities"""
    mdp: TabularMDP | None = None
    """the problem as a table, where it is one"""
    encode: Callable[[np.ndarray], Any] | None = None
    """state numbers ``[N]`` -> observations, where the problem is a table"""
    plan: Callable[[], np.ndarray] | None = None
    """optimal action values ``[T, S, A]`` where the problem is a table (solved when they are first asked for)"""
    grid: tuple[str, str] | None = None
    """(map, problem) where states are the cells of a map"""


@dataclass(frozen=True)
class FromLog:
    """The log behind fitted users."""

    batch: Callable[[str], dict[str, np.ndarray]]
    """rows of a split of users as the fields of a Transition ``[1, rows]``"""
    order: Callable[[str], np.ndarray]
    """the row numbers ``[rows]`` of ``batch``"""
    world: Any
    """`envs.fitted.world`: rows, tastes, whether propensities are known, where it was read"""
    person: Callable[[np.ndarray], np.ndarray]
    """user ids ``[N]`` -> the person of the log that each was drawn from"""
    rankings: Callable[[], dict[str, tuple[np.ndarray, np.ndarray]]]
    """orders that the fit knows, by name: (b ``[A]``, w ``[D, A]``), item a scores b_a + ⟨w_a, observation ``[D]``⟩"""


@dataclass(frozen=True)
class Names:
    """Items for the eyes of a person."""

    titles: Callable[[], list[str]]
    """of every item"""
    describe: Callable[[np.ndarray], list[str]]
    """item ids ``[N]`` -> what kind of item each is"""
    ids: Callable[[], list[str]] | None = None
    """the log's own id of every item, as text"""


@dataclass(frozen=True)
class Observer:
    """How a user's history becomes an observation outside the simulator."""

    name: str
    """``module:function`` of (numbers, items ``[t]``, rewards ``[t]``) -> (observation, allowed items ``[A]``)"""
    numbers: dict[str, np.ndarray]
    """what the function needs of the fit"""


@dataclass(frozen=True)
class Knows:
    """All that a model can tell; nothing, unless it says so."""

    exact: Exact | None = None
    log: FromLog | None = None
    catalogue: np.ndarray | None = None
    """``[A, D]`` features of the items"""
    names: Names | None = None
    calibration: Callable[[], dict[str, Any]] | None = None
    observer: Observer | None = None
    oracle: bool = False
    """whether `VectorEnv.oracle` gives an action"""
    regret: bool = False
    """whether ``info["regret"]`` is there"""
    lai_robbins: Callable[[], float | None] | None = None
    """the slope of the least possible regret in ln t (Lai & Robbins 1985)"""
