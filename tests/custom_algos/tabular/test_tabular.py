"""Tabular learners: updates by hand, brute-force references, dynamic programming, and the textbook's problems."""
import numpy as np
import pandas as pd
import pytest
from gymnasium import spaces
from support.small_worlds import empirical, make, random_mdp, rows, sample

from custom_algos import find_algorithm
from custom_algos.core import Transition, concat, flat, make_config, tree_map
from custom_algos.offline.fqe import Table, fqe
from custom_algos.rollout import begin, collect, make_rng, train
from custom_algos.tabular.states import States
from envs import logs
from envs.engine.solver import evaluate, soft_policy, soft_value, value_iteration

NAMES = ("q_learning", "double_q_learning", "sarsa", "expected_sarsa")
ALWAYS = {"epsilon_start": 0.0, "epsilon_end": 0.0}              # no exploration in π


def build(name, states=4, actions=3, seed=1, obs_space=None, **params):
    cls = find_algorithm(name)
    return cls(obs_space or spaces.Discrete(states), spaces.Discrete(actions), make_config(cls, params), seed)


def noise(rng, steps, users, states=4, actions=3, masked=False):
    """Random rows ``[T, N]``."""
    shape = (steps, users)
    mask = rng.random((*shape, actions)) < 0.6 if masked else None
    if masked:
        mask[..., 0] = True
    return rows(rng.integers(states, size=shape), rng.integers(actions, size=shape), rng.normal(size=shape),
                rng.integers(states, size=shape), rng.random(shape) < 0.2, rng.random(shape) < 0.2, next_mask=mask)


def learner(name, env, seed=1, **params):
    return build(name, seed=seed, obs_space=env.single_observation_space, actions=int(env.single_action_space.n),
                 **params)


# states ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("space, bins, obs, states, count", [
    (spaces.Discrete(5, start=2), 0, [2, 6, 4], [0, 4, 2], 5),
    (spaces.Discrete(5), 0, [[0.0], [3.0], [4.0]], [0, 3, 4], 5),                    # a column of a log
    (spaces.MultiDiscrete([3, 4, 2]), 0, [[0, 0, 1], [1, 0, 0], [2, 3, 1]], [1, 8, 23], 24),
    (spaces.MultiBinary(3), 0, [[0, 0, 1], [1, 0, 0], [1, 1, 1]], [1, 4, 7], 8),
    (spaces.Box(0, 1, (4,)), 0, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], [2, 0, 3], 4),
    (spaces.Box(-1, 1, (2,)), 4, [[-1, 1], [-0.4, 0.1], [9, -9]], [3, 6, 12], 16),
    (spaces.Dict(a=spaces.Discrete(3), b=spaces.MultiBinary(1)), 0, {"a": [2, 0, 1], "b": [[1], [1], [0]]},
     [5, 1, 2], 6),
    (spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2)]), 0, ([2, 0, 1], [1, 1, 0]), [5, 1, 2], 6)])
def test_observations_are_numbered(space, bins, obs, states, count):
    numbered = States(space, bins)
    assert numbered.count == count
    assert numbered(tree_map(np.asarray, obs), 3).tolist() == states


@pytest.mark.parametrize("space, obs, message", [
    (spaces.Discrete(3), [0, 3], "outside"), (spaces.Discrete(3), [0.0, 1.5], "no whole number"),
    (spaces.Discrete(3, start=1), [0, 1], "outside"), (spaces.MultiDiscrete([2, 2]), [[0, 2], [0, 0]], "outside"),
    (spaces.Box(0, 1, (2,)), [[0.5, 0.5], [1, 0]], "not one-hot"),
    (spaces.Box(0, 1, (2,)), [[1, 1], [1, 0]], "not one-hot")])
def test_observations_that_are_no_state(space, obs, message):
    with pytest.raises(ValueError, match=message):
        States(space)(np.asarray(obs), 2)


@pytest.mark.parametrize("space, bins", [(spaces.Box(-1, 1, (3,)), 0), (spaces.Box(0, 1, (2, 2)), 0),
                                         (spaces.Box(-np.inf, np.inf, (2,)), 4), (spaces.Text(3), 0)])
def test_spaces_that_cannot_be_numbered(space, bins):
    with pytest.raises(ValueError, match="cannot be numbered; valid are Discrete, MultiDiscrete"):
        States(space, bins)


@pytest.mark.parametrize("params, message", [
    ({"step_power": 0.4}, "step_power = 0.4"), ({"bins": 1}, "bins = 1"), ({"step_power": 1.0}, "step_power = 1.0")])
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        build("conservative_q_learning", **params)


def test_bad_spaces_and_rows_are_refused():
    with pytest.raises(ValueError, match=r"Box.*needs Discrete"):
        find_algorithm("sarsa")(spaces.Discrete(3), spaces.Box(-1, 1, (2,)))
    with pytest.raises(ValueError, match="too large"):
        build("q_learning", obs_space=spaces.MultiBinary(100))
    with pytest.raises(ValueError, match=r"action in \[0, 3\] must lie in 0 … 2"):
        build("q_learning").learn(rows([0, 0], [0, 3], [0, 0], [0, 0]))
    with pytest.raises(ValueError, match="reward nan of user 0 in step 0"):
        build("q_learning").learn(rows([0], [0], [np.nan], [0]))
    with pytest.raises(ValueError, match="next_mask allows no action"):
        build("q_learning").learn(rows([0], [0], [1], [0], next_mask=np.zeros((1, 1, 3), bool)))
    with pytest.raises(ValueError, match="3 users cannot be shared by 2"):
        build("q_learning", replications=2).act(np.zeros(3, int), make_rng(0))


# updates by hand ------------------------------------------------------------------------------------------------------
TABLE = [[1.0, 2.0, 0.0], [4.0, 8.0, 6.0], [0.0, 0.0, 0.0], [-2.0, -1.0, -3.0]]
#                 terminated, truncated, the same cell twice, and a next state whose best action (8) is not allowed
ROWS = dict(obs=[0, 0, 2, 2, 3], action=[0, 1, 1, 1, 0], reward=[5, 5, 1, 3, 0], next_obs=[1, 1, 3, 0, 1],
            terminated=[1, 0, 0, 0, 0], truncated=[0, 1, 0, 0, 0],
            next_mask=[[[0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 0, 1]]])


def hand(name, **params):
    algorithm = build(name, gamma=0.5, learning_rate=0.5, **params)
    algorithm.q[:] = TABLE
    batch = ROWS | {"next_mask": np.array(ROWS["next_mask"], bool)}
    return algorithm, algorithm.learn(rows(**batch))


def test_q_learning_by_hand():
    """Targets: 5;  5 + 8/2 = 9;  1 − 1/2 = .5 and 3 + 2/2 = 4, mean 2.25;  0 + 6/2 = 3."""
    algorithm, numbers = hand("q_learning")
    expected = np.array(TABLE)
    expected[0, 0], expected[0, 1] = 3.0, 5.5                     # 1 + (5 − 1)/2, 2 + (9 − 2)/2
    expected[2, 1], expected[3, 0] = 1.125, 0.5                   # 0 + 2.25/2, −2 + (3 + 2)/2
    np.testing.assert_array_equal(algorithm.q[0], expected)
    assert numbers["loss"] == pytest.approx((16 + 49 + 0.25 + 16 + 25) / 5)
    assert numbers["reward_mean"] == pytest.approx(14 / 5)
    assert algorithm.seen[0].tolist() == [[1, 1, 0], [0, 0, 0], [0, 2, 0], [1, 0, 0]]


def test_expected_sarsa_by_hand():
    """ε = .3: what follows is .7 · max + .3 · mean of the allowed: 7.4 in state 1, −1.3, 1.7, and 5.7 without its 8."""
    algorithm, _ = hand("expected_sarsa", epsilon_end=0.3, epsilon_steps=0)
    targets = 5, 5 + 7.4 / 2, ((1 - 1.3 / 2) + (3 + 1.7 / 2)) / 2, 5.7 / 2
    expected = np.array(TABLE)
    for (s, a), y in zip(((0, 0), (0, 1), (2, 1), (3, 0)), targets, strict=True):
        expected[s, a] += 0.5 * (y - expected[s, a])
    np.testing.assert_allclose(algorithm.q[0], expected, rtol=1e-15)


def test_sarsa_by_hand_where_there_is_no_coin_to_toss():
    """ε = 0: a' is the best allowed action, SARSA and expected SARSA are Q-learning."""
    tables = [hand(name, **ALWAYS)[0].q[0] for name in ("q_learning", "sarsa", "expected_sarsa")]
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_allclose(tables[0], tables[2], rtol=1e-15)


def test_sarsa_draws_the_next_action_from_its_policy():
    """One update of 100,000 users in one place is expected SARSA's, but for the noise of a', whose size is known."""
    pair = []
    for name in ("sarsa", "expected_sarsa"):
        algorithm = build(name, epsilon_end=0.4, epsilon_steps=0, gamma=1.0, learning_rate=1.0)
        algorithm.q[:] = TABLE
        n = 100_000
        algorithm.learn(rows(np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n)))
        pair.append(algorithm.q[0, 0, 0])
    p, q = np.array([0.4 / 3, 0.6 + 0.4 / 3, 0.4 / 3]), np.array(TABLE[1])
    assert pair[1] == pytest.approx(p @ q)
    sd = np.sqrt(p @ q**2 - (p @ q) ** 2)
    assert 0 < abs(pair[0] - pair[1]) < 4 * sd / np.sqrt(100_000)


def test_the_drawn_actions_depend_on_seed_and_update_alone():
    def lives(seed, blocks):
        algorithm, rng = build("sarsa", epsilon_end=0.5, seed=seed), make_rng(5)
        return [algorithm.learn(noise(rng, 2, 6))["loss"] for _ in range(blocks)]
    assert lives(1, 5) == lives(1, 5) and lives(1, 5)[1:] != lives(2, 5)[1:]


def double_reference(q, batch, coins, gamma, rate):
    """One row at a time where no cell is met twice: heads (coin < 1/2) changes table 1 with table 0's opinion."""
    q, old = q.copy(), q.copy()
    for i, heads in enumerate(coins < 0.5):
        a, b = (1, 0) if heads else (0, 1)
        s, action, after = batch.obs[0, i], batch.action[0, i], batch.next_obs[0, i]
        follows = 0.0 if batch.terminated[0, i] else old[b, after, old[a, after].argmax()]
        q[a, s, action] += rate * (batch.reward[0, i] + gamma * follows - old[a, s, action])
    return q


def test_double_q_learning_against_the_scalar_reference():
    algorithm, rng = build("double_q_learning", 12, learning_rate=0.3, gamma=0.9, seed=4), make_rng(8)
    for update in range(5):
        algorithm.q[:] = rng.normal(size=algorithm.q.shape)
        batch = noise(rng, 1, 12, 12)._replace(obs=np.arange(12)[None])                   # every cell at most once
        expected = double_reference(algorithm.q, batch, make_rng(4, update).random(12), 0.9, 0.3)
        algorithm.learn(batch)
        np.testing.assert_allclose(algorithm.q, expected, rtol=1e-14)
    assert len({int(k) for k in (make_rng(4, 0).random(12) < 0.5)}) == 2                 # both tables were changed


def test_double_q_learning_acts_by_the_mean_of_its_tables():
    algorithm = build("double_q_learning", 1, **ALWAYS)
    algorithm.q[:, 0] = [[0, 3, 2], [5, 0, 2.5]]                                         # means 2.5, 1.5, 2.25
    assert (algorithm.act(np.zeros(20, int), make_rng(0), explore=False)[0] == 0).all()


def test_double_q_learning_does_not_believe_in_luck():
    """Sutton & Barto's example 6.5: ten actions of mean −.1 and noise 1.  The best is worth −.1, not what it seems."""
    seems = {}
    for name in ("q_learning", "double_q_learning"):
        # state 0 leads to state 1 for nothing; there all of ten actions end it; 500 learners, 300 visits each
        algorithm, rng = build(name, 2, 10, gamma=1.0, learning_rate=0.1, replications=500), make_rng(3)
        for _ in range(300):
            first = rows(np.zeros(500), np.zeros(500), np.zeros(500), np.ones(500))
            end = rows(np.ones(500), rng.integers(10, size=500), rng.normal(-0.1, 1.0, 500), np.ones(500), 1)
            algorithm.learn(first), algorithm.learn(end)
        zero = np.zeros(500, np.int64)
        seems[name] = algorithm.values(np.arange(500), zero)[:, 0].mean()
    assert seems["q_learning"] > 0.2 and abs(seems["double_q_learning"] + 0.1) < 0.08, seems


# batches --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_a_block_of_steps_is_the_steps_one_after_the_other(name):
    one, many, rng = build(name), build(name), make_rng(2)
    batch = noise(rng, 6, 5, masked=True)
    one.learn(batch)
    for t in range(6):
        many.learn(tree_map(lambda x, t=t: x[t:t + 1], batch))
    if name in ("q_learning", "double_q_learning"):                       # the others know ε, and it falls
        np.testing.assert_array_equal(one.q, many.q)
    assert (one.updates, one.steps) == (many.updates, many.steps) == (6, 30)


@pytest.mark.parametrize("name", ["q_learning", "expected_sarsa"])
def test_neither_the_number_nor_the_order_of_the_users_matters(name):
    batch = noise(make_rng(3), 4, 7, masked=True)
    tables = []
    for users in (np.arange(7), np.repeat(np.arange(7), 3), make_rng(1).permutation(7)):
        algorithm = build(name, epsilon_end=0.2, epsilon_steps=0)
        algorithm.learn(tree_map(lambda x, users=users: x[:, users], batch))
        tables.append(algorithm.q)
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-13)
    np.testing.assert_allclose(tables[2], tables[0], rtol=1e-13)


@pytest.mark.parametrize(("name", "params"), [("q_learning", {}), ("q_learning", {"step_power": 0.8}),
                                              ("conservative_q_learning", {"conservative_coef": 0.7})])
def test_replications_are_independent_learners(name, params):
    rng, alone = make_rng(4), [build(name, **params) for _ in range(3)]
    together = build(name, replications=3, **params)
    for _ in range(5):
        parts = [noise(rng, 3, 4) for _ in range(3)]
        together.learn(concat(parts))
        for algorithm, part in zip(alone, parts, strict=True):
            algorithm.learn(part)
    np.testing.assert_array_equal(together.q, np.concatenate([a.q for a in alone]))
    assert together.steps == alone[0].steps == 60


def test_steps_that_decay_average_what_was_seen():
    """p = 1: Q is the mean of all rewards, batch by batch; p = .8: steps 1, 2^−.8, (3/5)^.8 for 1, 1 and 3 rows."""
    mean, slow = build("q_learning", step_power=1.0), build("q_learning", step_power=0.8)
    for reward in ([4.0], [1.0], [0.0, 3.0, 3.0]):
        zero = np.zeros(len(reward))
        for algorithm in (mean, slow):
            algorithm.learn(rows(zero, zero, reward, zero, 1))
    assert mean.q[0, 0, 0] == pytest.approx(11 / 5, rel=1e-15)
    q = 4 + 2**-0.8 * (1 - 4)
    assert slow.q[0, 0, 0] == pytest.approx(q + 0.6**0.8 * (2 - q), rel=1e-15)


def test_rewards_that_come_later_teach_later():
    late, prompt = build("q_learning"), build("q_learning")
    first = rows([0, 0], [0, 1], [1, 2], [1, 1])
    second = rows([1, 1], [0, 1], [3, 4], [2, 2])
    late.learn(first._replace(delay=np.array([[0, 1]])))                  # user 1's reward is known a step later
    prompt.learn(rows([0], [0], [1], [1]))
    np.testing.assert_array_equal(late.q, prompt.q)
    late.learn(second._replace(delay=np.array([[0, 0]])))
    prompt.learn(rows([0, 1, 1], [1, 0, 1], [2, 3, 4], [1, 2, 2]))
    np.testing.assert_array_equal(late.q, prompt.q)
    block = build("q_learning")                                           # the same in one block of two steps
    both = tree_map(lambda *x: np.concatenate(x), first, second)
    block.learn(both._replace(delay=np.array([[0, 1], [0, 0]])))
    np.testing.assert_array_equal(block.q, late.q)


def test_epsilon_falls_with_the_steps_of_a_learner_and_travels_with_the_policy():
    algorithm = build("q_learning", replications=2, epsilon_start=0.9, epsilon_end=0.1, epsilon_steps=40)
    worker = build("q_learning", replications=2, epsilon_start=0.9, epsilon_end=0.1, epsilon_steps=40)
    found = []
    for _ in range(6):
        worker.load_policy_state(algorithm.policy_state())
        found.append(worker.epsilon)
        algorithm.learn(noise(make_rng(1), 5, 4))                         # 10 steps of each learner
    np.testing.assert_allclose(found, [0.9, 0.7, 0.5, 0.3, 0.1, 0.1])
    assert build("sarsa", epsilon_steps=0, epsilon_end=0.2).epsilon == pytest.approx(0.2)


def test_the_propensity_is_that_of_the_schedule():
    algorithm = build("q_learning", epsilon_start=0.6, epsilon_end=0.6)
    algorithm.q[0, 0] = [0, 1, 1]
    mask = np.tile([True, True, False], (50, 1))
    for allowed, best, other in ((None, 0.6 / 3 + 0.4 / 2, 0.6 / 3), (mask, 0.6 / 2 + 0.4, 0.6 / 2)):
        action, log_prob = algorithm.act(np.zeros(50, int), make_rng(3), mask=allowed)
        np.testing.assert_allclose(np.exp(log_prob), np.where(action == 0, other, best), rtol=1e-6)


def test_optimism_tries_everything():
    algorithm = build("q_learning", initial_value=10.0, gamma=0.0, **ALWAYS)
    tried = []
    for _ in range(3):
        action, _ = algorithm.act(np.zeros(1, int), make_rng(0))
        tried.append(int(action[0]))
        algorithm.learn(rows([0], action, [1], [0], 1))
    assert sorted(tried) == [0, 1, 2]


# against dynamic programming ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["q_learning", "double_q_learning"])
def test_q_learning_converges_to_the_optimum(name):
    mdp, rng = random_mdp(1), make_rng(1)
    best = value_iteration(mdp, 0.9)
    algorithm = build(name, 6, gamma=0.9, step_power=0.7)
    for _ in range(2000):
        algorithm.learn(sample(mdp, rng, 200))
    error = np.abs(algorithm.q - best)[:, :-1].max()
    assert error < 0.02 * np.abs(best).max(), error


@pytest.mark.parametrize("name", ["sarsa", "expected_sarsa"])
def test_sarsa_converges_to_the_best_soft_policy(name):
    mdp, rng = random_mdp(1), make_rng(1)
    best = value_iteration(mdp, 0.9, epsilon=0.3)
    algorithm = build(name, 6, gamma=0.9, step_power=0.7, epsilon_end=0.3, epsilon_steps=0)
    for _ in range(2000):
        algorithm.learn(sample(mdp, rng, 200))
    error = np.abs(algorithm.q[0] - best)[:-1].max()
    assert error < 0.02 * np.abs(best).max(), error
    assert np.abs(best - value_iteration(mdp, 0.9)).max() > 0.2 * np.abs(best).max()      # it is another table


def test_many_passes_over_a_log_solve_its_empirical_mdp():
    """α = 1: a pass is one sweep of value iteration on the log's frequencies."""
    log = sample(random_mdp(2), make_rng(2), 300)
    algorithm = build("q_learning", 6, gamma=0.9, learning_rate=1.0, passes=400)
    algorithm.learn(log)
    np.testing.assert_allclose(algorithm.q[0], value_iteration(empirical(log, 6, 3), 0.9)[:6], atol=1e-10)


def test_a_parquet_log_teaches_what_the_session_did(tmp_path):
    """Through the log's schema, without propensities and without a simulator."""
    env = make("Boredom", 5)
    batch, _, _ = collect(env, learner("q_learning", env), begin(env, 1), 100, make_rng(1))
    columns = {"user": np.tile(np.arange(5), 100), "session": np.tile(np.arange(5), 100),
               "step": np.repeat(np.arange(100), 5), "item": batch.action.reshape(-1),
               "reward": batch.reward.reshape(-1), "obs_state": batch.obs.reshape(-1)}
    logs.write(logs.from_frame(pd.DataFrame(columns)), tmp_path / "sessions.parquet")
    log = logs.read(tmp_path / "sessions.parquet")
    arrays = logs.to_transition_arrays(log, [0, 1])
    assert arrays["obs"].shape == (1, 500, 1) and arrays["truncated"].sum() == 5 and not arrays["terminated"].any()
    from_log, direct = (learner("q_learning", env, passes=50) for _ in range(2))
    from_log.learn(Transition(**arrays))
    last = batch.next_obs.copy()
    last[-1] = batch.obs[-1]                                              # what no row of a log has seen
    direct.learn(tree_map(lambda x: x.reshape(1, 500), batch._replace(next_obs=last)))
    np.testing.assert_allclose(from_log.q, direct.q, rtol=1e-12)


# conservative ---------------------------------------------------------------------------------------------------------
def cql_loss(q, log, target, coef):
    """The docstring's loss of the rows of one state ``[M]``: a mean."""
    top = np.log(np.exp(q).sum())
    return np.mean(0.5 * (target - q[log.action]) ** 2 + coef * (top - q[log.action]))


def test_the_conservative_update_is_the_gradient_of_its_loss():
    log = flat(rows([0] * 5, [0, 0, 1, 0, 1], [1, 2, 0, 4, -1], [0] * 5, 1))
    algorithm = build("conservative_q_learning", 1, learning_rate=0.3, conservative_coef=0.8)
    algorithm.q[0, 0] = start = np.array([0.5, -0.2, 1.0])
    algorithm.learn(tree_map(lambda x: x[None], log))
    gradient = [(cql_loss(start + h, log, log.reward, 0.8) - cql_loss(start - h, log, log.reward, 0.8)) / 2e-6
                for h in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(algorithm.q[0, 0], start - 0.3 * np.array(gradient), atol=1e-9)


def test_the_conservative_fixed_point():
    """mean(y − Q) = c (softmax / π̂ − 1) where the log has been; elsewhere Q sinks and sinks."""
    log = sample(random_mdp(3), make_rng(3), 400)
    log = tree_map(lambda x: x[:, ~((log.obs[0] == 2) & (log.action[0] == 1))], log)        # a cell that is never seen
    algorithm = build("conservative_q_learning", 6, gamma=0.8, learning_rate=1.0, conservative_coef=0.3, passes=4000)
    algorithm.learn(log)
    q, count, pull = algorithm.q[0], np.zeros((6, 3)), np.zeros((6, 3))
    y = log.reward[0] + 0.8 * np.where(log.terminated[0], 0.0, q.max(axis=1)[log.next_obs[0]])
    np.add.at(count, (log.obs[0], log.action[0]), 1.0)
    np.add.at(pull, (log.obs[0], log.action[0]), y - q[log.obs[0], log.action[0]])
    weight, seen = np.exp(q) / np.exp(q).sum(axis=1, keepdims=True), count > 0
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose((pull / np.maximum(count, 1))[seen], 0.3 * (weight / np.where(seen, share, 1) - 1)[seen],
                               atol=2e-3)
    assert q[2, 1] < q[2].max() - 4


def test_actions_that_are_not_allowed_have_no_weight_in_the_penalty():
    mask = np.array([[[True, True, False]] * 2])
    algorithm = build("conservative_q_learning", 1, learning_rate=1.0, conservative_coef=1.0)
    algorithm.learn(rows([0, 0], [0, 1], [0, 0], [0, 0], 1, mask=mask))
    np.testing.assert_allclose(algorithm.q[0, 0], 0.0, atol=1e-15)                        # softmax = π̂ = ½


# the textbook's problems ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("epsilon, path, soft, greedy", [(.05, -28.8, -17.5, -15), (.1, -45.8, -20.7, -15),
                                                         (.2, -83.5, -28.6, -17)])
def test_the_cliff(epsilon, path, soft, greedy):
    """Q-learning walks along the edge, SARSA keeps away from it: greedily and followed ε-greedily, all exact."""
    env = make("Cliff", 100)
    found = {}
    for name, rate, steps in (("q_learning", 0.5, 200_000), ("sarsa", 0.05, 500_000)):
        algorithm = learner(name, env, gamma=1.0, learning_rate=rate, epsilon_end=epsilon, epsilon_steps=0)
        train(env, algorithm, steps, seed=1)
        best = algorithm.q[0].argmax(axis=1)
        found[name] = [evaluate(env.mdp, policy)[36] for policy in (best, soft_policy(best, 4, epsilon))]
    assert found["q_learning"][0] == pytest.approx(-13) and found["sarsa"][0] == pytest.approx(greedy)
    assert found["q_learning"][1] == pytest.approx(path, abs=0.2) and found["sarsa"][1] == pytest.approx(soft, abs=0.2)
    limit = soft_value(value_iteration(env.mdp, epsilon=epsilon), epsilon)[36]            # no ε-soft policy is better
    assert limit == pytest.approx(soft, abs=0.05) and limit - 0.15 < found["sarsa"][1] <= limit + 1e-9


def test_boredom_needs_the_state():
    """100 learners of 300 sessions: every one within 2 % of the optimum, 67.2 (exact, by the solver)."""
    env = make("Boredom", 100)
    algorithm = learner("q_learning", env, gamma=0.95, learning_rate=0.1, epsilon_steps=30_000, replications=100)
    train(env, algorithm, 100 * 300 * 100, seed=1)
    best = env.optimal_return()
    found = np.array([env.exact_return(lambda obs, q=q: q.argmax(axis=1)) for q in algorithm.q])
    assert best == pytest.approx(67.2, abs=0.05)
    assert (found >= 0.98 * best).all() and found.mean() == pytest.approx(67.1, abs=0.1), (found.min(), found.mean())


def test_a_bandit_that_does_not_see_the_state_ends_below_random():
    """Thompson sampling, 100 learners of 100 sessions: it averages over the states that its own actions cause."""
    env = make("Boredom", 100)
    algorithm, seen, pay = learner("thompson", env, replications=100), begin(env, 1), []
    for step in range(100 * 100):
        batch, seen, totals = collect(env, algorithm, seen, 1, make_rng(1, step))
        algorithm.learn(batch._replace(obs=np.zeros_like(batch.obs)))
        pay.append(totals["expected_reward"].sum() / 100)
    sessions = np.reshape(pay, (100, 100)).sum(axis=1)
    assert sessions.mean() == pytest.approx(40.3, abs=0.5) and sessions[-10:].mean() == pytest.approx(40.3, abs=0.5)
    assert sessions.mean() < env.random_return() - 15


@pytest.mark.parametrize("features, bands", [(4, {1000: (0.81, 0.93)}), (12, {1000: (0.03, 0.08), 5000: (0.19, 0.27)})])
def test_tables_blow_up_with_the_number_of_features(features, bands):
    """Greedy value, 0 random, 1 best, d binary features, ε = .1: .89 for d = 4; .05 and .23 for d = 12."""
    env = make("LinearBandit", 10, actions=8, dim=features, context="signs", link="logistic", reward="bernoulli",
               weight_scale=2.0, bias=True)
    algorithm = learner("q_learning", env, bins=2, gamma=0.0, step_power=1.0, initial_value=0.5, epsilon_end=0.1,
                        epsilon_steps=0, replications=10)
    x = np.stack(np.meshgrid(*[[-1.0, 1.0]] * features), axis=-1).reshape(-1, features)
    mean = 1 / (1 + np.exp(-np.c_[x, np.ones(len(x))] @ env.world.weights.T.astype(float)))            # [2^d, A]
    scores = {}
    def score(row):
        if algorithm.steps in bands:
            value = algorithm.q[:, algorithm.states(x, len(x))]
            best = value == value.max(axis=2, keepdims=True)
            found = (best * mean).sum(axis=2) / best.sum(axis=2)
            scores[algorithm.steps] = (found.mean() - mean.mean()) / (mean.max(axis=1).mean() - mean.mean())
    train(env, algorithm, 10 * max(bands), seed=1, report=score)
    assert scores.keys() == bands.keys() and all(bands[t][0] < s < bands[t][1] for t, s in scores.items()), scores


class Mediocre:
    """Shows each of two topics with .4 and something diverse with .2, whatever the user has seen."""

    def __init__(self, env):
        self.action_space, self.chance = env.single_action_space, np.array([0.4, 0.4, 0.2])

    def act(self, obs, rng, explore=True, mask=None):
        action = rng.choice(3, len(obs), p=self.chance)
        return action, np.log(self.chance[action]).astype(np.float32)


def test_a_mediocre_log_makes_a_better_policy_and_says_how_good_it_is():
    """Two topics, 50 sessions a log, ten logs: conservative Q-learning against the policy that wrote them.

    Another 50 sessions, of other users, tell by fitted Q evaluation what the result is worth.
    """
    env, seeds = make("Boredom", 100, topics=2), 10
    logging, best = env.exact_return(lambda obs: np.tile([0.4, 0.4, 0.2], (25, 1))), env.optimal_return()
    assert logging / best == pytest.approx(0.69, abs=0.01)
    wins, close, values = 0, 0, []
    for seed in range(seeds):
        batch, _, _ = collect(env, Mediocre(env), begin(env, seed), 100, make_rng(seed, 5))
        mine, others = (tree_map(lambda x, half=half: x[:, half].reshape(1, -1), batch._replace(
            log_prob=np.full_like(batch.reward, np.nan))) for half in (slice(50), slice(50, 100)))
        algorithm = learner("conservative_q_learning", env, gamma=0.95, learning_rate=1.0, passes=300)
        algorithm.learn(mine)
        exact = env.exact_return(lambda obs, a=algorithm: a.act(obs, make_rng(0), explore=False)[0])
        table = Table(env.single_observation_space, env.single_action_space)
        estimate = fqe(table, others, algorithm, np.zeros(1, np.int64), horizon=100)
        wins, close = wins + (exact >= logging), close + (abs(estimate.value / exact - 1) <= 0.1)
        values.append(exact / best)
    assert wins >= 9 and close >= 9 and np.mean(values) > 0.95, (wins, close, values)
