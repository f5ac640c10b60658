"""Users fitted to a real log: who they are, what they like, and what a recommender could learn from them.

A simulated user is a user of the log with a taste drawn from that user's posterior (`envs.fitted.taste`).  A session is
``impressions`` recommendations of one item each; an item that was shown before has been seen and gives nothing again.

| | |
|---|---|
| observation | `observe`: history, Box [2D + 1 + L·D]: Σ features liked / 10, Σ skipped / 10, share over, last L (+ |
|             | liked, − skipped); taste, Box [2 + d]: share over, believed taste (`belief.py`); all: both |
| action | Discrete(A): an item of the catalogue; ``info["action_mask"]`` holds those not yet seen |
| reward | 1 when the user likes the item, else 0 |
| end | truncated after ``impressions`` steps; nobody leaves |
| truth in ``info`` | expected_reward: P(like) of what was shown, 0 for an item seen before |

Training, validation and test users come from disjoint parts of the log's users, by ranges of ids
(`envs.engine.vector.SPLITS`).
Source of the default log: MovieLens latest-small (Harper & Konstan 2015), like = a rating of 4 or more.
"""
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from ..engine.knows import FromLog, Knows, Names, Observer
from ..engine.params import rules
from ..engine.vector import SPLIT_SIZE, SPLITS, VectorEnv
from . import taste
from .belief import Model, item_vectors, model_of, replay_beliefs, update_beliefs
from .observing import together
from .user import VIEWS, Catalogue, Out, Params, Prior, Rules, State, begin_users, replay, step_users
from .world import load_model, load_world

LAST = 3                                          # L: items of the recent past in the observation


class Logged(VectorEnv):
    """Attributes: ``items [A, D]``; ``world``, what the log says (`envs.fitted.world`)."""

    Params = Params
    items: np.ndarray
    model: Model | None

    def _build(self):
        p = self.params
        columns = tuple((p.columns or {}).items())
        if bad := [pair for pair in columns if not all(isinstance(name, str) for name in pair)]:
            raise ValueError(f"parameter 'columns': {bad[0][0]!r}: {bad[0][1]!r} must be a name of the schema and a "
                             "name in the log, both text")
        key = p.path, p.min_item_rows, p.taste_dimensions, p.world_seed, columns, p.like, p.as_values
        self.world, self.horizon, self.rules = load_world(*key), p.impressions, rules(Rules, p)
        self.items, self.model = self.world.items, None
        if p.observe != "history":
            self.model = load_model(*key) if p.items_by == "training" else model_of(self.world.taste)
            # learners see the items as the belief knows them
            self.items = np.hstack([*([self.items] if p.observe == "all" else []), item_vectors(self.model)])
        self.catalogue = Catalogue(self.world.taste.mu, self.world.taste.item_mean, self.world.items)
        if p.impressions > len(self.items):
            raise ValueError(f"impressions = {p.impressions} exceed the catalogue of {len(self.items)} items")

    def _spaces(self):
        a, d = self.world.items.shape
        self._width = 2 * d + 1 + LAST * d
        most = np.cumsum(np.full(self.params.impressions, 0.1, np.float32))[-1]     # all are liked, summed in float32
        high = np.full(self._width, max(most, np.float32(1.0)), np.float32)
        low = np.zeros(self._width, np.float32)
        low[2 * d + 1:] = -high[2 * d + 1:]
        if self.model:
            first = 1 if self.params.observe == "taste" else len(low)
            ends = (np.full(len(self.model.mean), sign * np.inf, np.float32) for sign in (-1, 1))
            low, high = (np.concatenate([bound[:first] if first > 1 else bound[2 * d:2 * d + 1], end])
                         for bound, end in zip((low, high), ends, strict=True))
        return gym.spaces.Box(low, high), gym.spaces.Discrete(a)

    def _allocate(self):
        n, a, size = self.num_envs, len(self.items), 1 + self.params.taste_dimensions if self.model else 0
        return State(taste=np.zeros((n, 1 + self.params.taste_dimensions)), allowed=np.ones((n, a), bool),
                     history=np.zeros((n, self._width), np.float32), mean=np.zeros((n, size)),
                     cov=np.zeros((n, size, size)))

    def _begin(self, rows):
        person = self.person(self.user[rows])
        prior = Prior(self.world.taste.user_mean[person], self.world.root[person])
        self.run(begin_users, rows, self.rules, self.who(), prior, self.state)
        if self.model:
            self.state.mean[rows], self.state.cov[rows] = self.model.mean, self.model.cov

    def person(self, user: np.ndarray) -> np.ndarray:
        """The log's user behind each simulated one: ids ``[n]`` -> row numbers of the fitted users."""
        split = np.clip(user // SPLIT_SIZE, 0, len(SPLITS) - 1)
        sizes = np.array([len(group) for group in self.world.groups])
        starts = np.concatenate([[0], np.cumsum(sizes)])[split]
        return np.concatenate(self.world.groups)[starts + user % SPLIT_SIZE % sizes[split]]

    def _advance(self, action, active):
        out = Out(np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs))
        fresh = self.state.allowed[np.arange(self.num_envs), action] if self.model else None
        self.run(step_users, action, active, self.rules, self.catalogue, self.who(), self.state, out)
        if self.model:
            self.run(update_beliefs, action, active, fresh, out.reward, self.model, self.state.mean, self.state.cov)
        return out.reward, np.zeros(self.num_envs, bool), {"expected_reward": out.expected}

    def _observe(self):
        over = self.state.history[:, 2 * self.world.items.shape[1]]
        return together(self.params.observe, self.state.history.copy(), self.state.mean, over)

    def _mask(self):
        return self.state.allowed.copy()

    def probabilities(self) -> np.ndarray:
        """``[N, A]``: the hidden P(like) of every item now, 0 for what was seen."""
        own, item = self.state.taste, self.catalogue.taste
        logit = self.catalogue.mu + own[:, :1] + item[:, 0] + own[:, 1:] @ item[:, 1:].T
        return np.where(self.state.allowed, 1.0 / (1.0 + np.exp(-logit)), 0.0)

    def _oracle(self):
        return self.probabilities().argmax(axis=1)

    def knows(self) -> Knows:
        numbers = {"items": self.world.items, "width": np.array(self._width), "impressions": np.array(self.horizon),
                   "observe": np.array(VIEWS.index(self.params.observe))}
        if self.model:
            numbers |= {name: np.asarray(part) for name, part in self.model._asdict().items()}
        observer = Observer("envs.fitted.observing:observe", numbers)
        return replace(super().knows(), names=Names(self.item_names, self.describe_items, self.item_ids),
                       calibration=self.calibration, observer=observer,
                       log=FromLog(self.log_batch, self.log_order, self.world, self.person, self.rankings))

    def rankings(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """``best fixed``: by mean P(like) over the training users; ``believed``: by what is believed of this user."""
        like, items = self.world.taste.probability, np.arange(len(self.items))
        shared = np.mean([like(np.full(len(items), user), items) for user in self.world.groups[0]], axis=0)
        found = {"best fixed": (shared, np.zeros((gym.spaces.flatdim(self.single_observation_space), len(items))))}
        if self.model:
            weight = np.zeros_like(found["best fixed"][1])
            weight[-self.model.item.shape[1] + 1:] = self.model.item[:, 1:].T
            found["believed"] = self.model.item[:, 0], weight
        return found

    def log_batch(self, split: str = "train") -> dict[str, Any]:
        """The log's rows of the users of ``split`` as a batch ``[1, rows]``, fields named as in a transition.

        The observation is the history the user would have shown, sessions cut every ``impressions`` rows.
        """
        world, order = self.world, self.log_order(split)
        user, item, like = (world.rows[name][order] for name in ("user", "item", "like"))
        obs = np.zeros((len(order), self._width), np.float32)
        next_obs, last = np.zeros_like(obs), np.zeros(len(order), bool)
        replay(user, item, like, world.items, self.horizon, obs, next_obs, last)
        if self.model:
            before, after = np.zeros((2, len(order), len(self.model.mean)))
            replay_beliefs(user, item, like, self.model, self.horizon, before, after)
            over = 2 * world.items.shape[1]
            obs, next_obs = (together(self.params.observe, part, mean, part[:, over])
                             for part, mean in ((obs, before), (next_obs, after)))
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

    def item_ids(self) -> list[str]:
        return [str(item) for item in self.world.item_ids]

    def describe_items(self, items: np.ndarray) -> list[str]:
        """The names of the 0/1 features that each item has."""
        plain = [n.removeprefix("item_").removeprefix("genre_").replace("_", " ") for n in self.world.feature_names]
        of = self.world.items
        flags = [j for j in range(len(plain)) if set(np.unique(of[:, j])) <= {0.0, 1.0}]
        return [", ".join(plain[j] for j in flags if of[a, j] > 0.5) for a in items]

    def calibration(self) -> dict[str, Any]:
        """`envs.fitted.taste.calibrate` on this log."""
        rows, p = self.world.rows, self.params
        return taste.calibrate(rows["user"], rows["item"], rows["like"], len(self.world.taste.user_mean),
                               len(self.items), p.taste_dimensions)
