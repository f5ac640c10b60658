"""From a request to what a policy observes: JSON as a value of its observation space, ``[1, …]``."""
from typing import Any

import numpy as np
from gymnasium import spaces

from .decision import Refused


def observation_of(space, user, context, manifest: dict[str, Any] | None = None):
    """The observation ``[1, …]`` of a request: what ``context`` says, or what the user's history makes of it."""
    if context is not None:
        return value_of(space, context, "context")
    raise Refused(f"context is missing: this policy observes {describe(space)}")


def value_of(space, given: Any, where: str):
    """JSON as a value ``[1, …]`` of a space; `Refused` names the place that does not fit."""
    if isinstance(space, spaces.Dict):
        if not isinstance(given, dict) or (missing := [key for key in space.spaces if key not in given]):
            raise Refused(f"{where} must be an object with the keys {', '.join(space.spaces)}"
                          + (f"; {missing[0]!r} is missing" if isinstance(given, dict) else ""))
        return {key: value_of(part, given[key], f"{where}.{key}") for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        if not isinstance(given, list | tuple) or len(given) != len(space.spaces):
            raise Refused(f"{where} must be a list of {len(space.spaces)}")
        return tuple(value_of(part, one, f"{where}[{i}]") for i, (part, one) in
                     enumerate(zip(space.spaces, given, strict=True)))
    try:
        value = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"{where} must be {describe(space)}") from None
    if value.shape != space.shape or not np.isfinite(value).all():
        raise Refused(f"{where} of shape {list(value.shape)} must be {describe(space)}, all finite")
    exact = value.astype(space.dtype)
    if not isinstance(space, spaces.Box) and not ((exact == value).all() and space.contains(exact[()])):
        raise Refused(f"{where} = {str(given)[:80]} must be {describe(space)}")
    return exact[None]


def describe(space) -> str:
    """A space in words."""
    if isinstance(space, spaces.Discrete):
        return f"a whole number from {space.start} to {space.start + space.n - 1}"
    if isinstance(space, spaces.Dict):
        return f"an object with the keys {', '.join(space.spaces)}"
    if isinstance(space, spaces.Tuple):
        return f"a list of {len(space.spaces)}"
    kind = "numbers" if isinstance(space, spaces.Box) else "whole numbers of its space"
    return f"{'×'.join(map(str, space.shape)) or 'one'} {kind}"
