"""A user of the ladder: who it is, what it clicks, what that does to it.  The story is told in `envs.ladder.env`.

    P(click at j) = a_j · Π_{i<j} patience (1 - a_i)
    a = appeal · affinity(type, topic) · (1 ± taste) · (1 - pull_lost · boredom / levels), at most 0.95
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.cascade import click_probability, pass_over_repeats, read_slate
from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import integer, kernel, normal, session_key, uniform

TYPE, TASTE, CLICK, PLEASED, LEAVE, RETURN, MOOD = range(1, 8)               # purposes of the coins


@dataclass(frozen=True)
class Params:
    action: str = param("item", choices=("item", "slate"))
    """How the agent speaks: the leading item of a shelf, or every position of the slate."""
    observe: str = param("vector", choices=("vector", "type", "coarse"))
    """What the agent sees; the users are the same."""
    topics: int = param(4, 1, 20)
    """T."""
    types: int = param(4, 1)
    """G, equally frequent; type g likes topic g mod T best."""
    appeal: tuple = (0.9, 0.75, 0.5, 0.3, 0.2)
    """Attraction of a topic's items before anything personal, in (0, 1]; its length is the number of items a topic."""
    quality: tuple = (-0.3, 0.6, 0.2, 0.1, 0.0)
    """In [-1, 1], item by item beside ``appeal``: how surely a click pleases (> 0) or disappoints (< 0)."""
    slate: int = param(4, 1)
    """K, positions."""
    patience: float = param(0.7, 0.0, 1.0)
    """Probability of reading on after an item that was not clicked."""
    favourite: float = param(0.9, 0.0, 1.0)
    """Affinity of a type for its best topic."""
    other: float = param(0.4, 0.0, 1.0)
    """Affinity of a type for the other topics."""
    taste: float = param(0.5, 0.0, 1.0)
    """Size of the individual taste: each topic's affinity is multiplied by 1 + taste or 1 - taste, a fair coin."""
    levels: int = param(3, 1)
    """Boredom of a topic is 0 … levels; a click adds two, a step without one takes one away."""
    pull_lost: float = param(0.9, 0.0, 1.0)
    """Share of its pull that a topic has lost at full boredom; 0 switches boredom off."""
    satisfactions: int = param(8, 1)
    """Satisfaction is 0 … satisfactions; a session starts in the middle."""
    annoyance: float = param(0.5, 0.0, 1.0)
    """Probability that a slate without a click costs one level of satisfaction."""
    leave_low: float = param(0.05, 0.0, 1.0)
    """Probability of leaving after a step at full satisfaction."""
    leave_high: float = param(0.4, 0.0, 1.0)
    """The same at satisfaction 0; between them it is leave_low + (leave_high - leave_low) (1 - s)²."""
    comeback: float = param(0.9, 0.0, 1.0)
    """A user who left comes back, rested, with probability comeback · s."""
    mood_noise: float = param(0.15, 0.0)
    """Standard deviation of the mood, the noisy view of s = satisfaction / satisfactions (cut to [0, 1])."""
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
    quality: np.ndarray            # [A]


@kernel_type
class State(NamedTuple):
    """What changes of a user, and who it is."""

    kind: np.ndarray               # [N] type
    likes_it: np.ndarray           # [N, T] bool, the taste
    bored: np.ndarray              # [N, T] 0 … levels
    likes: np.ndarray              # [N, T] clicks of this session
    skips: np.ndarray              # [N, T] items read without a click
    satisfaction: np.ndarray       # [N] 0 … satisfactions
    mood: np.ndarray               # [N] the noisy view of it, in [0, 1]


@kernel
def attraction(r, appeal, kind, topic, likes_it, bored):
    """Probability that a user clicks an item of ``topic`` that is read."""
    affinity = r.favourite if topic == kind % r.topics else r.other
    personal = affinity * (1.0 + r.taste if likes_it else 1.0 - r.taste)
    return min(0.95, appeal * personal * (1.0 - r.pull_lost * bored / r.levels))


@kernel
def end_of_visit(r, satisfaction):
    """(probability of leaving, probability that a user who left comes back)."""
    s = satisfaction / r.satisfactions
    return r.leave_low + (r.leave_high - r.leave_low) * (1.0 - s) ** 2, r.comeback * s


@kernel
def look(r, life, t, satisfaction):
    """The mood before step ``t``: what the agent sees of satisfaction."""
    return min(1.0, max(0.0, satisfaction / r.satisfactions + r.mood_noise * normal(life, t, MOOD, 0)))


@kernel
def begin_users(rows, rules, who, state):
    """A session starts: the user is who the world says, rested and half satisfied."""
    for n in rows:
        nature = session_key(rules.world_seed, who.user[n], 0)
        state.kind[n] = integer(nature, 0, TYPE, 0, rules.types)
        for topic in range(rules.topics):
            state.likes_it[n, topic] = uniform(nature, 0, TASTE, topic) < 0.5
            state.bored[n, topic] = state.likes[n, topic] = state.skips[n, topic] = 0
        state.satisfaction[n] = rules.satisfactions // 2
        state.mood[n] = look(rules, session_key(who.seed, who.user[n], who.session[n]), 0, state.satisfaction[n])


@kernel
def score_slate(rules, world, slate, kind, likes_it, bored, pulls):
    """Attraction of every position of one user's ``slate [K]`` into ``pulls [K]``."""
    topic, appeal = world.topic, world.appeal
    for j in range(len(slate)):
        about = topic[slate[j]]
        pulls[j] = attraction(rules, appeal[slate[j]], kind, about, likes_it[about], bored[about])


@kernel
def step_users(slate, active, rules, world, who, state, out):
    """One user, one slate: score, read and click, get bored, be pleased or annoyed, stay or leave."""
    topic, quality = world.topic, world.quality
    kind, likes_it, bored, satisfaction = state.kind, state.likes_it, state.bored, state.satisfaction
    places = slate.shape[1]
    pulls = np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        score_slate(rules, world, slate[n], kind[n], likes_it[n], bored[n], pulls)
        pass_over_repeats(n, slate, pulls)
        out.expected[n] = click_probability(pulls, rules.patience)
        place = read_slate(pulls, rules.patience, life, t, CLICK)
        for j in range(place):
            state.skips[n, topic[slate[n, j]]] += 1                          # the shop knows: shown, and no click
        about, coin = -1, uniform(life, t, PLEASED, 0)
        if place < places:
            item = slate[n, place]
            about, out.response[n, place], out.reward[n] = topic[item], 1, 1.0
            state.likes[n, about] += 1
            change = int(coin < quality[item]) - int(coin < -quality[item])
        else:
            change = -int(coin < rules.annoyance)
        for k in range(rules.topics):
            bored[n, k] = min(rules.levels, bored[n, k] + 2) if k == about else max(0, bored[n, k] - 1)
        satisfaction[n] = min(rules.satisfactions, max(0, satisfaction[n] + change))
        leave, comeback = end_of_visit(rules, satisfaction[n])
        if uniform(life, t, LEAVE, 0) < leave:
            out.left[n], out.terminated[n] = True, uniform(life, t, RETURN, 0) >= comeback
            bored[n] = 0
        state.mood[n] = look(rules, life, t + 1, satisfaction[n])
