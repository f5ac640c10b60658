"""Returns and advantages against numbers done by hand; and what a truncation costs when it is read as a termination."""
import numpy as np
import pytest

from custom_algos.parts.returns import discounted_returns, gae, n_step_returns

# Three users, three steps, γ = ½.  Nothing ends for user 0; user 1 leaves at step 1; at step 1 user 2's clock ends.
REWARD = np.array([[1, 1, 1], [2, 2, 2], [4, 4, 4]], np.float64)
TERMINATED = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
TRUNCATED = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]], bool)
ENDS = TERMINATED | TRUNCATED
VALUE = np.array([[1, 1, 1], [3, 3, 3], [5, 5, 5]], np.float64)
NEXT_VALUE = np.array([[3, 3, 3], [5, 10, 10], [8, 8, 8]], np.float64)      # 10 at the cut: the true last state's value


def test_discounted_returns_by_hand():
    """Row 2: 4 + ½·8 = 8.  Row 1: 2 + ½·8 = 6 | 2 (left) | 2 + ½·10 = 7.  Row 0: 1 + ½ of row 1."""
    out = discounted_returns(REWARD, TERMINATED, ENDS, NEXT_VALUE, 0.5)
    assert out.tolist() == [[4, 2, 4.5], [6, 2, 7], [8, 8, 8]]


def test_one_step_advantages_by_hand():
    """λ = 0: δ = r + ½ V(s′) − V(s); row 1: 2 + 2.5 − 3 | 2 − 3 | 2 + 5 − 3."""
    out = gae(REWARD, VALUE, NEXT_VALUE, TERMINATED, ENDS, 0.5, 0.0)
    assert out.tolist() == [[1.5, 1.5, 1.5], [1.5, -1, 4], [3, 3, 3]]


def test_generalised_advantages_by_hand():
    """λ = ½, carry γλ = ¼: row 1 of user 0: 1.5 + 3/4 = 2.25, row 0: 1.5 + 2.25/4; both ends cut the sum."""
    out = gae(REWARD, VALUE, NEXT_VALUE, TERMINATED, ENDS, 0.5, 0.5)
    assert out.tolist() == [[2.0625, 1.25, 2.5], [2.25, -1, 4], [3, 3, 3]]


def test_two_steps_by_hand():
    """Row 0, user 0: 1 + ½·2 + ¼·5 = 3.25; user 1: 1 + ½·2 = 2; user 2: 1 + 1 + ¼·10 = 4.5.  The block cuts row 2."""
    out = n_step_returns(REWARD, TERMINATED, ENDS, NEXT_VALUE, 0.5, 2)
    assert out.tolist() == [[3.25, 2, 4.5], [2 + 2 + 2, 2, 7], [8, 8, 8]]


def test_both_ends_in_one_column():
    """One user: leaves at step 1, the clock ends at step 3, γ = ½.  Whoever leaves on the last tick has left."""
    column = lambda *x: np.array(x, np.float64)[:, None]                      # noqa: E731
    terminated, truncated = column(0, 1, 0, 0, 0) > 0, column(0, 0, 0, 1, 0) > 0
    reward, value, after = column(1, 2, 3, 4, 5), column(0, 0, 0, 0, 0), column(9, 100, 9, 6, 2)
    ends = terminated | truncated
    returns = discounted_returns(reward, terminated, ends, after, 0.5)
    assert returns[:, 0].tolist() == [2, 2, 6.5, 7, 6]                        # 1+½·2 | 2 | 3+½·7 | 4+½·6 | 5+½·2
    assert gae(reward, value, after, terminated, ends, 0.5, 1.0)[:, 0].tolist() == [6.5 - 0.0, 2, 11, 7, 6]


def random_block(steps=40, users=7, seed=0):
    rng = np.random.default_rng(seed)
    terminated, truncated = rng.random((2, steps, users)) < 0.1
    truncated &= ~terminated
    value = rng.normal(size=(steps, users))
    following = np.vstack([value[1:], rng.normal(size=(1, users))])
    after = np.where(terminated | truncated, rng.normal(size=value.shape), following)
    return rng.normal(size=value.shape), value, after, terminated, terminated | truncated


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_identities_between_the_three(gamma):
    reward, value, after, terminated, ends = random_block()
    full = discounted_returns(reward, terminated, ends, after, gamma)
    np.testing.assert_allclose(gae(reward, value, after, terminated, ends, gamma, 1.0), full - value, atol=1e-12)
    np.testing.assert_allclose(n_step_returns(reward, terminated, ends, after, gamma, len(reward)), full, atol=1e-12)
    one = n_step_returns(reward, terminated, ends, after, gamma, 1)
    np.testing.assert_allclose(gae(reward, value, after, terminated, ends, gamma, 0.0), one - value, atol=1e-12)
    lam, steps = 0.7, len(reward)                                             # A(λ) = (1−λ) Σ λⁿ⁻¹ A(n) + λᵀ⁻¹ A(T)
    mixed = sum(lam**(n - 1) * (1 - lam) * n_step_returns(reward, terminated, ends, after, gamma, n)
                for n in range(1, steps)) + lam**(steps - 1) * full
    np.testing.assert_allclose(gae(reward, value, after, terminated, ends, gamma, lam), mixed - value, atol=1e-9)


def test_what_follows_a_cut_is_never_seen():
    """Change everything after the first end of a user: nothing before it may move."""
    reward, value, after, terminated, ends = random_block(seed=1)
    first = ends.argmax(axis=0)
    later = np.arange(len(reward))[:, None] > first
    assert ends.any(axis=0).all()
    def all_three(reward, value, after):
        return np.stack([discounted_returns(reward, terminated, ends, after, 0.9),
                         gae(reward, value, after, terminated, ends, 0.9, 0.9),
                         n_step_returns(reward, terminated, ends, after, 0.9, 5)])
    before = all_three(reward, value, after)
    behind = all_three(*(np.where(later, x + 100, x) for x in (reward, value, after)))
    np.testing.assert_array_equal(before[:, ~later], behind[:, ~later])
    assert (before != behind).any()


@pytest.mark.parametrize(("gae_lambda", "as_termination"), [(0.0, 66.889632), (1.0, 57.131994)])
def test_a_clock_read_as_a_departure_loses_a_third_of_the_value(gae_lambda, as_termination):
    """Reward 1 for ever, sessions cut after H = 200, γ = .99, one value for every state (a critic that sees no clock).

    With the bootstrap V = 1 + γV = 100.  Without: λ = 0 gives V = 1 + γ (1 − 1/H) V, λ = 1 the mean of
    (1 − γ^k) / (1 − γ) over k = 1 … H (Pardo et al. 2018).
    """
    horizon, gamma = 200, 0.99
    reward, end = np.ones((horizon, 1)), np.zeros((horizon, 1), bool)
    end[-1] = True

    def fixed_point(terminated):
        """The mean advantage a + b v is linear in the one value v; learning rests where it is zero."""
        a, a_plus_b = (gae(reward, v, v, terminated, end, gamma, gae_lambda).mean() for v in (0 * reward, reward))
        return a / (a - a_plus_b)
    assert fixed_point(np.zeros_like(end)) == pytest.approx(100.0, abs=1e-9)
    assert fixed_point(end) == pytest.approx(as_termination, abs=1e-6)
