r"""One online linear model of rewards over hashed, crossed features, and exact chances of every action.

    ŷ(x, a) = w · φ(x × a),   p(a | x) = (1 − ε) π(gaps) + ε / K,   gap_a = (max ŷ − ŷ_a) / (highest − lowest reward)

A subclass says π, the spread of chances over gaps.  What is known of the user is crossed with what is known of the
action (`parts/hashing.py`), weights follow by normalised adaptive gradient descent, row by row in the order of events
(`parts/online.py`).  Deciding and learning take no library function that differs between processors: the same events
give the same bits everywhere, and a batch of one gives those of the same row in a batch.

| observation | context | actions |
|---|---|---|
| any that `flat_obs` flattens | its numbers | the catalogue: item's number (one-hot) and features ``items [A, D]`` |
| ``[N, A, D]``, or a dict with ``candidates [N, m, D]`` | all other keys | these features |
| dict with ids ``candidates [N, m]`` | all other keys | the catalogue's rows |
| dict with the keys of `REQUEST` | hashed JSON | hashed JSON: any number of actions a row, filled up |
"""
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from ..parts import exact
from ..parts.hashing import ONE, Actions, Sparse, actions_of, key_of, numbered, padded
from ..parts.online import Table, regress, score
from ..parts.params import param
from ..parts.spaces import batch_size, flat_obs, flat_size
from .core import Bandit, BanditConfig

KEYS, VALUES = (0, 2**64 - 1, (1,), np.uint64), (-np.inf, np.inf, (1,), np.float64)
REQUEST = spaces.Dict({"context_keys": spaces.Box(*KEYS), "context_values": spaces.Box(*VALUES),       # [N, C]
                       "action_keys": spaces.Box(*KEYS), "action_values": spaces.Box(*VALUES)})         # [N, m, F]
CONTEXT, ACTION = "context", "action"                                       # the two namespaces


@dataclass(frozen=True)
class HashedConfig(BanditConfig):
    bits: int = param(18, 4, 28)
    """b: the table has 2^b weights."""
    learning_rate: float = param(0.2, above=0)
    """η of the normalised adaptive gradient."""
    use_ids: bool = True
    """Whether an item's number is one of its features."""
    weighting: str = param("none", choices=("none", "inverse"))
    """Importance of a row: none (1), or inverse (1 / its propensity, Bietti, Agarwal & Langford 2021)."""
    most_weight: float = param(100.0, 1)
    """Inverse propensities count at most this much."""
    epsilon: float = param(0.0, 0, 1)
    """Exploration floor: the share of decisions that are uniform over the allowed actions."""


class HashedLinear(Bandit):
    """Attributes: ``weights [R, 2^b]``; ``totals [R, 2]``, rows learnt from and their size; ``reward_range [R, 2]``."""

    Config: ClassVar[type] = HashedConfig
    looks = True
    policy_arrays = ("weights", "totals", "reward_range")
    learner_arrays = ("squares", "scale")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        r, size = self.replications, 2**self.config.bits
        self.shift = np.uint64(64 - self.config.bits)
        self.weights, self.squares, self.scale = (np.zeros((r, size)) for _ in range(3))
        self.totals, self.reward_range = np.zeros((r, 2)), np.tile([np.inf, -np.inf], (r, 1))
        parts: dict[str, Any] = obs_space.spaces if isinstance(obs_space, spaces.Dict) else {}
        request = "action_keys" in parts
        self.user_keys = [key for key in parts if key != "candidates"]
        self.per_step = isinstance(obs_space, spaces.Box) and len(obs_space.shape) == 2 \
            and obs_space.shape[0] == self.actions
        known = 0 if self.per_step or request else sum(flat_size(parts[key]) for key in self.user_keys) if parts \
            else flat_size(obs_space)
        self.context_keys = np.concatenate([[ONE], numbered(CONTEXT, known)]).astype(np.uint64)           # [1 + H]
        shown = parts.get("candidates", obs_space if self.per_step else None)
        width = 0 if shown is None or len(shown.shape) != 2 else shown.shape[1]
        by_features = width > 0
        self.candidate_keys = numbered(ACTION, width) if by_features else None
        count = 0 if request or by_features else self.actions if shown is None else 0 if items is None else len(items)
        rows = [_item(a, items, self.config.use_ids) for a in range(count)]
        keys, values = padded(rows)
        self.listed = keys[None], values[None]                                                            # [1, A, F]
        self.catalogue = actions_of(rows, shared=True) if shown is None and not request else None
        self.blind = self.catalogue is not None and len(self.catalogue.keys) == 0

    # what is seen -------------------------------------------------------------------------------------------------
    def context(self, obs) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values) of N contexts, each ``[N, C]``; the first is the constant."""
        n = batch_size(obs)
        if _hashed(obs):
            return (np.concatenate([np.full((n, 1), ONE), obs["context_keys"]], axis=1, dtype=np.uint64),
                    np.concatenate([np.ones((n, 1)), obs["context_values"]], axis=1, dtype=np.float64))
        seen = [flat_obs(obs[key], self.obs_space[key]) for key in self.user_keys] if isinstance(obs, dict) else \
            [] if self.per_step else [flat_obs(obs, self.obs_space)]
        return (np.repeat(self.context_keys[None], n, axis=0),
                np.concatenate([np.ones((n, 1)), *seen], axis=1, dtype=np.float64))

    def shown(self, obs) -> tuple[np.ndarray, np.ndarray]:
        """(keys, values) of the features of every action, each ``[N, m, F]``, or ``[1, A, F]``: the catalogue."""
        if _hashed(obs):
            return obs["action_keys"], obs["action_values"]
        shown = obs["candidates"] if isinstance(obs, dict) and "candidates" in obs else obs if self.per_step else None
        if shown is None:
            return self.listed
        if self.candidate_keys is None:
            return self.listed[0][0, shown], self.listed[1][0, shown]
        return np.broadcast_to(self.candidate_keys, shown.shape), np.asarray(shown, np.float64)

    def scores(self, obs) -> np.ndarray:
        """ŷ of every action, ``[N, A]``."""
        keys, values = self.context(obs)
        n, share = len(keys), self.share(len(keys))
        if self.catalogue is not None and not _hashed(obs):
            return self.values_of(keys, values, self.catalogue)
        action_keys, action_values = self.shown(obs)
        _, m, width = action_keys.shape
        start, out = np.arange(m + 1) * width, np.empty((n, m))
        which, folded = np.arange(m * width), np.empty(m * width)
        for i in range(n):
            actions = Actions(action_keys[i].reshape(-1), start, which, action_values[i].reshape(-1))
            table = self.weights[i // share:i // share + 1]
            score(table, self.shift, 1, keys[i:i + 1], values[i:i + 1], actions, folded, out[i:i + 1])
        return out

    def values_of(self, keys, values, actions: Actions) -> np.ndarray:
        """ŷ ``[N, A]`` for contexts ``[N, C]`` (the constant among them) and actions that all of them share."""
        out = np.empty((len(keys), len(actions.start) - 1))
        score(self.weights, self.shift, self.share(len(keys)), keys, values, actions, np.empty(len(actions.keys)), out)
        return out

    # acting -------------------------------------------------------------------------------------------------------
    def act(self, obs, rng, explore=True, mask=None):
        prob = self.probabilities(self.scores(obs), explore, mask)
        return self.sample(prob, len(prob), rng, mask)

    def action_values(self, obs):
        return self.scores(obs)

    def probabilities(self, scores: np.ndarray, explore: bool = True, mask: np.ndarray | None = None) -> np.ndarray:
        """The exact chance of every action, ``[N, A]``; 0 where ``mask`` forbids it.  Equals share what is greedy."""
        if mask is None:
            mask = np.ones(scores.shape, bool)
        scores = np.where(mask, scores, -np.inf)
        top, count = scores.max(axis=1, keepdims=True), mask.sum(axis=1, keepdims=True)                   # [N, 1]
        if not explore:
            best = scores == top
            return best / best.sum(axis=1, keepdims=True)
        learner = np.arange(len(scores)) // self.share(len(scores))
        width = self.reward_range[:, 1] - self.reward_range[:, 0]                                         # [R]
        width = np.where(width > 0.0, width, 1.0)[learner, None]
        prob = self.spread((top - scores) / width, count, self.totals[learner, :1])
        if self.config.epsilon > 0.0:
            prob = np.where(mask, (1.0 - self.config.epsilon) * prob + self.config.epsilon / count, 0.0)
        return prob

    def spread(self, gaps, count, seen) -> np.ndarray:
        """π ``[N, A]`` for ``gaps [N, A]``, infinite where forbidden: ``count [N, 1]`` are not; ``seen [N, 1]`` rows
        were learnt from."""
        raise NotImplementedError

    # learning -----------------------------------------------------------------------------------------------------
    def update(self, rows):
        keys, values = self.context(rows.obs)
        row = np.arange(len(keys)) if (shown := self.shown(rows.obs))[0].shape[0] == len(keys) else 0
        chosen_keys, chosen_values = (part[row, rows.action] for part in shown)                           # [M, F]
        one = np.ones((len(keys), 1))
        chosen_keys = np.concatenate([np.full((len(keys), 1), ONE), chosen_keys], axis=1, dtype=np.uint64)
        chosen_values = np.concatenate([one, chosen_values], axis=1)
        weight = np.ones(len(keys))
        if self.config.weighting == "inverse":
            known = np.where(np.isnan(rows.log_prob), 0.0, rows.log_prob)
            weight = np.minimum(exact.exp(-known.astype(np.float64)), self.config.most_weight)
        reward = rows.reward.astype(np.float64)
        np.minimum.at(self.reward_range[:, 0], rows.learner, reward)
        np.maximum.at(self.reward_range[:, 1], rows.learner, reward)
        table = Table(self.weights, self.squares, self.scale, self.totals)
        error = regress(table, self.shift, rows.learner, keys, values, chosen_keys, chosen_values, reward, weight,
                        self.config.learning_rate)
        return {"squared_error": float(error)}


def _hashed(obs) -> bool:
    """Whether an observation is one of `REQUEST`: any of these algorithms takes it, whatever it was built for."""
    return isinstance(obs, dict) and "action_keys" in obs


def _item(a: int, items, use_ids: bool) -> Sparse:
    """Features of item a of the catalogue: its number, and its row of ``items [A, D]``."""
    keys = [key_of("id", "=", a)] if use_ids else []
    values = [1.0] * len(keys)
    if items is not None:
        keys += numbered(ACTION, len(items[a])).tolist()
        values += [float(value) for value in items[a]]
    return Sparse(np.array(keys, np.uint64), np.array(values, np.float64))
