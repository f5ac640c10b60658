"""Change points: the generalised likelihood ratio test of one mean against two, for rewards in [0, 1]."""
import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy")
def changed(prefix, n, delta, split_every):
    """Whether the n rewards with these prefix sums have two means; kl's written as differences of n · entropy."""
    spare = n * entropy(prefix[n - 1] / n) - np.log(3.0 * n**1.5 / delta)
    for s in range(split_every, n, split_every):
        after = n - s
        if s * entropy(prefix[s - 1] / s) + after * entropy((prefix[n - 1] - prefix[s - 1]) / after) <= spare:
            return True
    return False


@numba.njit(cache=True, error_model="numpy")
def entropy(p):
    """−p ln p − (1−p) ln(1−p), 0 at both ends."""
    return 0.0 if p <= 0.0 or p >= 1.0 else -p * np.log(p) - (1.0 - p) * np.log(1.0 - p)
