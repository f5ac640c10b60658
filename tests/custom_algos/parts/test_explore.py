"""The softmax head's sampling: its law, its propensities to 1e-6, and what it does at the edges of float32."""
import numpy as np
import pytest

from custom_algos.parts.explore import BLOCK, sample_softmax
from custom_algos.rollout import make_rng


def law(logits, mask=None):
    """Probabilities ``[N, A]`` in float64, the definition."""
    logits = np.asarray(logits, np.float64) if mask is None else np.where(mask, logits, -np.inf).astype(np.float64)
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("actions", [2, 15, 16, 17, 70])
@pytest.mark.parametrize("masked", [False, True])
def test_every_action_comes_as_often_as_its_probability(actions, masked):
    n, rng = 120_000, make_rng(actions)
    row = rng.normal(size=actions).astype(np.float32)
    allowed = rng.random(actions) < 0.6 if masked else None
    if allowed is not None:
        allowed[-1] = True
    logits, mask = np.tile(row, (n, 1)), None if allowed is None else np.tile(allowed, (n, 1))
    p = law(logits[:1], None if mask is None else mask[:1])[0]
    action, log_prob = sample_softmax(logits, make_rng(1), mask)
    frequency = np.bincount(action, minlength=actions) / n
    assert (np.abs(frequency - p) <= 4.5 * np.sqrt(p * (1 - p) / n)).all()
    np.testing.assert_allclose(log_prob, np.log(p[action]), atol=1e-6)
    assert log_prob.dtype == np.float32 and action.dtype == np.int64


def test_a_row_is_drawn_the_same_whatever_the_other_rows_are_and_however_the_batch_is_cut():
    """Users of several blocks; one of them has a forbidden logit that dwarfs what is allowed."""
    n, actions = 3 * BLOCK // 500 + 7, 500
    logits, mask = make_rng(1).normal(size=(n, actions)).astype(np.float32), make_rng(2).random((n, actions)) < 0.7
    action, log_prob = sample_softmax(logits, make_rng(3), mask)
    assert mask[np.arange(n), action].all()
    np.testing.assert_allclose(log_prob, np.log(law(logits, mask)[np.arange(n), action]), atol=1e-6)
    other, other_mask = make_rng(4).normal(size=(n, actions)).astype(np.float32), mask.copy()
    other[::3], other[1] = logits[::3], 0.0
    other[1, 0], other_mask[1, 0] = 500.0, False
    again, again_log_prob = sample_softmax(other, make_rng(3), other_mask)
    np.testing.assert_array_equal(again[::3], action[::3])
    np.testing.assert_array_equal(again_log_prob[::3], log_prob[::3])


@pytest.mark.parametrize("above", [20.0, 85.0, 95.0, 103.0, 500.0, 1e30])
def test_a_forbidden_logit_far_above_the_others_changes_nothing(above):
    """exp(−95) is a denormal float32 with few digits left, exp(−104) is zero."""
    logits = np.tile(np.float32([above, 0.0, -1.0, -2.0]), (4000, 1))
    mask = np.tile([False, True, True, True], (4000, 1))
    action, log_prob = sample_softmax(logits, make_rng(5), mask)
    p = law(logits[:1], mask[:1])[0]
    np.testing.assert_allclose(log_prob, np.log(p[1:])[action - 1], atol=1e-6)
    assert (np.abs(np.bincount(action, minlength=4) / 4000 - p) <= 4.5 * np.sqrt(p * (1 - p) / 4000)).all()


def test_impossible_actions_never_come_and_the_greedy_policy_is_certain():
    logits = np.full((5000, 40), -np.inf, np.float32)
    logits[:, [3, 37]] = 0.0
    action, log_prob = sample_softmax(logits, make_rng(0))
    assert set(action) == {3, 37} and np.allclose(log_prob, -np.log(2.0))
    mask = np.ones((5000, 40), bool)
    mask[:, 3] = False
    assert (sample_softmax(logits, None, mask)[0] == 37).all() and not sample_softmax(logits, None)[1].any()
    assert sample_softmax(logits[:0], make_rng(0))[0].shape == (0,)
