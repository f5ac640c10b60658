"""Actions from outside: compiled kernels do not check bounds, so an invalid index must be caught before them."""
import numpy as np

from .rng import kernel


@kernel
def first_invalid(action, size):
    """The index of the first action outside 0 … size-1, or -1."""
    for n in range(len(action)):
        if action[n] < 0 or action[n] >= size:
            return n
    return -1


def valid_actions(action, size: int):
    """``action`` as contiguous int64; ValueError where an entry is not in 0 … size-1."""
    action = np.ascontiguousarray(action, np.int64)
    bad = first_invalid(action.reshape(-1), size)
    if bad >= 0:
        raise ValueError(f"action {action.reshape(-1)[bad]} (entry {bad}) must lie in 0 … {size - 1}")
    return action
