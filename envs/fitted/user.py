"""A user fitted to a log: who it is, what it likes, what the shop remembers of it.

The story is told in `envs.fitted.env`.  Tastes are the world's, likes are coins of a session.
"""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import combine, kernel, mix, normal, session_key, uniform

LIKE, TASTE = 1, 2                                # purposes of the coins
VIEWS = ("history", "taste", "all")               # what may be observed


@dataclass(frozen=True)
class Params:
    path: str = ""
    """The log (Parquet or CSV in the schema of `envs.logs`, or NAME=PATH of a known data set); empty: the movies that
    come with the project."""
    columns: Mapping[str, str] | None = param(None, kind=dict)
    """{name in the schema: name in the log}, for a log whose columns are called otherwise."""
    like: float | None = param(None, kind=float)
    """A reward of at least this counts as a like (1), any other as a skip (0); none: the rewards are 0 or 1."""
    as_values: bool = False
    """Ratings are taken as amounts, not refused."""
    impressions: int = param(50, 1, 10_000)
    """Items shown in a session."""
    min_item_rows: int = param(50, 1)
    """Rows an item needs in the log to enter the catalogue."""
    taste_dimensions: int = param(2, 0, 32)
    """Dimensions of the low-rank taste (0: users differ only in how much they like anything)."""
    observe: str = param("history", choices=VIEWS)
    """history: what was liked and skipped, by features; taste: what this tells of the user's taste; all: both."""
    items_by: str = param("training", choices=("training", "world"))
    """Whose items the belief about a user's taste knows: those learned on training users, or the simulator's own, which
    nobody has (the Bayes reference)."""
    world_seed: int = param(0, 0)
    """Decides the split of the log's users and every simulated user's draw from the posterior."""


Rules = rules_of(Params)


@kernel_type
class Catalogue(NamedTuple):
    mu: float                      # logit of the base rate
    taste: np.ndarray              # [A, 1 + d] effect of an item, then its taste dimensions
    feature: np.ndarray            # [A, D] float32


@kernel_type
class Prior(NamedTuple):
    """What the log says of the persons behind n users; ``root @ root.T`` is the covariance."""

    mean: np.ndarray               # [n, 1 + d]
    root: np.ndarray               # [n, 1 + d, 1 + d] Cholesky factors


@kernel_type
class State(NamedTuple):
    taste: np.ndarray              # [N, 1 + d]
    allowed: np.ndarray            # [N, A] bool not yet seen
    history: np.ndarray            # [N, 2D + 1 + L·D] float32, as observed
    mean: np.ndarray               # [N, 1 + d] what may be believed of the taste (without it: [N, 0])
    cov: np.ndarray                # [N, 1 + d, 1 + d]


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]


@kernel
def begin_users(rows, rules, who, prior, state):
    """A session starts: the user's taste is the prior's mean + Cholesky factor · standard normals of (world, user)."""
    for k in range(len(rows)):
        n = rows[k]
        key = combine(mix(np.uint64(rules.world_seed)), who.user[n])
        for a in range(prior.mean.shape[1]):
            value = prior.mean[k, a]
            for b in range(a + 1):
                value += prior.root[k, a, b] * normal(key, 0, TASTE, b)
            state.taste[n, a] = value
        state.allowed[n], state.history[n] = True, 0.0


@kernel
def remember(history, feature, liked, t, horizon):
    """Write one impression into a history ``[2D + 1 + L·D]``."""
    d = len(feature)
    part, sign = (0, np.float32(1.0)) if liked else (d, np.float32(-1.0))
    recent = 2 * d + 1
    for j in range(len(history) - 1, recent + d - 1, -1):                   # the recent past moves one item back
        history[j] = history[j - d]
    for j in range(d):
        history[part + j] += feature[j] * np.float32(0.1)
        history[recent + j] = sign * feature[j]
    history[2 * d] = np.float32((t + 1) / horizon)


@kernel
def step_users(action, active, rules, catalogue, who, state, out):
    """One user, one item: score, like or skip, memory."""
    own, item, allowed = state.taste, catalogue.taste, state.allowed
    for n in range(len(action)):
        if not active[n]:
            continue
        a, t = action[n], who.t[n]
        if allowed[n, a]:                                                   # seen before: gives nothing again
            logit = catalogue.mu + own[n, 0] + item[a, 0]
            for k in range(1, own.shape[1]):
                logit += own[n, k] * item[a, k]
            out.expected[n] = 1.0 / (1.0 + np.exp(-logit))
        liked = uniform(session_key(who.seed, who.user[n], who.session[n]), t, LIKE, 0) < out.expected[n]
        out.reward[n] = liked
        allowed[n, a] = False
        remember(state.history[n], catalogue.feature[a], liked, t, rules.impressions)


@kernel
def replay(user, item, like, feature, horizon, obs, next_obs, last):
    """The observations before and after each row of a log that is sorted by user and time."""
    t = 0
    for r in range(len(user)):
        if r == 0 or user[r] != user[r - 1] or t == horizon:
            t = 0
        else:
            obs[r] = next_obs[r - 1]
        next_obs[r] = obs[r]
        remember(next_obs[r], feature[item[r]], like[r] > 0.5, t, horizon)
        t += 1
        last[r] = t == horizon or r + 1 == len(user) or user[r + 1] != user[r]
