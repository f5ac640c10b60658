"""Users fitted to a real log: who they are, what they like, and what a recommender could learn from them.

A simulated user is a user of the log with a taste drawn from that user's posterior (`envs.fitted.taste`).  A session is
``impressions`` recommendations of one item each; an item that was shown before has been seen and gives nothing again.

| | |
|---|---|
| observation | Box [2D + 1 + L·D]: Σ features liked / 10, Σ skipped / 10, share over, last L (+ liked, − skipped) |
| action | Discrete(A): an item of the catalogue; ``info["action_mask"]`` holds those not yet seen |
| reward | 1 when the user likes the item, else 0 |
| end | truncated after ``impressions`` steps; nobody leaves |
| truth in ``info`` | expected_reward: P(like) of what was shown, 0 for an item seen before |

Training, validation and test users come from disjoint parts of the log's users, by ranges of ids
(`envs.engine.vector.SPLITS`).
Source of the default log: MovieLens latest-small (Harper & Konstan 2015), like = a rating of 4 or more.
"""
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from ..engine.params import param
from ..engine.rng import combine, kernel, mix, normal, session_key, uniform
from ..engine.vector import SPLIT_SIZE, SPLITS, VectorEnv
from . import taste
from .world import load_world

LAST = 3                                          # L: items of the recent past in the observation
LIKE, TASTE = 1, 2                                # purposes of the coins


@dataclass(frozen=True)
class Params:
    path: str = ""
    """The log (Parquet or CSV in the schema of `envs.logs`); empty: the movies that come with the project."""
    impressions: int = param(50, 1, 10_000)
    """Items shown in a session."""
    min_item_rows: int = param(50, 1)
    """Rows an item needs in the log to enter the catalogue."""
    taste_dimensions: int = param(2, 0, 32)
    """Dimensions of the low-rank taste (0: users differ only in how much they like anything)."""
    world_seed: int = param(0, 0)
    """Decides the split of the log's users and every simulated user's draw from the posterior."""


class Logged(VectorEnv):
    """See the module's table.  State: ``taste [N, 1 + d]``, ``allowed [N, A]`` bool, ``history [N, H]`` float32."""

    Params = Params
    items: np.ndarray

    def _build(self):
        p = self.params
        self.world = load_world(p.path, p.min_item_rows, p.taste_dimensions, p.world_seed)
        self.items, self.horizon = self.world.items, p.impressions
        if p.impressions > len(self.items):
            raise ValueError(f"impressions = {p.impressions} exceed the catalogue of {len(self.items)} items")

    def _spaces(self):
        a, d = self.items.shape
        self._width = 2 * d + 1 + LAST * d
        most = np.cumsum(np.full(self.params.impressions, 0.1, np.float32))[-1]     # all are liked, summed in float32
        high = np.full(self._width, max(most, np.float32(1.0)), np.float32)
        low = np.zeros(self._width, np.float32)
        low[2 * d + 1:] = -high[2 * d + 1:]
        return gym.spaces.Box(low, high), gym.spaces.Discrete(a)

    def _allocate(self):
        n, a = self.num_envs, len(self.items)
        return {"taste": np.zeros((n, 1 + self.params.taste_dimensions)), "allowed": np.ones((n, a), bool),
                "history": np.zeros((n, self._width), np.float32)}

    def _begin(self, rows):
        state, world = self.state, self.world
        who = self.person(self.user[rows])
        mean, root = world.taste.user_mean[who], world.root[who]
        _draw(self.params.world_seed, self.user[rows], rows, mean, root, state["taste"])
        state["allowed"][rows] = True
        state["history"][rows] = 0.0

    def person(self, user: np.ndarray) -> np.ndarray:
        """The log's user behind each simulated one: ids ``[n]`` -> row numbers of the fitted users."""
        split = np.clip(user // SPLIT_SIZE, 0, len(SPLITS) - 1)
        sizes = np.array([len(group) for group in self.world.groups])
        starts = np.concatenate([[0], np.cumsum(sizes)])[split]
        return np.concatenate(self.world.groups)[starts + user % SPLIT_SIZE % sizes[split]]

    def _advance(self, action, active):
        state, n = self.state, self.num_envs
        reward, expected = np.zeros(n, np.float32), np.zeros(n)
        _step(self.seed, self.user, self.session, self.t, active, action,
              self.world.taste.mu, self.world.taste.item_mean, self.items, self.horizon, state["taste"],
              state["allowed"], state["history"], reward, expected)
        return reward, np.zeros(n, bool), {"expected_reward": expected}

    def _observe(self):
        return self.state["history"].copy()

    def _mask(self):
        return self.state["allowed"].copy()

    def probabilities(self) -> np.ndarray:
        """``[N, A]``: the hidden P(like) of every item now, 0 for what was seen."""
        own, item = self.state["taste"], self.world.taste.item_mean
        logit = self.world.taste.mu + own[:, :1] + item[:, 0] + own[:, 1:] @ item[:, 1:].T
        return np.where(self.state["allowed"], 1.0 / (1.0 + np.exp(-logit)), 0.0)

    def _oracle(self):
        return self.probabilities().argmax(axis=1)

    def log_batch(self, split: str = "train") -> dict[str, Any]:
        """The log's rows of the users of ``split`` as a batch ``[1, rows]``, fields named as in a transition.

        The observation is the history the user would have shown, sessions cut every ``impressions`` rows.
        """
        world, order = self.world, self.log_order(split)
        user, item, like = (world.rows[name][order] for name in ("user", "item", "like"))
        obs = np.zeros((len(order), self._width), np.float32)
        next_obs, last = np.zeros_like(obs), np.zeros(len(order), bool)
        _replay(user, item, like, self.items, self.horizon, obs, next_obs, last)
        return {"obs": obs[None], "action": item[None], "reward": like[None].astype(np.float32),
                "next_obs": next_obs[None], "terminated": np.zeros((1, len(order)), bool), "truncated": last[None],
                "log_prob": (np.log(world.rows["propensity"][order])[None].astype(np.float32) if world.has_propensities
                             else np.full((1, len(order)), np.nan, np.float32))}

    def log_order(self, split: str = "train") -> np.ndarray:
        """The row numbers (of ``world.rows``) that `log_batch` holds: user by user, in time order."""
        rows = np.flatnonzero(np.isin(self.world.rows["user"], self.world.groups[list(SPLITS).index(split)]))
        return rows[np.argsort(self.world.rows["user"][rows], kind="stable")]

    def item_names(self) -> list[str]:
        return self.world.titles

    def describe_items(self, items: np.ndarray) -> list[str]:
        """The names of the 0/1 features that each item has."""
        plain = [n.removeprefix("item_").removeprefix("genre_").replace("_", " ") for n in self.world.feature_names]
        flags = [j for j in range(len(plain)) if set(np.unique(self.items[:, j])) <= {0.0, 1.0}]
        return [", ".join(plain[j] for j in flags if self.items[a, j] > 0.5) for a in items]

    def calibration(self) -> dict[str, Any]:
        """`envs.fitted.taste.calibrate` on this log."""
        rows, p = self.world.rows, self.params
        return taste.calibrate(rows["user"], rows["item"], rows["like"], len(self.world.taste.user_mean),
                               len(self.items), p.taste_dimensions)


@kernel
def _draw(world_seed, user, rows, mean, root, out):
    """Each user's taste: posterior mean + Cholesky factor · standard normals of (world, user)."""
    for k in range(len(rows)):
        key = combine(mix(np.uint64(world_seed)), user[k])
        for a in range(mean.shape[1]):
            value = mean[k, a]
            for b in range(a + 1):
                value += root[k, a, b] * normal(key, 0, TASTE, b)
            out[rows[k], a] = value


@kernel
def _remember(history, feature, liked, t, horizon):
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
def _step(seed, user, session, t, active, action, mu, item, feature, horizon, own, allowed, history, reward, expected):
    """Score → like or skip → memory, for every user who is there."""
    for n in range(len(user)):
        if not active[n]:
            continue
        a = action[n]
        if allowed[n, a]:                                                   # seen before: gives nothing again
            logit = mu + own[n, 0] + item[a, 0]
            for k in range(1, own.shape[1]):
                logit += own[n, k] * item[a, k]
            expected[n] = 1.0 / (1.0 + np.exp(-logit))
        liked = uniform(session_key(seed, user[n], session[n]), t[n], LIKE, 0) < expected[n]
        reward[n] = liked
        allowed[n, a] = False
        _remember(history[n], feature[a], liked, t[n], horizon)


@kernel
def _replay(user, item, like, feature, horizon, obs, next_obs, last):
    """The observations before and after each row of a log that is sorted by user and time."""
    t = 0
    for r in range(len(user)):
        if r == 0 or user[r] != user[r - 1] or t == horizon:
            t = 0
        else:
            obs[r] = next_obs[r - 1]
        next_obs[r] = obs[r]
        _remember(next_obs[r], feature[item[r]], like[r] > 0.5, t, horizon)
        t += 1
        last[r] = t == horizon or r + 1 == len(user) or user[r + 1] != user[r]
