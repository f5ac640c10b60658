"""Serving every other policy: the items and the observations that it was raced with."""
from typing import Any

import numpy as np
from gymnasium import spaces

from custom_algos.core import Transition, tree_map

from .decision import Decision, Event, Item, Refused, generator
from .observation import Observing
from .policy import Policy, split


class FixedPolicy(Policy):
    """An action is an item of the catalogue, a candidate of the request (where observations hold candidates), or a
    slate of the catalogue's items."""

    def __init__(self, algorithm, ids, manifest=None, whole=True):
        super().__init__(algorithm, ids, manifest, whole)
        space = algorithm.action_space
        self.slate = len(space.nvec) if isinstance(space, spaces.MultiDiscrete) else 1
        parts = getattr(algorithm.obs_space, "spaces", {})
        self.shows = parts.get("candidates") if isinstance(parts, dict) else None
        self.observing = Observing(algorithm.obs_space, self.place, self.manifest.get("observer"),
                                   self.manifest.get("numbers"))

    def decide(self, user, context, candidates, k, excluded, key, explore):
        obs, ids, left = self.observed(user, context, candidates)
        allowed = self.allowed(ids, candidates, excluded, k, left)
        if self.slate > 1:
            return self._slate(obs, ids, k, allowed, key, explore)
        items, left = [], allowed
        total: float | None = 1.0
        for slot in range(k):
            action, log_prob = self.algorithm.act(obs, generator(key, slot), explore, left[None])
            chance = _chance(log_prob)
            items.append(Item(ids[action[0]], chance))
            total = None if chance is None or total is None else total * chance
            left = left.copy()
            left[action[0]] = False
        return Decision(tuple(items), total, ids, None, *self._judged(obs, ids.index(items[0].id), allowed))

    def _slate(self, obs, ids, k, allowed, key, explore) -> Decision:
        if k > self.slate:
            raise Refused(f"k = {k}: this policy fills {self.slate} places")
        if not allowed.all() and allowed.sum() < self.slate:
            raise Refused(f"{int(allowed.sum())} candidates are left, and this policy fills {self.slate} places")
        mask = None if allowed.all() else allowed[None]
        action, log_prob = self.algorithm.act(obs, generator(key, 0), explore, mask)
        items = tuple(Item(ids[a], None) for a in action[0, :k])
        return Decision(items, _chance(log_prob) if k == self.slate else None, ids, None, None, None)

    def _judged(self, obs, first: int, allowed) -> tuple[np.ndarray | None, bool | None]:
        """(values ``[m]``, whether the first item is not the best by them)."""
        values = self.algorithm.action_values(obs)
        if values is None:
            return None, None
        row = np.asarray(values[0], np.float64)
        return row, bool(row[first] < row[allowed].max())

    def observed(self, user, context, candidates) -> tuple[Any, list[str], np.ndarray | None]:
        """(observation ``[1, …]``, ids that actions stand for, which of them the user's history leaves)."""
        if self.shows is None:
            seen = self.observing(user, context)
            return seen.obs, self.items, seen.allowed
        if candidates is None:
            raise Refused("candidates are missing: this policy chooses among those of the request")
        ids, features = split(candidates)
        if len(ids) != self.shows.shape[0]:
            raise Refused(f"{len(ids)} candidates: this policy was raced with {self.shows.shape[0]}")
        shown = [self.number(item) for item in ids] if len(self.shows.shape) == 1 else features
        if not isinstance(context, dict | None):
            raise Refused(f"context = {str(context)[:80]} must be an object: all but the candidates")
        return self.observing(user, {**(context or {}), "candidates": shown}).obs, ids, None

    def number(self, item: str) -> int:
        """The place of an item in the catalogue."""
        if item not in self.place:
            raise Refused(f"item {item!r} is not among the {len(self.place)} items that this policy was raced with")
        return self.place[item]

    def allowed(self, ids, candidates, excluded, k, left: np.ndarray | None) -> np.ndarray:
        """Which of the ids may be shown, ``[m]`` bool; ``left [m]``: what the user's history leaves."""
        mask = self.chosen(ids, excluded, k)
        if left is not None:
            mask &= left
        if candidates is not None and self.shows is None:
            asked = np.zeros(len(ids), bool)
            asked[[self.number(item) for item in split(candidates)[0]]] = True
            mask &= asked
        if mask.sum() < k:
            raise Refused(f"{int(mask.sum())} candidates are left of {len(ids)}, and k = {k} are asked for")
        return mask

    def batch(self, events: list[Event]) -> Transition:
        seen, actions = [], []
        for event in events:
            obs, ids, _ = self.observed(event.user, event.context, event.candidates)
            if event.action not in ids:
                raise Refused(f"item {event.action!r} is not among those that this policy knows")
            seen.append(obs)
            actions.append(ids.index(event.action))
        obs, n = tree_map(lambda *parts: np.concatenate(parts)[None], *seen), len(events)
        chance = np.array([np.nan if event.propensity is None else event.propensity for event in events])
        reward, ends = np.array([[event.reward for event in events]], np.float32), np.ones((1, n), bool)
        return Transition(obs, np.array([actions], np.int64), reward, obs, ends, ~ends,
                          np.log(chance)[None].astype(np.float32))


def _chance(log_prob: np.ndarray) -> float | None:
    return None if np.isnan(log_prob[0]) else float(np.exp(np.float64(log_prob[0])))
