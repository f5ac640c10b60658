"""A user of SARDINE: what it clicks, when a topic bores it, how clicks pull its interest.  Told in `envs.sardine.env`.

    x_j = ⟨E_j, ũ⟩ / max_i |E_i|,    P(click j) = attraction · σ(slope (x_j - offset)) · π_j,    π_j = γ^j
    u ← normalise(ω u + (1 - ω) v),  v the mean embedding of the clicked items

ũ is what the user feels now: u without its bored topics, or nothing at all while any topic bores it.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import param
from ..engine.rng import integer, kernel, session_key, uniform

TOPICS, INTEREST, FIRST_SLATE, FIRST_CLICK, CLICK = range(1, 6)              # purposes of the coins
FEWEST, MOST = 3, 5                                                          # topics a user is interested in
CERTAIN = 37.0                                   # σ(±37) is 1 or below the finest coin (2^-53) in double precision


@dataclass(frozen=True)
class Params:
    items: int = param(1000, 1)
    """A, where the catalogue is generated."""
    topics: int = param(10, FEWEST)
    """T, where the catalogue is generated."""
    embeddings: str = param("")
    """A .npy file ``[A, T]`` of non-negative item embeddings instead (its shape replaces ``items`` and ``topics``)."""
    slate: int = param(10, 1)
    """K, positions."""
    horizon: int = param(100, 1)
    """Rewarded steps of an episode."""
    offset: float = param(0.65)
    """Match x at which an item is as relevant as not."""
    slope: float = param(100.0, 0.0)
    """How sharply relevance rises around ``offset``."""
    relevant_above: float = param(-1.0)
    """Where ≥ 0: relevance is 1 above this match and 0 below, instead of the sigmoid."""
    attraction: float = param(1.0, 0.0, 1.0)
    """α, the click probability of a fully relevant item in a place that is looked at."""
    examination: float = param(0.85, 0.0, 1.0)
    """γ: place j is looked at with probability γ^j, j = 0 … K-1."""
    click_model: str = param("top_down", choices=("top_down", "mixed"))
    """``mixed``: ½ γ^j + ½ γ^(K-1-j), some users read from the bottom."""
    diversity_threshold: int = param(4, 1)
    """Items of one main topic in a slate from which the slate is dull."""
    diversity_penalty: float = param(1.0, 1.0)
    """What all attractions of a dull slate are divided by (1: off, as in every published configuration)."""
    interest_kept: float = param(1.0, 0.0, 1.0)
    """ω, the share of the old interest after a click (1: interest is fixed)."""
    boredom: str = param("absent", choices=("absent", "topic"))
    """While a topic bores: the user feels nothing (``user_car``), or nothing for this topic (``user_tloi``)."""
    boredom_threshold: int = param(5, 1)
    """Remembered clicks on a topic from which it bores (above ``memory``: never)."""
    boredom_steps: int = param(5, 1)
    """W: steps that a click is remembered and that boredom lasts."""
    memory: int = param(10, 1)
    """Clicks that are remembered at most."""
    bored_relevance: float = param(1.0, 0.0, 1.0)
    """Factor on relevance for every bored topic (½ is the published option ``rel_penalty``)."""
    action: str = param("slate", choices=("slate", "topk"))
    """``slate``: item ids; ``topk``: a direction in topic space, the K items that match it best are shown."""
    observe: str = param("ideal", choices=("ideal", "published", "history"))
    """The full state, what the published simulator shows, or the last ``history`` steps."""
    history: int = param(10, 1)
    """h, steps of the ``history`` view."""
    oracle: str = param("short_term", choices=("short_term", "rotation"))
    """`oracle`: the most clicks now, or those that never bore (see `envs.sardine.env`)."""
    compat: bool = param(False)
    """The released code's faults: v is the mean over items *and* topics, and the time limit is a termination."""
    world_seed: int = param(0, 0)
    """Seed of the catalogue and of who the users are."""


class Rules(NamedTuple):
    """The numbers of `Params` that the kernels read."""

    offset: float
    slope: float
    relevant_above: float
    attraction: float
    diversity_threshold: int
    diversity_penalty: float
    interest_kept: float
    boredom_threshold: int
    boredom_steps: int
    bored_relevance: float
    compat: bool
    absent: bool
    world_seed: int
    longest: float                 # length of the longest embedding


@kernel
def relevance(r, match):
    """Relevance in [0, 1] of an item with this ``match`` x."""
    if r.relevant_above >= 0.0:
        return 1.0 if match > r.relevant_above else 0.0
    z = r.slope * (match - r.offset)
    if abs(z) > CERTAIN:
        return 1.0 if z > 0.0 else 0.0
    return 1.0 / (1.0 + np.exp(-z))


@kernel
def feel(r, n, interest, bored, felt):
    """What user n feels now, ũ, into ``felt [T]``; returns the number of bored topics."""
    boring = 0
    for k in range(len(felt)):
        boring += bored[n, k] > 0
    for k in range(len(felt)):
        felt[k] = 0.0 if bored[n, k] > 0 or (r.absent and boring > 0) else interest[n, k]
    return boring


@kernel
def strength(r, n, slate, about, boring):
    """What every relevance is multiplied by: α, weakened for a dull slate and a bored user."""
    worth = r.attraction
    for _ in range(boring):
        worth *= r.bored_relevance
    if r.diversity_penalty > 1.0:
        for j in range(slate.shape[1]):
            alike = 0
            for i in range(slate.shape[1]):
                alike += about[slate[n, i], 0] == about[slate[n, j], 0]
            if alike >= r.diversity_threshold:
                return worth / r.diversity_penalty
    return worth


@kernel
def click(r, n, slate, felt, boring, about, value, examined, life, t, purpose, clicks):
    """Score and choose: independent clicks into ``clicks[n]``; returns the expected number of clicks."""
    expected, worth = 0.0, strength(r, n, slate, about, boring)
    for j in range(slate.shape[1]):
        match, item = 0.0, slate[n, j]
        for k in range(about.shape[1]):
            match += value[item, k] * felt[about[item, k]]
        probability = worth * relevance(r, match / r.longest) * examined[j]
        expected += probability
        clicks[n, j] = probability > 0.0 and uniform(life, t, purpose, j) < probability
    return expected


@kernel
def get_bored(r, n, slate, clicks, about, t, bored, count, queue, ring):
    """Remember the clicks of step ``t``, forget what is W steps old, and count down or start boredom."""
    places, first, length = queue.shape[1], ring[n, 0], ring[n, 1]
    for j in range(slate.shape[1]):
        if clicks[n, j]:
            if length == places:                                             # full: the oldest click makes room
                count[n, queue[n, first, 0]] -= 1
                first, length = (first + 1) % places, length - 1
            place, main = (first + length) % places, about[slate[n, j], 0]
            queue[n, place, 0], queue[n, place, 1] = main, t
            count[n, main] += 1
            length += 1
    while length > 0 and queue[n, first, 1] < t + 1 - r.boredom_steps:
        count[n, queue[n, first, 0]] -= 1
        first, length = (first + 1) % places, length - 1
    ring[n, 0], ring[n, 1] = first, length
    for k in range(count.shape[1]):
        left = max(0, bored[n, k] - 1)
        bored[n, k] = r.boredom_steps if left == 0 and count[n, k] >= r.boredom_threshold else left


@kernel
def be_influenced(r, n, slate, clicks, about, value, interest):
    """Interest moves towards the mean embedding of what was clicked."""
    topics, total = interest.shape[1], 0
    for j in range(slate.shape[1]):
        total += clicks[n, j]
    if total == 0:
        return
    v, length = np.zeros(topics), 0.0
    for j in range(slate.shape[1]):
        if clicks[n, j]:
            for k in range(about.shape[1]):
                v[about[slate[n, j], k]] += value[slate[n, j], k] / total
    if r.compat:
        v[:] = v.mean()
    for k in range(topics):
        interest[n, k] = r.interest_kept * interest[n, k] + (1.0 - r.interest_kept) * v[k]
        length += interest[n, k] ** 2
    for k in range(topics):
        interest[n, k] /= np.sqrt(length)


@kernel
def recall(n, slate, clicks, about, past):
    """The topics shown and clicked become the newest row of the history ``past [N, h, 2 T]``."""
    places, topics = slate.shape[1], past.shape[2] // 2
    for row in range(past.shape[1] - 1, 0, -1):
        past[n, row] = past[n, row - 1]
    past[n, 0] = 0.0
    for j in range(places):
        past[n, 0, about[slate[n, j], 0]] += np.float32(1.0 / places)
        past[n, 0, topics + about[slate[n, j], 0]] += np.float32(clicks[n, j] / places)


@kernel
def meet(r, n, user, interest):
    """Who the user is: interest in 3 to 5 topics, a vector of length 1."""
    who, topics, liked, attempt = session_key(r.world_seed, user[n], 0), interest.shape[1], 0, 0
    while not FEWEST <= liked <= MOST:
        liked = 0
        for k in range(topics):
            liked += uniform(who, attempt, TOPICS, k) < 4.0 / topics
        attempt += 1
    length = 0.0
    for k in range(topics):
        likes = uniform(who, attempt - 1, TOPICS, k) < 4.0 / topics
        interest[n, k] = 1.0 - uniform(who, 0, INTEREST, k) if likes else 0.0                # in (0, 1]
        length += interest[n, k] ** 2
    for k in range(topics):
        interest[n, k] /= np.sqrt(length)


@kernel
def begin_users(rows, r, seed, user, session, items, first, interest, bored, count, ring, past):
    """Who the user is, fresh, and a slate of random ids below ``items`` (one may come twice) into ``first [N, K]``."""
    for n in rows:
        meet(r, n, user, interest)
        bored[n], count[n], ring[n], past[n] = 0, 0, 0, 0.0
        life = session_key(seed, user[n], session[n])
        for j in range(first.shape[1]):
            first[n, j] = integer(life, 0, FIRST_SLATE, j, items)


@kernel
def step_users(slate, active, r, purpose, seed, user, session, t, about, value, examined, interest, bored, count,
               queue, ring, shown, clicks, past, response, reward, expected, absent):
    """One slate for every user that is there: feel, click, get bored, be influenced.

    Item i speaks of the topics ``about[i]`` with the weights ``value[i]``; ``about[i, 0]`` is its main topic.
    """
    felt = np.empty(interest.shape[1])
    for n in range(len(slate)):
        if not active[n]:
            continue
        life = session_key(seed, user[n], session[n])
        boring = feel(r, n, interest, bored, felt)
        absent[n] = boring > 0
        expected[n] = click(r, n, slate, felt, boring, about, value, examined, life, t[n], purpose, response)
        for j in range(slate.shape[1]):
            reward[n] += response[n, j]
        get_bored(r, n, slate, response, about, t[n], bored, count, queue, ring)
        if r.interest_kept < 1.0:
            be_influenced(r, n, slate, response, about, value, interest)
        for j in range(shown.shape[1]):                                      # kept for the views that show it
            shown[n, j], clicks[n, j] = slate[n, j], response[n, j]
        if past.shape[1] > 0:
            recall(n, slate, response, about, past)
