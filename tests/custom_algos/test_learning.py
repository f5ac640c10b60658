"""Trivial worlds that must be learnt within seconds: a best arm, a digit to repeat, a chain that pays at its end."""
import numpy as np
import pytest
import torch
from support.toys import Arms, Chain, Identity

from custom_algos import ALGORITHMS, find_algorithm
from custom_algos.bandits.core import Bandit
from custom_algos.bandits.fixed import Random
from custom_algos.core import Transition, make_config
from custom_algos.rollout import begin, collect, make_rng, train

CLASSES = {name: find_algorithm(name) for name in ALGORITHMS}
LEARNERS = [name for name, cls in CLASSES.items() if issubclass(cls, Bandit) and not issubclass(cls, Random)]


def build(name, env, **params):
    cls = find_algorithm(name)
    return cls(env.single_observation_space, env.single_action_space, make_config(cls, params), 1)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_bandit_finds_the_best_arm(name):
    env = Arms(50, 1, 3)
    algorithm = build(name, env)
    if getattr(algorithm, "from_log", False):                # it reads a log, and then stands still
        action = make_rng(5).integers(3, size=(1, 3000))
        reward = (make_rng(6).random(action.shape) < Arms.means[action]).astype(np.float32)
        zeros, ends = np.zeros(action.shape, np.int64), np.ones(action.shape, bool)
        algorithm.learn(Transition(zeros, action, reward, zeros, ends, ~ends, np.full_like(reward, np.nan)))
    history = train(env, algorithm, 5000, seed=2)
    action, _ = algorithm.act(np.zeros(100, np.int64), make_rng(3), explore=False)
    assert (action == 1).all()
    late = np.mean([row["reward_mean"] for row in history[-30:]])
    assert late > 0.7, late                                  # while it explores; always the best arm: .8, random: .47


def test_random_does_not_learn():
    history = train(env := Arms(50, 1, 3), build("random", env), 5000, seed=2)
    assert np.mean([row["reward_mean"] for row in history]) == pytest.approx(1.4 / 3, abs=4 * 0.5 / np.sqrt(5000))


def test_a2c_repeats_the_digit():
    env = Identity(64, 5, 5)
    algorithm = build("a2c", env, learning_rate=0.01)
    train(env, algorithm, 30_000, seed=1)
    batch, _, totals = collect(env, algorithm, begin(env, 9), 20, make_rng(9))
    assert totals["reward"].sum() / batch.reward.size >= 0.9       # as it explores; a random one has .2
    np.testing.assert_array_equal(algorithm.act(np.arange(5), make_rng(0), explore=False)[0], np.arange(5))


def test_a2c_learns_a_chain_that_pays_at_its_end_and_its_value():
    """A random walk comes through once in 256 sessions.  The optimal value of state s is γ^(7 − s)."""
    env = Chain(64, 8, 2)
    algorithm = build("a2c", env, learning_rate=0.01, gamma=0.9)
    train(env, algorithm, 100_000, seed=1)
    np.testing.assert_array_equal(algorithm.act(np.arange(8), make_rng(0), explore=False)[0], np.arange(8) % 2)
    _, _, totals = collect(env, algorithm, begin(env, 9), 80, make_rng(9))
    assert totals["reward"].sum() / totals["sessions"].sum() >= 0.9
    value = algorithm.critic(torch.eye(8)).detach().numpy()[:, 0]
    np.testing.assert_allclose(value, 0.9 ** (7 - np.arange(8)), atol=0.1)


def test_the_loss_of_a2c_is_the_equation_of_its_docstring():
    """The same numbers in NumPy: −E[log π Â] + c_v ½ E[(V − target)²] − c_H E[H], γ = .9, λ = .5, not normalised."""
    env, rng = Identity(4, 3, 3), make_rng(1)
    algorithm = build("a2c", env, gamma=0.9, gae_lambda=0.5, normalize_advantage=False, entropy_coef=0.2,
                      value_coef=0.7)
    batch, _, _ = collect(env, algorithm, begin(env, 1), 6, rng)
    truncated = rng.random((6, 4)) < 0.3
    batch = batch._replace(terminated=batch.terminated & ~truncated & (rng.random((6, 4)) < 0.3), truncated=truncated)
    def net(module, obs):
        one_hot = np.eye(3, dtype=np.float32)[obs.reshape(-1)]
        return module(torch.from_numpy(one_hot)).detach().numpy().astype(float)
    logits = net(algorithm.actor, batch.obs)
    log_pi = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    v, after = (net(algorithm.critic, x).reshape(6, 4) for x in (batch.obs, batch.next_obs))
    advantage = np.zeros((7, 4))
    for t in reversed(range(6)):
        delta = batch.reward[t] + 0.9 * np.where(batch.terminated[t], 0, after[t]) - v[t]
        advantage[t] = delta + 0.45 * np.where(batch.ends[t], 0, advantage[t + 1])
    a = advantage[:6].reshape(-1)
    policy = -(log_pi[np.arange(24), batch.action.reshape(-1)] * a).mean()
    entropy = -(np.exp(log_pi) * log_pi).sum(axis=1).mean()
    expected = policy + 0.7 * 0.5 * (a**2).mean() - 0.2 * entropy
    losses = {key: value.item() for key, value in algorithm.loss(batch).items()}
    assert losses["total"] == pytest.approx(expected, rel=1e-5)
    assert losses["entropy"] == pytest.approx(entropy, rel=1e-5)
    assert losses["policy_loss"] == pytest.approx(policy, abs=1e-6)
