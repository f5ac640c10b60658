"""Gymnasium spaces as JSON and back."""
from typing import Any

import numpy as np
from gymnasium import spaces

from .decision import Refused


def plain(space) -> dict[str, Any]:
    """A space as plain values; `Refused` where it is of another kind than the algorithms take."""
    if isinstance(space, spaces.Dict):
        return {"kind": "dict", "parts": {key: plain(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"kind": "tuple", "parts": [plain(part) for part in space.spaces]}
    if isinstance(space, spaces.Box):
        return {"kind": "box", "low": _bound(space.low), "high": _bound(space.high), "shape": list(space.shape),
                "dtype": str(space.dtype)}
    if isinstance(space, spaces.Discrete):
        return {"kind": "discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "multi_discrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "multi_binary", "n": list(space.n) if isinstance(space.n, tuple) else int(space.n)}
    raise Refused(f"space {space} cannot be written down; valid are Box, Discrete, MultiDiscrete, MultiBinary, and "
                  "Dict or Tuple of these")


def space_of(given: dict[str, Any]):
    """The reverse of `plain`; `Refused` where it is none."""
    try:
        return _made(given)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise Refused(f"space {str(given)[:200]} is none ({type(error).__name__}: {error})") from error


def first(space):
    """A batch of one with the least or zero value of a space."""
    if isinstance(space, spaces.Dict):
        return {key: first(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(first(part) for part in space.spaces)
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return np.array([space.start])
    return np.zeros((1, *space.shape), space.dtype)


def _made(given):
    kind = given["kind"]
    if kind == "dict":
        return spaces.Dict({key: _made(part) for key, part in given["parts"].items()})
    if kind == "tuple":
        return spaces.Tuple([_made(part) for part in given["parts"]])
    if kind == "box":
        dtype, shape = np.dtype(given["dtype"]), tuple(given["shape"])
        low, high = (np.broadcast_to(np.array(given[end]).astype(dtype), shape) for end in ("low", "high"))
        return spaces.Box(low.copy(), high.copy(), shape, dtype.type)
    if kind == "discrete":
        return spaces.Discrete(given["n"], start=given["start"])
    if kind == "multi_discrete":
        return spaces.MultiDiscrete(np.array(given["nvec"]), start=np.array(given["start"]))
    if kind == "multi_binary":
        return spaces.MultiBinary(tuple(given["n"]) if isinstance(given["n"], list) else given["n"])
    raise ValueError(f"kind {kind!r}; valid are box, discrete, multi_discrete, multi_binary, dict, tuple")


def _bound(values: np.ndarray):
    """One number where all are equal, else a list."""
    if values.size and (values == values.flat[0]).all():
        values = values.flat[0]
    return finite(np.asarray(values).tolist())


def finite(tree):
    """Plain values as JSON knows them: infinite numbers are the text that `float` reads, and NaN is null."""
    if isinstance(tree, dict):
        return {key: finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [finite(value) for value in tree]
    if isinstance(tree, float) and not np.isfinite(tree):
        return None if np.isnan(tree) else str(tree)
    return tree
