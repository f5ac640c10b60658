"""A user of interest evolution: what it likes, what it watches, what that does to it.

The story is told in `envs.interest_evolution.env`.  Interests are the world's; documents and choices are coins of a
session.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.choice import (
    NOTHING,
    exponential_cascade,
    multinomial_logit,
    multinomial_proportional,
    proportional_cascade,
    take,
)
from ..engine.params import param
from ..engine.rng import integer, kernel, normal, session_key, uniform
from ..engine.slates import VIEWS

INTEREST, TOPIC, QUALITY, CHOICE, MOVE = range(1, 6)                         # purposes of the coins
CHOICES = ("proportional", "mnl", "exponential_cascade", "proportional_cascade")
FLOOR = -1.0                                                                 # the least score there is


@dataclass(frozen=True)
class Params:
    action: str = param("slate", choices=VIEWS)
    """How the agent names a slate."""
    observe: str = param("full", choices=("full", "history", "counts"))
    """What the agent sees of the user."""
    quality_seen: bool = param(False)
    """Whether the candidates show their quality."""
    reward: str = param("watch", choices=("watch", "clicks"))
    """Minutes watched, or clicks."""
    candidates: int = param(10, 1, 10_000)
    """m, videos on offer in a step."""
    slate: int = param(3, 1)
    """k, videos shown."""
    resample: bool = param(True)
    """Fresh candidates every step, or the same m for the whole session."""
    topics: int = param(20, 2, 1000)
    """T; int(0.7 T) of them have mean qualities evenly spaced in [−3, 0], the rest in [0, 3]."""
    quality_sd: float = param(0.1, 0.0, 0.2)
    """Standard deviation of a video's quality about its topic's mean."""
    length: float = param(4.0, 0.01)
    """Minutes of a video."""
    budget: float = param(200.0, 0.01)
    """Minutes of a session."""
    penalty: float = param(0.5, 0.01)
    """Minutes that a slate without a click costs."""
    refund: float = param(0.9 / 3.4, 0.0, 0.28)
    """a: minutes given back for a minute watched and a unit of quality; the limit makes every session end."""
    pull: float = param(0.3, 0.0, 1.0)
    """y: change of an interest that is 0."""
    choice: str = param("proportional", choices=CHOICES)
    """The choice model (`envs.engine.choice`)."""
    no_click: float = param(1.0)
    """Score of watching nothing, at least −1 in the proportional model; −inf in the logit model: always something."""
    attention: float = param(0.65, 0.0, 1.0)
    """Cascades: probability of attending to a position."""
    scaling: float = param(0.05, 0.0)
    """Cascades: factor on exp(score) or on score + 1; with attention the product must stay a probability."""
    window: int = param(10, 1, 1000)
    """h, videos in an observed history."""
    world_seed: int = param(0, 0)
    """Seed of who the users are."""


class Rules(NamedTuple):
    """The numbers of `Params` that the kernels read."""

    clicks: bool
    choice: int
    resample: bool
    quality_sd: float
    length: float
    penalty: float
    refund: float
    pull: float
    no_click: float
    attention: float


@kernel
def choose(r, scores, shares):
    """P(position) into ``shares [K]``; returns P(nothing)."""
    if r.choice == 0:
        return multinomial_proportional(scores, r.no_click, FLOOR, shares)
    if r.choice == 1:
        return multinomial_logit(scores, r.no_click, shares)
    if r.choice == 2:
        return exponential_cascade(scores, r.attention, shares)
    return proportional_cascade(scores, FLOOR, r.attention, shares)


@kernel
def moved(interest, pull, coin):
    """An interest after something of its topic was watched: extremes hardly move, and attract."""
    change = pull * (1.0 - abs(interest)) * (1.0 - interest)
    return min(1.0, max(-1.0, interest + change if coin < (interest + 1.0) / 2.0 else interest - change))


@kernel
def draw_topics(life, day, topics, topic):
    """The candidates ``topic [m]`` of a step."""
    for j in range(len(topic)):
        topic[j] = integer(life, day, TOPIC, j, topics)


@kernel
def draw_quality(r, life, day, place, mean):
    """The quality of candidate ``place``: drawn when somebody looks, always the same."""
    return mean + r.quality_sd * normal(life, day, QUALITY, place)


@kernel
def qualities_of(r, seed, user, session, t, mean, topic, out):
    """Quality of every candidate ``out [N, m, ...]`` of this step, into the last column."""
    for n in range(len(topic)):
        life, day = session_key(seed, user[n], session[n]), t[n] if r.resample else 0
        for j in range(topic.shape[1]):
            out[n, j, -1] = draw_quality(r, life, day, j, mean[topic[n, j]])


@kernel
def remember(about, share, history):
    """A new last row of ``history [h, T + 1]``: the topic, one-hot, and the share that was watched."""
    window, width = history.shape
    for i in range(window - 1):
        for j in range(width):
            history[i, j] = history[i + 1, j]
    history[window - 1] = 0.0
    history[window - 1, about], history[window - 1, width - 1] = 1.0, share


@kernel
def begin_users(rows, world_seed, seed, user, session, topic, interest, budget, history, counts, minutes):
    """A session starts: the user is who the world says, the evening is long."""
    topics = interest.shape[1]
    for n in rows:
        who = session_key(world_seed, user[n], 0)
        for about in range(topics):
            interest[n, about] = 2.0 * uniform(who, 0, INTEREST, about) - 1.0
        budget[n], history[n], counts[n] = minutes, 0.0, 0.0
        draw_topics(session_key(seed, user[n], session[n]), 0, topics, topic[n])


@kernel
def step_users(slate, active, r, seed, user, session, t, mean, topic, interest, budget, history, counts,
               response, reward, expected, quality, terminated):
    """One user, one slate: score, choose, watch and pay, get to like it or not; then new candidates."""
    places, topics = slate.shape[1], interest.shape[1]
    scores, shares = np.empty(places), np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, day = session_key(seed, user[n], session[n]), t[n] if r.resample else 0
        for j in range(places):
            about = topic[n, slate[n, j]]
            scores[j] = interest[n, about]
            quality[n, j] = draw_quality(r, life, day, slate[n, j], mean[about])
        nothing = choose(r, scores, shares)
        minutes = min(budget[n], r.length)
        worth = 1.0 if r.clicks else minutes
        expected[n] = (1.0 - nothing) * worth
        place = take(shares, nothing, uniform(life, t[n], CHOICE, 0))
        for j in range(places if counts.shape[1] else 0):
            counts[n, topic[n, slate[n, j]] + (0 if j == place else topics)] += 1.0
        if place == NOTHING:
            budget[n] -= r.penalty
        else:
            about = topic[n, slate[n, place]]
            response[n, place], reward[n] = 1, worth
            budget[n] += minutes * (r.refund * quality[n, place] - 1.0)
            interest[n, about] = moved(interest[n, about], r.pull, uniform(life, t[n], MOVE, 0))
            if history.shape[1]:
                remember(about, minutes / r.length, history[n])
        terminated[n] = budget[n] <= 0.0
        if r.resample:
            draw_topics(life, t[n] + 1, topics, topic[n])


@kernel
def show_topics(topic, out):
    """One-hot topics of the candidates into zeros ``out [N, m, T ...]``."""
    for n in range(len(topic)):
        for j in range(topic.shape[1]):
            out[n, j, topic[n, j]] = 1.0
