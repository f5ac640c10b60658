"""Bandits against numbers done by hand, brute force from the history, and dense linear algebra: no statistics here."""
import itertools

import numpy as np
import pytest
from gymnasium import spaces

from custom_algos import find_algorithm
from custom_algos.bandits.core import BanditConfig
from custom_algos.bandits.exp3 import EXP3
from custom_algos.bandits.explore_then_commit import ExploreThenCommit
from custom_algos.bandits.fixed import Random
from custom_algos.bandits.gradient import GradientBandit
from custom_algos.bandits.kl_ucb import KLUCB, kl_upper
from custom_algos.bandits.lin_thompson import LinThompson
from custom_algos.bandits.lin_ucb import LinUCB
from custom_algos.bandits.logistic_thompson import LogisticThompson
from custom_algos.bandits.popularity import Popularity
from custom_algos.bandits.thompson import Thompson
from custom_algos.bandits.ucb import UCB
from custom_algos.core import Transition, concat, make_config
from custom_algos.parts.change import changed
from custom_algos.parts.choose import coin, pick
from custom_algos.parts.explore import softmax
from custom_algos.rollout import make_rng

COUNTING = ["epsilon_greedy", "ucb", "kl_ucb", "thompson", "gaussian_thompson"]
EVERY = [*COUNTING, "random", "explore_then_commit", "glr_kl_ucb", "gradient_bandit", "exp3"]


def build(name, actions=3, obs_space=None, items=None, **params):
    cls = find_algorithm(name) if isinstance(name, str) else name
    space = spaces.Discrete(actions) if isinstance(actions, int) else spaces.MultiDiscrete(actions)
    return cls(obs_space or spaces.Discrete(1), space, make_config(cls, params), items=items)


def rows(action, reward, obs=None, log_prob=None, **rest):
    """A Transition ``[T, N]`` of one-step sessions."""
    action, reward = np.atleast_2d(np.asarray(action, np.int64)), np.atleast_2d(np.asarray(reward, np.float32))
    obs = np.zeros(reward.shape, np.int64) if obs is None else obs
    log_prob = np.full(reward.shape, np.log(0.5), np.float32) if log_prob is None else log_prob
    ends = np.ones(reward.shape, bool)
    return Transition(obs, action, reward, obs, ends, ~ends, log_prob, **rest)


# indices --------------------------------------------------------------------------------------------------------------
def test_ucb_index_on_the_first_three_pulls():
    ucb = build(UCB, alpha=2.0)                                     # the bonus is sqrt(ln t / N)
    assert np.isinf(ucb.index()).all()
    ucb.learn(rows([1], [1]))
    assert ucb.index().tolist() == [[np.inf, 1.0, np.inf]]          # ln 1 = 0
    ucb.learn(rows([0], [0]))
    np.testing.assert_allclose(ucb.index(), [[0.8325546111576977, 1.8325546111576977, np.inf]], rtol=1e-14)   # √ln 2
    ucb.learn(rows([2], [1]))
    root = 1.0481470739682051                                       # √ln 3
    np.testing.assert_allclose(ucb.index(), [[root, 1 + root, 1 + root]], rtol=1e-14)
    action, log_prob = ucb.act(np.zeros(1000), make_rng(0))
    assert set(action) == {1, 2} and np.allclose(log_prob, np.log(0.5))


def test_ucb_index_of_learners_with_different_clocks_is_the_formula():
    rng, ucb = make_rng(2), build(UCB, 5, replications=40, alpha=3.0)
    count = rng.integers(0, 4, size=(40, 5)).astype(float)          # some pairs of neighbours have the same t
    total = np.floor(count * rng.random((40, 5)))
    ucb.load_policy_state({"count": np.asfortranarray(count), "total": np.asfortranarray(total), "seen": np.zeros(40)})
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.sqrt(3.0 * np.log(np.maximum(count.sum(axis=1, keepdims=True), 1.0)) / (2.0 * count))
        formula = np.where(count > 0, total / count + width, np.inf)
    np.testing.assert_allclose(ucb.index(), formula, rtol=1e-14)


def kl(p, q):
    return (p * np.log(p / q) if p > 0 else 0.0) + ((1 - p) * np.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def test_kl_ucb_index_is_the_root_and_monotone_in_the_level():
    means, levels = [0.0, 1e-4, 0.02, 0.3, 0.5, 0.9, 0.999], np.geomspace(1e-6, 5.0, 60)
    for p in means:
        out = np.empty((len(levels), 1))
        kl_upper(np.full((len(levels), 1), 100 * p), np.full((len(levels), 1), 100.0), 100 * levels[:, None], out)
        q = out[:, 0]
        assert (np.diff(q)[q[:-1] < 1.0 - 1e-12] > 0).all() and (np.diff(q) >= 0).all() and (q > p).all()
        for q, level in zip(out[:, 0], levels, strict=True):
            if 1.0 - q > 1e-6:                                      # nearer to 1, kl is steeper than a float resolves
                assert abs(kl(p, q) - level) < 1e-9, (p, level)
    out = np.empty((1, 3))
    kl_upper(np.array([[10.0, 0.0, 3.0]]), np.array([[10.0, 10.0, 10.0]]), np.array([[10 * np.log(2)]]), out)
    assert out[0, 0] == 1.0 and abs(out[0, 1] - 0.5) < 1e-15        # kl(0, q) = −ln(1 − q)


def test_thompson_posterior_and_its_sampler():
    bandit = build(Thompson, prior_success=2.0, prior_failure=3.0)
    bandit.learn(rows([0, 0, 0, 2], [1, 1, 0, 0]))
    success, failure = bandit.posterior()
    assert success.tolist() == [[4, 2, 2]] and failure.tolist() == [[4, 3, 4]]
    draws = bandit.draws(np.zeros(200_000, np.int64), make_rng(1))
    for a, (p, q) in enumerate([(4, 4), (2, 3), (2, 4)]):
        theta = draws[:, a] / (1.0 + draws[:, a])
        assert abs(theta.mean() - p / (p + q)) < 0.002
        assert abs(theta.var() - p * q / ((p + q) ** 2 * (p + q + 1))) < 0.001
    with pytest.raises(ValueError, match="rewards in"):
        bandit.learn(rows([0], [2.0]))


def test_thompson_propensity_estimate_is_the_frequency_of_actions():
    bandit = build(Thompson, propensity_draws=2000)
    bandit.learn(rows([0, 1, 1, 2, 2, 2], [1, 1, 0, 0, 1, 0]))
    action, log_prob = bandit.act(np.zeros(4000), make_rng(3))
    for a in range(3):
        assert abs(np.exp(log_prob[action == a]).mean() - (action == a).mean()) < 0.025
    assert np.isnan(build(Thompson).act(np.zeros(5), make_rng(0))[1]).all()


@pytest.mark.parametrize("name", ["ucb", "kl_ucb", "thompson", "gaussian_thompson", "lin_ucb", "explore_then_commit"])
def test_renaming_the_actions_renames_the_pulls(name):
    """In law: the frequencies of the actions after the same history under another numbering."""
    order, n = np.array([2, 0, 3, 1]), 20_000
    action, reward = make_rng(5).integers(4, size=60), make_rng(6).random(60) < 0.4
    plain, renamed = build(name, 4), build(name, 4)
    plain.learn(rows(action, reward))
    renamed.learn(rows(order[action], reward))
    obs = np.zeros(n, np.int64)
    first = np.bincount(plain.act(obs, make_rng(7))[0], minlength=4)
    second = np.bincount(renamed.act(obs, make_rng(8))[0], minlength=4)[order]
    assert np.abs(first - second).max() < 5 * np.sqrt(n / 2)


# the arg-max ----------------------------------------------------------------------------------------------------------
def test_coins_are_the_published_sequence_of_splitmix64():
    """The first outputs for the seed 1234567, as every port of the generator is tested with."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [coin(np.uint64(1234567), i) for i in range(4)] == [(z >> 11) * 2.0**-53 for z in published]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_the_best_actions_are_those_of_a_sort(slots, masked):
    """Values without ties: the K largest allowed ones, in order, for every user of every learner."""
    values, n = make_rng(1).permutation(40 * 7).reshape(40, 7).astype(float) - 100.0, 80
    mask = make_rng(2).random((n, 7)) < 0.5 if masked else None
    if mask is not None:
        mask[:, :3] = True                                          # enough to fill a slate
    action, log_prob = np.empty((n, slots), np.int64), np.empty(n, np.float32)
    pick(values, 2, np.uint64(3), mask, action, log_prob)
    for user in range(n):
        row = values[user // 2] if mask is None else np.where(mask[user], values[user // 2], -np.inf)
        assert action[user].tolist() == np.argsort(-row)[:slots].tolist()
    assert (log_prob == 0.0).all()


def test_ties_are_broken_fairly_and_each_user_for_itself():
    n, values = 60_000, np.array([[1.0, 3.0, 3.0, -np.inf, 3.0, 2.0]])
    action, log_prob = np.empty((n, 2), np.int64), np.empty(n, np.float32)
    pick(values, n, np.uint64(5), None, action, log_prob)
    np.testing.assert_allclose(log_prob, -np.log(6.0), rtol=1e-6)  # one of three, then one of two
    pairs_, frequency = np.unique(action, axis=0, return_counts=True)
    assert len(pairs_) == 6 and set(pairs_.ravel()) == {1, 2, 4}
    assert np.abs(frequency - n / 6).max() < 4 * np.sqrt(n * 5 / 36)
    same = (action[1:] == action[:-1]).all(axis=1).sum()            # neighbours agree one time in six
    assert abs(same - n / 6) < 4 * np.sqrt(n * 5 / 36)
    again = np.empty_like(action)
    pick(values, n, np.uint64(6), None, again, log_prob)
    assert abs((again == action).all(axis=1).sum() - n / 6) < 4 * np.sqrt(n * 5 / 36)
    pick(np.full((1, 2), -np.inf), 1, np.uint64(0), None, action[:1], log_prob[:1])
    assert sorted(action[0]) == [0, 1]                              # worthless is not forbidden
    with pytest.raises(ValueError, match="fewer allowed actions"):
        pick(values, n, np.uint64(5), np.tile([True, *[False] * 5], (n, 1)), action, log_prob)


# memory ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("forget", [{"window": 7}, {"discount": 0.9}])
def test_forgetting_equals_brute_force_at_every_step(forget):
    bandit, rng, history = build(UCB, 3, replications=2, **forget), make_rng(2), ([], [])
    for _ in range(60):
        action, reward = rng.integers(3, size=(2, 4)), rng.random((2, 4)).astype(np.float32)   # T = 2; R = 2
        bandit.learn(rows(action, reward))
        for t, n in itertools.product(range(2), range(4)):
            history[n // 2].append((action[t, n], reward[t, n]))
        for r in range(2):
            past = history[r][-forget.get("window", len(history[r])):]
            weight = forget.get("discount", 1.0) ** np.arange(len(past))[::-1]
            for a in range(3):
                count = sum(w for w, (b, _) in zip(weight, past, strict=True) if b == a)
                total = sum(w * x for w, (b, x) in zip(weight, past, strict=True) if b == a)
                np.testing.assert_allclose([bandit.count[r, a], bandit.total[r, a]], [count, total], atol=1e-12)


@pytest.mark.parametrize("name", COUNTING)
@pytest.mark.parametrize("forget", [{"window": 400}, {"discount": 1.0}])
def test_long_memory_is_the_stationary_algorithm_bit_for_bit(name, forget):
    plain, long = build(name, 4, replications=5), build(name, 4, replications=5, **forget)
    coins, first, second = make_rng(1), make_rng(9), make_rng(9)
    for _ in range(100):
        action, log_prob = plain.act(np.zeros(20), first)
        other, other_log_prob = long.act(np.zeros(20), second)
        np.testing.assert_array_equal(action, other)
        np.testing.assert_array_equal(log_prob, other_log_prob)
        batch = rows(action, coins.random(20))
        plain.learn(batch)
        long.learn(batch)
    assert plain.count.tobytes() == long.count.tobytes() and plain.total.tobytes() == long.total.tobytes()


def test_window_and_discount_together_are_refused():
    with pytest.raises(ValueError, match="only one of them can forget"):
        build(UCB, window=5, discount=0.9)


def test_glr_alarms_at_a_change_and_only_there():
    steady, jump = np.tile([1.0, 0.0], 100), np.r_[np.zeros(40), np.ones(40)]
    assert not changed(np.cumsum(steady), 200, 0.01, 1)
    assert changed(np.cumsum(jump), 80, 0.01, 1)
    # n = 80 halves: 40 kl(0, .5) + 40 kl(1, .5) = 80 ln 2 = 55.45; the level is ln(3 · 80^1.5 / δ)
    delta = 3 * 80**1.5 * np.exp(-80 * np.log(2))
    assert changed(np.cumsum(jump), 80, delta * 1.001, 40) and not changed(np.cumsum(jump), 80, delta * 0.999, 40)
    bandit = build("glr_kl_ucb", 2)
    bandit.learn(rows(np.zeros(80), jump))
    assert bandit.restarts[0] == 1 and bandit.count[0, 0] < 40


# learning -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", EVERY)
def test_late_rewards_arrive_after_their_delay(name):
    """Delay d is the same as being told d steps later; the state survives a checkpoint in between."""
    rng, steps = make_rng(4), 12
    action, reward = rng.integers(3, size=(steps, 2)), (rng.random((steps, 2)) < 0.5).astype(np.float32)
    delay = rng.integers(4, size=(steps, 2))
    late, told = build(name, replications=2), build(name, replications=2)
    for t in range(steps + 4):
        if t < steps:
            batch = rows(action[t], reward[t], delay=delay[t : t + 1])
        else:                                                       # nothing new: time passes
            batch = rows(np.zeros((1, 2)), np.zeros((1, 2)), delay=np.full((1, 2), 99))
        late.learn(batch)
        copy = build(name, replications=2)
        copy.load_state_dict(late.state_dict())
        late = copy
        for s, n in itertools.product(range(min(t + 1, steps)), range(2)):
            if s + delay[s, n] == t:
                told.update(told.rows(rows(action[s], reward[s]))._replace(
                    learner=np.array([n]), action=action[s, n : n + 1], reward=reward[s, n : n + 1],
                    log_prob=np.full(1, np.log(0.5), np.float32)))
        for key, value in told.policy_state().items():
            np.testing.assert_allclose(late.policy_state()[key], value, atol=1e-12)


@pytest.mark.parametrize("name", [*EVERY, "popularity", "lin_ucb", "lin_thompson", "logistic_thompson",
                                  "neural_linear", "neural_ucb"])
def test_checkpoint_continues_bit_for_bit_and_is_a_snapshot(name):
    params = {"train_every": 15, "train_steps": 3} if name.startswith("neural") else {"replications": 2}
    first, coins = build(name, 4, **params), make_rng(0)

    def step(bandit, rng, reward):
        action, log_prob = bandit.act(np.zeros(6, np.int64), rng)
        log_prob = np.where(np.isnan(log_prob), 0.0, log_prob)[None]
        bandit.learn(rows(action, reward, log_prob=log_prob.astype(np.float32)))
        return action

    for t in range(10):
        step(first, make_rng(1, t), coins.random(6))
    saved, second, server = first.state_dict(), build(name, 4, **params), build(name, 4, **params)
    second.load_state_dict(saved)
    server.load_policy_state(first.policy_state())
    np.testing.assert_array_equal(server.act(np.zeros(6, np.int64), make_rng(2))[0],
                                  first.act(np.zeros(6, np.int64), make_rng(2))[0])
    before = {k: np.copy(v) for k, v in saved.items() if isinstance(v, np.ndarray)}
    for t in range(10):
        reward = coins.random(6)
        np.testing.assert_array_equal(step(first, make_rng(3, t), reward), step(second, make_rng(3, t), reward))
    for key, value in before.items():
        np.testing.assert_array_equal(saved[key], value)


@pytest.mark.parametrize("name", EVERY)
def test_masks_are_kept_and_propensities_are_frequencies(name):
    bandit, n = build(name, 4), 40_000
    bandit.learn(rows([0, 1, 1, 2, 3, 3], [1, 1, 0, 0, 1, 0]))
    mask = np.tile([True, True, False, True], (n, 1))
    action, log_prob = bandit.act(np.zeros(n, np.int64), make_rng(1), mask=mask)
    assert (action != 2).all()
    for a in set(action):
        if not np.isnan(log_prob[0]):
            assert np.ptp(log_prob[action == a]) < 1e-6
            assert abs(np.exp(log_prob[action == a][0]) - (action == a).mean()) < 0.012


def test_gradient_bandit_by_hand():
    bandit = build(GradientBandit, 2, learning_rate=0.5)
    bandit.learn(rows([0], [1]))                                    # the first reward is its own baseline
    assert bandit.preference.tolist() == [[0, 0]]
    bandit.learn(rows([1], [0]))                                    # baseline 1: step ½ · (0 − 1) · (1 − ½)
    np.testing.assert_allclose(bandit.preference, [[0.25, -0.25]], rtol=1e-15)
    bandit.learn(rows([0], [1]))                                    # baseline ½, π_0 = 1 / (1 + e^−½)
    np.testing.assert_allclose(bandit.preference, [[0.34438516719953635, -0.34438516719953635]], rtol=1e-14)
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3)])), [0.25, 0.75])


def test_exp3_by_hand():
    bandit = build(EXP3, 2, gamma=0.2)
    bandit.learn(rows([0, 1], [1, 0.5], log_prob=np.log(np.array([[0.5, 0.25]], np.float32))))
    np.testing.assert_allclose(bandit.log_weight, [[0.2 / 2 / 0.5, 0.2 / 2 * 0.5 / 0.25]], rtol=1e-6)
    bandit.log_weight[:] = [[np.log(3), 0.0]]                       # p_0 = .8 · .75 + .1
    action, log_prob = bandit.act(np.zeros(10_000), make_rng(0))
    np.testing.assert_allclose(np.exp(log_prob), np.where(action == 0, 0.7, 0.3), rtol=1e-6)
    assert abs((action == 0).mean() - 0.7) < 0.02


def test_the_ab_test_stops_looking_after_its_decision():
    bandit = build(ExploreThenCommit, 2, samples=2)
    bandit.learn(rows([[0], [0]], [[1], [0]]))
    action, log_prob = bandit.act(np.zeros(5), make_rng(0))
    assert (action == 1).all() and (log_prob == 0).all()            # action 0 has had its two
    bandit.learn(rows([[1], [1]], [[1], [1]]))
    assert (bandit.act(np.zeros(5), make_rng(0))[0] == 1).all()
    bandit.learn(rows(np.ones(50), np.zeros(50)))
    assert bandit.count.tolist() == [[2, 2]] and (bandit.act(np.zeros(5), make_rng(0))[0] == 1).all()


def test_popularity_learns_from_the_log_and_shrinks():
    bandit = build(Popularity, 3, prior_strength=10.0)
    log = rows([0] * 1 + [1] * 50 + [2] * 49, [1] + [1] * 30 + [0] * 69)              # rates 1, .6, 0; base .31
    bandit.learn(log)
    assert (bandit.act(np.zeros(9), make_rng(0))[0] == 1).all()     # (30 + 3.1) / 60 > (1 + 3.1) / 11
    bandit.learn(rows([2] * 500, [1] * 500))
    assert bandit.count.sum() == 100
    keen = build(Popularity, 3, prior_strength=0.0, keep_learning=True)
    keen.learn(log)
    assert (keen.act(np.zeros(9), make_rng(0))[0] == 0).all()
    keen.learn(rows([2] * 500, [1] * 500))
    assert keen.count.sum() == 600


def test_slates_are_ranked_drawn_without_repetition_and_learnt_slot_by_slot():
    slate = build(Popularity, [4, 4], prior_strength=1.0)
    action, response = np.array([[[0, 1], [2, 3], [0, 2]]]), np.array([[[1, 0], [0, 1], [1, 0]]])
    slate.learn(rows(np.zeros(3), response.sum(axis=2))._replace(action=action, response=response))
    assert slate.count.tolist() == [[2, 1, 2, 1]] and slate.total.tolist() == [[2, 0, 0, 1]]
    assert (slate.act(np.zeros(4), make_rng(0))[0] == [0, 3]).all()
    chosen, log_prob = build(Random, [4, 4]).act(np.zeros(24_000), make_rng(0))
    assert np.allclose(log_prob, -np.log(12)) and (chosen[:, 0] != chosen[:, 1]).all()
    counts = np.unique(chosen @ [4, 1], return_counts=True)[1]
    assert len(counts) == 12 and np.abs(counts - 2000).max() < 5 * np.sqrt(2000)
    with pytest.raises(ValueError, match="not a slate"):
        build("exp3", [4, 4])


def test_users_belong_to_learners_in_blocks_and_order_does_not_matter():
    bandit = build(UCB, 2, replications=2)
    bandit.learn(rows([0, 1, 1, 1], [1, 0, 1, 1]))
    assert bandit.count.tolist() == [[1, 1], [0, 2]] and bandit.total.tolist() == [[1, 0], [0, 2]]
    with pytest.raises(ValueError, match="3 users cannot be shared by 2"):
        bandit.act(np.zeros(3), make_rng(0))
    halves = [rows([0, 1], [1, 0]), rows([1, 1], [0.5, 0])]
    joint, swapped = build(KLUCB, 2), build(KLUCB, 2)
    joint.learn(concat(halves))
    for half in halves[::-1]:
        swapped.learn(half)
    assert (joint.index() == swapped.index()).all()


# linear models --------------------------------------------------------------------------------------------------------
def dense(phi, reward, l2):
    """(θ, A⁻¹) from the rows φ ``[M, p]``, the definition."""
    precision = phi.T @ phi + l2 * np.eye(phi.shape[1])
    return np.linalg.solve(precision, phi.T @ reward), np.linalg.inv(precision)


@pytest.mark.parametrize("kind", ["disjoint", "shared", "intercept", "actions", "candidates", "ids"])
def test_lin_ucb_equals_dense_ridge_regression(kind):
    """Mean and variance of every action, with l2 ≠ 1, for every way to be told of users and items."""
    rng, n, a, d, h, l2 = make_rng(3), 20, 6, 3, 4, 0.37
    items, box = rng.normal(size=(a, d)), lambda *shape: spaces.Box(-np.inf, np.inf, shape)
    space = {"actions": box(a, d), "candidates": spaces.Dict(user=box(h), candidates=box(5, d)),
             "ids": spaces.Dict(user=box(h), candidates=spaces.MultiDiscrete([a] * 5))}.get(kind, box(h))
    model = build(LinUCB, 5 if kind in ("candidates", "ids") else a, space, l2=l2, alpha=0.7,
                  items=None if kind in ("disjoint", "actions", "candidates") else items,
                  item_intercept=kind == "intercept")

    def draw():
        user = rng.normal(size=(n, h))
        return {"disjoint": user, "shared": user, "intercept": user, "actions": rng.normal(size=(n, a, d)),
                "candidates": {"user": user, "candidates": rng.normal(size=(n, 5, d))},
                "ids": {"user": user, "candidates": rng.permuted(np.tile(np.arange(a), (n, 1)), axis=1)[:, :5]}}[kind]

    def phi(obs, i, k):
        if kind == "actions":
            return obs[i, k]
        x = np.r_[1.0, obs["user"][i] if isinstance(obs, dict) else obs[i]]
        if kind == "disjoint":
            return np.kron(np.eye(a)[k], x)
        f = {"candidates": lambda: obs["candidates"][i, k], "ids": lambda: items[obs["candidates"][i, k]]}
        both = np.kron(f[kind]() if kind in f else items[k], x)
        return np.r_[np.eye(a)[k], both] if kind == "intercept" else both

    seen, told, m = [], [], 5 if kind in ("candidates", "ids") else a
    for _ in range(4):
        obs, action = draw(), rng.integers(m - 1, size=n)           # the last action is never tried
        reward = rng.random(n).astype(np.float32)
        step = {k: v[None] for k, v in obs.items()} if isinstance(obs, dict) else obs[None]
        model.learn(rows(action, reward, obs=step))
        seen += [phi(obs, i, action[i]) for i in range(n)]
        told += list(reward.astype(float))
    theta, inverse = dense(np.array(seen), np.array(told), l2)
    obs = draw()
    features = np.array([[phi(obs, i, k) for k in range(m)] for i in range(n)])                 # [N, m, p]
    mean, variance = model.moments(obs)
    np.testing.assert_allclose(mean, features @ theta, atol=1e-9)
    np.testing.assert_allclose(variance, np.einsum("nkp,pq,nkq->nk", features, inverse, features), atol=1e-9)
    for i in range(3):                                              # a user alone goes another way to the same numbers
        own = {k: v[i : i + 1] for k, v in obs.items()} if isinstance(obs, dict) else obs[i : i + 1]
        for alone, together in zip(model.moments(own), (mean, variance), strict=True):
            np.testing.assert_allclose(alone, together[i : i + 1], atol=1e-12)
    bound = mean + 0.7 * np.sqrt(variance)
    action, log_prob = model.act(obs, make_rng(0))
    assert (action == bound.argmax(axis=1)).all() and (log_prob == 0).all()


def test_inverse_equals_sherman_morrison_row_by_row():
    rng, d, l2 = make_rng(1), 5, 2.5
    model = build(LinUCB, 7, spaces.Box(-9, 9, (7, d)), l2=l2)
    inverse = np.eye(d) / l2
    for _ in range(40):
        obs, action = rng.normal(size=(1, 7, d)), rng.integers(7, size=1)
        model.learn(rows(action, rng.random(1), obs=obs[None]))
        v = inverse @ obs[0, action[0]]
        inverse -= np.outer(v, v) / (1.0 + obs[0, action[0]] @ v)
        np.testing.assert_allclose(np.linalg.inv(model.precision()[0]), inverse, atol=1e-9)


def test_lin_ucb_by_hand():
    """Only the constant (x = [1, 0]), λ = 2: after rewards 1, 1, 0 on action 0, θ = 2/5 and the width is α / √5."""
    model = build(LinUCB, 2, spaces.Box(0, 1, (1,)), l2=2.0, alpha=1.0)
    model.learn(rows([0, 0, 0], [1, 1, 0], obs=np.zeros((1, 3, 1))))
    mean, variance = model.moments(np.zeros((1, 1)))
    np.testing.assert_allclose(mean, [[0.4, 0.0]])
    np.testing.assert_allclose(variance, [[0.2, 0.5]])


def test_replicated_linear_models_are_independent_learners():
    rng, items = make_rng(8), make_rng(9).normal(size=(5, 2))
    obs, action, reward = rng.normal(size=(1, 6, 3)), rng.integers(5, size=6), rng.random(6)
    for kind in (None, items):
        many = build(LinUCB, 5, spaces.Box(-9, 9, (3,)), items=kind, replications=3)
        many.learn(rows(action, reward, obs=obs))
        for r in range(3):
            one, own = build(LinUCB, 5, spaces.Box(-9, 9, (3,)), items=kind), slice(2 * r, 2 * r + 2)
            one.learn(rows(action[own], reward[own], obs=obs[:, own]))
            for ours, theirs in zip(one.moments(obs[0, own]), many.moments(obs[0]), strict=True):
                np.testing.assert_allclose(ours, theirs[own], atol=1e-12)


@pytest.mark.parametrize("kind", ["shared", "disjoint", "actions"])
def test_linear_thompson_draws_from_the_joint_posterior(kind):
    rng, items = make_rng(5), make_rng(6).normal(size=(4, 2))
    space = spaces.Box(-9, 9, (4, 2) if kind == "actions" else (3,))
    model = build(LinThompson, 4, space, items=items if kind == "shared" else None, scale=0.5)
    obs = rng.normal(size=(30, *space.shape))
    model.learn(rows(rng.integers(4, size=30), rng.random(30), obs=obs[None]))
    mean, variance = model.moments(obs[:1])
    draws = model.draws(np.repeat(obs[:1], 100_000, axis=0), make_rng(0))                       # [N, A]
    np.testing.assert_allclose(draws.mean(axis=0), mean[0], atol=0.005)
    np.testing.assert_allclose(draws.std(axis=0), 0.5 * np.sqrt(variance[0]), rtol=0.02)
    if kind != "disjoint":                                          # two features: any three actions are collinear
        f = items if kind == "shared" else obs[0]
        gap = draws[:, 2] - f[2] @ np.linalg.solve(f[:2], draws[:, :2].T)
        assert np.abs(gap).max() < 1e-5


def test_logistic_thompson_finds_the_penalised_maximum_and_its_curvature():
    rng, l2, n = make_rng(7), 0.8, 200
    phi = np.c_[np.ones(n), rng.normal(size=(n, 2))]
    click = (rng.random(n) < 1 / (1 + np.exp(-phi @ [0.3, 1.0, -2.0]))).astype(np.float32)
    model = build(LogisticThompson, 2, spaces.Box(-9, 9, (2,)), l2=l2, newton_steps=30)
    model.learn(rows(np.zeros(n), click, obs=phi[None, :, 1:]))
    theta = model.theta[0, 0]
    chance = 1 / (1 + np.exp(-phi @ theta))
    np.testing.assert_allclose(l2 * theta, phi.T @ (click - chance), atol=1e-7)                # the gradient is zero
    hessian = l2 * np.eye(3) + (phi * (chance * (1 - chance))[:, None]).T @ phi
    np.testing.assert_allclose(model.precision()[0, 0], hessian, atol=1e-7)
    assert (model.theta[0, 1] == 0).all() and np.allclose(model.precision()[0, 1], l2 * np.eye(3))


@pytest.mark.parametrize(("params", "message"), [
    ({"model": "shared"}, "items' features"), ({"l2": 0.0}, "must lie in .0, inf"),
    ({"model": "both"}, "auto, shared")])
def test_linear_models_say_what_is_wrong(params, message):
    with pytest.raises(ValueError, match=message):
        build(LinUCB, 3, spaces.Box(-1, 1, (2,)), **params)


def test_a_bandit_config_is_shared_vocabulary():
    assert make_config(UCB, {"replications": "3", "alpha": "1e-1"}).alpha == 0.1
    assert BanditConfig().replications == 1


@pytest.mark.parametrize(("name", "params"), [("ucb", {}), ("kl_ucb", {}), ("thompson", {}), ("epsilon_greedy", {}),
                                              ("gaussian_thompson", {}), ("ucb", {"window": 7}),
                                              ("thompson", {"discount": 0.9})])
def test_statistics_per_context_are_separate_learners(name, params):
    """Three contexts, one learner: its rows are those of three learners that each saw one context alone."""
    cls, rng = find_algorithm(name), make_rng(3)
    one = cls(spaces.Discrete(3), spaces.Discrete(4), make_config(cls, params | {"per_context": True}))
    three = [cls(spaces.Discrete(3), spaces.Discrete(4), make_config(cls, params)) for _ in range(3)]
    for _ in range(20):
        obs = rng.integers(3, size=8)
        action, reward = rng.integers(4, size=8), (rng.random(8) < 0.5).astype(np.float32)
        def batch(rows, obs=obs, action=action, reward=reward):
            ends = np.ones((1, len(rows)), bool)
            return Transition(obs[None, rows], action[None, rows], reward[None, rows], obs[None, rows], ends, ~ends,
                              np.zeros((1, len(rows)), np.float32))
        one.learn(batch(np.arange(8)))
        for c, learner in enumerate(three):
            if (obs == c).any():
                learner.learn(batch(np.flatnonzero(obs == c)))
    np.testing.assert_allclose(one.count, np.concatenate([learner.count for learner in three]))
    np.testing.assert_allclose(one.total, np.concatenate([learner.total for learner in three]))
    greedy = one.act(np.arange(3), make_rng(0), explore=False)[0]
    for action, learner in zip(greedy, three, strict=True):     # the best of its own context
        value = learner.centre() if hasattr(learner, "centre") else learner.mean()
        assert value[0, action] == value.max()
    twin = cls(spaces.Discrete(3), spaces.Discrete(4), make_config(cls, params | {"per_context": True}))
    twin.load_state_dict(one.state_dict())
    obs = rng.integers(3, size=50)
    np.testing.assert_array_equal(one.act(obs, make_rng(1))[0], twin.act(obs, make_rng(1))[0])


def test_contexts_of_boxes_are_their_signs():
    cls = find_algorithm("ucb")
    learner = cls(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), make_config(cls, {"per_context": True,
                                                                                "replications": 2}))
    assert learner.count.shape == (16, 2)
    obs = np.array([[-1, -1, 1], [1, 1, 1], [0.2, -3, -1], [0, 0, 0]])
    ends = np.ones((1, 4), bool)
    learner.learn(Transition(obs[None], np.array([[0, 1, 0, 1]]), np.ones((1, 4), np.float32), obs[None], ends, ~ends,
                             np.zeros((1, 4), np.float32)))
    assert np.argwhere(learner.count).tolist() == [[4, 0], [7, 1], [8 + 0, 1], [8 + 1, 0]]
    with pytest.raises(ValueError, match="per_context"):
        cls(spaces.Box(-1, 1, (21,)), spaces.Discrete(2), make_config(cls, {"per_context": True}))
