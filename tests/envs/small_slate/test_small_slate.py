"""The small shop of slates: the optimum by sorting against enumeration, and the environment against both."""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.engine.solver import action_values, backward_induction, evaluate
from envs.small_slate.env import SmallSlate
from envs.small_slate.planner import best_slate


def whole(env):
    """The shop with a slate an action."""
    return env.table(env.slates[None])


@pytest.mark.parametrize("items, random, myopic, best", [(12, 3.139, 4.266, 5.984), (40, 3.120, 4.416, 6.622)])
def test_the_rows_of_the_docs(items, random, myopic, best):
    env = SmallSlate(1, items=items)
    assert len(env.slates) == {12: 220, 40: 9880}[items]
    assert env.optimal_return() == pytest.approx(best, abs=5e-4)
    assert env.random_return() == pytest.approx(random, abs=5e-4)
    clicks = env.world.weight[:, env.slates].sum(axis=-1)                    # the most clicked slate of every state
    found = env.exact_return(lambda obs: env.slates[clicks[obs].argmax(axis=1)])
    assert found == pytest.approx(myopic, abs=5e-4) and found <= 0.75 * env.optimal_return()


def test_no_fixed_slate_is_good_enough():
    env = SmallSlate(1)
    assert max(env.exact_return(lambda obs, slate=slate: np.tile(slate, (27, 1))) for slate in env.slates) \
        == pytest.approx(5.416, abs=5e-4)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 4))
def test_sorting_finds_the_best_slate(seed, items, places):
    rng, places = np.random.default_rng(seed), min(items, places)
    weight, worth, nothing = rng.exponential(size=items), rng.normal(3, 2, items), rng.normal(3, 2)
    slate = np.zeros(places, np.int64)
    value = best_slate(weight, worth, nothing, slate)
    def worth_of(chosen):
        w = weight[list(chosen)]
        return (nothing + w @ worth[list(chosen)]) / (1 + w.sum())
    best = max(worth_of(chosen) for chosen in itertools.combinations(range(items), places))
    assert value == pytest.approx(best, abs=1e-10) and worth_of(slate) == pytest.approx(best, abs=1e-10)
    assert len(set(slate.tolist())) == places


def test_the_plan_equals_the_enumeration_of_all_slates():
    env = SmallSlate(1, horizon=30)
    mdp = whole(env)
    q = backward_induction(mdp)                                              # [H, 28, 220]
    slates, value = env.plan
    np.testing.assert_allclose(value, q[0, :-1].max(axis=1), atol=1e-10)
    chosen = np.take_along_axis(q[:, :-1], env.flat(slates)[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(chosen, q[:, :-1].max(axis=2), atol=1e-10)
    assert env.optimal_return() == pytest.approx(mdp.start @ q[0].max(axis=1))


def test_a_slate_is_worth_the_sum_of_its_items():
    """The decomposition of SlateQ: Q(s, slate) = Σ_i P(i) Q(s, i) + P(nothing) Q(s, nothing)."""
    env, value = SmallSlate(1), np.random.default_rng(0).random(28) * 5
    value[-1] = 0.0
    q, alone = action_values(whole(env), value), np.empty((27, 12))
    nothing = env.params.stay_nothing * value[:-1]
    for i in range(12):
        z = env.world.topic[i]
        level = env.interest[:, z]
        to = [np.arange(27) + (np.clip(level + d, 0, 2) - level) * 3**z for d in (1, -1)]
        rise = env.params.rise[z]
        alone[:, i] = 1 + env.params.stay[z] * (rise * value[to[0]] + (1 - rise) * value[to[1]])
    weight = env.world.weight[:, env.slates]                                       # [27, 220, 3]
    whole_slate = (nothing[:, None] + (weight * alone[:, env.slates]).sum(axis=-1)) / (1 + weight.sum(axis=-1))
    np.testing.assert_allclose(q[:-1], whole_slate, atol=1e-12)


def simulate(env, choose):
    env.reset(seed=3)
    sampled, expected, alive = np.zeros(env.num_envs), np.zeros(env.num_envs), np.ones(env.num_envs, bool)
    while alive.any():
        _, reward, terminated, truncated, info = env.step(choose(env))
        assert (info["response"].sum(axis=1) == reward).all()
        sampled += reward
        expected += info["expected_reward"]
        alive &= ~(terminated | truncated)
    return sampled, expected


@pytest.mark.parametrize("action", ["slate", "flat"])
def test_simulated_returns_agree_with_the_solver(action):
    env, dice = SmallSlate(6000, action=action, autoreset="disabled"), np.random.default_rng(0)
    def uniform(env):
        chosen = dice.integers(0, 220, 6000)
        return chosen if action == "flat" else env.slates[chosen]
    for choose, exact in ((lambda env: env.oracle(), env.optimal_return()), (uniform, env.random_return())):
        for sample in simulate(env, choose):
            assert abs(sample.mean() - exact) < 4 * sample.std() / np.sqrt(6000)


def test_both_views_are_the_same_shop():
    lists, flat = (SmallSlate(40, action=view, autoreset="same_step") for view in ("slate", "flat"))
    np.testing.assert_array_equal(lists.reset(seed=1)[0], flat.reset(seed=1)[0])
    for t in range(20):
        index = (np.arange(40) * 7 + t) % 220
        one, two = lists.step(lists.slates[index]), flat.step(index)
        for a, b in zip(one[:4], two[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(one[4]["response"], two[4]["response"])
    np.testing.assert_array_equal(flat.flat(flat.slates[:, ::-1]), np.arange(220))
    policy = flat.flat(flat.plan[0][0])
    assert flat.exact_return(lambda obs: policy[obs]) == pytest.approx(
        lists.exact_return(lambda obs: lists.slates[policy[obs]]))


def test_an_item_that_stands_twice_is_seen_once():
    env = SmallSlate(4000, autoreset="disabled")
    env.reset(seed=1)
    before = env.state.state.copy()
    _, _, _, _, info = env.step(np.tile([5, 5, 8], (4000, 1)))
    weight = env.world.weight[before][:, [5, 8]].sum(axis=1)
    np.testing.assert_allclose(info["expected_reward"], weight / (1 + weight))
    assert info["response"][:, 1].sum() == 0 and info["response"][:, 0].sum() > 500
    twice = env.table(np.array([[[5, 5, 8]]]))
    np.testing.assert_allclose(twice.R[:-1, 0], (w := env.world.weight[:, [5, 8]].sum(axis=1)) / (1 + w))


def test_one_step_follows_the_table():
    """Where the users of one state end up after one slate: frequencies against the table's row."""
    env = SmallSlate(60_000, autoreset="disabled")
    env.reset(seed=4)
    env.state.state[:] = 14
    _, _, terminated, _, _ = env.step(np.tile([0, 1, 2], (60_000, 1)))
    after = np.where(terminated, 27, env.state.state)
    row = env.table(np.array([[[0, 1, 2]]])).P[14, 0]
    np.testing.assert_allclose(np.bincount(after, minlength=28) / 60_000, row, atol=4 * 0.5 / np.sqrt(60_000))
    assert (row > 0).sum() >= 5


def test_values_do_not_depend_on_the_order_of_the_catalogue():
    one, two = SmallSlate(1), SmallSlate(1, world_seed=7)
    assert (one.world.topic != two.world.topic).any()
    assert one.optimal_return() == pytest.approx(two.optimal_return(), abs=1e-10)
    assert one.random_return() == pytest.approx(two.random_return(), abs=1e-10)
    features = one.items[np.lexsort(one.items.T)]
    np.testing.assert_array_equal(features, two.items[np.lexsort(two.items.T)])


def test_views_of_the_interests():
    env = SmallSlate(1, observe="features")
    assert env.encode(np.array([0, 13, 26, 5])).tolist() == [[-1, -1, -1], [0, 0, 0], [1, 1, 1], [1, 0, -1]]
    assert SmallSlate(1, observe="one_hot").encode(np.array([2])).argmax() == 2


def test_bad_shops_are_refused():
    for wrong in ({"appeal": (1.0,)}, {"stay": (0.5, 0.5, 1.5)}, {"slate": 13}, {"items": 200, "slate": 5},
                  {"pull": (0.0, 1.0)}):
        with pytest.raises(ValueError, match=next(iter(wrong)) if "items" not in wrong else "slate"):
            SmallSlate(1, **wrong)


def test_evaluation_of_the_whole_table_equals_that_of_the_policy():
    env = SmallSlate(1)
    policy = np.random.default_rng(1).integers(0, 220, 28)
    mdp = whole(env)
    assert env.exact_return(lambda obs: env.slates[policy[obs]]) == pytest.approx(
        mdp.start @ evaluate(mdp, policy, horizon=200))
