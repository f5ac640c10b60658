"""Regret of the bandits against published and independently recomputed figures, with pinned seeds.

The world is a dozen lines of NumPy below, so that nothing but `act` and `learn` is under test.  Bernoulli arms; regret
is expected, Σ (μ* − μ_a).  Bands are the reference mean ± max(5 standard errors, 5 %), at 300 replications.
"""
import numpy as np
import pytest
from gymnasium import spaces

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.rollout import make_rng

R = 300
P1 = np.arange(1, 10) / 10                                                   # Lai & Robbins' constant 7.5
P3 = np.array([0.01] * 3 + [0.02] * 3 + [0.05] * 2 + [0.1])                  # 14.5
PIECEWISE = np.array([[0.3, 0.5, 0.9], [0.3, 0.2, 0.9], [0.3, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.5, 0.1]])


def regret(name, means, steps, seed, R=R, **params):
    """Mean regret ``[steps]`` over R replications; ``means [segments, A]`` change at equal intervals."""
    means = np.atleast_2d(means)
    cls = find_algorithm(name)
    config = make_config(cls, {"replications": R, **params})
    algorithm = cls(spaces.Discrete(1), spaces.Discrete(means.shape[1]), config)
    rng, coins, obs = make_rng(seed, 0), make_rng(seed, 1), np.zeros((1, R), np.int64)
    ends, lost = np.ones((1, R), bool), np.zeros(steps)
    for t in range(steps):
        mu = means[t * len(means) // steps]
        action, log_prob = algorithm.act(obs[0], rng)
        reward = (coins.random(R) < mu[action]).astype(np.float32)
        algorithm.learn(Transition(obs, action[None], reward[None], obs, ends, ~ends, log_prob[None]))
        lost[t] = (mu.max() - mu[action]).mean()
    return lost.cumsum()


@pytest.mark.parametrize(("name", "params", "means", "steps", "low", "high"), [
    ("thompson", {}, P1, 10_000, 37, 45),
    ("kl_ucb", {}, P1, 10_000, 54, 64),
    ("ucb", {"alpha": 4.0}, P1, 10_000, 322, 342),
    ("thompson", {}, P3, 10_000, 63, 77),
    ("kl_ucb", {}, P3, 10_000, 90, 102),
    ("thompson", {"window": 206}, PIECEWISE, 5000, 129, 142),
    ("thompson", {}, PIECEWISE, 5000, 430, 560),
    ("thompson", {"discount": 0.99}, PIECEWISE, 5000, 177, 196),
    ("thompson", {"discount": 0.95}, PIECEWISE, 5000, 403, 446),
    ("kl_ucb", {"window": 500}, PIECEWISE, 5000, 133, 147),
    ("kl_ucb", {"window": 206}, PIECEWISE, 5000, 170, 188),
    ("kl_ucb", {}, PIECEWISE, 5000, 254, 294),
    ("ucb", {"alpha": 4.0}, PIECEWISE, 5000, 235, 260),
    ("kl_ucb", {"discount": 0.99}, PIECEWISE, 5000, 235, 260),
    ("epsilon_greedy", {"window": 206}, PIECEWISE, 5000, 189, 210),
])
def test_regret_band(name, params, means, steps, low, high):
    assert low <= regret(name, means, steps, seed=1, **params)[-1] <= high


def test_constant_epsilon_is_linear_for_ever():
    """The slope is ε times the mean gap, .1 · .4, once the best arm is found; reference .0399."""
    lost = regret("epsilon_greedy", P1, 10_000, seed=1)
    assert 0.038 <= (lost[-1] - lost[4999]) / 5000 <= 0.042
    assert 409 <= lost[-1] <= 452


def test_fixed_ab_test_at_click_rates_of_five_percent():
    """1000 visitors an arm, T = 100,000: 421 lost clicks, most of them because the test crowns the wrong winner."""
    rates = np.array([0.05, 0.045, 0.04, 0.04, 0.035, 0.035, 0.03, 0.03, 0.025, 0.02])
    lost = regret("explore_then_commit", rates, 10_001, seed=1, R=2000, samples=1000)
    assert abs(lost[9999] - 150.0) < 1e-6                                    # 1000 · Σ gaps, exactly
    after = lost[10_000] - lost[9999]                                        # what the winners lose a step
    assert 400 <= lost[9999] + 90_000 * after <= 442


def test_change_point_restart_beats_the_memory_it_replaces():
    """GLR-klUCB with local restarts: 70.5 in the log of SMPyBandits, an oracle restart 58, KL-UCB 272."""
    assert regret("glr_kl_ucb", PIECEWISE, 5000, seed=1)[-1] < 85


def test_exp3_and_gradient_bandit_learn():
    """EXP3 stays below its bound 2.63 √(T A ln A) = 1169 on P1, both beat uniform play (4000) by far."""
    assert regret("exp3", P1, 10_000, seed=1, gamma=0.04)[-1] < 2.63 * np.sqrt(10_000 * 9 * np.log(9))
    assert regret("gradient_bandit", P1, 10_000, seed=1)[-1] < 400


def linear_regret(name, features, theta, steps, seed, R, spread=0.5, watch=None, **params):
    """Regret ``[R, steps]`` on a fixed action set ``features [A, d]`` with rewards θ'f + N(0, spread²)."""
    actions, d = features.shape
    cls = find_algorithm(name)
    config = make_config(cls, {"replications": R, **params})
    algorithm = cls(spaces.Box(-np.inf, np.inf, (actions, d)), spaces.Discrete(actions), config)
    rng, coins = make_rng(seed, 0), make_rng(seed, 1)
    obs, ends = np.broadcast_to(features, (1, R, actions, d)), np.ones((1, R), bool)
    value, lost = features @ theta, np.zeros((R, steps))
    for t in range(steps):
        action, log_prob = algorithm.act(obs[0], rng)
        reward = (value[action] + spread * coins.standard_normal(R)).astype(np.float32)
        algorithm.learn(Transition(obs, action[None], reward[None], obs, ends, ~ends, log_prob[None]))
        lost[:, t] = value.max() - value[action]
        if watch:
            watch(algorithm)
    return lost.cumsum(axis=1)


DECEPTIVE = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.0]])                   # pulling 0 or 2 says nothing about 1
THETA = np.array([0.5, 0.7])


def test_exploration_on_a_fixed_action_set_with_a_deceptive_arm():
    """Greedy (α = 0) never learns that action 1 is better and loses for ever; LinUCB and linear Thompson find it."""
    steps, R = 2000, 200
    lost = {key: linear_regret(name, DECEPTIVE, THETA, steps, 1, R, spread=0.1, **params).mean(axis=0)
            for key, name, params in [("greedy", "lin_ucb", {"alpha": 0.0}), ("ucb", "lin_ucb", {"alpha": 1.0}),
                                      ("thompson", "lin_thompson", {"scale": 0.5})]}
    half = steps // 2 - 1
    assert lost["greedy"][-1] - lost["greedy"][half] > 0.9 * lost["greedy"][half] > 0.2 * 0.2 * half
    for key in ("ucb", "thompson"):
        assert lost[key][-1] < 0.1 * lost["greedy"][-1]
        assert lost[key][-1] - lost[key][half] < 0.25 * lost[key][half]


def test_oful_ellipsoid_covers_the_truth():
    """(θ − θ*)'A(θ − θ*) ≤ β_t² at every t in at least 1 − δ of 200 runs; a β of the noise alone fails in most."""
    rng, d, R, steps, delta = make_rng(11), 5, 200, 500, 0.1
    features = rng.standard_normal((10, d))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    theta = rng.standard_normal(d)
    theta /= np.linalg.norm(theta)
    covered, narrow = np.ones(R, bool), np.ones(R, bool)

    def watch(model):
        error = model.theta[:, :, 0] - theta                                 # [R, d]
        distance = np.einsum("rd,rde,re->r", error, model.precision(), error)
        covered[:] &= distance <= model.width() ** 2
        narrow[:] &= distance <= 0.5**2

    lost = linear_regret("lin_ucb", features, theta, steps, 2, R, watch=watch, delta=delta, noise=0.5, norm=1.0)
    assert covered.mean() >= 1 - delta and narrow.mean() < 0.5
    radius = 0.5 * np.sqrt(2 * np.log(1 / delta) + d * np.log(1 + steps / d)) + 1.0
    assert lost[:, -1].max() <= 2 * radius * np.sqrt(2 * steps * d * np.log(1 + steps / d))


def contextual_regret(name, curved, steps=250, users=50, **params):
    """Four actions, six normal user features; the log-odds of a click are the product of two projections, or one."""
    weight, coins, rng = make_rng(3).standard_normal((4, 6, 2)), make_rng(1, 1), make_rng(1, 0)
    cls = find_algorithm(name)
    algorithm = cls(spaces.Box(-np.inf, np.inf, (6,)), spaces.Discrete(4), make_config(cls, params))
    lost, ends, row = 0.0, np.ones((1, users), bool), np.arange(users)
    for _ in range(steps):
        x = coins.standard_normal((users, 6)).astype(np.float32)
        first, second = np.einsum("nd,kdj->jnk", x, weight)
        mu = 1.0 / (1.0 + np.exp(-(0.7 * first * second if curved else first)))              # [N, 4]
        action, log_prob = algorithm.act(x, rng)
        reward = (coins.random(users) < mu[row, action]).astype(np.float32)
        algorithm.learn(Transition(x[None], action[None], reward[None], x[None], ends, ~ends, log_prob[None]))
        lost += (mu.max(axis=1) - mu[row, action]).mean()
    return lost


@pytest.mark.parametrize("name", ["neural_ucb", "neural_linear"])
def test_neural_bandits_see_curvature_and_cost_little_where_there_is_none(name):
    """Curved: at most half of LinUCB's regret.  Linear twin: at most a tenth of what LinUCB gains on chance is lost."""
    assert contextual_regret(name, True) < 0.5 * contextual_regret("lin_ucb", True)
    chance, linear = contextual_regret("random", False), contextual_regret("lin_ucb", False)
    assert chance - contextual_regret(name, False) > 0.9 * (chance - linear)


@pytest.mark.parametrize("name", ["lin_ucb", "lin_thompson", "logistic_thompson"])
def test_linear_bandits_learn_who_likes_what(name):
    """Less than a tenth of the regret of chance in a linear world with four disjoint models."""
    assert contextual_regret(name, False) < 0.1 * contextual_regret("random", False)


@pytest.mark.parametrize(("name", "most"), [("squarecb", 0.1), ("linear_softmax", 0.15),
                                            ("linear_epsilon_greedy", 0.25)])
def test_online_linear_bandits_learn_who_likes_what(name, most):
    """Regret in a linear world with users' features, as a share of that of chance; ε-greedy pays 0.1 for ever."""
    assert contextual_regret(name, False) < most * contextual_regret("random", False)


def test_squarecb_stops_paying_for_exploration():
    """Nine arms, 10,000 steps: below UCB's published 322 to 342 (α = 4), and the second half costs less."""
    lost = regret("squarecb", P1, 10_000, seed=1, R=100, bits=8)
    assert 80 < lost[-1] < 150 and lost[-1] - lost[4999] < 0.6 * lost[4999]
