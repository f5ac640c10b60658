"""A user of SARDINE: what it clicks, when a topic bores it, how clicks pull its interest.  Told in `envs.sardine.env`.

    x_j = ⟨E_j, ũ⟩ / max_i |E_i|,    P(click j) = attraction · σ(slope (x_j - offset)) · π_j,    π_j = γ^j
    u ← normalise(ω u + (1 - ω) v),  v the mean embedding of the clicked items

ũ is what the user feels now: u without its bored topics, or nothing at all while any topic bores it.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import integer, kernel, session_key, uniform
from .clicks import click, score
from .memory import be_influenced, get_bored, recall, remember

TOPICS, INTEREST, FIRST_SLATE, FIRST_CLICK, CLICK = range(1, 6)              # purposes of the coins
FEWEST, MOST = 3, 5                                                          # topics a user is interested in


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


Rules = rules_of(Params, absent=bool, longest=float)     # boredom == "absent"; length of the longest embedding


@kernel_type
class World(NamedTuple):
    """The catalogue: item i speaks of the topics ``about[i]``, its main topic first, with the weights ``value[i]``."""

    about: np.ndarray              # [A, most topics of an item] int32
    value: np.ndarray              # [A, most topics of an item]
    examined: np.ndarray           # [K] probability that a place is looked at


@kernel_type
class State(NamedTuple):
    """What changes of a user."""

    interest: np.ndarray           # [N, T] u
    bored: np.ndarray              # [N, T] int32 steps that the topic still bores
    count: np.ndarray              # type: ignore[assignment]  # [N, T] int32 remembered clicks
    queue: np.ndarray              # [N, memory, 2] int32 their (topic, step), a ring …
    ring: np.ndarray               # [N, 2] int32 … of which these are (first, length)
    shown: np.ndarray              # [N, K] the last slate (``published``)
    clicks: np.ndarray             # [N, K] int8 what was clicked of it
    past: np.ndarray               # [N, h, 2 T] float32 topics shown, topics clicked, over K (``history``)


@kernel_type
class Out(NamedTuple):
    """What a step tells."""

    response: np.ndarray           # [N, K] int8
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]
    absent: np.ndarray             # [N] bool, some topic bored the user when the slate came


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
def meet(r, n, user, interest):
    """Who user n is: interest in 3 to 5 topics, a vector of length 1."""
    nature, topics, liked, attempt = session_key(r.world_seed, user[n], 0), interest.shape[1], 0, 0
    while not FEWEST <= liked <= MOST:
        liked = 0
        for k in range(topics):
            liked += uniform(nature, attempt, TOPICS, k) < 4.0 / topics
        attempt += 1
    length = 0.0
    for k in range(topics):
        likes = uniform(nature, attempt - 1, TOPICS, k) < 4.0 / topics
        interest[n, k] = 1.0 - uniform(nature, 0, INTEREST, k) if likes else 0.0                # in (0, 1]
        length += interest[n, k] ** 2
    for k in range(topics):
        interest[n, k] /= np.sqrt(length)


@kernel
def begin_users(rows, rules, world, who, state, first):
    """Who the user is, fresh, and a slate of random items (one may come twice) into ``first [N, K]``."""
    for n in rows:
        meet(rules, n, who.user, state.interest)
        state.bored[n], state.count[n], state.ring[n], state.past[n] = 0, 0, 0, 0.0
        life = session_key(who.seed, who.user[n], who.session[n])
        for j in range(first.shape[1]):
            first[n, j] = integer(life, 0, FIRST_SLATE, j, len(world.about))


@kernel
def step_users(slate, active, rules, world, who, purpose, state, out):
    """One slate for every user that is there: feel, click, get bored, be influenced."""
    about, interest, bored, count = world.about, state.interest, state.bored, state.count
    queue, ring, shown, past, response = state.queue, state.ring, state.shown, state.past, out.response
    felt, chance = np.empty(interest.shape[1]), np.empty(slate.shape[1])
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        boring = feel(rules, n, interest, bored, felt)
        out.absent[n] = boring > 0
        out.expected[n] = score(rules, world, n, slate, felt, boring, chance)
        total = click(chance, life, t, purpose, n, response)
        out.reward[n] = total
        remember(n, slate, response, about, t, count, queue, ring)
        get_bored(rules, n, t, bored, count, queue, ring)
        if rules.interest_kept < 1.0 and total > 0:
            be_influenced(rules, n, slate, response, total, about, world.value, interest)
        for j in range(shown.shape[1]):                                      # kept for the views that show it
            shown[n, j], state.clicks[n, j] = slate[n, j], response[n, j]
        if past.shape[1] > 0:
            recall(n, slate, response, about, past)
