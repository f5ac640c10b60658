"""Actions from outside: compiled kernels do not check bounds, so an invalid index must be caught before them."""
import numpy as np

from .rng import kernel


@kernel
def any_invalid(action, size):
    """Whether an entry of ``action [M]`` lies outside 0 … size-1 (no early end: that loop would not be vectorised)."""
    found = False
    for a in action:
        found |= (a < 0) | (a >= size)
    return found


def valid_actions(action, size: int):
    """``action`` as contiguous int64; ValueError where an entry is not in 0 … size-1."""
    action = np.ascontiguousarray(action, np.int64)
    flat = action.reshape(-1)
    if any_invalid(flat, size):
        bad = int(np.flatnonzero((flat < 0) | (flat >= size))[0])
        raise ValueError(f"action {flat[bad]} (entry {bad}) must lie in 0 … {size - 1}")
    return action
