r"""The best slate of K items for a user who takes one of them or nothing, from what every item alone is worth.

With weights w_i (that of nothing is 1), worths q_i of taking item i and q_0 of taking nothing, a slate A is worth

    Q(A) = (q_0 + Σ_{i in A} w_i q_i) / (1 + Σ_{i in A} w_i) = q_0 + Σ_{i in A} w_i (q_i − q_0) / (1 + Σ_{i in A} w_i)

    top_k     the K largest w_i (q_i − q_0): the numerator alone
    greedy    one item after the other, each time the one that makes the ratio largest
    exact     the optimum: the K largest w_i (q_i − λ), with the λ = Q(A) they reach, again and again until it stays

Ie et al. 2019 (arXiv:1905.12767), section 5, where q_0 is 0 and the exact slate a linear programme.  Sorting does: a
slate reaches λ exactly when Σ w_i (q_i − λ) ≥ λ − q_0, and the K largest terms make the left side largest (Dinkelbach
1967).  Arrays of N users: ``weight``, ``worth`` [N, A], ``nothing`` [N]; ``mask [N, A]`` says which items are allowed.
"""
import numpy as np

from .explore import masked


def slate_value(weight, worth, nothing, slate) -> np.ndarray:
    """Q(A) ``[N]`` of the slates ``[N, K]``."""
    shown = np.take_along_axis(weight, slate, axis=1)                                       # [N, K]
    gain = np.take_along_axis(worth, slate, axis=1) - nothing[:, None]
    return nothing + (shown * gain).sum(axis=1) / (1.0 + shown.sum(axis=1))


def largest(score, k: int) -> np.ndarray:
    """The places ``[N, K]`` of the K largest of every row of ``score [N, A]``, the largest first."""
    best = np.sort(np.argpartition(-score, k - 1, axis=1)[:, :k], axis=1)                   # of equals the first
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable"), 1)


def top_k(weight, worth, nothing, k: int, mask=None) -> np.ndarray:
    """Slates ``[N, K]``, see above; for `exact` with ``nothing`` in the role of λ."""
    return largest(masked(weight * (worth - nothing[:, None]), mask), k)


def greedy(weight, worth, nothing, k: int, mask=None) -> np.ndarray:
    """Slates ``[N, K]``, see above."""
    gain, rows = weight * (worth - nothing[:, None]), np.arange(len(weight))                # [N, A], [N]
    top, mass, free = np.zeros(len(weight)), np.ones(len(weight)), np.ones(weight.shape, bool)
    free = free if mask is None else mask.copy()
    slate = np.empty((len(weight), k), np.int64)
    for j in range(k):
        slate[:, j] = best = masked((top[:, None] + gain) / (mass[:, None] + weight), free).argmax(axis=1)
        top, mass = top + gain[rows, best], mass + weight[rows, best]
        free[rows, best] = False
    return slate


def exact(weight, worth, nothing, k: int, mask=None) -> np.ndarray:
    """Slates ``[N, K]``, see above; λ rises until it stays, after a handful of rounds."""
    slate = top_k(weight, worth, nothing, k, mask)
    reached = slate_value(weight, worth, nothing, slate)
    while True:
        slate = top_k(weight, worth, reached, k, mask)
        value, reached = reached, slate_value(weight, worth, nothing, slate)
        if (reached - value <= 1e-9 * (1.0 + abs(value))).all():
            return slate


OPTIMISERS = {"exact": exact, "greedy": greedy, "top_k": top_k}


def explore_slates(greedy_slates, items: int, epsilon: float, rng: np.random.Generator, mask=None):
    """Every user is shown, with probability ``epsilon``, a uniformly random ranking of K different allowed items.

    Returns (slates ``[N, K]`` int64, log-propensity ``[N]`` float32 of the slate in its order): ε / (n (n − 1) … (n − K
    + 1)) with n allowed items, and 1 − ε more for the greedy slate.  ValueError where n < K.
    """
    n, k = greedy_slates.shape
    allowed = np.full(n, items) if mask is None else mask.sum(axis=1)                       # [N]
    if (allowed < k).any():
        raise ValueError(f"a slate of {k} needs as many allowed items of every user, not {allowed.min()}")
    coin, anyone = rng.random(n), largest(masked(rng.random((n, items), np.float32), mask), k)
    slate = np.where((coin < epsilon)[:, None], anyone, greedy_slates)
    rankings = np.prod(allowed[:, None] - np.arange(k), axis=1, dtype=np.float64)
    prob = epsilon / rankings + (1.0 - epsilon) * (slate == greedy_slates).all(axis=1)
    return slate, np.log(prob).astype(np.float32)
