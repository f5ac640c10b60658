r"""Online linear regression on crossed, hashed features: the score of actions, and a step of learning.

    ŷ(x, a) = Σ_f v_f Σ_c w[c × f] v_c           c: features of the context, f: features of the action, `ONE` in both

Learning is NAG, normalised adaptive gradient descent (Ross, Mineiro & Langford 2013, algorithm 2): with z = v_c v_f,
s_i the largest |z_i| so far, G_i the sum of squared gradients and N the sum of Σ (z_i / s_i)² over t rows,

    w_i ← w_i − η √(t / N) g_i / (s_i √G_i),     g_i = p (ŷ − r) z_i           p: the row's importance weight

so neither the scale of a feature nor that of the weights needs a setting.  Loops run in the order of their rows, one
number after the other, and take no function but √: the same bits on every processor, alone or in a batch.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from .hashing import ONE

MIX = np.uint64(0xD6E8FEB86659FD93)                                         # an odd multiplier that spreads all bits
HALF = np.uint64(32)


class Table(NamedTuple):
    """The regression's state, of R learners."""

    weights: np.ndarray            # [R, 2^b] w
    squares: np.ndarray            # [R, 2^b] G
    scale: np.ndarray              # [R, 2^b] s
    totals: np.ndarray             # [R, 2] rows t and N


@njit(cache=True)
def cross(context, action, shift):
    """The place in a table of 2^(64 − shift) of the pair of a context key and an action key."""
    z = (context ^ (action >> HALF) ^ (action << HALF)) * MIX
    return ((z ^ (z >> HALF)) * ONE) >> shift


@njit(cache=True)
def score(weights, shift, share, keys, values, actions, folded, out):
    """``out [N, A]``: ŷ of every action for contexts ``keys, values [N, C]``; ``folded [U]`` is scratch space.

    User n is served by learner n // share.  The context is folded into the weights first, once a key of the actions.
    """
    for n in range(keys.shape[0]):
        table, constant = weights[n // share], 0.0
        folded[:] = 0.0
        for c in range(keys.shape[1]):
            if values[n, c] != 0.0:
                constant += table[cross(keys[n, c], ONE, shift)] * values[n, c]
                for u in range(len(actions.keys)):
                    folded[u] += table[cross(keys[n, c], actions.keys[u], shift)] * values[n, c]
        for a in range(len(actions.start) - 1):
            total = constant
            for e in range(actions.start[a], actions.start[a + 1]):
                total += folded[actions.which[e]] * actions.values[e]
            out[n, a] = total


@njit(cache=True)
def regress(table, shift, learner, keys, values, action_keys, action_values, reward, weight, step_size):
    """Learn M rows one after the other: contexts ``[M, C]``, chosen actions ``[M, F]`` (`ONE` among both); returns the
    mean squared error of what was predicted before each."""
    lost = 0.0
    for m in range(len(reward)):
        r = learner[m]
        w, g, s, totals = table.weights[r], table.squares[r], table.scale[r], table.totals[r]
        predicted, spread = 0.0, 0.0
        for f in range(action_keys.shape[1]):
            for c in range(keys.shape[1]):
                z = values[m, c] * action_values[m, f]
                if z != 0.0:
                    i = cross(keys[m, c], action_keys[m, f], shift)
                    if abs(z) > s[i]:
                        w[i] *= s[i] / abs(z)
                        s[i] = abs(z)
                    predicted += w[i] * z
                    spread += (z / s[i]) * (z / s[i])
        totals[0] += 1.0
        totals[1] += spread
        error = predicted - reward[m]
        lost += error * error
        step = step_size * math.sqrt(totals[0] / totals[1]) if spread > 0.0 else 0.0
        for f in range(action_keys.shape[1]):
            for c in range(keys.shape[1]):
                z = values[m, c] * action_values[m, f]
                slope = weight[m] * error * z
                if slope * slope > 0.0:
                    i = cross(keys[m, c], action_keys[m, f], shift)
                    g[i] += slope * slope
                    w[i] -= step * slope / (s[i] * math.sqrt(g[i]))
    return lost / max(len(reward), 1)
