"""The statistics against numbers done by hand and against SciPy; the verdict rule against its known error rates."""
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from platform.judge.verdict import (
    better,
    bootstrap_iqm,
    difference,
    error_of,
    iqm,
    level_of,
    normalise,
    sequential,
    verdict,
    verdicts,
    welch,
)

T1 = 12.706204736                                            # 97.5 % quantile of Student's t with 1 degree of freedom


def test_normalise():
    np.testing.assert_allclose(normalise([29.0, 34.5, 40.0, 42.2], 29.0, 40.0), [0.0, 0.5, 1.0, 1.2])
    assert np.isnan(normalise(3.0, 5.0, 5.0))                 # no way between random and the bound


# intervals, by hand ----------------------------------------------------------------------------------------------
def test_welch_by_hand_and_against_scipy():
    x, y = [1, 2, 3, 4, 5], [2, 4, 6]                         # variances 2.5 and 4: V = 2.5/5 + 4/3 = 11/6
    found = welch(x, y)
    assert found.mean == -1.0
    assert found.df == pytest.approx((11 / 6) ** 2 / (0.5**2 / 4 + (4 / 3) ** 2 / 2))      # 3.5328
    reference = stats.ttest_ind(x, y, equal_var=False)
    assert found[1:3] == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert found.p == pytest.approx(reference.pvalue)


def test_better_by_hand():
    # pairs won: 1 beats none, 3 beats 2, 5 beats both: 3 of 6.  Placements (0, ½, 1) and (⅔, ⅓): variances ¼ and 1/18;
    # V = ¼/3 + (1/18)/2 = 1/9, on the logit scale se = (1/3) / (½·½) = 4/3
    found = better([1, 3, 5], [2, 4])
    assert found[:3] == pytest.approx((0.5, 1 / (1 + np.exp(1.959964 * 4 / 3)), 1 / (1 + np.exp(-1.959964 * 4 / 3))))
    assert found.p == pytest.approx(1.0)


def test_better_counts_ties_half_and_survives_complete_separation():
    assert better([1, 1], [1, 1]).mean == 0.5
    # 10 against 10 without overlap: one pair of 100 counts as a tie, p = .995; one placement of .95 and nine of 1 have
    # the variance .00025, both sides give V = .00005, se on the logit scale .0070711 / (.995 · .005) = 1.42132
    found = better(np.arange(10) + 100, np.arange(10), level=0.99)
    assert found.mean == found.high == 1.0
    assert found.low == pytest.approx(1 / (1 + np.exp(-(np.log(199) - 2.575829 * 1.421324))), rel=1e-5)      # .8365
    mirror = better(np.arange(10), np.arange(10) + 100, level=0.99)
    assert (mirror.low, mirror.mean) == (0.0, 0.0) and mirror.high == pytest.approx(1 - found.low)


def test_difference_with_only_the_runs_varying():
    # run means 12, 14 against 11: V = var(12, 14)/2 = 1; both blocks differ by 2: the users add nothing
    found = difference([[10, 14], [12, 16]], [[9, 13]], users=[100, 100])
    assert found == pytest.approx((2.0, 2.0 - T1, 2.0 + T1, 1.0, found.p))
    assert found.p == pytest.approx(2 * stats.t.sf(2.0, 1))


def test_difference_with_only_the_users_varying_weighs_blocks_by_their_users():
    # 1 user with 1, 3 users with 5: mean 4; V = (1·3² + 3·1²) / (1·4) = 3
    found = difference([[1, 5]], [[0, 0]], users=[1, 3])
    assert found[:4] == pytest.approx((4.0, 4.0 - T1 * 3**0.5, 4.0 + T1 * 3**0.5, 1.0))


def test_difference_adds_runs_and_users_and_takes_the_rest_off_once():
    # runs 2 and 4 -> V = 1; blocks 2 and 4 -> V = 1; no residual: V = 2, df = 4 / (1 + 1) = 2
    assert level_of([[1, 3], [3, 5]], users=[7, 7])[:4] == pytest.approx(
        (3.0, 3.0 - 4.302653 * 2**0.5, 3.0 + 4.302653 * 2**0.5, 2.0))
    # runs agree, blocks agree, and yet nothing is certain: residuals ±1, V = 4/1 / (2·2) = 1
    assert level_of([[0, 2], [2, 0]], users=[1, 1])[:4] == pytest.approx((1.0, 1.0 - T1, 1.0 + T1, 1.0))


def test_common_users_cancel_out_of_the_difference_but_not_out_of_the_level():
    users = np.array([10.0, 500.0, -200.0, 30.0])             # hugely different blocks
    runs = np.array([[1.0], [2.0], [3.0]])
    paired = difference(runs + users, users[None] * 1.0, users=np.full(4, 50))
    assert (paired.low, paired.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), rel=1e-5)
    own = level_of(runs + users, users=np.full(4, 50))
    assert own.high - own.low > 100 * (paired.high - paired.low)


def test_one_run_on_one_block_says_nothing_about_chance():
    found = difference([[3.0]], [[1.0]], users=[1000])
    assert found.mean == 2.0 and np.isnan(found.low) and np.isnan(found.high)


def test_iqm_and_its_bootstrap():
    assert iqm([0, 0, 1, 2, 3, 4, 100, 900]) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert iqm([0, 0, 0, 0, 0, 0, 1, 1]) == 0.0               # which is why it is not for rates of 0/1 scores
    cells = [np.arange(8.0), np.arange(8.0) + 20]
    found = bootstrap_iqm(cells, entropy=3)
    assert found[:3] == bootstrap_iqm(cells, entropy=3)[:3]   # its own generator: the same numbers again
    uneven = [np.random.default_rng(0).normal(size=9), np.random.default_rng(1).normal(size=9)]
    assert bootstrap_iqm(uneven, entropy=3).low != bootstrap_iqm(uneven, entropy=4).low
    assert found.mean == pytest.approx((4 + 5 + 6 + 7 + 20 + 21 + 22 + 23) / 8)
    assert 10 < found.low < found.mean < found.high < 17
    state = np.random.get_state()[1].copy()                   # noqa: NPY002  (the global generator must not move)
    bootstrap_iqm(cells)
    assert (np.random.get_state()[1] == state).all()          # noqa: NPY002


# operating characteristics ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_welch_keeps_the_level_and_has_the_known_power(n):
    """Two-sided 5 %, standard normal runs; power at one standard deviation known from 1,500 other repetitions."""
    power = {3: 0.12, 5: 0.30, 10: 0.51, 30: 0.96}[n]
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(1500, n)), rng.normal(size=(1500, n))
    false = np.mean([welch(a, b).p < 0.05 for a, b in zip(x, y, strict=True)])
    found = np.mean([welch(a + 1, b).p < 0.05 for a, b in zip(x, y, strict=True)])
    assert false <= 0.05 + 2 * 0.0056                         # 2 standard errors of 5 % from 1,500
    assert abs(found - power) < 3.5 * (2 * power * (1 - power) / 1500) ** 0.5


def test_placement_interval_sees_through_collapsed_runs():
    """Runs of standard deviation ½, a fifth collapses by 4, shift 1: at 30 runs Welch has power .6, placements .97."""
    rng = np.random.default_rng(0)
    runs = rng.normal(0, 0.5, (2, 1000, 30)) - 4.0 * (rng.random((2, 1000, 30)) < 0.2)
    power = np.mean([(welch(a + 1, b).p < 0.05, better(a + 1, b).p < 0.05) for a, b in zip(*runs, strict=True)], axis=0)
    false = np.mean([better(a, b).p < 0.05 for a, b in zip(*runs, strict=True)])
    assert abs(power[0] - 0.60) < 0.07 and power[1] > 0.94
    assert false <= 0.05 + 2 * 0.0069


@pytest.mark.parametrize("runs,users,rest", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0.3, 1, 2)])
def test_the_interval_of_runs_and_users_covers(runs, users, rest):
    """5 runs of a learner and one of a fixed policy on 10 blocks, the last one half as large: at most 5 % missed."""
    rng, n = np.random.default_rng(5), np.array([50.0] * 9 + [25.0])
    wide, missed, reps = 1 / np.sqrt(n / n.mean()), 0, 1200
    for _ in range(reps):
        common = 7 * rng.normal(size=10)                      # what users bring to every policy alike
        ours = common + runs * rng.normal(size=(5, 1)) + (users * rng.normal(size=10) + rest * rng.normal(size=(5, 10))
                                                         ) * wide * 2
        found = difference(ours, common[None], n)
        missed += not found.low <= 0 <= found.high
    assert missed / reps <= 0.05 + 2 * 0.0063


# the rule --------------------------------------------------------------------------------------------------------
def spread(mean, sd, n):
    """n runs with exactly this mean and standard deviation."""
    x = np.linspace(-1, 1, n)
    return mean + sd * x / x.std(ddof=1)


def test_words_of_the_rule():
    assert verdict(spread(0.9, 0.03, 10), spread(0.8, 0.03, 10)).word == "WIN"
    assert verdict(spread(0.8, 0.03, 10), spread(0.9, 0.03, 10)).word == "LOSS"
    assert verdict(spread(0.80, 0.03, 10), spread(0.81, 0.03, 10)).word == "TIE"
    assert verdict(spread(0.8, 0.2, 10), spread(0.85, 0.2, 10)).word == "INCONCLUSIVE"
    # significant but smaller than .02: too small to be a win
    assert verdict(spread(0.815, 0.002, 10), spread(0.800, 0.002, 10)).word == "TIE"
    few = verdict(spread(0.9, 0.01, 4), spread(0.1, 0.01, 12))
    assert few.word == "too few seeds for a verdict: 4 of 10" and not few.decided


def test_collapsed_runs_forbid_a_win_and_a_loss():
    steady = spread(0.70, 0.01, 10)
    fragile = np.r_[spread(0.99, 0.001, 28), 0.45, 0.45]      # better on average and nearly always, two runs collapse
    assert verdict(fragile, steady).failures == (2, 0)
    assert verdict(fragile, steady).word == "INCONCLUSIVE" == verdict(steady, fragile).word
    assert verdict(np.r_[fragile[:-1], 0.51], steady).word == "WIN"


def test_error_is_split_over_looks_and_holm_over_cells():
    assert [error_of(n) for n in (3, 10, 19, 20, 29, 30, 100)] == [0.05, 0.01, 0.01, 0.015, 0.015, 0.025, 0.025]
    strong = (spread(0.9, 0.02, 10), spread(0.5, 0.02, 10))
    middle = (spread(0.83, 0.1, 10), spread(0.68, 0.1, 10))   # p = .0037: enough for .01 / 2, not for .01 / 3
    weak = (spread(0.8, 0.2, 10), spread(0.8, 0.2, 10))
    assert .01 / 3 < welch(*middle).p < .01 / 2
    found = verdicts([middle, weak, strong])
    assert [v.word for v in found] == ["WIN", "INCONCLUSIVE", "WIN"]
    assert [v.level for v in found] == pytest.approx([1 - 0.01 / 2, 1 - 0.01, 1 - 0.01 / 3])
    assert [v.word for v in verdicts([middle, weak, weak])] == ["INCONCLUSIVE"] * 3
    few = (spread(0.9, 0.02, 3), spread(0.5, 0.02, 3))
    assert verdicts([few, strong])[1].level == 0.99           # a cell with too few seeds is no test


# the harness itself ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [10, 20, 30])
def test_the_same_algorithm_under_two_names(n):
    """400 shuffles of the labels: at most 5 % WIN and LOSS together."""
    rng = np.random.default_rng(n)
    scores = rng.normal(0.8, 0.1, 2 * n)
    words = Counter(verdict(x[:n], x[n:]).word for x in (rng.permutation(scores) for _ in range(400)))
    assert words["WIN"] + words["LOSS"] <= 20


def test_three_looks_together_keep_the_level_and_find_what_was_planted():
    """Difference 0: at most 5 % false verdicts over 10, 20 and 30 seeds; +.10 with SD .10: at least 90 % WIN."""
    rng = np.random.default_rng(11)
    runs = rng.normal(0.8, 0.1, (2, 1000, 30))
    same = Counter(sequential(a, b).word for a, b in zip(*runs, strict=True))
    assert same["WIN"] + same["LOSS"] <= 50
    planted = [sequential(a + 0.10, b) for a, b in zip(*runs[:, :400], strict=True)]
    assert sum(v.word == "WIN" for v in planted) >= 360
    collapsing = runs[:, :400] * 0.5 + 1.2 - 0.5 * (rng.random((2, 400, 30)) < 0.2)        # nobody falls below ½
    assert sum(sequential(a + 0.10, b).word == "WIN" for a, b in zip(*collapsing, strict=True)) >= 360


def test_oracle_against_random_and_determinism():
    rng = np.random.default_rng(1)
    oracle, random = 1 + rng.normal(0, 0.01, 10), rng.normal(0, 0.01, 10)
    assert sequential(oracle, random).word == "WIN" and sequential(random, oracle).word == "LOSS"
    assert verdict(oracle, random) == verdict(oracle.copy(), random.copy())
    assert verdict(np.ones(10), np.zeros(10)).word == "WIN"   # without any spread at all
