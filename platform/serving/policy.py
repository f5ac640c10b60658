"""A policy outside the simulator: it answers requests and learns from events; no Ray, no environment.

`HashedPolicy` serves the linear policies with hashed features and takes new items at any time; `FixedPolicy` serves
all others, on the items and the observations they were raced with.
"""
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from custom_algos.bandits.core import Bandit
from custom_algos.core import Algorithm, Transition

from .decision import Decision, Event, Refused, new_key

NOT_FEATURES = ("id", "history")                          # of a user


class Policy(ABC):
    """Attributes: ``algorithm``; ``manifest``, what its bundle says; ``notes``, sentences a person should read."""

    open = False                                          # whether items can be added and removed
    audited = False                                       # whether its bits are the same on every processor

    def __init__(self, algorithm: Algorithm, ids: Iterable[str], manifest: dict[str, Any] | None = None,
                 whole: bool = True):
        self.algorithm, self.manifest, self.notes = algorithm, manifest or {}, list[str]()
        self.place = {item: a for a, item in enumerate(ids)}                # id -> place in the catalogue
        self.learns = whole and isinstance(algorithm, Bandit)               # others need whole sessions

    @property
    def items(self) -> list[str]:
        """Ids of the catalogue."""
        return list(self.place)

    def recommend(self, user=None, context=None, candidates=None, k: int = 1, excluded: Collection[str] = (),
                  key: bytes | None = None, explore: bool = True) -> Decision:
        """Choose k of the candidates (None: of the catalogue) for a user; `Refused` says what is wrong with a request.

        ``key`` is the coin of this decision: the same request with the same key gives the same answer.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise Refused(f"k = {k!r} must be a whole number, 1 or more")
        try:
            return self.decide(user, context, candidates, k, excluded, new_key() if key is None else key, explore)
        except Refused:
            raise
        except ValueError as error:
            raise Refused(str(error)) from error

    @abstractmethod
    def decide(self, user, context, candidates, k, excluded, key: bytes, explore: bool) -> Decision:
        """`recommend` with a key."""

    @abstractmethod
    def batch(self, events: list[Event]) -> Transition:
        """Events as a Transition ``[1, n]``, in their order."""

    def learn(self, events) -> dict[str, float]:
        """Learn from events in their order, or from a Transition; the numbers worth plotting."""
        if not self.learns:
            raise Refused(f"{type(self.algorithm).__name__} cannot learn from single events; valid are bandits whose "
                          "bundle holds the learner too")
        if not isinstance(events, Transition):
            if not events:
                return {}
            events = self.batch(list(events))
        return self.algorithm.learn(events)

    def add_items(self, items: list[dict]) -> None:
        """New items ``{"id": …, "features": …}``, or new features of known ones."""
        raise Refused(f"{type(self.algorithm).__name__} has a fixed number of items; valid for items that come and go "
                      "are squarecb, linear_softmax and linear_epsilon_greedy")

    remove_items = add_items

    def state(self) -> dict[str, Any]:
        """A snapshot of all that `load_state` needs to go on bit for bit: arrays and plain values."""
        return {"algorithm": self.algorithm.state_dict() if self.learns else self.algorithm.policy_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        load = self.algorithm.load_state_dict if self.learns else self.algorithm.load_policy_state
        load(state["algorithm"])

    def digest(self) -> str:
        """SHA-256 of what deciding reads, bit by bit."""
        total = hashlib.sha256()
        _feed(total, self.algorithm.policy_state(), "")
        return total.hexdigest()

    def chosen(self, ids: list[str], excluded: Collection[str], k: int) -> np.ndarray:
        """Which candidates may be shown, ``[m]`` bool; `Refused` where that is too few."""
        if not isinstance(excluded, Collection) or isinstance(excluded, str | dict) \
                or not all(isinstance(item, str) for item in excluded):
            raise Refused(f"excluded = {str(excluded)[:80]} must be a list of ids")
        out = set(excluded)
        mask = np.fromiter((item not in out for item in ids), bool, len(ids)) if out else np.ones(len(ids), bool)
        if mask.sum() < k:
            raise Refused(f"{int(mask.sum())} candidates are left of {len(ids)}, and k = {k} are asked for")
        return mask


def split(candidates) -> tuple[list[str], list[Any]]:
    """Candidates -> (ids, their features; None where only the id was given); `Refused` where they are none."""
    if not isinstance(candidates, list | tuple) or not candidates:
        raise Refused("candidates must be a list of ids, or of objects with an id and features, and not empty")
    ids, features = [], []
    for given in candidates:
        item = given.get("id") if isinstance(given, dict) else given
        if not isinstance(item, str) or not item:
            raise Refused(f"candidate {str(given)[:80]}: its id must be a text that is not empty")
        ids.append(item)
        features.append(given.get("features") if isinstance(given, dict) else None)
    if len(set(ids)) < len(ids):
        twice = next(item for i, item in enumerate(ids) if item in ids[:i])
        raise Refused(f"candidate {twice!r} is there twice; each may be there once")
    return ids, features


def _feed(total, tree, name: str) -> None:
    """All of a state into a hash, by name."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            _feed(total, tree[key], f"{name}/{key}")
        return
    part = np.ascontiguousarray(tree)
    total.update(f"{name} {part.dtype} {part.shape}\n".encode())
    total.update(part.tobytes())
