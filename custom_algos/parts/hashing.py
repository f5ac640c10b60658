"""Features of any kind as numbered places of one table: hashed names, crossed context × action.

A feature is a (key, value): the key is 64 bits of MurmurHash3 of its namespace and name (Weinberger et al. 2009,
"Feature hashing for large scale multitask learning"), so nobody keeps a list of names.  Text is one-hot: its key holds
the text, its value is 1.  A weight belongs to a pair of a context key and an action key: `online.cross` tells its place
in a table of 2^b.  The constant `ONE` stands on both sides, so plain features are pairs too.

Server and learner both call `features`, and arrays that come from elsewhere are named here in the same way.
"""
import functools
from typing import Any, NamedTuple

import mmh3
import numpy as np

ONE = np.uint64(0x9E3779B97F4A7C15)                                         # the key of the constant
LARGEST = 1e12                                                              # products of two stay far from overflow
DEEPEST = 16                                                                # levels of objects and lists
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
    (Personalizer's rules).  ValueError names what is no feature, a number beyond `LARGEST` and too deep a nest.
    """
    found = _found(given)
    found.sort()
    return Sparse(np.array([*first, *[key for key, _, _ in found]], np.uint64),
                  np.array([*[1.0] * len(first), *[value for _, value, _ in found]], np.float64))


def names_of(given: Any) -> dict[int, str]:
    """{key: name} of the same features, as a person reads them: ``user/town=Bergen``."""
    return {key: "/".join(map(str, name)).replace("/=/", "=") for key, _, name in _found(given)}


def _found(given) -> list[tuple[int, float, tuple]]:
    pairs: list[tuple[int, float, tuple]] = []
    _walk(given, (), 0, pairs)
    return pairs


def _walk(given, path: tuple, depth: int, pairs: list[tuple[int, float, tuple]]) -> None:
    if isinstance(given, str):
        name = (*path, "=", given)
        pairs.append((key_of(*name), 1.0, name))
    elif isinstance(given, int | float):
        if not -LARGEST <= given <= LARGEST:
            raise ValueError(f"feature {_said(path)} must be a number between −{LARGEST:g} and {LARGEST:g}")
        if given:
            pairs.append((key_of(*path), float(given), path))
    elif depth == DEEPEST:
        raise ValueError(f"feature {_said(path)} is nested more than {DEEPEST} deep")
    elif isinstance(given, dict):
        for part, inner in given.items():
            if not str(part).startswith("_"):
                _walk(inner, (*path, part), depth + 1, pairs)
    elif isinstance(given, list | tuple):
        for i, inner in enumerate(given):
            number = isinstance(inner, int | float) and not isinstance(inner, bool)
            _walk(inner, (*path, i) if number else path, depth + 1, pairs)
    elif given is None:
        _walk("null", path, depth, pairs)
    elif isinstance(given, np.generic | np.ndarray):
        _walk(given.tolist(), path, depth, pairs)
    else:
        raise ValueError(f"feature {_said(path)} is a {type(given).__name__}; valid are text, numbers, true, false, "
                         "null, and lists and objects of these")


def _said(path: tuple) -> str:
    return "/".join(map(str, path))[:100] or "(without a name)"


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
