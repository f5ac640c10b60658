"""Choosing for many users at once: arg-max with fair ties, or a draw, of an action or of a slate, masks respected.

``values`` and ``prob`` have a row for every user, or one for ``share`` users in a row.  Results go into ``action [N,
K]`` and ``log_prob [N]``, the exact log-propensity of the action (of a slate: in its order).
"""
import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy")
def coin(key, i):
    """The i-th uniform of the generator SplitMix64 with seed ``key`` (Steele, Lea & Flood 2014), without the others."""
    z = np.uint64(key) + np.uint64(i + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True, error_model="numpy")
def place(values, value, nth):
    """Where ``value`` stands in ``values [A]`` for the (nth + 1)-th time."""
    for a in range(len(values)):
        if values[a] == value:
            if nth == 0:
                return a
            nth -= 1
    return -1


@numba.njit(cache=True, error_model="numpy")
def pick(values, share, key, mask, action, log_prob):
    """Arg-max of ``values [N / share, A]`` per user, K times without replacement; ties by coins that ``key`` names."""
    users, slots = action.shape
    left = np.empty(values.shape[1])                             # NaN, which equals nothing, where it may not be shown
    for n in range(users):
        r, log_p = n if share == 1 else n // share, 0.0
        for a in range(len(left)):
            left[a] = values[r, a] if mask is None or mask[n, a] else np.nan
        for k in range(slots):
            best, ties, last = -np.inf, 0, 0
            for a in range(len(left)):                           # loops without branches: nothing to mispredict
                best = left[a] if left[a] > best else best
            for a in range(len(left)):
                top = int(left[a] == best)
                ties, last = ties + top, last + top * a          # the only one's index, if there is only one
            if ties == 0:
                raise ValueError("a user has fewer allowed actions than slots to fill")
            if ties > 1:
                last = place(left, best, int(coin(key, n * slots + k) * ties))
                log_p -= np.log(ties)
            action[n, k], left[last] = last, np.nan
        log_prob[n] = log_p


@numba.njit(cache=True, error_model="numpy")
def draw(prob, share, coins, mask, action, log_prob):
    """Draw from ``prob [N / share, A]`` restricted to what is allowed and not yet in the slate."""
    for n in range(action.shape[0]):
        row, log_p = prob[n // share], 0.0
        for k in range(action.shape[1]):
            total = 0.0
            for a in range(len(row)):
                if (mask is None or mask[n, a]) and not (k > 0 and (action[n, :k] == a).any()):
                    total += row[a]
            left, last = coins[n, k] * total, -1
            for a in range(len(row)):
                if row[a] > 0.0 and (mask is None or mask[n, a]) and not (k > 0 and (action[n, :k] == a).any()):
                    last, left = a, left - row[a]
                    if left < 0.0:
                        break
            if last < 0:
                raise ValueError("a user has fewer allowed actions of positive probability than slots to fill")
            action[n, k] = last
            log_p += np.log(row[last] / total)
        log_prob[n] = log_p
