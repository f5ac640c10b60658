r"""Ridge regression for bandits: what the linear and the logistic bandits share.

    A = λI + Σ φφ',   b = Σ r φ,   θ = A⁻¹b,        score of (s, a):  mean φ'θ,  variance φ'A⁻¹φ

with φ = f_a ⊗ x (shared) or one model per action on x (disjoint); see `parts/features.py`.  State is sums only, so
learning is additive: ``gram`` holds Σ φφ' in symmetric pairs (of f, of x) and ``target`` holds b.  The inverse is
derived once per update.  With an *item intercept*, φ gains the action's one-hot (the hybrid model of Li et al. 2010);
its block of A is diagonal, so it is eliminated exactly (Schur complement) and never inverted.  `act` reads, per learner

    mean = f'θx + offset_a,     variance = pairs(x)' spread pairs(f) + shift_a'x
"""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..parts.features import Design
from ..parts.pairs import add_pairs, fold, pairs, place
from ..parts.params import param
from .core import Bandit, BanditConfig


@dataclass(frozen=True)
class LinearConfig(BanditConfig):
    l2: float = param(1.0, above=0)
    """λ: ridge penalty, the prior precision of every weight."""
    model: str = param("auto", choices=("auto", "shared", "disjoint"))
    """shared (items' features), disjoint (one model an action), or auto: shared where there are item features."""
    max_weights: int = param(900, 1)
    """Dimensions of a shared model; items with more features are cut to their leading singular directions."""


class LinearModel(Bandit):
    Config: ClassVar[type] = LinearConfig
    looks: bool = True
    policy_arrays = ("theta", "offset", "spread", "shift", "log_det")
    learner_arrays = ("gram", "target", "views", "view_sum", "reward_sum")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        r, a, self.l2 = self.replications, self.actions, self.config.l2
        self.design = Design(obs_space, a, items, self.config.model, self.config.max_weights)
        d, h = self.design.features, self.design.contexts
        self.intercept = self.design.shared and self.wants_intercept()
        if self.intercept and (self.design.per_step or r > 1):
            raise ValueError("item_intercept needs a fixed catalogue (items=) and replications = 1")
        self.blind = self.design.blind and not self.intercept
        listed = self.design.items if not self.design.per_step else None
        self.item_pairs = np.zeros((0, 0)) if listed is None else pairs(listed)
        self.gram = np.zeros((r, d * (d + 1) // 2 if d else a, h * (h + 1) // 2))
        self.target = np.zeros((r, d or a, h))
        n = a if self.intercept else 0
        self.views, self.view_sum, self.reward_sum = np.zeros(n), np.zeros((n, h)), np.zeros(n)
        self.refresh()

    def wants_intercept(self) -> bool:
        """Whether every item gets a weight of its own."""
        return False

    # learning -----------------------------------------------------------------------------------------------------
    def update(self, rows):
        x, f = self.design.context(rows.obs), self.design.chosen(rows.obs, rows.action)      # [M, H], [M, D]
        reward = rows.reward.astype(np.float64)
        self.add(rows, x, f, np.ones(len(x)), reward)
        if self.intercept:
            np.add.at(self.views, rows.action, 1.0)
            np.add.at(self.view_sum, rows.action, x)
            np.add.at(self.reward_sum, rows.action, reward)
        self.refresh()

    def add(self, rows, x, f, weight, value):
        """``gram`` += Σ weight φφ' and ``target`` += Σ value φ; ``weight [M]``, ``value [M]``."""
        if f is None:
            return add_pairs(self.gram, self.target, rows.learner, rows.action, x, weight, value)
        left, right = value[:, None] * x, weight[:, None] * pairs(x)
        if self.replications == 1:
            self.target[0] += f.T @ left
            self.gram[0] += pairs(f).T @ right
        else:
            np.add.at(self.target, rows.learner, f[:, :, None] * left[:, None, :])
            np.add.at(self.gram, rows.learner, pairs(f)[:, :, None] * right[:, None, :])

    def precision(self) -> np.ndarray:
        """A: ``[R, D·H, D·H]`` shared (after the elimination of the intercepts), ``[R, A, H, H]`` disjoint."""
        gram, h, d = self.gram, self.design.contexts, self.design.features
        if self.intercept:
            gram = gram - self.item_pairs.T @ (pairs(self.view_sum) / (self.views + self.l2)[:, None])
        if d:
            full = gram[:, place(d)[:, None, :, None], place(h)[None, :, None, :]].reshape(-1, d * h, d * h)
        else:
            full = gram[..., place(h)]
        return full + self.l2 * np.eye(full.shape[-1])

    def refresh(self):
        """Derive from the sums what `act` reads."""
        r, d, h, items = self.replications, self.design.features, self.design.contexts, self.design.items
        precision, target = self.precision(), self.target
        inverse = np.linalg.inv(precision)
        self.log_det = np.linalg.slogdet(precision)[1] - precision.shape[-1] * np.log(self.l2)   # [R] or [R, A]
        scale = 1.0 / (self.views + self.l2)                                                     # [A]
        if self.intercept and items is not None:
            target = target - items.T @ (self.view_sum * (self.reward_sum * scale)[:, None])
        self.theta = (inverse @ target.reshape(*inverse.shape[:-1], 1)).reshape(r, d or self.actions, h)
        square = fold(inverse.reshape(r, d, h, d, h).transpose(0, 2, 4, 1, 3)) if d else np.moveaxis(inverse, 1, -1)
        spread = np.moveaxis(fold(np.moveaxis(square, -1, 1)), 2, 1)
        self.spread = np.ascontiguousarray(spread)                                               # [R, pairs H, pairs D]
        self.offset, self.shift = np.zeros(len(self.views)), np.zeros((len(self.views), h))
        if self.intercept and items is not None:
            centre = self.view_sum * scale[:, None]                                              # [A, H] mean x, shrunk
            at = (items[:, :, None] * centre[:, None, :]).reshape(-1, d * h) @ inverse[0]        # [A, D·H]
            at = np.einsum("ad,adh->ah", items, at.reshape(-1, d, h))
            self.offset = self.reward_sum * scale - ((items @ self.theta[0]) * centre).sum(axis=1)
            self.shift = -2.0 * at
            self.shift[:, 0] += (at * centre).sum(axis=1) + scale

    # acting -------------------------------------------------------------------------------------------------------
    def moments(self, obs) -> tuple[np.ndarray, np.ndarray]:
        """(mean, variance / σ²) of every action's score, each ``[N, A]``."""
        x, f = self.by_learner(obs), self.design.item_features(obs)                              # [R, B, H]
        n = x.shape[0] * x.shape[1]
        if f is not None and (f.ndim == 3 or n == 1):          # (one user's matrix is smaller than all items' pairs)
            weights, square = self.user_model(x)
            f = f.reshape(len(weights), -1, f.shape[-1])
            mean, variance = (f @ weights[:, :, None])[..., 0], np.einsum("nmd,nmd->nm", f @ square, f)
        else:
            mean, variance = x @ self.theta.swapaxes(1, 2), pairs(x) @ self.spread               # [R, B, D or A]
            if f is not None:
                mean, variance = mean @ f.T, variance @ self.item_pairs.T
        if self.intercept:
            mean, variance = mean + self.offset, variance + x @ self.shift.T
        return mean.reshape(n, -1), np.maximum(variance, 0.0).reshape(n, -1)

    def by_learner(self, obs) -> np.ndarray:
        """x ``[R, B, H]``: learner r serves users r·B … r·B + B − 1."""
        x = self.design.context(obs)
        return x.reshape(self.replications, self.share(len(x)), -1)

    def user_model(self, x) -> tuple[np.ndarray, np.ndarray]:
        """x ``[R, B, H]`` -> every user's weights over item features ``[N, D]`` and covariance ``[N, D, D]``.

        Where the context is only a constant, a learner's users share them: ``[R, D]`` and ``[R, D, D]``.
        """
        d = self.design.features
        x = x[:, :1] if self.design.contexts == 1 else x
        folded = (pairs(x) @ self.spread).reshape(-1, d * (d + 1) // 2)
        square = folded[:, place(d)] * np.where(np.eye(d, dtype=bool), 1.0, 0.5)
        return (x @ self.theta.swapaxes(1, 2)).reshape(-1, d), square
