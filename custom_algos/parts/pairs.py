"""Symmetric matrices by their pairs j ≤ k: half the numbers, and a quadratic form becomes a product of two vectors.

    x'Mx = pairs(x) · fold(M),       (Σ xx')_jk = (Σ pairs(x))[place_jk]
"""
import numpy as np
from numba import njit


def pairs(x: np.ndarray) -> np.ndarray:
    """Products x_j x_k, j ≤ k, of the last axis: ``[…, H] -> […, H(H+1)/2]``."""
    h = x.shape[-1]
    out = np.empty((*x.shape[:-1], h * (h + 1) // 2), x.dtype)
    multiply(np.ascontiguousarray(x).reshape(-1, h), out.reshape(-1, out.shape[-1]))
    return out


def place(n: int) -> np.ndarray:
    """``[n, n]``: where the pair (j, k) stands in `pairs`."""
    out = np.zeros((n, n), np.int64)
    j, k = np.triu_indices(n)
    out[j, k] = out[k, j] = np.arange(len(j))
    return out


def fold(square: np.ndarray) -> np.ndarray:
    """``[…, n, n] -> […, n(n+1)/2]``: the coefficients of `pairs` in the quadratic form."""
    j, k = np.triu_indices(square.shape[-1])
    return square[..., j, k] + np.where(j == k, 0.0, square[..., k, j])


@njit(cache=True)
def multiply(x, out):
    """`pairs` of the rows ``x [M, H]``."""
    for m in range(len(x)):
        at = 0                                               # where the pairs (j, ·) begin, less j
        for j in range(x.shape[1]):
            for k in range(j, x.shape[1]):
                out[m, at + k] = x[m, j] * x[m, k]
            at += x.shape[1] - j - 1


@njit(cache=True)
def add_pairs(gram, target, learner, action, x, weight, value):
    """Weighted rows of ``x [M, H]`` into their models' sums: ``gram [R, A, pairs H]``, ``target [R, A, H]``."""
    for m in range(len(x)):
        square, at = gram[learner[m], action[m]], 0
        for j in range(x.shape[1]):
            target[learner[m], action[m], j] += value[m] * x[m, j]
            for k in range(j, x.shape[1]):
                square[at + k] += weight[m] * (x[m, j] * x[m, k])
            at += x.shape[1] - j - 1
