"""The online regression against numbers done by hand and a reference of ten lines."""
import numpy as np
import pytest

from custom_algos.parts.hashing import ONE, Actions
from custom_algos.parts.online import Table, cross, regress, score
from custom_algos.rollout import make_rng

SHIFT = np.uint64(64 - 12)


def table(r=1):
    return Table(np.zeros((r, 4096)), np.zeros((r, 4096)), np.zeros((r, 4096)), np.zeros((r, 2)))


def learn(t, keys, values, reward, weight=1.0, step_size=0.5, learner=0):
    """One row whose context is the constant and whose action has ``keys, values``."""
    one = np.array([[ONE]], np.uint64), np.ones((1, 1))
    return regress(t, SHIFT, np.array([learner]), *one, np.array([keys], np.uint64), np.array([values], float),
                   np.array([float(reward)]), np.array([float(weight)]), step_size)


def test_two_steps_by_hand():
    """z = 2 and r = 1, η = ½: s = 2, N = 1, g = −2, so w = ½ · 2 / (2 · 2) = ¼.  Then z = 4: w ← ¼ · 2/4 = 1/8, s = 4,
    ŷ = ½, N = 2, g = (½ − 1) · 4 = −2, G = 8, so w = 1/8 + ½ √(2/2) · 2 / (4 √8) = 0.2133883…"""
    t, place = table(), cross(ONE, np.uint64(77), SHIFT)
    assert learn(t, [77], [2.0], 1.0) == 1.0
    assert t.weights[0, place] == 0.25 and t.squares[0, place] == 4.0 and t.scale[0, place] == 2.0
    assert learn(t, [77], [4.0], 1.0) == 0.25
    assert t.weights[0, place] == pytest.approx(0.125 + 1 / (4 * np.sqrt(8.0)), rel=1e-15)
    assert t.totals.tolist() == [[2.0, 2.0]] and np.count_nonzero(t.weights) == 1


def test_an_importance_weight_multiplies_the_gradient():
    """Of a first step only the direction counts; of a second, with G = 1 before, g = 3: w − w' = η · 3 / √10."""
    t, place = table(), cross(ONE, np.uint64(5), SHIFT)
    learn(t, [5], [1.0], 1.0)
    before = t.weights[0, place]
    learn(t, [5], [1.0], before - 1.0, weight=3.0)                           # the error is 1
    assert before == 0.5 and before - t.weights[0, place] == pytest.approx(0.5 * 3 / np.sqrt(10), rel=1e-15)


def test_predictions_do_not_depend_on_the_scale_of_a_feature():
    rng, found = make_rng(1), []
    x, coin = rng.normal(size=(200, 3)), rng.random(200)
    for unit in (1.0, 1024.0):
        t = table()
        for row, u in zip(x, coin, strict=True):
            last = learn(t, [1, 2, 3], row * [1.0, unit, 1.0], u < 0.5)
        found.append(last)
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_it_finds_a_linear_truth():
    rng, t, truth, lost = make_rng(2), table(), np.array([1.0, -2.0, 0.5]), []
    for _ in range(3000):
        x = rng.normal(size=3)
        lost.append(learn(t, [1, 2, 3], x, x @ truth + 0.1 * rng.normal()))
    assert np.mean(lost[-500:]) < 0.02                                       # the noise alone is 0.01
    places = [cross(ONE, np.uint64(k), SHIFT) for k in (1, 2, 3)]
    np.testing.assert_allclose(t.weights[0, places], truth, atol=0.05)


def test_the_score_is_the_sum_over_pairs_and_learners_are_apart():
    rng = make_rng(3)
    weights = rng.normal(size=(2, 4096))
    keys, values = rng.integers(2**63, size=(4, 3)).astype(np.uint64), rng.normal(size=(4, 3))
    actions = Actions(rng.integers(2**63, size=5).astype(np.uint64), np.array([0, 2, 2, 6]),
                      np.array([0, 1, 2, 3, 4, 0]), rng.normal(size=6))
    out = np.empty((4, 3))
    score(weights, SHIFT, 2, keys, values, actions, np.empty(5), out)
    for n in range(4):
        w = weights[n // 2]
        for a in range(3):
            parts = [(ONE, 1.0)] + [(actions.keys[actions.which[e]], actions.values[e])
                                    for e in range(actions.start[a], actions.start[a + 1])]
            right = sum(w[cross(c, f, SHIFT)] * v * u for c, v in zip(keys[n], values[n], strict=True)
                        for f, u in parts)
            assert out[n, a] == pytest.approx(right, rel=1e-12, abs=1e-12)


def test_pairs_spread_over_the_table():
    """100 × 100 pairs in 4,096 places: the number of each place is near Poisson's, mean 2.44 and as much variance."""
    rng = make_rng(4)
    c, f = rng.integers(2**63, size=(2, 100)).astype(np.uint64)
    counts = np.bincount([int(cross(a, b, SHIFT)) for a in c for b in f], minlength=4096)
    assert len(counts) == 4096 and 2.2 < counts.var() < 2.7
    assert cross(c[0], f[0], SHIFT) != cross(f[0], c[0], SHIFT)              # who is context and who is action matters
