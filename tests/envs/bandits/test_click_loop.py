"""The feedback loop of a ranking: the click law, the rankers' estimates by hand, and the table of the loop."""
import numpy as np
import pytest
from support.click_loop import TABLE, loop, ranker

from custom_algos.core import Transition
from custom_algos.rollout import make_rng
from envs.bandits.click_loop import ClickLoop


def agrees(found, row):
    """Within 3 standard errors of the difference of two such experiments (the reference does not say how many
    replications it had; never more are assumed than ours), and half a unit of the printed digits."""
    spread = found.std(axis=0, ddof=1)
    spread[2] = max(spread[2], np.sqrt(row[2] * (1 - row[2])))               # a share: few ones may show no spread
    error = np.sqrt(2) * spread / np.sqrt(len(found))
    off = np.abs(found.mean(axis=0) - row) - [.0005, .005, .005]
    assert (off < 3 * error).all(), (found.mean(axis=0), row, error)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_the_loop(name):
    users, params, *row = TABLE[name]
    agrees(loop(users, 100, **params), row)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_the_loop_with_many_replications(name):
    users, params, *row = TABLE[name]
    agrees(loop(users, 300, **params), row)


# the users ------------------------------------------------------------------------------------------------------------
def test_the_click_law():
    env = ClickLoop(40_000, world_seed=3)
    env.reset(seed=1)
    np.testing.assert_allclose(np.sort(env.world.rate), np.linspace(.05, .24, 20))
    assert env.value == pytest.approx(sum(r * .7**j for j, r in enumerate((.24, .23, .22, .21, .20))))
    slate = np.tile(env.best, (40_000, 1))
    _, reward, terminated, truncated, info = env.step(slate)
    np.testing.assert_allclose(info["regret"], 0.0, atol=1e-12)
    assert terminated.all() and not truncated.any()
    p = env.world.rate[env.best] * .7 ** np.arange(5)
    assert (np.abs(info["response"].mean(axis=0) - p) < 4 * np.sqrt(p * (1 - p) / 40_000)).all()
    np.testing.assert_array_equal(info["response"].sum(axis=1), reward)
    np.testing.assert_array_equal(env.oracle(), slate)


def test_a_repeated_item_is_passed_over_and_nothing_beats_the_best_ranking():
    env = ClickLoop(2000, examination=1.0)
    env.reset(seed=1)
    best = env.best[0]
    _, _, _, _, info = env.step(np.tile([best, best, env.best[1], best, best], (2000, 1)))
    np.testing.assert_allclose(info["expected_reward"], .47)
    assert info["response"][:, [1, 3, 4]].sum() == 0 and (info["regret"] > 0).all()
    with pytest.raises(ValueError, match="slate"):
        ClickLoop(1, items=3)


# the rankers ----------------------------------------------------------------------------------------------------------
def lesson(slates, response):
    """One round as a transition ``[1, N]``."""
    action, response = np.array(slates)[None], np.array(response, np.int8)[None]
    n = action.shape[1]
    ones, obs = np.ones((1, n), bool), np.ones((1, n, 1), np.float32)
    return Transition(obs, action, response.sum(axis=2).astype(np.float32), obs, ones, ~ones,
                      np.zeros((1, n), np.float32), response)


@pytest.mark.parametrize("corrected", [False, True])
def test_estimates_by_hand(corrected):
    """Items 0 1 2 shown as (0, 1), (1, 0), (0, 2); clicks on 0 on top, on 0 below and on 2; m = .1, s = 10."""
    algorithm = ranker(4, 2, corrected=corrected, examination=.5)
    algorithm.learn(lesson([[0, 1], [1, 0], [0, 2]], [[1, 0], [0, 1], [0, 1]]))
    views = [2.5, 1.5, .5, 0] if corrected else [3, 2, 1, 0]
    clicks = np.array([2, 0, 1, 0])
    np.testing.assert_allclose(algorithm.estimate()[0], (1 + clicks) / (10 + np.array(views)))
    slate, log_prob = algorithm.act(np.ones((50, 1)), make_rng(0), explore=False)
    assert (slate == [0, 2]).all() and (log_prob == 0).all()


def test_replications_learn_apart_and_all_of_one_see_the_same_ranking():
    algorithm = ranker(6, 2, replications=2, random_share=0.0)
    slate, _ = algorithm.act(np.ones((40, 1)), make_rng(2))
    assert (slate[:20] == slate[0]).all() and (slate[20:] == slate[20]).all() and (slate[0] != slate[20]).any()
    algorithm.learn(lesson(np.tile([[3, 4]], (4, 1)), [[1, 1], [1, 1], [0, 0], [0, 0]]))
    assert algorithm.clicks[0, [3, 4]].tolist() == [2, 2] and not algorithm.clicks[1].any()
    np.testing.assert_allclose(algorithm.views[:, [3, 4]], [[2, 1.4], [2, 1.4]])


def test_the_propensity_of_a_slate():
    """Everybody sees the ranking, but for 30 %, who see each of the 4 · 3 slates equally often."""
    algorithm = ranker(4, 2, random_share=.3)
    slate, log_prob = algorithm.act(np.ones((60_000, 1)), make_rng(5))
    code, best = slate[:, 0] * 4 + slate[:, 1], np.bincount(slate[:, 0] * 4 + slate[:, 1]).argmax()
    for c in np.unique(code):
        p = .3 / 12 + .7 * (c == best)
        np.testing.assert_allclose(np.exp(log_prob[code == c]), p, rtol=1e-5)
        assert abs((code == c).mean() - p) < 4.5 * np.sqrt(p * (1 - p) / 60_000)
    assert len(np.unique(code)) == 12


def test_thompson_draws_from_the_posterior():
    """After 30 clicks of 100 and 20 of 100: P(the worse one wins) by the exact law of two Beta variables."""
    algorithm = ranker(2, 1, thompson=True, random_share=0.0, prior_mean=.5, prior_strength=2.0, replications=20_000)
    algorithm.clicks[:], algorithm.views[:] = [30, 20], [100, 100]
    action, log_prob = algorithm.act(np.ones((20_000, 1)), make_rng(3))
    grid = (np.arange(20_000) + .5) / 20_000
    def density(a, b):
        log = (a - 1) * np.log(grid) + (b - 1) * np.log1p(-grid)
        weight = np.exp(log - log.max())
        return weight / weight.sum()
    below = np.cumsum(density(31, 71))
    worse = float(density(21, 81) @ below)                                   # P(θ_0 < θ_1)
    assert abs((action[:, 0] == 1).mean() - worse) < 4 * np.sqrt(worse * (1 - worse) / 20_000)
    assert np.isnan(log_prob).all()
    assert (algorithm.act(np.ones((20_000, 1)), make_rng(4), explore=False)[0] == 0).all()


def test_bad_hyper_parameters_are_named():
    for params in ({"examination": 1.5}, {"random_share": -.1}, {"prior_strength": 0.0},
                   {"thompson": True, "prior_mean": 0.0}):
        with pytest.raises(ValueError, match=list(params)[-1]):
            ranker(**params)
