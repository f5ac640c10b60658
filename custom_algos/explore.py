"""Exploration: masked arg-max with fair ties, the ε-greedy coin, schedules, and the softmax head's sampling.

Every function works on a batch ``[N, A]`` and draws from the generator it is given; every user tosses its own coin.
"""
import numpy as np
from numba import njit


def linear(start: float, end: float, fraction: float) -> float:
    """A straight line from ``start`` to ``end``, reached at ``fraction`` = 1."""
    return start + (end - start) * min(max(fraction, 0.0), 1.0)


def inverse(start: float, scale: float, step: float) -> float:
    """``min(start, scale / step)``: the 1/t schedule of ε (Auer, Cesa-Bianchi & Fischer 2002, ε_n-GREEDY)."""
    return min(start, scale / max(step, 1.0))


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


def sample_softmax(logits: np.ndarray, rng: np.random.Generator | None, mask: np.ndarray | None = None):
    """One action a row from the softmax of ``logits [N, A]`` (arg-max when ``rng`` is None), allowed actions only.

    Returns (action ``[N]`` int64, log_prob ``[N]`` float32).  One uniform a user walks down the cumulative weights, so
    a user's action does not depend on what the other users' rows hold.
    """
    if rng is None:
        return masked(logits, mask).argmax(axis=1), np.zeros(len(logits), np.float32)    # the greedy policy is certain
    weight = logits - logits.max(axis=1, keepdims=True)                     # [N, A]
    np.exp(weight, out=weight)
    if mask is not None:
        weight *= mask                                                      # forbidden ones exactly 0
    total = weight.sum(axis=1)                                              # [N]
    if not total.all():                                                     # a forbidden logit dwarfs all allowed ones
        logits = masked(logits, mask)
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        total = weight.sum(axis=1)
    action = _walk(weight, rng.random(len(logits), np.float32) * total)
    return action, np.log(weight[np.arange(len(action)), action] / total).astype(np.float32)


@njit(cache=True)
def _walk(weight, coin):
    """Per row the first action whose cumulative weight passes ``coin [N]``; rounding falls to the last with weight."""
    action = np.empty(len(weight), np.int64)
    for n in range(len(weight)):
        left, chosen = coin[n], -1
        for a in range(weight.shape[1]):
            w = weight[n, a]
            if w > 0.0:
                chosen = a
                left -= w
                if left < 0.0:
                    break
        action[n] = chosen
    return action
