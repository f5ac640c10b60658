"""Contexts: what pays depends on features that the agent sees.  A fixed set of actions, or fresh candidates a round.

A step is an episode (``terminated``).  The mean reward is ``f(s)`` of a linear score s, f being the ``link``:

| link | f(s) | |
|---|---|---|
| ``identity`` | s          | the linear bandit (Abbasi-Yadkori, Pál & Szepesvári 2011); the linear twin of the others |
| ``logistic`` | 1 / (1 + exp(-s)) | the generalised linear bandit (Filippi et al. 2010) |
| ``cosine``   | cos(3 s)   | hopeless for a linear model (Zhou, Li & Gu 2020) |
| ``square``   | s²         | the same |

`ContextBandit` has a fixed set of actions: s = W[a] · (x, 1) with the user's features x.  W is drawn (every action
has its own), or is ``items @ theta`` with given item features and no user features.  `FreshContextBandit` shows
``actions`` new candidates z [m, D] a round: s = θ · z.

| | |
|---|---|
| observation | fixed: Box [D], the user's features (the constant 1 where D = 0); fresh: {"candidates": Box [m, D]} |
| action      | Discrete(A), fixed action or index into the candidates |
| reward      | mean + noise, or a click with the mean cut to [0, 1] as its probability |
| info        | ``expected_reward``, ``regret`` ``[N]`` float64 |
"""
from dataclasses import replace

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from ..engine.knows import Knows
from ..engine.params import rules
from ..engine.vector import VectorEnv
from .context_users import CONTEXTS, LINKS, Out, Params, Rules, State, World, begin_users, step_users


class ContextBandit(VectorEnv):
    """Attributes: ``world.weights``; ``items [A, F]`` where given."""

    Params = Params
    fresh = False

    def _build(self):
        p, rng = self.params, np.random.default_rng([self.params.world_seed, 1])
        self.actions, self.dim = p.actions, p.dim
        theta = np.array(p.theta, np.float64)
        if p.items:
            self.items = np.array(p.items, np.float32)                       # [A, F]
            self.actions, self.dim = len(self.items), 0
        length: int = self.dim if self.items is None else self.items.shape[-1]
        if p.theta and (theta.shape != (length,) or not (p.items or self.fresh)):
            raise ValueError(f"parameter 'theta' has shape {theta.shape}, must be ({length},) and go with given items "
                             "or fresh candidates")
        if not p.theta and (p.items or self.fresh):
            theta = rng.standard_normal(length)
            theta *= p.weight_scale / np.linalg.norm(theta)
        if self.items is not None:
            weights = (self.items @ theta)[:, None].astype(np.float64)       # [A, 1]: x is empty, only the 1 counts
        elif self.fresh:
            weights = theta[None]                                            # [1, D]
        else:
            if self.dim < 1:
                raise ValueError("parameter 'dim' = 0 needs given 'items'")
            weights = rng.standard_normal((self.actions, self.dim + p.bias)) * p.weight_scale / np.sqrt(self.dim)
        self.world = World(weights)
        self.rules = rules(Rules, p, link=LINKS.index(p.link), law=CONTEXTS.index(p.context),
                           clicks=p.reward == "bernoulli", fresh=self.fresh)

    def _spaces(self):
        high = 1.0 if self.params.context != "normal" or self.dim == 0 else np.inf
        return Box(-high, high, (max(self.dim, 1),)), Discrete(self.actions)

    def _allocate(self):
        return State(np.zeros((self.num_envs, self.actions if self.fresh else 1, self.dim), np.float32))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _advance(self, action, active):
        n = self.num_envs
        out = Out(reward=np.zeros(n, np.float32), expected=np.zeros(n), regret=np.zeros(n))
        self.run(step_users, action, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, active.copy(), {"expected_reward": out.expected, "regret": out.regret}

    def knows(self) -> Knows:
        return replace(super().knows(), regret=True)

    def _observe(self):
        return self.state.x[:, 0].copy() if self.dim else np.ones((self.num_envs, 1), np.float32)

    def means(self) -> np.ndarray:
        """Mean reward of every action now ``[N, A]``."""
        x, weights = self.state.x.astype(np.float64), self.world.weights
        own, bias = weights[:, :self.dim], weights[:, self.dim:].sum(axis=1)
        score = x @ weights[0] if self.fresh else x[:, 0] @ own.T + bias
        mean = (score, 1 / (1 + np.exp(-score)), np.cos(3 * score), score**2)[self.rules.link]
        return np.clip(mean, 0.0, 1.0) if self.params.reward == "bernoulli" else mean

    def _oracle(self):
        return self.means().argmax(axis=1)


class FreshContextBandit(ContextBandit):
    """``actions`` (at least 2) new candidates every round; they belong to the session, not to the world."""

    fresh = True

    def _build(self):
        if self.params.actions < 2 or self.params.dim < 1 or self.params.items:
            raise ValueError("fresh candidates need 'actions' ≥ 2, 'dim' ≥ 1 and no given 'items'")
        super()._build()

    def _spaces(self):
        low, high = (-np.inf, np.inf) if self.params.context == "normal" else (-1.0, 1.0)
        return Dict({"candidates": Box(low, high, (self.actions, self.dim))}), Discrete(self.actions)

    def _observe(self):
        return {"candidates": self.state.x.copy()}
