"""A user of the small shop of slates: what is taken, what that does to the interest, and whether it goes on.

The story is told in `envs.small_slate.env`.  The catalogue is the world's, everything else is coins of a session.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.choice import NOTHING, multinomial_proportional, take
from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import integer, kernel, session_key, uniform

START, CHOICE, MOVE, STAY = 1, 2, 3, 4           # purposes of the coins


@dataclass(frozen=True)
class Params:
    items: int = param(12, 1)
    """N; item by item the topics take turns, in an order drawn by ``world_seed``."""
    slate: int = param(3, 1)
    """K, items shown."""
    appeal: tuple = (2.0, 1.5, 1.0)
    """Weight of the strongest item of a topic at interest pull 1 (nothing weighs 1); its length is T."""
    weakest: float = param(0.2, 0.0, 1.0)
    """Strength of a topic's weakest item; the strongest has 1, the others lie evenly between."""
    pull: tuple = (0.1, 1.0, 3.0)
    """Factor on the weight by interest; its length is L."""
    rise: tuple = (0.9, 0.1, 0.7)
    """Probability, by topic, that taking an item raises the interest by one; otherwise it falls by one."""
    stay: tuple = (0.7, 0.93, 0.97)
    """Quality: probability, by topic, that the user goes on after taking an item."""
    stay_nothing: float = param(0.7, 0.0, 1.0)
    """The same after taking nothing."""
    action: str = param("slate", choices=("slate", "flat"))
    """How the agent speaks."""
    observe: str = param("id", choices=("id", "one_hot", "features"))
    """What it sees of the interests."""
    horizon: int = param(200, 1)
    """Steps of a session after which it is truncated."""
    world_seed: int = param(0, 0)
    """Seed of the order of the catalogue."""


Rules = rules_of(Params, levels=int)             # L


@kernel_type
class World(NamedTuple):
    weight: np.ndarray             # [S, N] of an item in a state, S = L^T
    topic: np.ndarray              # [N]
    rise: np.ndarray               # [T]
    stay: np.ndarray               # [T + 1], the last after taking nothing


@kernel_type
class State(NamedTuple):
    state: np.ndarray              # [N] number of the interests, Σ level_k L^k


@kernel_type
class Out(NamedTuple):
    response: np.ndarray           # [N, K] int8
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]
    terminated: np.ndarray         # [N] bool


@kernel
def begin_users(rows, world, who, state):
    """A session starts with any interests."""
    for n in rows:
        state.state[n] = integer(session_key(who.seed, who.user[n], who.session[n]), 0, START, 0, len(world.weight))


@kernel
def step_users(slate, active, rules, world, who, state, out):
    """One user, one slate: weigh the items, take one or none, change the interest, stay or leave."""
    places, levels, now = slate.shape[1], rules.levels, state.state
    scores, shares = np.empty(places), np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        for j in range(places):
            scores[j] = world.weight[now[n], slate[n, j]]
            for i in range(j):
                if slate[n, i] == slate[n, j]:
                    scores[j] = 0.0
        nothing = multinomial_proportional(scores, 1.0, 0.0, shares)
        out.expected[n] = 1.0 - nothing
        place = take(shares, nothing, uniform(life, t, CHOICE, 0))
        quality = world.stay[-1]
        if place != NOTHING:
            out.response[n, place], out.reward[n] = 1, 1.0
            about = world.topic[slate[n, place]]
            quality, level = world.stay[about], now[n] // levels**about % levels
            up = uniform(life, t, MOVE, 0) < world.rise[about]
            now[n] += (min(level + 1, levels - 1) - level if up else max(level - 1, 0) - level) * levels**about
        out.terminated[n] = uniform(life, t, STAY, 0) >= quality
