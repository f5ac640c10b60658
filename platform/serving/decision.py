"""What a served policy says and hears, and the coins of a decision: a keyed hash in, uniform numbers out."""
import hashlib
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np


class Refused(ValueError):
    """A request, a bundle or a file that cannot be taken; the message says what is wrong and what would be right."""


class Item(NamedTuple):
    id: str
    propensity: float | None       # the chance of it in its slot, given the slots before; None: not known


class Decision(NamedTuple):
    items: tuple[Item, ...]        # [k], the best place first
    propensity: float | None       # the chance of the whole slate in its order
    candidates: list[str]          # [m] ids in the order of the request
    probabilities: np.ndarray | None     # [m] float64: every candidate's chance in the first slot, 0 where excluded
    scores: np.ndarray | None      # [m] float64: predicted rewards
    explored: bool | None          # whether the first item is not among the best by prediction; None: not known


class Event(NamedTuple):
    """One slot of a decision and what came of it: what a served policy learns from."""

    user: Any
    context: Any
    candidates: list | None        # the chosen one is enough
    action: str                    # id of the item that was shown
    reward: float
    propensity: float | None = None
    excluded: Collection[str] = ()


def new_key() -> bytes:
    """The coin of a decision that nobody has to repeat."""
    return secrets.token_bytes(32)


def uniform(key: bytes, slot: int) -> float:
    """A number in [0, 1) for a slot of the decision: 53 bits of BLAKE2b."""
    return (int.from_bytes(_hash(key, slot, 8), "big") >> 11) * 2.0**-53


def generator(key: bytes, slot: int) -> np.random.Generator:
    """A generator for a slot of the decision, for policies that draw more than one number."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_hash(key, slot, 16), "big")))


def walk(prob: np.ndarray, coin: float) -> int:
    """The first place at which the sum of ``prob [m]`` passes ``coin``, of which rounding makes no other."""
    passed = prob.cumsum()
    place = int(np.searchsorted(passed, coin * passed[-1], side="right"))
    return place if place < len(prob) and prob[place] > 0.0 else int(np.flatnonzero(prob)[-1])


def _hash(key: bytes, slot: int, size: int) -> bytes:
    return hashlib.blake2b(key, digest_size=size, salt=slot.to_bytes(16, "big")).digest()
