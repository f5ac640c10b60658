"""Personal sessions: the law of the users, one step by hand, and the optimum against the general solver."""
from statistics import NormalDist

import numpy as np
import pytest
from support import sessions_reference as reference

from envs.engine.solver import backward_induction, evaluate, value_iteration
from envs.engine.vector import SPLITS
from envs.sessions.env import Sessions
from envs.sessions.user import after

SMALL = {"topics": 3, "per_topic": 4, "levels": 3, "quick_pace": 3, "horizon": 25, "types": 3}
TEST = SPLITS["test"]


def scalar_step(env, n, item):
    """P(click) and the boredoms after a click and after none, of user n."""
    p, k = env.params, env.world.topic[item]
    interest, bored = env.state.interest[n], env.state.bored[n].tolist()
    click = interest[k] * env.world.appeal[item] * (1 - p.pull_lost * bored[k] / p.levels)
    cooled = [b if j == k else max(0, b - 1) for j, b in enumerate(bored)]
    warmed = list(cooled)
    warmed[k] = min(p.levels, bored[k] + int(env.world.pace[item]))
    return click, warmed, cooled


def test_a_step_equals_the_scalar_story():
    env, dice = Sessions(40, autoreset="disabled"), np.random.default_rng(0)
    env.reset(seed=1)
    clicks = 0
    for _ in range(60):
        action = dice.integers(0, 100, 40)
        told = [scalar_step(env, n, action[n]) for n in range(40)]
        _, reward, terminated, _, info = env.step(action)
        np.testing.assert_allclose(info["expected_reward"], [click for click, _, _ in told], rtol=1e-12)
        for n in range(40):
            assert env.state.bored[n].tolist() == told[n][1 if reward[n] else 2]
        clicks += reward.sum()
        assert not terminated.any()
    assert 200 < clicks < 1400 and env.state.bored.max() == 4


def test_clicks_come_with_their_probability():
    env = Sessions(20_000, autoreset="disabled")
    env.reset(seed=2)
    sampled = expected = variance = 0.0
    for t in range(10):
        _, reward, _, _, info = env.step((env.user * 7 + t) % 100)
        p = info["expected_reward"]
        sampled, expected, variance = sampled + reward.sum(), expected + p.sum(), variance + (p * (1 - p)).sum()
    assert abs(sampled - expected) < 4 * np.sqrt(variance)


def test_who_the_users_are():
    env = Sessions(1)
    interest, belief = env.people(np.arange(20_000))
    for quantile in (0.2, 0.5, 0.8):                     # σ(N(-1, 5²)), by its quantiles
        exact = 1 / (1 + np.exp(1 - 5 * NormalDist().inv_cdf(quantile)))
        share = (interest < exact).mean()
        assert share == pytest.approx(quantile, abs=4 * 0.5 / np.sqrt(interest.size))
    inner = (interest > 0.2) & (interest < 0.8)          # where the belief is not cut
    assert (belief - interest)[inner].std() == pytest.approx(0.03, rel=0.05)
    assert np.abs(np.corrcoef(interest.T) - np.eye(5)).max() < 0.04
    again, _ = Sessions(1).people([5, 3])
    np.testing.assert_array_equal(again, interest[[5, 3]])
    assert (Sessions(1, world_seed=1).people([5])[0] != interest[5]).any()
    shared, _ = Sessions(1, types=3).people([0, 1, 2, 3, 4])
    np.testing.assert_array_equal(shared[:2], shared[3:])
    assert (shared[0] != shared[1]).any()


def test_the_catalogue():
    env = Sessions(1)
    assert env.items.shape == (100, 7) and (np.bincount(env.world.topic) == 20).all()
    for k in range(5):
        for pace, top in ((2, 0.9), (4, 0.95)):
            shelf = env.world.appeal[(env.world.topic == k) & (env.world.pace == pace)]
            np.testing.assert_allclose(np.sort(shelf), np.linspace(0.1, top, 10))
    np.testing.assert_array_equal(env.items[:, :5].argmax(axis=1), env.world.topic)
    slow, quick = (env.items[env.world.pace == pace, 6] for pace in (2, 4))
    assert 0.1 < slow.mean() - quick.mean() < 0.3 and slow.min() < quick.max()           # a hint, not the answer
    other = Sessions(1, world_seed=5)
    assert (other.world.topic != env.world.topic).any()
    for pace in (2, 4):
        shelves = [np.sort(shop.world.appeal[shop.world.pace == pace]) for shop in (env, other)]
        np.testing.assert_allclose(*shelves)


def test_the_views():
    env = Sessions(1)
    belief = np.array([[0.1, 0.9, 0.2, 0.3, 0.4], [0.7, 0.1, 0.2, 0.3, 0.4]])
    bored = np.array([[0, 1, 2, 3, 4], [2, 0, 0, 0, 1]])
    np.testing.assert_allclose(env.encode(belief, bored), np.hstack([belief, bored / 4]).astype("f4"))
    assert Sessions(1, observe="coarse").encode(belief, bored).tolist() == [1 * 32 + 4 + 8 + 16, 0 * 32 + 1]
    assert Sessions(1, observe="levels").encode(belief, bored).tolist() == [
        3125 + 5 + 2 * 25 + 3 * 125 + 4 * 625, 2 + 625]
    views = [Sessions(30, observe=view, autoreset="disabled") for view in ("vector", "coarse", "levels")]
    for view in views:
        view.reset(seed=3)
        for t in range(40):
            view.step((view.user + 3 * t) % 100)
    for view in views[1:]:
        np.testing.assert_array_equal(view.state.bored, views[0].state.bored)


# the optimum ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("user", [0, 1, 2])
def test_the_optimum_equals_the_general_solver(user):
    """All items and all boredoms, where the planner compares only the ends of each shelf."""
    env = Sessions(1, **SMALL)
    mdp, planner = env.table(user), env.planner
    assert mdp.chance.shape == (64, 12, 2) and len(planner.candidates) == 12
    q = backward_induction(mdp)                                              # [H, 64, 12]
    best, value = planner.solve(env.people([user])[0][0])
    assert value == pytest.approx(q[0, 0].max(), abs=1e-12)
    chosen = np.take_along_axis(q, planner.candidates[best][..., None], axis=2)[..., 0]
    np.testing.assert_allclose(chosen, q.max(axis=2), atol=1e-12)


def test_the_ends_of_each_shelf_are_enough():
    env = Sessions(1, **{**SMALL, "per_topic": 10})
    assert len(env.world.topic) == 30 and len(env.planner.candidates) == 12
    for user in range(3):
        q = backward_induction(env.table(user))
        assert env.optimal_return([user])[0] == pytest.approx(q[0, 0].max(), abs=1e-12)


def test_following_a_policy_equals_its_evaluation():
    env, rng = Sessions(1, **SMALL), np.random.default_rng(4)
    users = [0, 1, 2]
    tables = [env.table(user) for user in users]
    for _ in range(5):
        actions = rng.integers(0, 12, 64)
        found = env.exact_return(lambda obs, actions=actions: actions, users)
        np.testing.assert_allclose(found, [evaluate(mdp, actions, horizon=25)[0] for mdp in tables], atol=1e-12)
    greedy = value_iteration(tables[0], 0.9).argmax(axis=1)
    assert env.exact_return(lambda obs: greedy, [0])[0] <= env.optimal_return([0])[0]


def test_simulated_returns_agree_with_the_solver():
    env = Sessions(6000, autoreset="disabled", first_user=TEST, **SMALL)
    def rotate(obs):                                     # what the agent sees decides: the least bored liked topic
        topic = (obs[:, :3] * (1 - obs[:, 3:])).argmax(axis=1)
        return np.array([np.flatnonzero(env.world.topic == k)[0] for k in range(3)])[topic]
    users = TEST + np.arange(3)                          # the three types, each 2,000 times
    for choose, exact in ((lambda obs: env.oracle(), env.optimal_return(users)),
                          (rotate, env.exact_return(rotate, users))):
        obs, sampled, expected = env.reset(seed=3)[0], np.zeros(6000), np.zeros(6000)
        for _ in range(25):
            obs, reward, _, truncated, info = env.step(choose(obs))
            sampled, expected = sampled + reward, expected + info["expected_reward"]
        assert truncated.all()
        for total in (sampled, expected):
            for kind in range(3):
                mine = total[kind::3]
                assert abs(mine.mean() - exact[kind]) < 4 * mine.std() / np.sqrt(len(mine))


def test_the_oracle_of_everybody_is_personal():
    env = Sessions(60, autoreset="disabled", first_user=TEST)
    env.reset(seed=3)
    total = np.zeros(60)
    for _ in range(100):
        total += env.step(env.oracle())[4]["expected_reward"]
    exact = env.optimal_return(TEST + np.arange(60))
    gap = total - exact                                  # luck of the clicks only
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(60) and np.corrcoef(total, exact)[0, 1] > 0.95
    assert Sessions(2, topics=8, levels=4).oracle() is None          # 390,625 boredoms: too many to plan


def test_the_rows_of_the_docs():
    """Planning matters, the clock does not, and knowing only the favourite topic is not enough."""
    rows = reference.exact_rows(users=16, gammas=(0.5, 0.9))
    share = {name: value.mean() / rows["optimum"].mean() for name, value in rows.items()}
    for value in rows.values():
        assert (value <= rows["optimum"] + 1e-9).all()
    assert 0.70 < share["myopic, interests known"] < 0.80
    assert share["plan γ = 0.5, belief"] < 0.87 < 0.98 < share["plan γ = 0.9, belief"]
    assert share["plan, only the favourite known"] < 0.75
    dice = np.random.default_rng(0)
    rng_row = reference.sessions(lambda obs: dice.integers(0, 100, len(obs)), users=300)
    assert rng_row.mean() / rows["optimum"].mean() < 0.36


@pytest.mark.slow
def test_a_table_stays_far_below_the_optimum():
    optimum = Sessions(1).optimal_return(TEST + np.arange(1000)).mean()
    for setting in reference.SETTINGS[:3]:
        q = reference.q_table("coarse", 200_000, *setting, seed=0)
        value = reference.sessions(lambda obs, q=q: q[obs].argmax(axis=1), observe="coarse").mean()
        assert 0.35 < value / optimum < 0.60


def test_boredom_by_hand():
    told = [after.py_func(*case) for case in ((3, True, True, 4, 4), (1, True, True, 2, 4), (3, True, False, 2, 4),
                                             (3, False, False, 2, 4), (0, False, True, 2, 4))]
    assert told == [4, 3, 3, 2, 0]
