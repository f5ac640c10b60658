"""The ladder: closed forms in small shops, the optimum against brute force, and what there is to gain."""
import itertools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.ladder_reference import fixed_shelves, planner_policy, random_policy, sessions
from support.lives import agree, record, resumes

from envs.engine.cascade import best_slate
from envs.ladder.env import Ladder

VIEWS = [{"action": a, "observe": o} for a in ("item", "slate") for o in ("vector", "type", "coarse")]
CALM = {"pull_lost": 0.0, "taste": 0.0, "favourite": 0.8, "other": 0.8, "leave_low": 0.0, "leave_high": 0.0}


def shop(n, **params):
    env = Ladder(n, autoreset=params.pop("autoreset", "same_step"), **params)
    env.reset(seed=7)
    return env


# the contract --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("view", VIEWS)
def test_views_pass_gymnasiums_checker_and_batch(view):
    check_env(gym.make("recloop/Ladder-v0", **view).unwrapped, skip_render_check=True)
    batch = gym.make_vec("recloop/Ladder-v0", num_envs=3, vectorization_mode="vector_entry_point", **view)
    assert batch.observation_space.contains(batch.reset(seed=1)[0])
    for _ in range(30):
        assert batch.observation_space.contains(batch.step(batch.action_space.sample())[0])


@pytest.mark.parametrize("action", ["item", "slate"])
def test_a_users_life_depends_on_nothing_but_user_seed_and_slates(action):
    make = lambda n, mode="same_step", **more: Ladder(n, autoreset=mode, action=action, horizon=15, **more)  # noqa: E731
    whole = record(make(6), 80)
    for mode in ("disabled", "next_step"):
        assert agree(whole, record(make(6, mode), 80)) > 300
    parts = record(make(2, slot0=0, stride=6), 80) | record(make(4, slot0=2, stride=6), 80)
    assert agree(whole, parts) == 480
    assert agree(record(make(6), 15, users=np.arange(6)), record(make(6), 15, users=np.arange(6)[::-1])) > 40
    assert record(make(6), 20, seed=4) != record(make(6), 20, seed=5)


@pytest.mark.parametrize("view", VIEWS)
def test_state_is_restored_bit_for_bit(view):
    for mode in ("same_step", "next_step"):
        resumes(Ladder(5, autoreset=mode, **view))


def test_users_are_the_same_in_every_view_and_under_every_seed():
    envs = [shop(300, **view) for view in VIEWS]
    envs[0].reset(seed=99)
    for env in envs[1:]:
        for name in ("kind", "likes_it"):
            np.testing.assert_array_equal(getattr(env.state, name), getattr(envs[0].state, name))
    many = shop(40_000)
    assert np.abs(np.bincount(many.state.kind) / 40_000 - .25).max() < 4 * np.sqrt(.25 * .75 / 40_000)
    assert np.abs(many.state.likes_it.mean(axis=0) - .5).max() < 4 * .5 / np.sqrt(40_000)


def test_errors_are_clear():
    for params, message in (({"quality": (1.0,)}, "one entry for each item"), ({"patience": 1.5}, "patience"),
                            ({"appeal": (0.0,), "quality": (0.0,)}, "lie in"), ({"action": "x"}, "one of item, slate")):
        with pytest.raises(ValueError, match=message):
            Ladder(1, **params)
    with pytest.raises(ValueError, match="must lie in 0 … 19"):
        shop(2, action="slate").step(np.array([[0, 1, 2, 3], [0, 1, 2, 20]]))


# closed forms --------------------------------------------------------------------------------------------------------
def test_one_item_and_no_boredom_is_a_binomial():
    env = shop(1000, topics=1, types=1, appeal=(.5,), quality=(0.0,), slate=1, horizon=40, annoyance=0.0, **CALM)
    clicks, ended = np.zeros(1000), 0
    for _ in range(40):
        _, reward, terminated, truncated, info = env.step(np.zeros(1000, int))
        np.testing.assert_allclose(info["expected_reward"], .4, atol=1e-12)     # .5 · .8
        clicks += reward
        ended += terminated.sum()
    assert ended == 0 and truncated.all()
    assert abs(clicks.mean() - 16.0) < 4 * np.sqrt(40 * .24 / 1000)
    assert abs(clicks.var() / (40 * .24) - 1) < 4 * np.sqrt(2 / 1000)


def test_position_bias():
    """a = .4 everywhere: P(click at j) = .4 · (.7 · .6)^j, so that each place gets .42 of the one above."""
    env = shop(20_000, action="slate", topics=4, appeal=(.5,), quality=(0.0,), horizon=10, annoyance=0.0, **CALM)
    exact = .4 * .42 ** np.arange(4)
    count = np.zeros(4)
    for _ in range(10):
        _, reward, _, _, info = env.step(np.tile(np.arange(4), (20_000, 1)))
        np.testing.assert_allclose(info["expected_reward"], exact.sum(), atol=1e-12)
        np.testing.assert_array_equal(info["response"].sum(axis=1), reward)
        count += info["response"].sum(axis=0)
    assert np.abs((count / 200_000 - exact) / np.sqrt(exact * (1 - exact) / 200_000)).max() < 4


def test_a_repeated_item_is_passed_over():
    env = shop(1000, action="slate", topics=4, appeal=(.5,), quality=(0.0,), annoyance=0.0, **CALM)
    _, _, _, _, info = env.step(np.tile([2, 2, 1, 2], (1000, 1)))
    np.testing.assert_allclose(info["expected_reward"], .4 + .7 * .6 * .7 * .4, atol=1e-12)
    assert info["response"][:, [1, 3]].sum() == 0 and info["response"][:, 2].sum() > 0


def test_the_item_view_is_a_shelf_of_the_slate_view():
    item, slate = shop(500), shop(500, action="slate")
    assert item.shelves[7].tolist() == [7, 12, 17, 2]                           # five items a topic, four topics
    for a in (7, 0, 19):
        left, right = item.step(np.full(500, a)), slate.step(np.tile(item.shelves[a], (500, 1)))
        for i in range(4):
            np.testing.assert_array_equal(left[i], right[i])


def test_boredom_by_hand():
    """Certain clicks (a = .95 at most) on topic 0: boredom 2, 3, 3; two steps of another topic: 2, 1."""
    env = shop(4000, action="slate", slate=1, topics=2, types=1, appeal=(1.0,), quality=(0.0,), annoyance=0.0,
               **CALM | {"favourite": 1.0, "other": 1.0, "pull_lost": .6})
    always = np.ones(4000, bool)
    for item, before in ((0, 0), (0, 2), (0, 3), (1, 0), (1, 2), (0, 1)):
        obs, reward, _, _, info = env.step(np.full((4000, 1), item))
        pull = min(.95, 1.0 - .6 * before / 3)
        np.testing.assert_allclose(info["expected_reward"][always], pull, atol=1e-12)
        always &= reward == 1
    p = .95 * .6 * .4 * .95 * .6 * .8                                           # who clicked every time
    assert abs(always.mean() - p) < 4 * np.sqrt(p * (1 - p) / 4000)
    assert np.abs(obs[always, 1:3] - [1.0, 2 / 3]).max() < 1e-6                 # 1 + 2, and 3 - 1
    assert np.abs(obs[always, 3:5] - [4 / 9, 2 / 7]).max() < 1e-6               # 4 and 2 likes, shown as c / (c + 5)


def test_staying_leaving_and_coming_back():
    """Satisfaction stays at 1/2: leave = .1 + .3 / 4, come back .6 / 2: a session ends with .1225 a step."""
    env = shop(50_000, action="slate", slate=1, quality=(0.0,) * 5, annoyance=0.0, leave_low=.1, leave_high=.4,
               comeback=.6, horizon=30, autoreset="disabled")
    length, left, alive = np.zeros(50_000), 0, np.ones(50_000, bool)
    while alive.any():
        length += alive
        _, _, terminated, truncated, info = env.step(np.zeros((50_000, 1), int))
        left += info["left"].sum()
        assert not (terminated & truncated).any() and (info["left"] | ~terminated).all()
        alive &= ~(terminated | truncated)
    p, survive = .175 * .7, (1 - .175 * .7) ** np.arange(30)
    assert abs(length.mean() - survive.sum()) < 4 * length.std() / np.sqrt(50_000)
    assert abs(truncated.mean() - (1 - p) * survive[-1]) < 4 * np.sqrt(survive[-1] / 50_000)
    assert abs(left / length.sum() - .175) < 4 * np.sqrt(.175 * .825 / length.sum())


@pytest.mark.parametrize("quality, drift", [(.5, .5), (-.25, -.25), (1.0, 1.0)])
def test_satisfaction_moves_by_quality(quality, drift):
    env = shop(20_000, action="slate", slate=1, appeal=(1.0,), quality=(quality,), annoyance=.3, **CALM)
    before = env.state.satisfaction.copy()
    _, reward, _, _, info = env.step(np.zeros((20_000, 1), int))
    change, clicked = info["satisfaction"] - before, reward == 1
    assert abs(change[clicked].mean() - drift) <= 4 * change[clicked].std() / np.sqrt(clicked.sum())
    assert abs(change[~clicked].mean() + .3) < 4 * np.sqrt(.21 / (~clicked).sum())


# the optimum ---------------------------------------------------------------------------------------------------------
def slate_gain(slate, a, gain, patience):
    reading, total, seen = 1.0, 0.0, set()
    for item in slate:
        pull = 0.0 if item in seen else a[item]
        total, reading = total + reading * pull * gain[item], reading * patience * (1 - pull)
        seen.add(item)
    return total


def test_the_best_slate_is_the_best_of_all_slates():
    rng = np.random.default_rng(3)
    for _ in range(60):
        a, gain, patience = rng.random(6), rng.normal(.3, 1.0, 6), rng.random()
        slate = np.zeros(3, np.int64)
        value = best_slate(a, gain, patience, slate)
        best = max(slate_gain(s, a, gain, patience) for s in itertools.product(range(6), repeat=3))
        if (gain > 0).any():                                                    # otherwise something must be shown
            assert abs(value - best) < 1e-12
            assert abs(slate_gain(slate, a, gain, patience) - best) < 1e-12


def brute_force(env, kind, likes, bored, s, t):
    """The optimal value by plain recursion over all slates and outcomes, written from the description of the model."""
    p = env.params
    if t == p.horizon:
        return 0.0
    pull = [min(.95, env.world.appeal[i] * (p.favourite if k == kind % p.topics else p.other)
                * (1 + p.taste if likes[k] else 1 - p.taste) * (1 - p.pull_lost * bored[k] / p.levels))
            for i, k in enumerate(env.world.topic)]

    def go_on(clicked, s):
        now = tuple(min(p.levels, b + 2) if k == clicked else max(0, b - 1) for k, b in enumerate(bored))
        share = s / p.satisfactions
        leave = p.leave_low + (p.leave_high - p.leave_low) * (1 - share)**2
        back = p.comeback * share
        return (1 - leave) * brute_force(env, kind, likes, now, s, t + 1) + \
            leave * back * brute_force(env, kind, likes, (0,) * p.topics, s, t + 1)

    nothing = p.annoyance * go_on(None, max(0, s - 1)) + (1 - p.annoyance) * go_on(None, s)
    worth = [1 + abs(q) * go_on(k, min(p.satisfactions, max(0, s + int(np.sign(q))))) + (1 - abs(q)) * go_on(k, s)
             for k, q in zip(env.world.topic, env.world.quality, strict=True)]
    slates = env.shelves if p.action == "item" else itertools.product(range(len(pull)), repeat=p.slate)
    return max(nothing + slate_gain(slate, pull, np.array(worth) - nothing, p.patience) for slate in slates)


@pytest.mark.parametrize("action", ["item", "slate"])
def test_the_plan_is_optimal(action):
    env = shop(1, action=action, topics=2, types=2, appeal=(.9, .6), quality=(-.6, .5), slate=2, levels=2,
               satisfactions=3, horizon=4, leave_high=.6)
    for kind, likes in ((0, (True, False)), (1, (False, False)), (1, (True, True))):
        assert abs(env.planner.plan(kind, likes)[1] - brute_force(env, kind, likes, (0, 0), 1, 0)) < 1e-12


@pytest.mark.parametrize("action", ["item", "slate"])
def test_playing_the_plan_earns_its_value(action):
    small = {"topics": 3, "types": 3, "slate": 3, "levels": 2, "horizon": 30}
    total, _, _ = sessions(lambda env: env.oracle(), action, users=20_000, **small)
    env = shop(1, action=action, **small)
    assert abs(total.mean() - env.planner.value()) < 4 * total.std() / np.sqrt(20_000)


def test_every_rung_has_something_to_gain():
    """The table of docs/environments.md on 2,000 users: each figure is some standard errors above the one before."""
    best = fixed_shelves(users=1000)["clicks"]
    clicks, value = {}, {}
    for name, view, policy in (
            ("random", "item", random_policy("item")),
            ("fixed", "item", lambda env: np.full(env.num_envs, best[0])),
            ("typed", "item", lambda env: best[1][env.state.kind]),
            ("bored", "item", planner_policy(True, False)),
            ("greedy", "slate", planner_policy(True, True)),
            ("item plan", "item", planner_policy(False, False)),
            ("slate plan", "slate", planner_policy(False, False)),
            ("oracle", "slate", lambda env: env.oracle())):
        total, length, _ = sessions(policy, view, users=2000)
        clicks[name], value[name] = total.sum() / length.sum(), total.mean()
    rates = [clicks[name] for name in ("random", "fixed", "typed", "bored", "greedy")]
    assert (np.diff(rates) > .02).all() and rates[1] - rates[0] > .1
    assert value["greedy"] < .3 * value["slate plan"]                           # who chases clicks loses the users
    assert value["item plan"] > 2 * value["typed"]
    assert value["slate plan"] > 1.3 * value["item plan"]
    assert value["oracle"] > 1.1 * value["slate plan"]


@pytest.mark.slow
def test_the_upper_bounds_of_the_documentation():
    for action, bound in (("item", 20.016), ("slate", 28.448)):
        assert abs(Ladder(1, action=action).planner.value() - bound) < 5e-4
