"""Users with features, or with candidates that have them: what is drawn, what it scores, what the user answers.

The story is told in `envs.bandits.contexts`.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import kernel, normal, session_key, uniform

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


Rules = rules_of(Params, link=int, law=int, clicks=bool, fresh=bool)         # link and law: places in the tuples above


@kernel_type
class World(NamedTuple):
    weights: np.ndarray            # [A, D or D + 1], [1, D] for fresh candidates


@kernel_type
class State(NamedTuple):
    x: np.ndarray                  # [N, m, D] float32 features of m candidates, or m = 1 for a user's own


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]
    regret: np.ndarray             # [N]


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
def begin_users(rows, rules, who, state):
    """Who arrives: a user's own features are the world's in every session, fresh candidates are coins of a session."""
    x = state.x
    for n in rows:
        if rules.fresh:
            key = session_key(who.seed, who.user[n], who.session[n])
        else:
            key = session_key(rules.world_seed, who.user[n], 0)
        for slot in range(x.shape[1]):
            draw_features(key, slot, rules.law, x[n, slot])


@kernel
def dot(weights, x):
    """``weights · (x, 1)``, or without the 1 where there is no weight for it."""
    total = weights[len(x)] if len(weights) > len(x) else 0.0
    for i in range(len(x)):
        total += weights[i] * x[i]
    return total


@kernel
def step_users(action, active, rules, world, who, state, out):
    """One user, one action: score every action, toss the coin for the chosen one, compare with the best."""
    x, weights = state.x, world.weights
    for n in range(len(action)):
        if not active[n]:
            continue
        mine, best = 0.0, -np.inf
        for a in range(max(len(weights), x.shape[1])):
            score = dot(weights[0], x[n, a]) if rules.fresh else dot(weights[a], x[n, 0])
            mean = mean_reward(score, rules.link, rules.clicks)
            best = max(best, mean)
            if a == action[n]:
                mine = mean
        life = session_key(who.seed, who.user[n], who.session[n])
        if rules.clicks:
            out.reward[n] = uniform(life, 0, REWARD, 0) < mine
        else:
            out.reward[n] = mine + rules.noise * normal(life, 0, REWARD, 0)
        out.expected[n], out.regret[n] = mine, best - mine
