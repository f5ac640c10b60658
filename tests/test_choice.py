"""Choice models against their formulas.  A fine grid of coins integrates a one-coin model exactly, without luck."""
import numpy as np
import pytest

from envs.choice import NOTHING, cascade, multinomial_logit, multinomial_proportional, position_based
from envs.rng import session_key

GRID = (np.arange(20_000) + 0.5) / 20_000
LAST = 1 - 2.0**-53                              # the largest coin there is
INF = np.inf


def shares(model, scores, *arguments):
    """The share of coins for each position, and for NOTHING (last)."""
    scores = np.array(scores, np.float64)
    taken = np.array([model(scores, *arguments, coin) for coin in GRID])
    assert set(np.unique(taken)) <= {NOTHING, *range(len(scores))}
    return np.array([(taken == j).mean() for j in [*range(len(scores)), NOTHING]])


# multinomial logit ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("scores", "null"), [([0.3, -1, 2], 0.5), ([0, 0], 0.0), ([5], 1.0), ([1, 2], -INF)])
def test_multinomial_logit_is_the_softmax_with_the_null_item(scores, null):
    weight = np.exp([*scores, null])
    np.testing.assert_allclose(shares(multinomial_logit, scores, null), weight / weight.sum(), atol=1.01e-4)


def test_multinomial_logit_by_hand():
    """Scores ln 1, ln 2, ln 4 against ln 1: 1/8, 2/8, 4/8 and nothing 1/8."""
    assert shares(multinomial_logit, np.log([1, 2, 4]), 0.0).round(4).tolist() == [.125, .25, .5, .125]


def test_multinomial_logit_at_the_edges():
    assert shares(multinomial_logit, [1000.0, 1000.0 + np.log(3)], 0.0).round(4).tolist() == [.25, .75, 0]
    assert shares(multinomial_logit, [-1000.0, -1000.0], -INF).round(4).tolist() == [.5, .5, 0]
    assert shares(multinomial_logit, [-INF, 0.0], -INF).tolist() == [0, 1, 0]
    assert multinomial_logit(np.array([0.1, 0.2, 0.3]), -INF, LAST) == 2       # something is always taken
    assert multinomial_logit(np.array([0.1, 0.2, 0.3]), 0.0, LAST) == NOTHING
    assert multinomial_logit(np.array([0.1]), 0.0, 0.0) == 0
    assert multinomial_logit(np.array([-INF, 0.1]), 0.0, 0.0) == 1             # a weight of zero is not even met by 0
    assert multinomial_logit(np.empty(0), 0.0, 0.5) == NOTHING


# multinomial proportional ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("scores", "null", "floor", "expected"), [
    ([1.0, 2.0, 4.0], 1.0, 0.0, [1 / 8, 2 / 8, 4 / 8, 1 / 8]),
    ([0.0, 1.0], 1.0, -1.0, [1 / 5, 2 / 5, 2 / 5]),                            # shifted by the floor
    ([3.0, 1.0], 0.0, 0.0, [3 / 4, 1 / 4, 0]),                                 # the null item weighs nothing
    ([0.0, 2.0], 2.0, 0.0, [0, 1 / 2, 1 / 2]),
])
def test_multinomial_proportional_is_proportional_above_the_floor(scores, null, floor, expected):
    np.testing.assert_allclose(shares(multinomial_proportional, scores, null, floor), expected, atol=1.01e-4)


def test_multinomial_proportional_at_the_edges():
    assert multinomial_proportional(np.array([3.0, 1.0]), 0.0, 0.0, LAST) == 1
    assert multinomial_proportional(np.array([3.0, 1.0]), 1.0, 0.0, LAST) == NOTHING
    assert multinomial_proportional(np.array([0.0, 1.0]), 0.0, 0.0, 0.0) == 1
    assert multinomial_proportional(np.empty(0), 1.0, 0.0, 0.5) == NOTHING


# cascade and position-based model -------------------------------------------------------------------------------------
KEYS = [np.uint64(session_key(99, user, 0)) for user in range(40_000)]


def within(share, probability):
    return abs(share - probability) < 4.5 * np.sqrt(probability * (1 - probability) / len(KEYS)) + 1e-12


@pytest.mark.parametrize("attention", [1.0, 0.5])
def test_the_cascade_stops_at_the_first_click(attention):
    """P(j) = attention g_j Π_{i<j} (1 − attention g_i)."""
    g = np.array([0.2, 0.5, 0.1, 0.9])
    taken = np.array([cascade(g, attention, key, 3, 1) for key in KEYS])
    passed = 1.0
    for j, p in enumerate(attention * g):
        assert within((taken == j).mean(), passed * p)
        passed *= 1 - p
    assert within((taken == NOTHING).mean(), passed)


def test_the_cascade_at_the_edges():
    key = KEYS[0]
    assert cascade(np.array([0.0, 1.0, 1.0]), 1.0, key, 0, 1) == 1
    assert cascade(np.array([0.2, 0.9]), 100.0, key, 0, 1) == 0                # more than certain is certain
    assert cascade(np.array([1.0, 1.0]), 0.0, key, 0, 1) == NOTHING
    assert cascade(np.empty(0), 1.0, key, 0, 1) == NOTHING


def test_position_based_clicks_are_independent_products():
    attraction, examination = np.array([0.8, 0.5, 0.5]), np.array([1.0, 0.5, 0.25])
    clicks = np.zeros((len(KEYS), 3), np.int8)
    totals = [position_based(attraction, examination, key, 0, 1, row) for key, row in zip(KEYS, clicks, strict=True)]
    np.testing.assert_array_equal(totals, clicks.sum(axis=1))
    p = attraction * examination                                              # 0.8, 0.25, 0.125
    for j in range(3):
        assert within(clicks[:, j].mean(), p[j])
        assert within((clicks[:, j] & clicks[:, j - 1]).mean(), p[j] * p[j - 1])
    full = np.zeros(2, np.int8)
    assert position_based(np.ones(2), np.ones(2), KEYS[0], 0, 1, full) == 2 and full.tolist() == [1, 1]
    assert position_based(np.ones(2), np.zeros(2), KEYS[0], 0, 1, full) == 0 and full.tolist() == [0, 0]
