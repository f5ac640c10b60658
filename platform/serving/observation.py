"""From a request to what a policy observes: JSON as a value of its observation space, ``[1, …]``."""
import importlib
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from .decision import Refused

OBSERVERS = ("envs.fitted.observing:observe",)            # a bundle may name these, and nothing else to be imported


class Seen(NamedTuple):
    obs: Any                       # [1, …]
    allowed: np.ndarray | None     # [A] bool: what the history leaves to be shown; None: all


class Observing:
    """Requests as observations of ``space``: what ``context`` says, or what the user's history makes of it."""

    def __init__(self, space, place: dict[str, int], observer: str | None = None, numbers: dict | None = None):
        if observer is not None and observer not in OBSERVERS:
            raise Refused(f"observation function {observer!r} is not one of {', '.join(OBSERVERS)}")
        self.space, self.place, self.observer, self.numbers = space, place, observer, numbers

    def __call__(self, user, context) -> Seen:
        """`Refused` where neither tells the observation."""
        if context is not None:
            return Seen(value_of(self.space, context, "context"), None)
        if self.observer is None or self.numbers is None:
            raise Refused(f"context is missing: this policy observes {describe(self.space)}")
        history = user.get("history", []) if isinstance(user, dict) else []
        try:
            known = [(self.place[shown["item"]], float(shown["reward"])) for shown in history
                     if shown["item"] in self.place]      # an item that came later means nothing to the observation
        except (KeyError, TypeError, ValueError) as error:
            raise Refused("user.history must be a list of {\"item\": id, \"reward\": number} "
                          f"({type(error).__name__}: {error})") from None
        items, rewards = np.array([item for item, _ in known], np.int64), np.array([reward for _, reward in known])
        module, _, function = self.observer.partition(":")
        obs, allowed = getattr(importlib.import_module(module), function)(self.numbers, items, rewards)
        return Seen(np.asarray(obs)[None], allowed)


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
    exact: Any = value.astype(space.dtype)
    if not isinstance(space, spaces.Box) and not ((exact == value).all() and space.contains(exact[()])):
        raise Refused(f"{where} = {str(given)[:80]} must be {describe(space)}")
    return exact[None]


def describe(space) -> str:
    """A space in words."""
    if isinstance(space, spaces.Discrete):
        return f"a whole number from {int(space.start)} to {int(space.start) + int(space.n) - 1}"
    if isinstance(space, spaces.Dict):
        return f"an object with the keys {', '.join(space.spaces)}"
    if isinstance(space, spaces.Tuple):
        return f"a list of {len(space.spaces)}"
    kind = "numbers" if isinstance(space, spaces.Box) else "whole numbers of its space"
    return f"{'×'.join(map(str, space.shape)) or 'one'} {kind}"
