"""Features of any kind as numbered places of one table: hashed names, crossed context × action.

A feature is a (key, value): the key is 64 bits of MurmurHash3 of its namespace and name (Weinberger et al. 2009,
"Feature hashing for large scale multitask learning"), so nobody keeps a list of names.  Text is one-hot: its key holds
the text, its value is 1.  A weight belongs to a pair of a context key and an action key: `online.cross` tells its place
in a table of 2^b.  The constant `ONE` stands on both sides, so plain features are pairs too.

Server and learner both call `features`, and arrays that come from elsewhere are named here in the same way.
"""
import functools
import math
from typing import Any, NamedTuple

import mmh3
import numpy as np

ONE = np.uint64(0x9E3779B97F4A7C15)                                         # the key of the constant
SEPARATOR = "\x1f"                                                          # between the parts of a name


class Sparse(NamedTuple):
    """Features of one context or of one action."""

    keys: np.ndarray               # [F] uint64
    values: np.ndarray             # [F] float64


class Actions(NamedTuple):
    """Features of A actions, row by row; what several share is computed once."""

    keys: np.ndarray               # [U] uint64
    start: np.ndarray              # [A + 1] int64: action a has the entries start[a] … start[a + 1] − 1
    which: np.ndarray              # [E] int64: place of the entry's key in `keys`
    values: np.ndarray             # [E] float64


@functools.lru_cache(maxsize=2**16, typed=True)                             # the same names come again and again
def key_of(*parts) -> int:
    """64 bits for a name of several parts."""
    return mmh3.hash64(SEPARATOR.join(map(str, parts)).encode("utf-8", "surrogatepass"), signed=False)[0]


def features(given: Any, *, first: tuple[int, ...] = ()) -> Sparse:
    """JSON features -> (keys, values), ordered by key (the order of a JSON object means nothing), after the keys
    ``first``, whose value is 1.

    A name is the path to its value; text and null are one-hot, true is 1 and false 0, numbers are values, a list holds
    numbers by their place or any other things by what they are; names that begin with ``_`` are left out
    (Personalizer's rules).  ValueError names a number that is not finite.
    """
    pairs: list[tuple[int, float]] = []
    _walk(given, (), pairs)
    pairs.sort()
    return Sparse(np.array([*first, *[key for key, _ in pairs]], np.uint64),
                  np.array([*[1.0] * len(first), *[value for _, value in pairs]], np.float64))


def _walk(given, path: tuple, pairs: list[tuple[int, float]]) -> None:
    if isinstance(given, str):
        pairs.append((key_of(*path, "=", given), 1.0))
    elif isinstance(given, int | float):
        if not -math.inf < given < math.inf or abs(given) > 1e300:
            raise ValueError(f"feature {'/'.join(map(str, path))} = {str(given)[:40]} must be a finite number")
        if given:
            pairs.append((key_of(*path), float(given)))
    elif isinstance(given, dict):
        for name, inner in given.items():
            if not str(name).startswith("_"):
                _walk(inner, (*path, name), pairs)
    elif isinstance(given, list | tuple):
        for i, inner in enumerate(given):
            number = isinstance(inner, int | float) and not isinstance(inner, bool)
            _walk(inner, (*path, i) if number else path, pairs)
    else:
        pairs.append((key_of(*path, "=", "null" if given is None else given), 1.0))


def numbered(name: str, count: int) -> np.ndarray:
    """The keys ``[count]`` of the entries of an array: those of a list in JSON below ``name``."""
    return np.array([key_of(name, i) for i in range(count)], np.uint64)


def actions_of(rows: list[Sparse], shared: bool = False) -> Actions:
    """Actions from their features; ``shared``: keys that several have are found and computed once (a catalogue)."""
    keys = np.concatenate([row.keys for row in rows]) if rows else np.zeros(0, np.uint64)
    values = np.concatenate([row.values for row in rows]) if rows else np.zeros(0)
    start = np.concatenate([[0], np.cumsum([len(row.keys) for row in rows])]).astype(np.int64)
    if not shared:
        return Actions(keys, start, np.arange(len(keys)), values)
    found, which = np.unique(keys, return_inverse=True)
    return Actions(found, start, which.astype(np.int64), values)


def padded(rows: list[Sparse]) -> tuple[np.ndarray, np.ndarray]:
    """(keys, values), each ``[N, F]``: rows of different length filled up with values 0, which change nothing."""
    width = max((len(row.keys) for row in rows), default=0)
    keys, values = np.zeros((len(rows), width), np.uint64), np.zeros((len(rows), width))
    for n, row in enumerate(rows):
        keys[n, :len(row.keys)], values[n, :len(row.keys)] = row
    return keys, values
