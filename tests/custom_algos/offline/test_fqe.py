"""Fitted Q evaluation against exact policy evaluation on the log's empirical MDP."""
import numpy as np
import pytest
from gymnasium import spaces
from support.small_worlds import empirical, make, random_mdp, sample

from custom_algos import find_algorithm
from custom_algos.core import make_config, tree_map
from custom_algos.offline.fqe import Linear, Table, fqe, probabilities
from custom_algos.offline.fqe_network import Network
from custom_algos.rollout import begin, collect, make_rng
from envs.engine.solver import evaluate

STATES, ACTIONS = spaces.Discrete(6), spaces.Discrete(3)


class Policy:
    """Acts by ``chance [S, A]``; ``tells`` whether it knows its propensities."""

    def __init__(self, chance, tells=True):
        self.action_space, self.chance, self.tells = spaces.Discrete(chance.shape[1]), chance, tells

    def act(self, obs, rng, explore=True, mask=None):
        p = self.chance[obs] if mask is None else self.chance[obs] * mask
        p = p / p.sum(axis=1, keepdims=True)
        action = (p.cumsum(axis=1) > rng.random(len(obs))[:, None]).argmax(axis=1)
        log_prob = np.log(p[np.arange(len(action)), action])     # float64, for comparisons to 1e-8
        return action, log_prob if self.tells else np.full(len(action), np.nan)


def soft(seed=0):
    return Policy(0.1 + 0.7 * np.random.default_rng(seed).dirichlet(np.ones(3), size=6))


@pytest.mark.parametrize("rows", [40, 2000])                     # 40: some cells were never tried
def test_a_table_is_exact_policy_evaluation_on_the_empirical_mdp(rows):
    log, policy, start = sample(random_mdp(4), make_rng(4), rows), soft(), np.arange(5)
    mdp, chance = empirical(log, 6, 3), np.zeros((7, 3))
    chance[:6], chance[6] = probabilities(policy, np.arange(6)), 1 / 3
    for gamma, horizon in ((0.9, None), (1.0, 17), (0.5, 3)):
        found = fqe(Table(STATES, ACTIONS), log, policy, start, gamma, horizon, tolerance=1e-12)
        exact = evaluate(mdp, chance, gamma, horizon)[:5]
        np.testing.assert_allclose(found.at_start, exact, atol=1e-8)
        assert found.value == pytest.approx(exact.mean(), abs=1e-8)
        assert found.iterations == horizon or (horizon is None and found.change <= 1e-12)
    assert (found.support == 1.0) == (rows == 2000)


def test_boredom_by_a_table_and_its_truth():
    """Sessions of 100 steps that all end by the clock: the empirical MDP exactly, the true value nearly."""
    env = make("Boredom", 200)
    uniform = Policy(np.full((5, 2), 0.5))
    log, _, _ = collect(env, uniform, begin(env, 1), 100, make_rng(1))
    assert log.truncated.sum() == 200 and not log.terminated.any()
    diverse = np.array([0.05, 0.1, 0.2, 0.3, 0.9])               # the chance to show something diverse, by boredom
    policy = Policy(np.stack([1 - diverse, diverse], axis=1))
    table = Table(env.single_observation_space, env.single_action_space)
    found = fqe(table, log, policy, np.zeros(3, int), horizon=100)
    chance = np.append(probabilities(policy, np.arange(5)), [[0.5, 0.5]], axis=0)
    assert found.value == pytest.approx(evaluate(empirical(log, 5, 2), chance, horizon=100)[0], abs=1e-8)
    truth = env.exact_return(lambda obs: policy.chance)
    assert found.value == pytest.approx(truth, rel=0.03) and found.support == 1.0
    assert abs(truth - env.random_return()) > 4                  # the log's own policy is worth something else


def test_a_linear_class_on_one_hot_states_is_the_table():
    log, policy = sample(random_mdp(5), make_rng(5), 2000), soft(5)
    table = fqe(Table(STATES, ACTIONS), log, policy, np.arange(5), 0.9)
    one_hot = Linear(STATES, ACTIONS, 1e-9, features=lambda obs: np.eye(6)[obs])
    np.testing.assert_allclose(fqe(one_hot, log, policy, np.arange(5), 0.9).at_start, table.at_start, atol=1e-6)
    np.testing.assert_allclose(fqe(Linear(STATES, ACTIONS), log, policy, np.arange(5), 0.9).at_start, table.at_start,
                               atol=1e-4)                        # its own features have a constant, too


def test_a_linear_class_is_ridge_regression():
    space, rng = spaces.Box(-1, 1, (2,)), np.random.default_rng(1)
    x, action, y = rng.normal(size=(50, 2)), rng.integers(3, size=50), rng.normal(size=50)
    linear = Linear(space, ACTIONS, l2=0.5)
    seen = linear.look(x)
    linear.take(seen, action)
    linear.fit(y)
    for a in range(3):
        phi = np.c_[np.ones((action == a).sum()), x[action == a]]
        weights = np.linalg.inv(phi.T @ phi + 0.5 * np.eye(3)) @ phi.T @ y[action == a]
        np.testing.assert_allclose(linear.values(seen)[:, a], np.c_[np.ones(50), x] @ weights, rtol=1e-10)


def test_a_network_comes_close_to_the_table():
    log, policy = sample(random_mdp(6), make_rng(6), 2000), soft(6)
    table = fqe(Table(STATES, ACTIONS), log, policy, np.arange(5), 0.8, horizon=15)
    net = [fqe(Network(STATES, ACTIONS, (32,), learning_rate=3e-3, seed=2), log, policy, np.arange(5), 0.8, horizon=15)
           for _ in range(2)]
    np.testing.assert_array_equal(net[0].at_start, net[1].at_start)                       # seeded
    spread = np.abs(table.at_start).max()
    assert np.abs(net[0].at_start - table.at_start).max() < 0.1 * spread and net[0].support == 1.0


def test_masks_reach_the_policy():
    """Action 0 is never allowed in the next states: a policy that would take it must do with the others."""
    log, policy = sample(random_mdp(7), make_rng(7), 2000), soft(7)
    mask = np.tile([False, True, True], (1, 2000, 1)) & ~log.terminated[..., None]        # nobody chooses after the end
    found = fqe(Table(STATES, ACTIONS), log._replace(next_mask=mask), policy, np.arange(5), 0.9,
                start_mask=np.tile([False, True, True], (5, 1)))
    without = Policy(policy.chance * [0, 1, 1] / policy.chance[:, 1:].sum(axis=1, keepdims=True))
    same = fqe(Table(STATES, ACTIONS), log, without, np.arange(5), 0.9)
    np.testing.assert_allclose(found.at_start, same.at_start, atol=1e-8)


def test_probabilities_of_any_policy():
    policy, obs = soft(8), np.arange(6)
    np.testing.assert_allclose(probabilities(policy, obs), policy.chance, atol=1e-12)
    counted = probabilities(Policy(policy.chance, tells=False), obs, draws=4000)
    assert 0 < np.abs(counted - policy.chance).max() < 4.5 * 0.5 / np.sqrt(4000)
    cls = find_algorithm("q_learning")
    greedy = cls(STATES, ACTIONS, make_config(cls, {"epsilon_start": 0.3}))
    greedy.q[0] = np.eye(6)[:, :3]
    assert probabilities(greedy, obs[:3]).tolist() == np.eye(3).tolist()
    np.testing.assert_allclose(probabilities(greedy, obs[:3], explore=True), 0.7 * np.eye(3) + 0.1, atol=1e-7)
    np.testing.assert_allclose(probabilities(greedy, obs[3:]), 1 / 3, atol=1e-7)          # ties


def test_what_cannot_be_evaluated_is_said():
    log = sample(random_mdp(9), make_rng(9), 200)
    with pytest.raises(ValueError, match=r"gamma = 1\.0 must lie"):
        fqe(Table(STATES, ACTIONS), log, soft(), np.arange(5))
    with pytest.raises(RuntimeError, match="still move by"):
        fqe(Table(STATES, ACTIONS), log, soft(), np.arange(5), 0.99, max_iterations=5)
    with pytest.raises(ValueError, match="l2 = 0"):
        Linear(STATES, ACTIONS, l2=0.0)
    missing = tree_map(lambda x: x[:, log.action[0] != 1], log)
    assert fqe(Linear(STATES, ACTIONS), missing, soft(), np.arange(5), 0.9).support < 1.0
