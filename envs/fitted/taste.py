r"""Who likes what: a hierarchical logistic model of a log, fitted in seconds.

    P(like | user u, item i) = σ(μ + c_u + b_i + ⟨p_u, q_i⟩)
    c_u ~ N(0, τ_c²),   b_i ~ N(0, τ_b²),   p_u ~ N(0, I),   q_i ~ N(0, diag τ_q²)

Everything is shrunk by variances that the log itself decides (empirical Bayes), so a user with twenty ratings stays
close to the average and an item effect that the log does not support vanishes.  Inference is mean-field variational
with the quadratic bound of Jaakkola & Jordan 2000 (the mean of Pólya–Gamma weights, Polson, Scott & Windle 2013); every
user and item keeps a Gaussian posterior, from which simulated users draw their taste: point estimates would make users
too alike.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type
from ..engine.rng import kernel


@kernel_type
class Posterior(NamedTuple):
    """Of the users, or of the items."""

    mean: np.ndarray               # [·, 1 + d]
    cov: np.ndarray                # [·, 1 + d, 1 + d]


@kernel_type
class Groups(NamedTuple):
    """The rows of every user, or of every item."""

    order: np.ndarray              # [n] row numbers sorted by group
    offset: np.ndarray             # [groups + 1]


@dataclass(frozen=True)
class Taste:
    """Posterior of the model: means ``[·, 1 + d]`` (effect, then d taste dimensions), covariances ``[·, 1+d, 1+d]``."""

    mu: float                      # logit of the base rate
    user_mean: np.ndarray          # [U, 1 + d]
    user_cov: np.ndarray           # [U, 1 + d, 1 + d]
    item_mean: np.ndarray          # [I, 1 + d]
    item_cov: np.ndarray           # [I, 1 + d, 1 + d]

    def probability(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """P(like) of (user, item) pairs ``[n]``, averaged over the posterior (probit approximation, MacKay 1992)."""
        mean, variance = _moments(self.mu, user, item, Posterior(self.user_mean, self.user_cov),
                                  Posterior(self.item_mean, self.item_cov))
        return 1.0 / (1.0 + np.exp(-mean / np.sqrt(1.0 + np.pi * variance / 8.0)))


def fit(user, item, like, users: int, items: int, dimensions: int = 4, sweeps: int = 60) -> Taste:
    """Fit the model to rows (user index, item index, like 0/1), each ``[n]``; ``dimensions`` 0 leaves only effects."""
    like = np.ascontiguousarray(like, np.float64)
    by_user, by_item = grouped(user, users), grouped(item, items)
    size = 1 + dimensions
    start = np.random.Generator(np.random.Philox(key=7))
    rate = np.clip(like.mean(), 1e-6, 1 - 1e-6)
    mu = float(np.log(rate / (1.0 - rate)))
    user_mean, item_mean = np.zeros((users, size)), np.zeros((items, size))
    item_mean[:, 1:] = 0.5 * start.standard_normal((items, dimensions))      # zero taste is a fixed point: a start near
    user_mean[:, 1:] = 0.5 * start.standard_normal((users, dimensions))      # it loses dimensions that the log supports
    user_cov, item_cov = (np.tile(0.1 * np.eye(size), (n, 1, 1)) for n in (users, items))
    of_user, of_item = Posterior(user_mean, user_cov), Posterior(item_mean, item_cov)
    user_prior, item_prior = np.ones(size), np.ones(size)                    # variances
    item_prior[1:] = 0.5
    for _ in range(sweeps):
        weight, expected = _weights(mu, user, item, of_user, of_item)
        mu = float(((like - 0.5) - weight * (expected - mu)).sum() / weight.sum())
        _update(by_user, item, like, weight, mu, of_item, 1.0 / user_prior, of_user)
        _update(by_item, user, like, weight, mu, of_user, 1.0 / item_prior, of_item)
        user_prior[0] = np.mean(user_mean[:, 0] ** 2 + user_cov[:, 0, 0])
        item_prior = np.mean(item_mean**2 + np.diagonal(item_cov, axis1=1, axis2=2), axis=0)
    return Taste(mu, user_mean, user_cov, item_mean, item_cov)


def grouped(index, size) -> Groups:
    """Rows by their ``index [n]`` in 0 … size-1."""
    return Groups(np.argsort(index, kind="stable"), np.append(0, np.cumsum(np.bincount(index, minlength=size))))


@kernel
def _moments(mu, user, item, of_user, of_item):
    """Mean and variance of the logit of every row under the posterior."""
    user_mean, user_cov, item_mean, item_cov = of_user.mean, of_user.cov, of_item.mean, of_item.cov
    mean, variance = np.empty(len(user)), np.empty(len(user))
    size = user_mean.shape[1]
    for r in range(len(user)):
        u, i = user[r], item[r]
        m = mu + user_mean[u, 0] + item_mean[i, 0]
        v = user_cov[u, 0, 0] + item_cov[i, 0, 0]
        for a in range(1, size):
            m += user_mean[u, a] * item_mean[i, a]
            v += 2.0 * (item_mean[i, a] * user_cov[u, 0, a] + user_mean[u, a] * item_cov[i, 0, a])
            for b in range(1, size):
                v += item_mean[i, a] * item_mean[i, b] * user_cov[u, a, b] + user_cov[u, a, b] * item_cov[i, a, b]
                v += user_mean[u, a] * user_mean[u, b] * item_cov[i, a, b]
        mean[r], variance[r] = m, v
    return mean, variance


@kernel
def _weights(mu, user, item, of_user, of_item):
    """The bound's weight tanh(ξ/2) / 2ξ at ξ² = E[logit²], and E[logit], of every row."""
    mean, variance = _moments(mu, user, item, of_user, of_item)
    weight = np.empty(len(user))
    for r in range(len(user)):
        xi = max(np.sqrt(mean[r] ** 2 + variance[r]), 1e-6)
        weight[r] = np.tanh(0.5 * xi) / (2.0 * xi)
    return weight, mean


@kernel
def _update(groups, other, like, weight, mu, theirs, precision, own):
    """Gaussian posterior of every user (or item) given the items (or users) of its rows; writes into ``own``."""
    order, offset, other_mean, other_cov = groups.order, groups.offset, theirs.mean, theirs.cov
    size = own.mean.shape[1]
    for g in range(len(offset) - 1):
        left, right = np.diag(precision).copy(), np.zeros(size)
        for k in range(offset[g], offset[g + 1]):
            r = order[k]
            o, w = other[r], weight[r]
            for a in range(size):
                za = 1.0 if a == 0 else other_mean[o, a]
                with_effect = za * (mu + other_mean[o, 0]) + (0.0 if a == 0 else other_cov[o, 0, a])
                right[a] += za * (like[r] - 0.5) - w * with_effect
                for b in range(size):
                    zb = 1.0 if b == 0 else other_mean[o, b]
                    left[a, b] += w * (za * zb + (other_cov[o, a, b] if a > 0 and b > 0 else 0.0))
        own.cov[g] = np.linalg.inv(left)
        own.mean[g] = own.cov[g] @ right


def calibrate(user, item, like, users: int, items: int, dimensions: int, splits: int = 10, seed: int = 0) -> dict:
    """Does the log teach anything?  Fits on 90 % of the rows and scores the other 10 %, ``splits`` times.

    Returns plain numbers: the gain in log-likelihood a held-out row (nats) over the base rate and over shrunken item
    effects, per split and on average; AUC; reliability bins; and the gain by activity of the user.
    """
    rows, rng = len(like), np.random.Generator(np.random.Philox(key=seed))
    activity = np.bincount(user, minlength=users)[user]
    parts = []
    for _ in range(splits):
        held = rng.random(rows) < 0.1
        kept = ~held
        taste = fit(user[kept], item[kept], like[kept], users, items, dimensions)
        alone = fit(np.zeros(kept.sum(), np.int64), item[kept], like[kept], 1, items, 0)
        base = np.clip(like[kept].mean(), 1e-6, 1 - 1e-6)
        p = taste.probability(user[held], item[held])
        q = alone.probability(np.zeros(held.sum(), np.int64), item[held])
        y = like[held]
        parts.append((p, y, activity[held], log_likelihood(p, y), log_likelihood(np.full(len(y), base), y),
                      log_likelihood(q, y)))
    p, y, active, ours, base, item_only = (np.concatenate(part) for part in zip(*parts, strict=True))
    edges = np.quantile(p, np.linspace(0.0, 1.0, 11))
    bins = np.clip(np.searchsorted(edges, p, "right") - 1, 0, 9)
    levels = [(low, high) for low, high in ((0, 50), (50, 150), (150, 10**9))
              if ((active >= low) & (active < high)).any()]
    inside = [(active >= low) & (active < high) for low, high in levels]
    return {
        "rows": rows, "users": users, "items": items, "held_out_rows": len(y),
        "base": float(base.mean()), "item_only": float(item_only.mean()), "model": float(ours.mean()),
        "gain_over_base": float((ours - base).mean()), "gain_over_items": float((ours - item_only).mean()),
        "gain_splits": [float((part[3] - part[4]).mean()) for part in parts],
        "gain_items_splits": [float((part[3] - part[5]).mean()) for part in parts],
        "auc": auc(p, y),
        "reliability": [{"low": float(edges[b]), "high": float(edges[b + 1]), "predicted": float(p[bins == b].mean()),
                         "observed": float(y[bins == b].mean()), "rows": int((bins == b).sum())}
                        for b in range(10) if (bins == b).any()],
        "by_activity": [{"users": f"{low}-{high - 1} rows" if high < 10**9 else f"{low} rows and more",
                         "rows": int(rows_in.sum()), "gain": float((ours - base)[rows_in].mean()),
                         "auc": auc(p[rows_in], y[rows_in])}
                        for (low, high), rows_in in zip(levels, inside, strict=True)],
    }


def log_likelihood(p, like):
    """log P of every outcome ``[n]``, nats."""
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.where(like > 0.5, np.log(p), np.log1p(-p))


def auc(score, like) -> float:
    """P(a liked row is scored above a skipped one), ties count half (Mann–Whitney); NaN where one class is all."""
    order = np.argsort(score, kind="stable")
    _, first, counts = np.unique(score[order], return_index=True, return_counts=True)
    rank = np.empty(len(score))
    rank[order] = np.repeat(first + (counts + 1) / 2.0, counts)
    positive = like > 0.5
    n, m = positive.sum(), (~positive).sum()
    return float((rank[positive].sum() - n * (n + 1) / 2.0) / (n * m)) if n and m else float("nan")
