"""Tabular problems: the exact numbers, the solver against brute force, and the environment against the solver."""
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.engine.solver import (
    TabularMDP,
    action_values,
    backward_induction,
    evaluate,
    soft_policy,
    soft_value,
    value_iteration,
)
from envs.tabular.env import Tabular
from envs.tabular.problems import boredom, churn, cliff, frozen_lake, grid, read_map

IDS = ("GridEasy", "GridHard", "Cliff", "FrozenLake4", "FrozenLake8", "Boredom", "Churn")


def make(name, users=1, **kwargs) -> Tabular:
    return gym.make_vec(f"recloop/{name}-v0", users, vectorization_mode="vector_entry_point", **kwargs).unwrapped


def at_start(mdp, value):
    return float(mdp.start @ np.where(mdp.start > 0, value, 0.0))


def returns(mdp, policy, horizon=None, gamma=1.0):
    """The exact return of a stationary policy from the start."""
    return at_start(mdp, evaluate(mdp, policy, gamma, horizon))


def uniform_policy(mdp):
    return np.full(mdp.chance.shape[:2], 1.0 / mdp.chance.shape[1])


# the reference numbers ------------------------------------------------------------------------------------------------
def test_lecture_grid_worlds():
    easy, hard = grid("easy", 0.0, None), grid("hard", 0.2, None)
    walls = [*range(20, 28), *range(52, 60), 62, 72, 75, 82, 85, 95]
    assert np.flatnonzero(read_map("hard") == "#").tolist() == walls and easy.start[0] == 1 and easy.terminal[99]
    assert value_iteration(easy)[0].max() == pytest.approx(-7)
    assert value_iteration(hard)[0].max() == pytest.approx(-36.21, abs=0.005)
    assert soft_value(value_iteration(hard, epsilon=0.135), 0.135)[0] == pytest.approx(-43.56, abs=0.005)
    assert returns(easy, uniform_policy(easy)) == pytest.approx(-591, abs=0.5)
    assert returns(hard, uniform_policy(hard)) == pytest.approx(-3091, abs=0.5)


def test_the_clock_of_the_grid_worlds_does_not_touch_the_optimum():
    for name, best in (("GridEasy", -7.0), ("GridHard", -36.2118)):
        env = make(name)
        assert env.horizon == 500 and env.optimal_return() == pytest.approx(best, abs=1e-4)
        infinite = value_iteration(env.mdp)
        assert env.optimal_return() == pytest.approx(infinite[0].max(), abs=1e-9)
        assert env.exact_return(lambda obs, q=infinite: q.argmax(axis=1)[obs]) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("name, horizon, best, random, stationary", [
    ("4x4", 100, 0.7442, 0.0139, {0.99: 0.7402, 0.9: 0.7298}), ("8x8", 200, 0.9132, 0.0019, {0.99: 0.863, 0.9: 0.739})])
def test_frozen_lake(name, horizon, best, random, stationary):
    lake = frozen_lake(name, 2 / 3, horizon)
    assert backward_induction(lake)[0, 0].max() == pytest.approx(best, abs=5e-5)
    assert returns(lake, uniform_policy(lake), horizon) == pytest.approx(random, abs=5e-5)
    for gamma, value in stationary.items():
        found = returns(lake, value_iteration(lake, gamma).argmax(axis=1), horizon)
        assert found == pytest.approx(value, abs=5e-4 if name == "8x8" else 5e-5)


def test_frozen_lake_without_a_limit():
    assert value_iteration(frozen_lake("4x4", 2 / 3, None))[0].max() == pytest.approx(0.8235, abs=5e-5)


@pytest.mark.parametrize("epsilon, path, soft, sarsa", [(.05, -28.8, -17.5, -15), (.1, -45.8, -20.7, -15),
                                                        (.2, -83.5, -28.6, -17)])
def test_cliff(epsilon, path, soft, sarsa):
    """Q-learning's path followed ε-greedily, SARSA's limit, and both of them followed greedily."""
    mdp = cliff("cliff", 0.0, 500)
    q, limit = value_iteration(mdp), value_iteration(mdp, epsilon=epsilon)
    assert returns(mdp, soft_policy(q.argmax(axis=1), 4, epsilon)) == pytest.approx(path, abs=0.05)
    assert at_start(mdp, soft_value(limit, epsilon)) == pytest.approx(soft, abs=0.05)
    assert returns(mdp, limit.argmax(axis=1)) == pytest.approx(sarsa) and returns(mdp, q.argmax(axis=1)) == -13


def test_boredom():
    mdp = boredom(1, 100)
    favourite, diverse = np.zeros(5, int), np.ones(5, int)
    assert backward_induction(mdp)[0, 0].max() == pytest.approx(67.2, abs=0.05)
    assert returns(mdp, favourite, 100) == pytest.approx(8.8, abs=0.05)
    assert returns(mdp, diverse, 100) == pytest.approx(40.0, abs=1e-9)
    mixed = {p: returns(mdp, np.tile([p, 1 - p], (5, 1)), 100) for p in np.arange(101) / 100}
    assert mixed[0.48] == pytest.approx(59.0, abs=0.05) and mixed[0.5] == pytest.approx(58.8, abs=0.05)
    assert max(mixed.values()) == pytest.approx(mixed[0.46]) and mixed[0.46] < 59.07             # flat at the top
    several = boredom(3, 100)
    assert several.chance.shape == (125, 4, 2) and several.features.shape == (125, 3)
    lonely = value_iteration(boredom(1, None), gamma=0.9)
    crowd = value_iteration(boredom(2, None), gamma=0.9)
    assert (crowd.max(axis=1).reshape(5, 5) >= lonely.max(axis=1) - 1e-9).all()                  # a topic never hurts


def test_churn():
    mdp = churn(200)
    quality, bait = np.ones(12, int), np.zeros(12, int)
    assert backward_induction(mdp)[0, 5].max() == pytest.approx(39.4, abs=0.05)
    assert returns(mdp, quality, 200) == pytest.approx(33.9, abs=0.05)
    assert returns(mdp, uniform_policy(mdp), 200) == pytest.approx(6.1, abs=0.05)
    assert returns(mdp, bait, 200) == pytest.approx(4.6, abs=0.05)
    for gamma, value in ((0.0, 4.6), (0.5, 4.6), (0.8, 4.6), (0.9, 28.0), (0.95, 39.2)):
        found = returns(mdp, value_iteration(mdp, gamma).argmax(axis=1), 200)
        assert found == pytest.approx(value, abs=0.05), gamma
    assert session_length(mdp, [bait] * 200) == pytest.approx(4.6, abs=0.05)
    assert session_length(mdp, [value_iteration(mdp, 0.95).argmax(axis=1)] * 200) == pytest.approx(60.6, abs=0.05)


def session_length(mdp, policies):
    """Expected steps of a session when step t follows ``policies[t]``."""
    value, state = np.zeros(len(mdp.start)), np.arange(len(mdp.start))
    for actions in reversed(policies):
        value = np.where(mdp.terminal, 0.0, 1.0 + mdp.P[state, actions] @ value)
    return at_start(mdp, value)


# Gymnasium's own tables -----------------------------------------------------------------------------------------------
def same_table(mdp, theirs, states):
    for s in states:
        for a, branch in theirs[s].items():
            P, R = np.zeros(len(mdp.start)), 0.0
            for chance, successor, reward, _ in branch:
                P[successor] += chance
                R += chance * reward
            np.testing.assert_allclose(mdp.P[s, a], P, atol=1e-12)
            assert mdp.R[s, a] == pytest.approx(R, abs=1e-12)


def test_tables_equal_gymnasiums():
    for seed in range(3):
        desc = generate_random_map(6, seed=seed)
        ours = frozen_lake("/".join(desc).replace("F", "."), 2 / 3, 100)
        theirs = gym.make("FrozenLake-v1", desc=desc).unwrapped.P
        same_table(ours, theirs, np.flatnonzero(~ours.terminal))
        assert [s for s in theirs if s in np.flatnonzero(ours.terminal)] == [
            s for s, row in theirs.items() if row[0] == [(1.0, s, 0, True)]]
    for slip, slippery in ((0.0, False), (2 / 3, True)):
        same_table(cliff("cliff", slip, 500), gym.make("CliffWalking-v1", is_slippery=slippery).unwrapped.P, range(37))


# the solver against brute force ---------------------------------------------------------------------------------------
def random_mdp(seed, states=6, actions=3, ends=True) -> TabularMDP:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(states, 0.4), (states, actions))
    P = 0.9 * P + 0.1 / states                                              # everything is reached, the end too
    terminal = np.arange(states) == (states - 1 if ends else -1)
    start = np.where(terminal, 0.0, rng.random(states))
    return TabularMDP.from_tables(P, rng.normal(size=(states, actions, states)), start / start.sum(), terminal)


seeds = st.integers(0, 10_000)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([1.0, 0.97, 0.6]))
def test_the_linear_solve_equals_iteration(seed, gamma):
    mdp = random_mdp(seed)
    policy = np.random.default_rng(seed).dirichlet(np.ones(3), 6)
    exact = evaluate(mdp, policy, gamma)
    np.testing.assert_allclose(exact, evaluate(mdp, policy, gamma, horizon=3000), atol=1e-8)
    value = np.zeros(6)                                                      # the same from dense tables, in NumPy
    for _ in range(3000):
        value = (policy * (mdp.R + gamma * mdp.P @ value)).sum(axis=1)
    np.testing.assert_allclose(exact, value, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([1.0, 0.95, 0.5]), st.sampled_from([0.0, 0.1, 1.0]))
def test_value_iteration_satisfies_bellman_and_nothing_beats_it(seed, gamma, epsilon):
    mdp = random_mdp(seed)
    q = value_iteration(mdp, gamma, epsilon)
    value = (1 - epsilon) * q.max(axis=1) + epsilon * q.mean(axis=1)
    np.testing.assert_allclose(q, mdp.R + gamma * mdp.P @ value, atol=1e-10)
    best = soft_policy(q.argmax(axis=1), 3, epsilon)
    np.testing.assert_allclose(evaluate(mdp, best, gamma), value, atol=1e-9)
    for actions in np.random.default_rng(seed).integers(0, 3, (20, 6)):
        assert (evaluate(mdp, soft_policy(actions, 3, epsilon), gamma) <= value + 1e-9).all()


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_backward_induction_equals_the_enumeration_of_all_plans(seed):
    mdp = random_mdp(seed, states=2, actions=2, ends=False)
    q = backward_induction(mdp, 3)
    values = []
    for plan in range(2**6):                                                 # an action by (step, state)
        value = np.zeros(2)
        for t in (2, 1, 0):
            actions = [plan >> (2 * t + s) & 1 for s in range(2)]
            value = action_values(mdp, value)[np.arange(2), actions]
        values.append(value)
    np.testing.assert_allclose(q[0].max(axis=1), np.max(values, axis=0), atol=1e-12)


def test_a_session_without_an_end_has_no_value():
    mdp = grid("S#G", 0.0, None)
    with pytest.raises(ValueError, match="gamma < 1 or a horizon"):
        value_iteration(mdp, sweeps=1000)
    with pytest.raises(ValueError, match="needs a horizon"):
        backward_induction(mdp)
    corridor = grid("S..G", 0.0, None)
    values = evaluate(corridor, np.array([1, 0, 1, 0]))                      # right, left, right: the first two circle
    assert np.isnan(values[:2]).all() and values[2:].tolist() == [10.0, 0.0]


def test_tables_that_are_none_are_refused():
    good = [[[(1.0, 1, 2.0)]], [[(1.0, 1, 0.0)]]]
    assert TabularMDP.from_outcomes(good, 0, [1]).R.tolist() == [[2.0], [0.0]]
    with pytest.raises(ValueError, match="sum to 1"):
        TabularMDP.from_outcomes([[[(0.5, 1, 2.0)]], good[1]], 0, [1])
    with pytest.raises(ValueError, match="start"):
        TabularMDP.from_outcomes(good, 1, [1])
    table = np.ones((2, 1, 1))
    with pytest.raises(ValueError, match="terminal"):
        TabularMDP(table, table.astype(int), table, np.array([1.0, 0.0]), np.array([False, True]))
    for wrong in ("S..", "S.G/..", "SxG", "", "SSG"):
        with pytest.raises(ValueError, match="map"):
            Tabular(1, map=wrong)


# the environment against the solver -----------------------------------------------------------------------------------
def simulate(env, choose, sessions_seed=5):
    """Sampled and expected return of one session of every user."""
    env.reset(seed=sessions_seed)
    sampled, expected, alive = np.zeros(env.num_envs), np.zeros(env.num_envs), np.ones(env.num_envs, bool)
    while alive.any():
        _, reward, terminated, truncated, info = env.step(choose(env))
        sampled += alive * reward
        expected += alive * info.get("expected_reward", reward)
        alive &= ~(terminated | truncated)
    return sampled, expected


def agree(sample, exact):
    error = sample.std() / np.sqrt(len(sample))
    assert abs(sample.mean() - exact) <= max(4 * error, 1e-5 * abs(exact)), (sample.mean(), error, exact)


@pytest.mark.parametrize("name", IDS)
def test_simulated_returns_agree_with_the_solver(name):
    env, dice = make(name, 3000, autoreset="disabled"), np.random.default_rng(0)
    greedy = value_iteration(env.mdp, 0.9).argmax(axis=1)
    for choose, exact in ((lambda env: env.oracle(), env.optimal_return()),
                          (lambda env: greedy[env.state.state], env.exact_return(lambda obs: greedy[obs])),
                          (lambda env: dice.integers(0, env.single_action_space.n, env.num_envs), env.random_return())):
        for sample in simulate(env, choose):
            agree(sample, exact)


class OwnTable(Tabular):
    """A random table with rewards by successor and several starts."""

    def _table(self):
        mdp = random_mdp(11)
        return TabularMDP(mdp.chance, mdp.successor, mdp.reward, mdp.start, mdp.terminal, horizon=12)


def test_a_table_of_your_own():
    env = OwnTable(4000, autoreset="disabled")
    env.reset(seed=1)
    found = np.bincount(env.state.state, minlength=6) / 4000
    np.testing.assert_allclose(found, env.mdp.start, atol=4 * 0.5 / np.sqrt(4000))
    for sample in simulate(env, lambda env: env.oracle()):
        agree(sample, env.optimal_return())
    with pytest.raises(ValueError, match="observe"):
        OwnTable(1, observe="features")


@pytest.mark.parametrize("name", IDS)
def test_the_views_show_the_same_states(name):
    views = {how: make(name, 50, observe=how, autoreset="same_step") for how in ("id", "one_hot", "features")}
    seen = {how: [env.reset(seed=2)[0]] for how, env in views.items()}
    for t in range(30):
        for how, env in views.items():
            seen[how].append(env.step((env.user + t) % env.single_action_space.n)[0])
    ids = np.concatenate(seen["id"])
    np.testing.assert_array_equal(np.concatenate(seen["one_hot"]).argmax(axis=1), ids)
    np.testing.assert_array_equal(np.concatenate(seen["features"]), views["id"].mdp.features[ids])
    for env in views.values():                            # the same policy in every view has the same exact return
        table = dict(zip(map(bytes, np.ascontiguousarray(env.encode(np.arange(len(env.mdp.start))))),
                         views["id"].optimal_actions[0], strict=True))
        value = env.exact_return(lambda obs, table=table: np.array([table[bytes(row)] for row in obs]))
        if name != "Churn" or env.params.observe != "features":              # there, gone looks like satisfaction 0
            assert value == pytest.approx(views["id"].exact_return(lambda obs: views["id"].optimal_actions[0][obs]))


def test_features_are_coordinates_and_levels():
    env = make("GridHard", observe="features")
    np.testing.assert_allclose(env.encode(np.array([0, 9, 90, 99, 55])),
                               [[-1, -1], [-1, 1], [1, -1], [1, 1], [1 / 9, 1 / 9]], atol=1e-6)
    np.testing.assert_allclose(make("Boredom", observe="features", topics=2).encode(np.array([0, 4, 7])),
                               [[-1, -1], [1, -1], [0, -0.5]])


def test_a_map_of_your_own():
    env = Tabular(1, map="S.#/..G", slip=0.0, horizon=50)
    assert env.mdp.terminal.tolist() == [False] * 5 + [True] and env.optimal_return() == 8.0
