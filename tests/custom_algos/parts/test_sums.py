"""Sums and draws that several learners share, by hand."""
import numpy as np
import pytest
from gymnasium import spaces
from scipy import stats

from custom_algos.parts.averages import average, gather
from custom_algos.parts.beta import beta_odds, fast
from custom_algos.parts.features import Design
from custom_algos.parts.pairs import add_pairs, fold, pairs, place
from custom_algos.rollout import make_rng


def test_rows_of_one_cell_are_averaged():
    """Cell (0, 1) has the errors 4 − 1 and 0 − 1, mean 1: α = 0.5 moves it to 1.5; the second time p = 1 takes 2/4."""
    q, error = np.array([[[0.0, 1.0]]]), np.zeros((1, 1, 2))
    seen, rows = np.zeros((2, 1, 1, 2), int)
    zero, one = np.zeros(2, int), np.ones(2, int)
    assert gather(q, zero, zero, one, np.array([4.0, 0.0]), error, rows) == 10.0
    average(q, seen, zero, zero, one, error, rows, 0.5, 0.0)
    assert q.tolist() == [[[0, 1.5]]] and seen.tolist() == [[[0, 2]]] and not error.any() and not rows.any()
    gather(q, zero, zero, one, np.array([2.5, 4.5]), error, rows)
    average(q, seen, zero, zero, one, error, rows, 0.5, 1.0)
    assert q.tolist() == [[[0, 1.5 + 0.5 * 2.0]]]


def test_pairs_by_hand():
    """x = (1, 2, 3) and a symmetric M: x'Mx = 1 + 4·4 + 9·6 + 2 (2·2 + 3·3 + 6·5) = 157."""
    x, m = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]])
    assert pairs(x).tolist() == [[1, 2, 3, 4, 6, 9]] and fold(m).tolist() == [1, 4, 6, 4, 10, 6]
    assert pairs(x)[0] @ fold(m) == (x @ m @ x.T)[0, 0] == 157
    assert pairs(x)[0][place(3)].tolist() == (x.T @ x).tolist()
    gram, target = np.zeros((1, 2, 6)), np.zeros((1, 2, 3))
    add_pairs(gram, target, np.zeros(1, int), np.ones(1, int), x, np.array([2.0]), np.array([-1.0]))
    assert gram[0].tolist() == [[0] * 6, [2, 4, 6, 8, 12, 18]] and target[0].tolist() == [[0] * 3, [-1, -2, -3]]


def test_what_a_linear_model_sees():
    """A user type is one-hot behind a constant; candidates bring their features, as ids or as they are."""
    items = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    types = Design(spaces.Discrete(2), 3, items)
    assert types.shared and types.context(np.array([1, 0])).tolist() == [[1, 0, 1], [1, 1, 0]]
    assert types.chosen(np.array([1, 0]), np.array([2, 0])).tolist() == [[5, 6], [1, 2]]
    seen = spaces.Dict(user=spaces.Box(-9, 9, (1,)), candidates=spaces.MultiDiscrete([3, 3]))
    obs = {"user": np.array([[7.0]]), "candidates": np.array([[2, 0]])}
    ids = Design(seen, 2, items)
    assert ids.context(obs).tolist() == [[1, 7]] and ids.chosen(obs, np.array([1])).tolist() == [[1, 2]]
    alone = Design(spaces.Discrete(2), 3)
    assert not alone.shared and alone.chosen(np.array([0]), np.array([1])) is None
    with pytest.raises(ValueError, match="items' features"):
        Design(spaces.Discrete(2), 3, model="shared")


@pytest.mark.parametrize(("success", "failure"), [(3.0, 5.0), (0.4, 0.7), (1.0, 30.0)])
def test_the_odds_are_those_of_a_beta_variable(success, failure):
    odds = np.empty((20_000, 1))
    beta_odds(fast(make_rng(1)), np.array([[success]]), np.array([[failure]]), len(odds), odds)
    assert stats.kstest(odds[:, 0] / (1 + odds[:, 0]), stats.beta(success, failure).cdf).pvalue > 1e-3
