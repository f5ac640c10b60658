"""A user of the ladder: who it is, what it clicks, what that does to it.  The story is told in `envs.ladder.env`.

    P(click at j) = a_j · Π_{i<j} patience (1 - a_i)
    a = appeal · affinity(type, topic) · (1 ± taste) · (1 - pull_lost · boredom / levels), at most 0.95
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import param
from ..engine.rng import integer, kernel, normal, session_key, uniform

TYPE, TASTE, CLICK, PLEASED, LEAVE, RETURN, MOOD = range(1, 8)               # purposes of the coins
HISTORY = 5.0                                    # likes and skips are shown as count / (count + HISTORY)


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


class Rules(NamedTuple):
    """The numbers of `Params` that the kernels read (`envs.ladder.planner` reads the same)."""

    topics: int
    types: int
    patience: float
    favourite: float
    other: float
    taste: float
    levels: int
    pull_lost: float
    satisfactions: int
    annoyance: float
    leave_low: float
    leave_high: float
    comeback: float
    mood_noise: float
    horizon: int
    world_seed: int


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
def begin_users(rows, r, seed, user, session, kind, likes_it, bored, likes, skips, satisfaction, mood):
    """A session starts: the user is who the world says, rested and half satisfied."""
    for n in rows:
        who = session_key(r.world_seed, user[n], 0)
        kind[n] = integer(who, 0, TYPE, 0, r.types)
        for topic in range(r.topics):
            likes_it[n, topic] = uniform(who, 0, TASTE, topic) < 0.5
            bored[n, topic] = likes[n, topic] = skips[n, topic] = 0
        satisfaction[n] = r.satisfactions // 2
        mood[n] = look(r, session_key(seed, user[n], session[n]), 0, satisfaction[n])


@kernel
def read_slate(pulls, patience, life, t):
    """Walk down the slate with one coin a position: the clicked position, or K when there is no click."""
    for j in range(len(pulls)):
        coin = uniform(life, t, CLICK, j)
        if coin < pulls[j]:
            return j
        if coin >= pulls[j] + (1.0 - pulls[j]) * patience:
            break
    return len(pulls)


@kernel
def click_probability(pulls, patience):
    """P(any click) of `read_slate`: Σ_j a_j · Π_{i<j} patience (1 - a_i)."""
    reading, total = 1.0, 0.0
    for pull in pulls:
        total += reading * pull
        reading *= patience * (1.0 - pull)
    return total


@kernel
def score_slate(r, slate, topic, appeal, kind, likes_it, bored, pulls):
    """Attraction of every position ``pulls [K]``; an item seen higher up is passed over."""
    for j in range(len(slate)):
        about = topic[slate[j]]
        pulls[j] = attraction(r, appeal[slate[j]], kind, about, likes_it[about], bored[about])
        for i in range(j):
            if slate[i] == slate[j]:
                pulls[j] = 0.0


@kernel
def step_users(slate, active, r, seed, user, session, t, topic, appeal, quality, kind, likes_it, bored, likes, skips,
               satisfaction, mood, response, reward, expected, terminated, left):
    """One user, one slate: score, read and click, get bored, be pleased or annoyed, stay or leave."""
    places = slate.shape[1]
    pulls = np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life = session_key(seed, user[n], session[n])
        score_slate(r, slate[n], topic, appeal, kind[n], likes_it[n], bored[n], pulls)
        expected[n] = click_probability(pulls, r.patience)
        place = read_slate(pulls, r.patience, life, t[n])
        for j in range(place):
            skips[n, topic[slate[n, j]]] += 1                                # the shop knows: shown, and no click
        about, coin = -1, uniform(life, t[n], PLEASED, 0)
        if place < places:
            item = slate[n, place]
            about, response[n, place], reward[n] = topic[item], 1, 1.0
            likes[n, about] += 1
            change = int(coin < quality[item]) - int(coin < -quality[item])
        else:
            change = -int(coin < r.annoyance)
        for other in range(r.topics):
            bored[n, other] = min(r.levels, bored[n, other] + 2) if other == about else max(0, bored[n, other] - 1)
        satisfaction[n] = min(r.satisfactions, max(0, satisfaction[n] + change))
        leave, comeback = end_of_visit(r, satisfaction[n])
        if uniform(life, t[n], LEAVE, 0) < leave:
            left[n], terminated[n] = True, uniform(life, t[n], RETURN, 0) >= comeback
            bored[n] = 0
        mood[n] = look(r, life, t[n] + 1, satisfaction[n])


@kernel
def observe_users(r, kind, bored, likes, skips, mood, t, out):
    """The vector view ``out [N, G + 3 T + 2]``."""
    g, k = r.types, r.topics
    for n in range(len(out)):
        out[n, kind[n]] = 1.0
        for topic in range(k):
            out[n, g + topic] = bored[n, topic] / r.levels
            out[n, g + k + topic] = likes[n, topic] / (likes[n, topic] + HISTORY)
            out[n, g + 2 * k + topic] = skips[n, topic] / (skips[n, topic] + HISTORY)
        out[n, g + 3 * k], out[n, g + 3 * k + 1] = mood[n], t[n] / r.horizon
