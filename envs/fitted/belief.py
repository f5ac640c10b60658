r"""What may be believed of a user while a session runs: a Gaussian over the user's taste, moved by every answer.

    x = (c_u, p_u) ~ N(m, S) at first;    P(like of item i) = σ(μ + b_i + ⟨z_i, x⟩),   z_i = (1, q_i)
    v = z′Sz,   p = σ(μ + b_i + z′m),   w = p (1 − p):
    m ← m + S z (y − p) / (1 + w v),      S ← S − w S z z′S / (1 + w v)

One Newton step on the log-posterior for each answer y (sequential updating of Spiegelhalter & Lauritzen 1990).  Items
and the first Gaussian are learned on training users alone, so nothing is known of a test user but what the session
shows.  The simulator, the reader of logs and a server call the same function, `believe`.
"""
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type
from ..engine.rng import kernel
from .taste import Taste


@kernel_type
class Model(NamedTuple):
    """What the training users taught."""

    mu: float
    item: np.ndarray               # [A, 1 + d] effect of an item, then its taste dimensions
    mean: np.ndarray               # [1 + d] of a user nobody knows
    cov: np.ndarray                # [1 + d, 1 + d]


def model_of(taste: Taste) -> Model:
    """The items of a fit, and the Gaussian with the mean and covariance of its users, their uncertainty included."""
    spread = np.cov(taste.user_mean.T, bias=True).reshape(taste.user_cov.shape[1:])
    return Model(taste.mu, np.ascontiguousarray(taste.item_mean), taste.user_mean.mean(axis=0),
                 spread + taste.user_cov.mean(axis=0))


@kernel
def believe(mean, cov, model, item, liked):
    """One user's belief ``mean [1 + d]``, ``cov [1 + d, 1 + d]`` after an answer, in place."""
    size = len(mean)
    along, logit, spread = np.zeros(size), model.mu + model.item[item, 0], 0.0
    for a in range(size):
        za = 1.0 if a == 0 else model.item[item, a]
        logit += za * mean[a]
        for b in range(size):
            along[a] += cov[a, b] * (1.0 if b == 0 else model.item[item, b])
    for a in range(size):
        spread += along[a] * (1.0 if a == 0 else model.item[item, a])
    p = 1.0 / (1.0 + np.exp(-logit))
    weight = p * (1.0 - p)
    for a in range(size):
        mean[a] += along[a] * ((1.0 if liked else 0.0) - p) / (1.0 + weight * spread)
        for b in range(size):
            cov[a, b] -= weight * along[a] * along[b] / (1.0 + weight * spread)


@kernel
def update_beliefs(action, active, fresh, reward, model, mean, cov):
    """The beliefs ``[N, …]`` after one step; an item seen before (not ``fresh [N]``) tells nothing."""
    for n in range(len(action)):
        if active[n] and fresh[n]:
            believe(mean[n], cov[n], model, action[n], reward[n] > 0.5)


@kernel
def replay_beliefs(user, item, like, model, horizon, before, after):
    """The means ``[rows, 1 + d]`` before and after each row of a log that is sorted by user and time."""
    mean, cov, t = model.mean.copy(), model.cov.copy(), 0
    for r in range(len(user)):
        if r == 0 or user[r] != user[r - 1] or t == horizon:
            mean[:], cov[:], t = model.mean, model.cov, 0
        before[r] = mean
        believe(mean, cov, model, item[r], like[r] > 0.5)
        after[r] = mean
        t += 1


def item_vectors(model: Model) -> np.ndarray:
    """``[A, 2 + d]`` float32: a constant, the effect of each item and its taste dimensions."""
    return np.concatenate([np.ones((len(model.item), 1)), model.item], axis=1).astype(np.float32)
