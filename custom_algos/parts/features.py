"""What a linear model sees of (user, item): a context x of the user and features f of the item.

A *shared* model scores with φ(s, a) = f_a ⊗ x, one set of weights for all items; a *disjoint* model scores with
φ(s, a) = x and one set of weights per item (Li, Chu, Langford & Schapire 2010).  Both are linear in x for a given item,
so a quadratic form φ'Mφ is a sum over pairs j ≤ k of entries of x (and of f): `pairs.py` makes those products, and
what would be a D·H dimensional product per user and item becomes two small matrix products for the whole batch.

| observation | items | x | f |
|---|---|---|---|
| ``[N, H]`` or a user type ``[N]`` (one-hot) | ``[A, D]`` given | [1, h] | ``items [A, D]`` |
| the same | none | [1, h] | none: disjoint |
| ``[N, A, D]`` (an action's features) | any | [1] | ``[N, A, D]`` |
| dict with ``candidates [N, m, D]``, or ids ``[N, m]`` | ids: given | [1, all other keys] | ``[N, m, D]`` |
"""
from typing import Any

import numpy as np
from gymnasium import spaces

from .spaces import batch_size, flat_obs, flat_size

PLAIN = spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary     # numbers as they are; all others as `flat_obs`


class Design:
    """Attributes: ``contexts`` H (length of x), ``features`` D (0: disjoint), ``items [A, D]`` or None,
    ``blind``."""

    def __init__(self, obs_space, actions: int, items=None, model: str = "auto", max_weights: int = 900):
        self.obs_space, self.actions = obs_space, actions
        self.items: np.ndarray | None = None
        parts: dict[str, Any] = obs_space.spaces if isinstance(obs_space, spaces.Dict) else {"obs": obs_space}
        self.user_keys = sorted(key for key in parts if key != "candidates")
        self.per_step = "candidates" in parts or (isinstance(obs_space, PLAIN) and len(obs_space.shape) == 2
                                                  and obs_space.shape[0] == actions)
        whole = self.per_step and "candidates" not in parts             # the observation is the actions' features
        self.contexts = 1 + (0 if whole else sum(_width(parts[key]) for key in self.user_keys))
        shared = model == "shared" or (model == "auto" and (self.per_step or items is not None))
        if not shared and "candidates" in parts:
            raise ValueError("model = 'disjoint' needs actions that keep their meaning; this step's candidates do not")
        self.ids = "candidates" in parts and len(parts["candidates"].shape) == 1
        if shared and items is None and (self.ids or not self.per_step):
            raise ValueError("model = 'shared' needs the items' features [A, D]: pass items=, or 'candidates' [m, D]")
        if not shared:
            self.features, self.per_step = 0, False
            self.contexts += int(np.prod(obs_space.shape)) if whole else 0
        elif self.per_step and not self.ids:
            self.features = (obs_space if whole else parts["candidates"]).shape[-1]
        else:
            self.items = _leading(np.asarray(items, np.float64), max(max_weights // self.contexts, 1))
            self.features = self.items.shape[1]
        self.shared = shared
        self.blind = self.items is not None and bool((self.items == self.items[0]).all())   # all items look the same

    def context(self, obs) -> np.ndarray:
        """x ``[N, H]``: a constant and everything known of the user."""
        n = batch_size(obs)
        if self.shared and self.per_step and not isinstance(obs, dict):
            return np.ones((n, 1))
        parts = [obs[key] for key in self.user_keys] if isinstance(obs, dict) else [obs]
        space = [self.obs_space[key] for key in self.user_keys] if isinstance(obs, dict) else [self.obs_space]
        columns = [np.reshape(p, (n, -1)) if isinstance(s, PLAIN) else flat_obs(p, s)
                   for s, p in zip(space, parts, strict=True)]
        return np.concatenate([np.ones((n, 1)), *columns], axis=1, dtype=np.float64)

    def item_features(self, obs) -> np.ndarray | None:
        """f ``[A, D]`` of the catalogue, ``[N, m, D]`` of this step's candidates, or None (disjoint)."""
        if not self.per_step:
            return self.items
        shown = obs["candidates"] if isinstance(obs, dict) else obs
        return self.items[shown] if self.ids and self.items is not None else np.asarray(shown, np.float64)

    def chosen(self, obs, action) -> np.ndarray | None:
        """f ``[M, D]`` of the chosen actions ``[M]``; None where models are disjoint."""
        f = self.item_features(obs)
        if f is None:
            return None
        return f[np.arange(len(action)), action] if f.ndim == 3 else f[action]


def _width(space) -> int:
    return int(np.prod(space.shape)) if isinstance(space, PLAIN) else flat_size(space)


def _leading(items: np.ndarray, most: int) -> np.ndarray:
    """``items [A, D]``, or its coordinates in its ``most`` leading singular directions when D is larger."""
    if items.shape[1] <= most:
        return items
    u, s, vt = np.linalg.svd(items, full_matrices=False)
    turn = np.sign(vt[np.arange(len(vt)), np.abs(vt).argmax(axis=1)])       # fixes the arbitrary sign of a direction
    return (u * s * turn)[:, :most]
