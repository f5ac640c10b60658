"""A user of personal sessions: what is clicked, and what that bores.

The story is told in `envs.sessions.env`.  Interests and beliefs are the world's, clicks are coins of a session.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import kernel, normal, session_key, uniform

INTEREST, BELIEF, CLICK = 1, 2, 3                # purposes of the coins


@dataclass(frozen=True)
class Params:
    observe: str = param("vector", choices=("vector", "coarse", "levels"))
    """What the agent sees; the users are the same."""
    topics: int = param(5, 1, 8)
    """T."""
    per_topic: int = param(20, 2)
    """Items of a topic, every second one quick; A = T · per_topic."""
    weakest: float = param(0.1, 0.0, 1.0)
    """Appeal of the weakest item of a topic."""
    slow_top: float = param(0.9, 0.0, 1.0)
    """Appeal of the best slow item of a topic; the others lie evenly between."""
    quick_top: float = param(0.95, 0.0, 1.0)
    """The same of the quick items."""
    interest_mean: float = param(-1.0)
    """Interest in a topic is σ(z) with z ~ N(mean, sd²), one draw a user and topic; this is the mean."""
    interest_sd: float = param(5.0, 0.0)
    """sd: the larger, the more a user either likes a topic or does not."""
    belief_noise: float = param(0.03, 0.0)
    """Standard deviation of the shop's belief about an interest, the same for a user's whole life."""
    levels: int = param(4, 1, 8)
    """Boredom of a topic is 0 … levels; a session starts at 0."""
    slow_pace: int = param(2, 1)
    """Boredom that a click on a slow item adds."""
    quick_pace: int = param(4, 1)
    """The same of a quick item."""
    pull_lost: float = param(1.0, 0.0, 1.0)
    """Share of its pull that a topic has lost at full boredom."""
    types: int = param(0, 0)
    """0: every user has interests of its own; G: there are G of them, user n is of type n mod G."""
    horizon: int = param(100, 1)
    """Steps of a session after which it is truncated."""
    world_seed: int = param(0, 0)
    """Seed of the order of the catalogue and of who the users are."""


Rules = rules_of(Params)


@kernel_type
class World(NamedTuple):
    """The catalogue."""

    topic: np.ndarray              # [A]
    appeal: np.ndarray             # [A]
    pace: np.ndarray               # [A] boredom that a click adds


@kernel_type
class State(NamedTuple):
    interest: np.ndarray           # [N, T]
    belief: np.ndarray             # [N, T] what the shop believes of it
    bored: np.ndarray              # [N, T] 0 … levels


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]


@kernel
def after(bored, shown, click, pace, levels):
    """Boredom of a topic after the step: a click adds the item's pace, a topic that is not shown cools by one."""
    if not shown:
        return max(0, bored - 1)
    return min(levels, bored + pace) if click else bored


@kernel
def begin_users(rows, rules, who, state):
    """A session starts: the user is who the world says, and rested."""
    for n in rows:
        person = session_key(rules.world_seed, who.user[n] % rules.types if rules.types > 0 else who.user[n], 0)
        for k in range(state.interest.shape[1]):
            taste = rules.interest_mean + rules.interest_sd * normal(person, 0, INTEREST, k)
            interest = 1.0 / (1.0 + np.exp(-taste))
            noise = rules.belief_noise * normal(person, 0, BELIEF, k)
            state.interest[n, k], state.belief[n, k] = interest, min(1.0, max(0.0, interest + noise))
            state.bored[n, k] = 0


@kernel
def step_users(action, active, rules, world, who, state, out):
    """One user, one item: the pull of its topic, a click or none, boredom."""
    interest, bored, topic, appeal, pace = state.interest, state.bored, world.topic, world.appeal, world.pace
    for n in range(len(action)):
        if active[n]:
            item, shown = action[n], topic[action[n]]
            pull = 1.0 - rules.pull_lost * bored[n, shown] / rules.levels
            expected = interest[n, shown] * appeal[item] * pull
            click = uniform(session_key(who.seed, who.user[n], who.session[n]), who.t[n], CLICK, 0) < expected
            out.expected[n], out.reward[n] = expected, click
            for k in range(bored.shape[1]):
                bored[n, k] = after(bored[n, k], k == shown, click, pace[item], rules.levels)
