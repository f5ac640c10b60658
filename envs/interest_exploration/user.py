"""A user of interest exploration: the documents on offer, and which of them is taken.

The story is told in `envs.interest_exploration.env`.  Types and affinities are the world's; documents and choices are
coins of a session.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.choice import multinomial_logit, take
from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import kernel, normal, session_key, uniform
from ..engine.slates import VIEWS

TYPE, AFFINITY, GROUP, QUALITY, CHOICE = range(1, 6)                         # purposes of the coins


@dataclass(frozen=True)
class Params:
    action: str = param("slate", choices=VIEWS)
    """How the agent names a slate."""
    observe: str = param("history", choices=("history", "full", "nothing"))
    """What the agent sees of the user; ``nothing`` is the published environment."""
    candidates: int = param(20, 1, 10_000)
    """m, documents on offer in a step."""
    slate: int = param(2, 1)
    """k, documents shown."""
    resample: bool = param(True)
    """Fresh candidates every step, or the same m for the whole session."""
    type_shares: tuple = (0.3, 0.7)
    """Share of each of the G types among users."""
    affinity_means: tuple = ((0.1, 0.7), (0.7, 0.1))
    """[G, T] mean of the logarithm of a type's affinity for a group."""
    affinity_sd: float = param(0.1, 0.0)
    """Standard deviation of that logarithm among the users of a type."""
    group_shares: tuple = (0.2, 0.8)
    """Share of each of the T groups among documents."""
    quality_means: tuple = (0.8, 0.2)
    """[T] mean of the logarithm of a document's quality."""
    quality_sd: float = param(0.1, 0.0)
    """Standard deviation of that logarithm within a group."""
    no_click: float = param(5.0)
    """Logit of taking nothing."""
    horizon: int = param(100, 1)
    """Steps of a session."""
    world_seed: int = param(0, 0)
    """Seed of who the users are."""


Rules = rules_of(Params)


@kernel_type
class World(NamedTuple):
    type_shares: np.ndarray        # [G]
    affinity_means: np.ndarray     # [G, T] of the logarithms
    group_shares: np.ndarray       # [T]
    quality_means: np.ndarray      # [T] of the logarithms


@kernel_type
class State(NamedTuple):
    kind: np.ndarray               # [N] type
    affinity: np.ndarray           # [N, T]
    counts: np.ndarray             # [N, 2 T] float32 clicks and skips
    group: np.ndarray              # [N, m] of the candidates
    shown: np.ndarray              # [N, m, T + 1] float32 candidates as they are seen: group one-hot and quality


@kernel_type
class Out(NamedTuple):
    response: np.ndarray           # [N, K] int8
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]


@kernel
def draw_documents(life, day, rules, world, group, shown):
    """The candidates ``group [m]`` and ``shown [m, T + 1]`` of a step."""
    for j in range(len(group)):
        shown[j, group[j]] = 0.0
        group[j] = take(world.group_shares, 0.0, uniform(life, day, GROUP, j))
        shown[j, group[j]] = 1.0
        shown[j, -1] = np.exp(world.quality_means[group[j]] + rules.quality_sd * normal(life, day, QUALITY, j))


@kernel
def begin_users(rows, rules, world, who, state):
    """A session starts: the user is who the world says; nothing has been shown yet."""
    for n in rows:
        person = session_key(rules.world_seed, who.user[n], 0)
        kind = take(world.type_shares, 0.0, uniform(person, 0, TYPE, 0))
        for about in range(state.affinity.shape[1]):
            state.affinity[n, about] = np.exp(world.affinity_means[kind, about]
                                              + rules.affinity_sd * normal(person, 0, AFFINITY, about))
        state.kind[n], state.counts[n] = kind, 0.0
        draw_documents(session_key(who.seed, who.user[n], who.session[n]), 0, rules, world, state.group[n],
                       state.shown[n])


@kernel
def step_users(slate, active, rules, world, who, state, out):
    """One user, one slate: score, choose; then new candidates."""
    affinity, counts, group, shown = state.affinity, state.counts, state.group, state.shown
    places, groups = slate.shape[1], affinity.shape[1]
    scores, shares = np.empty(places), np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        for j in range(places):
            item = slate[n, j]
            scores[j] = affinity[n, group[n, item]] + shown[n, item, -1]
        nothing = multinomial_logit(scores, rules.no_click, shares)
        out.expected[n] = 1.0 - nothing
        place = take(shares, nothing, uniform(life, t, CHOICE, 0))
        for j in range(places):
            counts[n, group[n, slate[n, j]] + (0 if j == place else groups)] += 1.0
        if place >= 0:
            out.response[n, place], out.reward[n] = 1, 1.0
        if rules.resample:
            draw_documents(life, t + 1, rules, world, group[n], shown[n])
