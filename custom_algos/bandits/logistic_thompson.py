r"""Logistic Thompson sampling: clicks are coins with P(1) = σ(θ'φ), and the posterior is its Laplace approximation.

    θ⁺ = arg min_θ  ½ (θ − m)'A(θ − m) + Σ [ln(1 + e^{θ'φ}) − r θ'φ],       A⁺ = A + Σ σ(1 − σ) φφ'   at θ⁺

Chapelle & Li 2011 (algorithm 3), with the whole matrix A instead of its diagonal; the minimum is found by Newton's
method.  One batch is one update, so the definition of time is the batch.  Then θ~ ~ N(θ, v² A⁻¹) as in
`lin_thompson.py`, since σ is increasing.  State: ``gram`` is A − λI in pairs, ``target`` is Aθ.
"""
from dataclasses import dataclass

import numpy as np

from ..parts.params import param
from .lin_thompson import LinThompson
from .linear import LinearConfig


@dataclass(frozen=True)
class Config(LinearConfig):
    scale: float = param(1.0, 0)
    """v: how much wider than the posterior one draws."""
    newton_steps: int = param(8, 1)
    """At most this many Newton steps per batch; it stops earlier when nothing moves."""


class LogisticThompson(LinThompson):
    Config = Config

    def update(self, rows):
        low, high = rows.reward.min(), rows.reward.max()
        if low < 0.0 or high > 1.0:
            raise ValueError(f"logistic Thompson sampling needs rewards in [0, 1], not [{low:g}, {high:g}]")
        x, f = self.design.context(rows.obs), self.design.chosen(rows.obs, rows.action)
        reward = rows.reward.astype(np.float64)
        gram, target = self.gram, self.target                                # of the prior: A − λI, A m
        for _ in range(self.config.newton_steps):
            theta = self.theta
            weights = theta[rows.learner, rows.action] if f is None else np.einsum("md,mdh->mh", f, theta[rows.learner])
            score = (weights * x).sum(axis=1)                                # [M]
            click = 1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0)))
            curve = click * (1.0 - click)                                    # [M]
            # A Newton step is a weighted least-squares fit to score + (r − σ) / (σ (1 − σ)).
            self.gram, self.target = gram.copy(), target.copy()
            self.add(rows, x, f, curve, curve * score + reward - click)
            self.refresh()
            if np.abs(self.theta - theta).max() < 1e-9:
                break
