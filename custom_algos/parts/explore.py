"""Exploration: masked arg-max with fair ties, the ε-greedy coin, and drawing from a softmax.

Every function works on a batch ``[N, A]`` and draws from the generator it is given; every user tosses its own coin.
"""
import numpy as np
from numba import njit

LANES = 16                      # numbers a processor adds at once (float32, 512 bits); fixes the order of `walk`
BLOCK = 2**17                   # numbers that stay in a core's cache from one pass to the next


def masked(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """``values [N, A]`` with −inf where the action is not allowed."""
    return values if mask is None else np.where(mask, values, -np.inf)


def argmax_random_ties(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(arg-max ``[N]`` with ties broken uniformly, the number of tied actions ``[N]``) of ``values [N, A]``."""
    best = values == values.max(axis=1, keepdims=True)                      # [N, A]
    ties = best.sum(axis=1)                                                 # [N]
    if (ties == 1).all():
        return best.argmax(axis=1), ties
    nth = (rng.random(len(values)) * ties).astype(np.int64)                 # which of the tied ones
    return (best.cumsum(axis=1) > nth[:, None]).argmax(axis=1), ties


def epsilon_greedy(values: np.ndarray, epsilon, rng: np.random.Generator, mask: np.ndarray | None = None):
    """Each user explores with probability ``epsilon`` (scalar or ``[N]``), uniformly over its allowed actions.

    Returns (action ``[N]`` int64, log_prob ``[N]`` float32).  The propensity is exact:
    ε / allowed + (1 − ε) / ties for a greedy action, ε / allowed for any other.
    """
    n, a = values.shape
    values = masked(values, mask)
    best = values == values.max(axis=1, keepdims=True)                      # [N, A]
    greedy, ties = argmax_random_ties(values, rng)
    allowed = np.full(n, a) if mask is None else mask.sum(axis=1)           # [N]
    coin, place = rng.random(n), (rng.random(n) * allowed).astype(np.int64)
    if mask is None:
        anyone = place
    else:
        anyone = (mask.cumsum(axis=1) > place[:, None]).argmax(axis=1)      # the place-th allowed action
    action = np.where(coin < epsilon, anyone, greedy)
    is_best = best[np.arange(n), action]
    prob = epsilon / allowed + (1.0 - epsilon) * is_best / ties
    return action.astype(np.int64), np.log(prob).astype(np.float32)


def uniform(n: int, actions: int, rng: np.random.Generator, mask: np.ndarray | None = None):
    """Uniform over the allowed actions: (action ``[N]``, log_prob ``[N]``)."""
    return epsilon_greedy(np.zeros((n, actions)), 1.0, rng, mask)


def softmax(preference: np.ndarray) -> np.ndarray:
    """``[…, A]`` -> probabilities."""
    weight = np.exp(preference - preference.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def sample_softmax(logits: np.ndarray, rng: np.random.Generator | None, mask: np.ndarray | None = None):
    """One action a row from the softmax of ``logits [N, A]`` (arg-max when ``rng`` is None), allowed actions only.

    Returns (action ``[N]`` int64, log_prob ``[N]`` float32).  One uniform a user walks down the cumulative weights, so
    a user's action does not depend on what the other users' rows hold.
    """
    if rng is None:
        return masked(logits, mask).argmax(axis=1), np.zeros(len(logits), np.float32)    # the greedy policy is certain
    coin, size = rng.random(len(logits), np.float32), max(1, BLOCK // logits.shape[1])
    parts = [slice(start, start + size) for start in range(0, max(len(logits), 1), size)]
    drawn = [_sample(logits[part], coin[part], None if mask is None else mask[part]) for part in parts]
    action, prob = drawn[0] if len(drawn) == 1 else (np.concatenate(column) for column in zip(*drawn, strict=True))
    return action, np.log(prob).astype(np.float32, copy=False)


def _sample(logits, coin, mask):
    """(action ``[N]``, its probability ``[N]``) by ``coin [N]``."""
    weight = np.empty_like(logits)                                          # [N, A]
    shift(logits, logits.max(axis=1), mask, weight)
    action, prob = walk(np.exp(weight, out=weight), coin)
    if mask is not None and (action < 0).any():           # a forbidden logit dwarfs all allowed ones: start from those
        rows = np.flatnonzero(action < 0)
        allowed = masked(logits[rows], mask[rows])
        action[rows], prob[rows] = walk(np.exp(allowed - allowed.max(axis=1, keepdims=True)), coin[rows])
    return action, prob


@njit(cache=True)
def shift(logits, top, mask, out):
    """``out [N, A]``: logits − top ``[N]``, −inf where forbidden."""
    for n in range(len(logits)):
        for a in range(logits.shape[1]):
            below = logits[n, a] - top[n]
            out[n, a] = below if mask is None or mask[n, a] else -np.inf


@njit(cache=True, error_model="numpy")
def walk(weight, coin):
    """Per row the first action whose cumulative ``weight [N, A]`` passes ``coin [N]`` in [0, 1): (action, its share).

    The order of the walk is free: action a belongs to lane a mod 16, whose sums the processor adds side by side; the
    coin chooses the lane, then the place in it.  Rounding falls to the last one with weight.  A row of which nothing
    but rounding is left (total < 1e-30) gets the action −1.
    """
    users, actions = weight.shape
    lane, whole = np.zeros(LANES, weight.dtype), actions - actions % LANES
    action, share = np.full(users, -1), np.full(users, np.nan, weight.dtype)
    for n in range(users):
        lane[:] = 0.0
        for start in range(0, whole, LANES):
            for i in range(LANES):
                lane[i] += weight[n, start + i]
        for a in range(whole, actions):
            lane[a - whole] += weight[n, a]
        total = lane[0]
        for i in range(1, LANES):
            total += lane[i]
        if not total >= 1e-30:
            continue
        left, place = coin[n] * total, 0
        for i in range(LANES):
            if lane[i] > 0.0:
                place = i
                if left < lane[i]:
                    break
                left -= lane[i]
        for a in range(place, actions, LANES):
            if weight[n, a] > 0.0:
                action[n] = a
                left -= weight[n, a]
                if left < 0.0:
                    break
        share[n] = weight[n, action[n]] / total
    return action, share
