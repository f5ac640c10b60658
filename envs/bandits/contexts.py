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
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from ..engine.params import param
from ..engine.rng import kernel, normal, session_key, uniform
from ..engine.vector import VectorEnv

FEATURE, REWARD = 1, 2                           # purposes of the coins
LINKS = ("identity", "logistic", "cosine", "square")
CONTEXTS = ("sphere", "signs", "normal")


@dataclass(frozen=True)
class Params:
    actions: int = param(8, 1)
    """A: fixed actions, or m: candidates a round."""
    dim: int = param(5, 0)
    """D, number of features of a user or of a candidate."""
    context: str = param("sphere", choices=CONTEXTS)
    """Law of the features: uniform on the unit sphere, fair signs ±1, or independent standard normals."""
    link: str = param("identity", choices=LINKS)
    """From the linear score to the mean reward."""
    reward: str = param("gaussian", choices=("gaussian", "bernoulli"))
    """Normal noise on the mean, or a click."""
    noise: float = param(0.5, 0.0)
    """Standard deviation of a Gaussian reward."""
    weight_scale: float = param(1.0, 0.0)
    """Drawn weights are N(0, weight_scale² / max(D, 1)) an entry; a drawn θ has this length."""
    bias: bool = param(False)
    """Whether drawn actions also have a constant of the same law (fixed set only)."""
    items: tuple = ()
    """Given features ``[A, F]`` of a fixed set; they become the attribute ``items`` and there are no user features."""
    theta: tuple = ()
    """Given θ ``[F]`` (with items) or ``[D]`` (fresh); empty: drawn."""
    world_seed: int = param(0, 0)
    """Seed of weights and of who has which features."""


@kernel
def mean_reward(score, link, clicks):
    """f(score); the probability of a click must be one."""
    if link == 1:
        score = 1.0 / (1.0 + np.exp(-score))
    elif link == 2:
        score = np.cos(3.0 * score)
    elif link == 3:
        score = score * score
    return min(1.0, max(0.0, score)) if clicks else score


@kernel
def draw_features(key, slot, law, out):
    """One feature vector ``out [D]``; float32 is what the agent sees and what the score is made of."""
    dim, total = len(out), 0.0
    for i in range(dim):
        if law == 1:
            out[i] = 1.0 if uniform(key, 0, FEATURE, slot * dim + i) < 0.5 else -1.0
        else:
            out[i] = normal(key, 0, FEATURE, slot * dim + i)
            total += np.float64(out[i]) ** 2
    if law == 0:
        for i in range(dim):
            out[i] /= np.sqrt(total)


@kernel
def begin_users(rows, seed, user, session, law, x):
    """Features of the users who arrive, ``x [N, m, D]``: m candidates each, or m = 1 for a user's own."""
    for n in rows:
        key = session_key(seed, user[n], session[n])
        for slot in range(x.shape[1]):
            draw_features(key, slot, law, x[n, slot])


@kernel
def dot(weights, x):
    """``weights · (x, 1)``, or without the 1 where there is no weight for it."""
    total = weights[len(x)] if len(weights) > len(x) else 0.0
    for i in range(len(x)):
        total += weights[i] * x[i]
    return total


@kernel
def step_users(action, active, seed, user, session, weights, x, link, clicks, noise, reward, expected, regret):
    """One user, one action: score every action, toss the coin for the chosen one, compare with the best."""
    fresh, actions = x.shape[1] > 1, max(len(weights), x.shape[1])
    for n in range(len(action)):
        if not active[n]:
            continue
        mine, best = 0.0, -np.inf
        for a in range(actions):
            score = dot(weights[0], x[n, a]) if fresh else dot(weights[a], x[n, 0])
            mean = mean_reward(score, link, clicks)
            best = max(best, mean)
            if a == action[n]:
                mine = mean
        life = session_key(seed, user[n], session[n])
        if clicks:
            reward[n] = uniform(life, 0, REWARD, 0) < mine
        else:
            reward[n] = mine + noise * normal(life, 0, REWARD, 0)
        expected[n], regret[n] = mine, best - mine


class ContextBandit(VectorEnv):
    """Attributes: ``weights [A, D or D + 1]``; ``items [A, F]`` where given."""

    Params = Params
    fresh = False

    def _build(self):
        p, rng = self.params, np.random.default_rng([self.params.world_seed, 1])
        self.actions, self.dim = p.actions, p.dim
        self.items: np.ndarray | None = None
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
            self.weights = (self.items @ theta)[:, None].astype(np.float64)  # [A, 1]: x is empty, only the 1 counts
        elif self.fresh:
            self.weights = theta[None]                                       # [1, D]
        else:
            if self.dim < 1:
                raise ValueError("parameter 'dim' = 0 needs given 'items'")
            self.weights = rng.standard_normal((self.actions, self.dim + p.bias)) * p.weight_scale / np.sqrt(self.dim)
        self.link, self.law = LINKS.index(p.link), CONTEXTS.index(p.context)

    def _spaces(self):
        high = 1.0 if self.params.context != "normal" or self.dim == 0 else np.inf
        return Box(-high, high, (max(self.dim, 1),)), Discrete(self.actions)

    def _allocate(self):
        return {"x": np.zeros((self.num_envs, self.actions if self.fresh else 1, self.dim), np.float32)}

    def _begin(self, rows):
        """A user's own features are the world's: the same in every session and under every reset seed."""
        begin_users(rows, self.params.world_seed, self.user, np.zeros_like(self.user), self.law, self.state["x"])

    def _advance(self, action, active):
        p, n, reward = self.params, self.num_envs, np.zeros(self.num_envs, np.float32)
        info = {"expected_reward": np.zeros(n), "regret": np.zeros(n)}
        step_users(action, active, self.seed, self.user, self.session, self.weights,
                   self.state["x"], self.link, p.reward == "bernoulli", p.noise, reward, info["expected_reward"],
                   info["regret"])
        return reward, active.copy(), info

    def _observe(self):
        return self.state["x"][:, 0].copy() if self.dim else np.ones((self.num_envs, 1), np.float32)

    def means(self) -> np.ndarray:
        """Mean reward of every action now ``[N, A]``."""
        x, rows = self.state["x"].astype(np.float64), self.weights[:, :self.dim]
        score = x @ self.weights[0] if self.fresh else x[:, 0] @ rows.T + self.weights[:, self.dim:].sum(axis=1)
        mean = (score, 1 / (1 + np.exp(-score)), np.cos(3 * score), score**2)[self.link]
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

    def _begin(self, rows):
        begin_users(rows, self.seed, self.user, self.session, self.law, self.state["x"])

    def _observe(self):
        return {"candidates": self.state["x"].copy()}
