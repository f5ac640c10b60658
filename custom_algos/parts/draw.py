"""Drawing from a space of any kind, for N users at once, from a generator that is given."""
from typing import Any

import numpy as np
from gymnasium import spaces


def draw_any(space, n: int, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """(``n`` actions of ``space``, each ``[n, …]`` and counted from 0; log-propensity or log-density ``[n]``).

    Uniform, but along an axis without two bounds: there a standard normal, folded at the one bound where there is one.
    ValueError where a space cannot be drawn from.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces if isinstance(space, spaces.Dict) else dict(enumerate(space.spaces))
        drawn = {key: draw_any(part, n, rng) for key, part in parts.items()}
        actions = {key: action for key, (action, _) in drawn.items()}
        total = np.sum([log_prob for _, log_prob in drawn.values()], axis=0)
        return actions if isinstance(space, spaces.Dict) else tuple(actions.values()), total
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        size = np.asarray(space.n if isinstance(space, spaces.Discrete) else
                          np.full(space.shape, 2) if isinstance(space, spaces.MultiBinary) else space.nvec)
        return rng.integers(size, size=(n, *size.shape)), np.full(n, -np.log(size).sum())
    if not isinstance(space, spaces.Box):
        raise ValueError(f"action space {space} cannot be drawn from; valid are Box, Discrete, MultiDiscrete, "
                         "MultiBinary, and Dict or Tuple of these")
    if np.issubdtype(space.dtype, np.integer):
        low, high = space.low.astype(np.int64), space.high.astype(np.int64)
        drawn_whole = rng.integers(low, high, size=(n, *low.shape), endpoint=True)
        return drawn_whole.astype(space.dtype), np.full(n, -np.log(high - low + 1.0).sum())
    return _controls(space.low.astype(np.float64), space.high.astype(np.float64), n, rng, space.dtype)


def _controls(low, high, n, rng, dtype):
    """The same for bounds ``low`` and ``high`` of numbers."""
    above, below = np.isfinite(low), np.isfinite(high)
    bounded, shape = above & below, (n, *low.shape)
    low, width = np.where(above, low, 0.0), np.where(bounded, high - low, 1.0)
    action, density = low + width * rng.random(shape), -np.log(width)
    if not bounded.all():
        z = rng.standard_normal(shape)
        beside = np.where(above, low + np.abs(z), np.where(below, high - np.abs(z), z))
        action = np.where(bounded, action, beside)
        density = np.where(bounded, density, -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.log(2.0) * (above ^ below))
    total = np.broadcast_to(density, shape).reshape(n, -1).sum(axis=1)
    return action.astype(dtype), total
