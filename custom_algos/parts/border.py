"""The border: what comes from outside is checked where it enters, and refused in words.

`custom_algos.core.Algorithm` puts a gate before ``act``, ``learn`` and the two methods that load a state, whoever wrote
the algorithm; `custom_algos.rollout` asks the same functions about every step of an environment.
"""
import functools
import math
from typing import Any

import numpy as np


def as_mask(mask, what: str = "action_mask", needed=True) -> np.ndarray:
    """``mask [..., A]`` of bools, 0/1 numbers or lists as bool; ValueError where it is none or allows a user nothing.

    ``needed [...]``: whose actions matter.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        try:
            given = np.array(list(mask) if isinstance(mask, np.ndarray) else mask)
            mask = given == 1
        except ValueError:
            raise ValueError(f"{what} must have the same number of entries for every user") from None
        if given.dtype.kind not in "biuf" or not (mask | (given == 0)).all():
            raise ValueError(f"{what} holds {given.reshape(-1)[:3].tolist()} …; valid are True and False, or 1 and 0")
    empty = ~mask.any(axis=-1) & needed
    if empty.any():
        raise ValueError(f"{what} allows no action to {who(np.argwhere(empty)[0])}; at least one must be allowed")
    return mask


def check_finite(what: str, values, axes: int = 1) -> None:
    """ValueError at the first NaN or infinite number of an array ``[N, …]`` (or ``[T, N, …]`` where ``axes`` = 2), or
    of a dict or tuple of arrays."""
    if isinstance(values, dict | tuple):
        for key, part in values.items() if isinstance(values, dict) else enumerate(values):
            check_finite(f"{what}[{key!r}]", part, axes)
        return
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return
    if math.isfinite(np.vdot(values, values)):               # a tenth of the time of looking at each
        return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{what} {values[tuple(bad[0])]} of {who(bad[0][:axes])} is not finite; leave such "
                         "rows out, or mend what made them")


def check_gradient(size: float) -> None:
    """ValueError where a network has diverged; ``size`` is the norm of a gradient, or a loss."""
    if not math.isfinite(size):
        raise ValueError(f"gradient or loss {size}: the weights diverged and would not be finite; lower learning_rate")


def who(place) -> str:
    """``[n]`` or ``[t, n]`` in words."""
    return f"user {place[-1]}" if len(place) < 2 else f"user {place[1]} in step {place[0]}"


def check_batch(batch):
    """The same `Transition` with masks of bools; ValueError at the first reward or observation that is not finite."""
    for name in ("reward", "obs", "next_obs"):
        check_finite(name, getattr(batch, name), axes=2)
    if batch.mask is not None:
        batch = batch._replace(mask=as_mask(batch.mask, "mask"))
    if batch.next_mask is not None:
        batch = batch._replace(next_mask=as_mask(batch.next_mask, "next_mask", ~batch.terminated))
    return batch


# states -------------------------------------------------------------------------------------------------------------
def form(state) -> Any:
    """What cannot differ between two states of one learner: keys and shapes."""
    if isinstance(state, dict):
        return {key: form(value) for key, value in state.items()}
    return state.shape if isinstance(state, np.ndarray) else ()


def fixed_form(algorithm, state) -> dict:
    """The form of a state of ``algorithm``, without the parts that grow with what it has seen."""
    return {key: part for key, part in form(state).items() if not key.startswith(algorithm.grows)}


def check_form(own, given, kind: str, path: str = "") -> None:
    """ValueError where ``given`` lacks a key of the form ``own``, or an array has another shape."""
    if not isinstance(own, dict):
        if isinstance(given, dict) or np.shape(given) != own:
            shape = "a dict" if isinstance(given, dict) else list(np.shape(given))
            raise ValueError(f"{kind}: the state's '{path}' is {shape}, must be {list(own)}: it belongs to another "
                             "algorithm, environment or setting")
        return
    if not isinstance(given, dict):
        raise ValueError(f"{kind}: the state's '{path}' is {list(np.shape(given))}, must be a dict: it belongs to "
                         "another algorithm or setting")
    for key, part in own.items():
        place = f"{path}/{key}" if path else str(key)
        if key not in given:
            raise ValueError(f"{kind}: the state has no '{place}': it belongs to another algorithm or setting")
        check_form(part, given[key], kind, place)


# gates --------------------------------------------------------------------------------------------------------------
def act_gate(act):
    @functools.wraps(act)
    def gated(self, obs, rng, explore=True, mask=None):
        return act(self, obs, rng, explore, None if mask is None else as_mask(mask))
    return gated


def learn_gate(learn):
    @functools.wraps(learn)
    def gated(self, batch):
        return learn(self, check_batch(batch))
    return gated


def policy_gate(load_policy_state):
    @functools.wraps(load_policy_state)
    def gated(self, policy):
        own = self.__dict__.get("_policy_form")               # made once: a policy never changes its shape
        if own is None:
            own = self._policy_form = fixed_form(self, self.policy_state())
        check_form(own, policy, type(self).__name__)
        return load_policy_state(self, policy)
    return gated


def state_gate(load_state_dict):
    @functools.wraps(load_state_dict)
    def gated(self, state):
        check_form(fixed_form(self, self.state_dict()), state, type(self).__name__)
        return load_state_dict(self, state)
    return gated


GATES = {"act": act_gate, "learn": learn_gate, "load_policy_state": policy_gate, "load_state_dict": state_gate}
