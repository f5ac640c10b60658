"""A user of interest evolution: what it likes, what it watches, what that does to it.

The story is told in `envs.interest_evolution.env`.  Interests are the world's, documents and choices a session's.
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
from ..engine.params import kernel_type, param, rules_of
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
    no_click: float = param(1.0, -np.inf)
    """Score of watching nothing, at least −1 in the proportional model; −inf in the logit model: always something."""
    attention: float = param(0.65, 0.0, 1.0)
    """Cascades: probability of attending to a position."""
    scaling: float = param(0.05, 0.0)
    """Cascades: factor on exp(score) or on score + 1; with attention the product must stay a probability."""
    window: int = param(10, 1, 1000)
    """h, videos in an observed history."""
    world_seed: int = param(0, 0)
    """Seed of who the users are."""


Rules = rules_of(Params, clicks=bool, choice=int)        # whether clicks are the reward; the place in CHOICES


@kernel_type
class World(NamedTuple):
    mean_quality: np.ndarray       # [T]


@kernel_type
class State(NamedTuple):
    topic: np.ndarray              # [N, m] of the candidates
    interest: np.ndarray           # [N, T]
    budget: np.ndarray             # [N] minutes
    history: np.ndarray            # [N, h, T + 1] float32, h = 0 where it is not observed
    counts: np.ndarray             # [N, 2 T] float32 clicks and skips, [N, 0] where they are not observed


@kernel_type
class Out(NamedTuple):
    response: np.ndarray           # [N, K] int8
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]
    quality: np.ndarray            # [N, K]
    terminated: np.ndarray         # [N] bool


@kernel
def choose(rules, scores, shares):
    """P(position) into ``shares [K]``; returns P(nothing)."""
    if rules.choice == 0:
        return multinomial_proportional(scores, rules.no_click, FLOOR, shares)
    if rules.choice == 1:
        return multinomial_logit(scores, rules.no_click, shares)
    if rules.choice == 2:
        return exponential_cascade(scores, rules.attention * rules.scaling, shares)
    return proportional_cascade(scores, FLOOR, rules.attention * rules.scaling, shares)


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
def draw_quality(rules, life, day, place, mean):
    """The quality of candidate ``place``: drawn when somebody looks, always the same."""
    return mean + rules.quality_sd * normal(life, day, QUALITY, place)


@kernel
def qualities_of(rules, world, who, state, quality):
    """Quality of every candidate of this step, into the last column of ``quality [N, m, ...]``."""
    for n in range(len(quality)):
        life = session_key(who.seed, who.user[n], who.session[n])
        day = who.t[n] if rules.resample else 0
        for j in range(quality.shape[1]):
            quality[n, j, -1] = draw_quality(rules, life, day, j, world.mean_quality[state.topic[n, j]])


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
def begin_users(rows, rules, who, state):
    """A session starts: the user is who the world says, the evening is long."""
    topics = state.interest.shape[1]
    for n in rows:
        person = session_key(rules.world_seed, who.user[n], 0)
        for about in range(topics):
            state.interest[n, about] = 2.0 * uniform(person, 0, INTEREST, about) - 1.0
        state.budget[n], state.history[n], state.counts[n] = rules.budget, 0.0, 0.0
        draw_topics(session_key(who.seed, who.user[n], who.session[n]), 0, topics, state.topic[n])


@kernel
def step_users(slate, active, rules, world, who, state, out):
    """One user, one slate: score, choose, watch and pay, get to like it or not; then new candidates."""
    topic, interest, budget, counts = state.topic, state.interest, state.budget, state.counts
    places, topics = slate.shape[1], interest.shape[1]
    scores, shares = np.empty(places), np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        for j in range(places):
            about = topic[n, slate[n, j]]
            scores[j] = interest[n, about]
            out.quality[n, j] = draw_quality(rules, life, t if rules.resample else 0, slate[n, j],
                                             world.mean_quality[about])
        nothing = choose(rules, scores, shares)
        minutes = min(budget[n], rules.length)
        worth = 1.0 if rules.clicks else minutes
        out.expected[n] = (1.0 - nothing) * worth
        place = take(shares, nothing, uniform(life, t, CHOICE, 0))
        for j in range(places if counts.shape[1] else 0):
            counts[n, topic[n, slate[n, j]] + (0 if j == place else topics)] += 1.0
        if place == NOTHING:
            budget[n] -= rules.penalty
        else:
            about = topic[n, slate[n, place]]
            out.response[n, place], out.reward[n] = 1, worth
            budget[n] += minutes * (rules.refund * out.quality[n, place] - 1.0)
            interest[n, about] = moved(interest[n, about], rules.pull, uniform(life, t, MOVE, 0))
            if state.history.shape[1]:
                remember(about, minutes / rules.length, state.history[n])
        out.terminated[n] = budget[n] <= 0.0
        if rules.resample:
            draw_topics(life, t + 1, topics, topic[n])
