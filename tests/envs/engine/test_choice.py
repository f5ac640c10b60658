"""Choice models against their formulas: every probability exactly, and the draw by integrating over a grid of coins."""
import itertools

import numpy as np
import pytest

from envs.engine.choice import (
    NOTHING,
    cascade,
    examination,
    exponential_cascade,
    multinomial_logit,
    multinomial_proportional,
    position_based,
    proportional_cascade,
    take,
)
from envs.engine.rng import session_key

GRID = (np.arange(20_000) + 0.5) / 20_000
LAST = 1 - 2.0**-53                              # the largest coin there is
INF = np.inf


def shares(model, scores, *arguments):
    """P(position) and, last, P(NOTHING)."""
    scores = np.array(scores, np.float64)
    kept, out = scores.copy(), np.full(len(scores), np.nan)
    nothing = model(scores, *arguments, out)
    np.testing.assert_array_equal(scores, kept)                              # the scores are only read
    found = np.array([*out, nothing])
    assert (found >= 0).all() and found.sum() == pytest.approx(1.0, abs=1e-12)
    return found


def walk(clicks):
    """P(first click at j) and P(no click), by enumerating what would happen at every position of the slate."""
    found = np.zeros(len(clicks) + 1)
    for outcome in itertools.product((0, 1), repeat=len(clicks)):
        first = outcome.index(1) if 1 in outcome else len(clicks)
        found[first] += np.prod([p if hit else 1 - p for p, hit in zip(clicks, outcome, strict=True)])
    return found


# one click at most, position does not matter --------------------------------------------------------------------------
@pytest.mark.parametrize(("scores", "null"), [([0.3, -1, 2], 0.5), ([0, 0], 0.0), ([5], 1.0), ([1, 2], -INF)])
def test_multinomial_logit_is_the_softmax_with_the_null_item(scores, null):
    weight = np.exp([*scores, null])
    np.testing.assert_allclose(shares(multinomial_logit, scores, null), weight / weight.sum(), rtol=1e-14)


def test_multinomial_logit_by_hand():
    """Scores ln 1, ln 2, ln 4 against ln 1: 1/8, 2/8, 4/8 and nothing 1/8."""
    np.testing.assert_allclose(shares(multinomial_logit, np.log([1, 2, 4]), 0.0), [.125, .25, .5, .125], rtol=1e-14)
    np.testing.assert_allclose(shares(multinomial_logit, [1000.0, 1000.0 + np.log(3)], 0.0), [.25, .75, 0], atol=1e-12)
    assert shares(multinomial_logit, [-1000.0, -1000.0], -INF).tolist() == [.5, .5, 0]
    assert shares(multinomial_logit, [-INF, 0.0], -INF).tolist() == [0, 1, 0]
    assert shares(multinomial_logit, [-INF, -INF], -INF).tolist() == [0, 0, 1]
    assert shares(multinomial_logit, [], 0.0).tolist() == [1]


@pytest.mark.parametrize(("scores", "null", "floor", "expected"), [
    ([1.0, 2.0, 4.0], 1.0, 0.0, [1 / 8, 2 / 8, 4 / 8, 1 / 8]),
    ([0.0, 1.0], 1.0, -1.0, [1 / 5, 2 / 5, 2 / 5]),                            # shifted by the floor
    ([3.0, 1.0], 0.0, 0.0, [3 / 4, 1 / 4, 0]),                                 # the null item weighs nothing
    ([0.0, 2.0], 2.0, 0.0, [0, 1 / 2, 1 / 2]),
    ([2.0, 2.0], 2.0, 2.0, [0, 0, 1]),                                         # no weight at all
    ([], 1.0, 0.0, [1]),
])
def test_multinomial_proportional_is_proportional_above_the_floor(scores, null, floor, expected):
    np.testing.assert_allclose(shares(multinomial_proportional, scores, null, floor), expected, rtol=1e-14)


# cascades -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attention", [1.0, 0.5, 0.0])
def test_the_cascade_stops_at_the_first_click(attention):
    g = np.array([0.2, 0.5, 0.1, 0.9])
    np.testing.assert_allclose(shares(cascade, g, attention), walk(attention * g), atol=1e-15)


def test_cascades_make_attractions_of_scores():
    """RecSim's parameters: attention 0.65, scaling 0.05."""
    scores, c = np.array([0.4, -1.0, 0.9]), 0.65 * 0.05
    np.testing.assert_allclose(shares(exponential_cascade, scores, c), walk(c * np.exp(scores)), atol=1e-15)
    np.testing.assert_allclose(shares(proportional_cascade, scores, -1.0, c), walk(c * (scores + 1)), atol=1e-15)
    np.testing.assert_allclose(shares(proportional_cascade, [0, 1], -1.0, 0.25), [.25, .75 * .5, .75 * .5], atol=1e-15)


def test_the_cascade_at_the_edges():
    assert shares(cascade, [0.0, 1.0, 1.0], 1.0).tolist() == [0, 1, 0, 0]
    assert shares(cascade, [0.2, 0.9], 100.0).tolist() == [1, 0, 0]            # more than certain is certain
    assert shares(cascade, [], 1.0).tolist() == [1]


# the draw -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("probabilities", [[.25, .125, .5, .125], [.5, 0, .5, 0], [0, 1, 0], [1], [.3, .3, .4]])
def test_take_draws_every_position_with_its_probability(probabilities):
    """A fine grid of coins integrates exactly, without luck; the last entry is P(NOTHING)."""
    *positions, nothing = probabilities
    taken = np.array([take(np.array(positions, np.float64), float(nothing), coin) for coin in GRID])
    assert set(np.unique(taken)) <= {NOTHING, *range(len(positions))}
    found = [(taken == j).mean() for j in [*range(len(positions)), NOTHING]]
    np.testing.assert_allclose(found, probabilities, atol=5.1e-5)


def test_take_at_the_edges():
    assert take(np.array([.1] * 10), 0.0, LAST) == 9                           # a rounding remainder is the last one's
    assert take(np.array([.1] * 9 + [.1 - 1e-16, 0.0]), 0.0, LAST) == 9        # but not of one that cannot be
    assert take(np.array([.5, .25]), .25, LAST) == NOTHING
    assert take(np.array([0.0, .5]), .5, 0.0) == 1                             # a weight of zero is not even met by 0
    assert take(np.empty(0), 1.0, 0.5) == NOTHING


# position-based model -------------------------------------------------------------------------------------------------
KEYS = [np.uint64(session_key(99, user, 0)) for user in range(40_000)]


def within(share, probability):
    return abs(share - probability) < 4.5 * np.sqrt(probability * (1 - probability) / len(KEYS)) + 1e-12


def test_position_based_clicks_are_independent_products():
    attraction, seen = np.array([0.8, 0.5, 0.5]), np.array([1.0, 0.5, 0.25])
    clicks = np.zeros((len(KEYS), 3), np.int8)
    totals = [position_based(attraction, seen, key, 0, 1, row) for key, row in zip(KEYS, clicks, strict=True)]
    np.testing.assert_array_equal(totals, clicks.sum(axis=1))
    p = attraction * seen                                                     # 0.8, 0.25, 0.125
    for j in range(3):
        assert within(clicks[:, j].mean(), p[j])
        assert within((clicks[:, j] & clicks[:, j - 1]).mean(), p[j] * p[j - 1])
    full = np.zeros(2, np.int8)
    assert position_based(np.ones(2), np.ones(2), KEYS[0], 0, 1, full) == 2 and full.tolist() == [1, 1]
    assert position_based(np.ones(2), np.zeros(2), KEYS[0], 0, 1, full) == 0 and full.tolist() == [0, 0]


def test_examination_from_the_top_or_from_both_ends():
    assert examination(4, 0.5).tolist() == [1, .5, .25, .125]
    assert examination(4, 0.5, mixed=True).tolist() == [.5625, .375, .375, .5625]
    assert examination(3, 1.0, mixed=True).tolist() == [1, 1, 1] and examination(1, 0.3).tolist() == [1]
