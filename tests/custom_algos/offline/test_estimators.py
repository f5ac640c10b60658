"""Off-policy estimators against an enumerable world, numbers done by hand, identities, and two real logs."""
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from custom_algos.offline import estimators as ope
from custom_algos.offline.estimators import Sample

# The world: 4 contexts, 5 actions, everything written down.
CONTEXTS = np.array([0.1, 0.2, 0.3, 0.4])
TRUE = np.array([[.10, .30, .50, .70, .20],                              # [X, A] P(reward 1 | x, a)
                 [.60, .20, .40, .10, .50],
                 [.25, .45, .15, .35, .80],
                 [.05, .55, .30, .65, .40]])
LOGGING = np.array([[.40, .25, .15, .10, .10],                           # [X, A] π_b
                    [.10, .40, .20, .20, .10],
                    [.30, .20, .30, .15, .05],
                    [.35, .10, .30, .10, .15]])
TARGET = np.array([[.05, .10, .20, .55, .10],                            # [X, A] π_e
                   [.45, .05, .20, .05, .25],
                   [.15, .25, .10, .10, .40],
                   [.05, .35, .10, .40, .10]])
WEIGHT = TARGET / LOGGING                                                # largest: .40 / .05 = 8
UNIFORM = np.full_like(LOGGING, 0.2)
HALF, ZERO = np.full_like(TRUE, 0.5), np.zeros_like(TRUE)
V = 0.1 * 0.54 + 0.2 * 0.49 + 0.3 * 0.52 + 0.4 * 0.525                   # = .518, summed by hand below
CELL = CONTEXTS[:, None] * LOGGING                                       # [X, A] probability of a logged cell


def draw(rng, rows, q_hat=HALF, propensity=LOGGING) -> Sample:
    """A log of ``rows`` rows of the world; ``propensity`` is what the log claims, LOGGING what was done."""
    cell = rng.choice(20, rows, p=CELL.ravel())
    x, a = cell // 5, cell % 5
    reward = rng.random(rows) < TRUE[x, a]
    return Sample(reward, a, TARGET[x], propensity[x, a], q_hat[x])


def moments(contribution) -> tuple[float, float]:
    """Mean and standard deviation over (x, a, r) of ``contribution(r) [X, A]``, by enumeration."""
    chances = np.stack([CELL * (1 - TRUE), CELL * TRUE])                 # [r, X, A]
    values = np.stack([contribution(0.0), contribution(1.0)]) * np.ones_like(chances)
    mean = (chances * values).sum()
    return float(mean), math.sqrt(float((chances * (values - mean) ** 2).sum()))


def model(q_hat):
    return (TARGET * q_hat).sum(1, keepdims=True)                        # [X, 1] q̂(x, π_e)


def repeat(estimator, repetitions, rows, seed, **world):
    rng = np.random.default_rng(seed)
    return [estimator(draw(rng, rows, **world)) for _ in range(repetitions)]


def values(estimates):
    return np.array([e.value for e in estimates])


def close(first, second, but=()):
    for name, value in vars(first).items():
        if name not in but:
            assert getattr(second, name) == pytest.approx(value, rel=1e-10, abs=1e-12), name


# by hand --------------------------------------------------------------------------------------------------------------
FOUR = Sample(reward=np.array([1., 0., 1., 1.]), action=np.array([0, 1, 0, 1]), propensity=np.array([.5, .25, .2, .5]),
              target=np.array([[.25, .75], [.5, .5], [.1, .9], [0., 1.]]), q_hat=np.array([[.5, .1], [.2, .4], [1., 0.],
                                                                                           [.3, .6]]))


def test_four_rows_by_hand():
    """w = .5, 2, .5, 2; contributions of IPS .5, 0, .5, 2; q̂(x, π_e) = .2, .3, .1, .6; r − q̂(a) = .5, −.4, 0, .4."""
    e = ope.ips(FOUR)
    assert e.value == pytest.approx(3 / 4)
    assert e.standard_error == pytest.approx(math.sqrt(2.25 / 3 / 4))    # deviations −.25, −.75, −.25, 1.25
    assert (e.low, e.high) == pytest.approx((.75 - 1.959964 * .4330127, .75 + 1.959964 * .4330127), abs=1e-6)
    assert e.effective_sample_size == pytest.approx(25 / 8.5) and e.rows == 4
    assert ope.clipped_ips(FOUR, 1.0).value == pytest.approx((.5 + 0 + .5 + 1) / 4)
    assert ope.snips(FOUR).value == pytest.approx(3 / 5)
    assert ope.direct_method(FOUR).value == pytest.approx(1.2 / 4)
    assert ope.doubly_robust(FOUR).value == pytest.approx((1.2 + .25 - .8 + 0 + .8) / 4)
    assert ope.sndr(FOUR).value == pytest.approx(1.2 / 4 + .25 / 5)
    assert ope.switch_dr(FOUR, 1.0).value == pytest.approx((1.2 + .25) / 4)
    # λ = 2: 2 w / (w² + 2) = 1 / 2.25 for w = .5 and 4 / 6 for w = 2
    assert ope.dr_os(FOUR, 2.0).value == pytest.approx((1.2 + .5 / 2.25 + (4 / 6) * 0.0) / 4)


def test_errors_of_the_ratios_are_the_delta_method():
    """SNIPS: w (r − .6) / mean(w) = .5·.4, 2·(−.6), .5·.4, 2·.4, each over 1.25.  SNDR: w (r − q̂ − .05) over 1.25,
    and the model's own deviations −.1, 0, −.2, .3."""
    snips = np.array([.2, -1.2, .2, .8]) / 1.25
    sndr = np.array([.225, -.9, -.025, .7]) / 1.25 + [-.1, 0, -.2, .3]
    for estimator, influence in ((ope.snips, snips), (ope.sndr, sndr)):
        assert estimator(FOUR).standard_error == pytest.approx(math.sqrt((influence ** 2).sum() / 3 / 4))


def test_direct_method_bias_by_hand():
    assert V == pytest.approx(float((CONTEXTS[:, None] * TARGET * TRUE).sum()))
    assert moments(lambda r: WEIGHT * r)[0] == pytest.approx(V)
    rng = np.random.default_rng(0)
    assert ope.direct_method(draw(rng, 1000)).value == pytest.approx(0.5, abs=1e-12)      # bias .5 − .518 exactly
    optimistic = values(repeat(ope.direct_method, 500, 1000, 1, q_hat=TRUE + 0.1))        # bias +.1 exactly
    assert abs(optimistic.mean() - V - 0.1) < 4 * optimistic.std() / math.sqrt(500)


# the world, enumerated ------------------------------------------------------------------------------------------------
ENUMERATED = {                                   # name: (estimator, q̂, contribution of a row with reward r  [X, A])
    "ips": (ope.ips, HALF, lambda r: WEIGHT * r),
    "dr, q̂ = .5": (ope.doubly_robust, HALF, lambda r: model(HALF) + WEIGHT * (r - HALF)),
    "dr, q̂ true": (ope.doubly_robust, TRUE, lambda r: model(TRUE) + WEIGHT * (r - TRUE)),
    "dm, q̂ true": (ope.direct_method, TRUE, lambda r: model(TRUE) + 0 * WEIGHT),
    "clipped, 2": (lambda s: ope.clipped_ips(s, 2.0), HALF, lambda r: np.minimum(WEIGHT, 2.0) * r),
    "switch, 2": (lambda s: ope.switch_dr(s, 2.0), HALF, lambda r: model(HALF) + WEIGHT * (WEIGHT <= 2) * (r - HALF)),
    "dr_os, 4": (lambda s: ope.dr_os(s, 4.0), HALF,
                 lambda r: model(HALF) + 4 * WEIGHT / (WEIGHT ** 2 + 4) * (r - HALF)),
}


@pytest.mark.parametrize("name", ENUMERATED)
def test_bias_and_exact_standard_deviation(name):
    """Mean within 4 standard errors of the enumerated one; spread within 5 % of the enumerated σ / √n."""
    estimator, q_hat, contribution = ENUMERATED[name]
    mean, sd = moments(contribution)
    runs = repeat(estimator, 2000, 1000, seed=2, q_hat=q_hat)
    got = values(runs)
    assert abs(got.mean() - mean) < 4 * got.std() / math.sqrt(2000)
    assert got.std(ddof=1) == pytest.approx(sd / math.sqrt(1000), rel=0.05)
    assert np.mean([e.standard_error for e in runs]) == pytest.approx(sd / math.sqrt(1000), rel=0.02)


def test_who_is_unbiased():
    """IPS, both doubly robust and the direct method with the true q̂ are; clipping is low by what it cuts."""
    for name in ("ips", "dr, q̂ = .5", "dr, q̂ true", "dm, q̂ true"):
        assert moments(ENUMERATED[name][2])[0] == pytest.approx(V), name
    cut = (CELL * np.maximum(WEIGHT - 2.0, 0.0) * TRUE).sum()
    assert moments(ENUMERATED["clipped, 2"][2])[0] == pytest.approx(V - cut) and cut > 0.05
    assert moments(ENUMERATED["dr, q̂ true"][2])[1] < moments(ENUMERATED["ips"][2])[1]


COVERED = {name: (*ENUMERATED[name][:2], moments(ENUMERATED[name][2])[0]) for name in ENUMERATED} | {
    "snips": (ope.snips, HALF, V), "sndr, q̂ = .5": (ope.sndr, HALF, V), "sndr, q̂ true": (ope.sndr, TRUE, V)}


@pytest.fixture(scope="module")
def intervals():
    """{name: [1000, 2] intervals} of one set of 1,000 logs of 5,000 rows."""
    rng, found = np.random.default_rng(3), {name: [] for name in COVERED}
    for _ in range(1000):
        sample = draw(rng, 5000)
        x = (sample.target[:, None] == TARGET).all(2).argmax(1)
        true = replace(sample, q_hat=TRUE[x])
        for name, (estimator, q_hat, _) in COVERED.items():
            e = estimator(true if q_hat is TRUE else sample)
            found[name].append((e.low, e.high))
    return {name: np.array(rows) for name, rows in found.items()}


@pytest.mark.parametrize("name", COVERED)
def test_interval_covers(name, intervals):
    """93–97 % of 1,000 intervals at n = 5,000 hold what the estimator estimates (V, but for the three biased ones)."""
    low, high = intervals[name].T
    aim = COVERED[name][2]
    assert 0.93 <= ((low <= aim) & (aim <= high)).mean() <= 0.97


def test_double_robustness_both_ways_and_its_failure():
    """Wrong propensities (uniform): a right q̂ saves DR, nothing saves IPS; with both wrong DR is wrong too."""
    wrong = TARGET / UNIFORM
    both_mean, both_sd = moments(lambda r: model(HALF) + wrong * (r - HALF))
    assert moments(lambda r: model(TRUE) + wrong * (r - TRUE))[0] == pytest.approx(V)
    assert moments(lambda r: model(HALF) + WEIGHT * (r - HALF))[0] == pytest.approx(V)
    assert abs(both_mean - V) > 0.02 and abs(moments(lambda r: wrong * r)[0] - V) > 0.02
    saved = values(repeat(ope.doubly_robust, 1000, 1000, 4, q_hat=TRUE, propensity=UNIFORM))
    lost = values(repeat(ope.doubly_robust, 1000, 1000, 4, q_hat=HALF, propensity=UNIFORM))
    assert abs(saved.mean() - V) < 4 * saved.std() / math.sqrt(1000)
    assert abs(lost.mean() - both_mean) < 4 * both_sd / math.sqrt(1000 * 1000)
    assert abs(lost.mean() - V) > 10 * lost.std() / math.sqrt(1000)


# identities -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def sample():
    return draw(np.random.default_rng(5), 400, q_hat=TRUE ** 2)


def test_target_equal_to_logging_gives_the_sample_mean(sample):
    same = replace(sample, propensity=sample.target[np.arange(400), sample.action])
    for estimator in (ope.ips, ope.snips):
        assert estimator(same).value == pytest.approx(sample.reward.mean(), abs=1e-15)
        assert estimator(same).standard_error == pytest.approx(sample.reward.std(ddof=1) / 20)
        assert estimator(same).effective_sample_size == pytest.approx(400)


def test_weights_have_mean_one():
    assert moments(lambda r: WEIGHT)[0] == pytest.approx(1.0)
    ones = replace(draw(np.random.default_rng(6), 200_000), reward=np.ones(200_000))
    e = ope.ips(ones)
    assert abs(e.value - 1.0) < 4 * e.standard_error


def test_shifted_rewards(sample):
    """SNIPS(r + c) = SNIPS(r) + c; IPS moves by c times the mean weight; the spread of SNIPS stays."""
    moved = replace(sample, reward=sample.reward + 3.0)
    assert ope.snips(moved).value == pytest.approx(ope.snips(sample).value + 3.0)
    assert ope.snips(moved).standard_error == pytest.approx(ope.snips(sample).standard_error)
    w = sample.weight("test").mean()
    assert abs(w - 1.0) > 0.01
    assert ope.ips(moved).value == pytest.approx(ope.ips(sample).value + 3.0 * w)


def test_doubly_robust_between_its_ends(sample):
    q0 = replace(sample, q_hat=np.zeros_like(sample.target))
    close(ope.doubly_robust(q0), ope.ips(q0))
    close(ope.sndr(q0), ope.snips(q0))
    dm, dr, ess = ope.direct_method(sample), ope.doubly_robust(sample), ("effective_sample_size",)
    close(ope.switch_dr(sample, 0.0), dm, but=ess)
    close(ope.dr_os(sample, 0.0), dm, but=ess)
    close(ope.switch_dr(sample, math.inf), dr)
    close(ope.dr_os(sample, math.inf), dr)
    close(ope.clipped_ips(sample, math.inf), ope.ips(sample))
    assert ope.dr_os(sample, 1e12).value == pytest.approx(dr.value, abs=1e-5)


def test_no_weight_leaves_the_model():
    """A target that never takes a logged action: DR is the direct method, IPS is 0, the ratios refuse."""
    never = Sample(np.ones(3), np.zeros(3, int), np.tile([0., 1.], (3, 1)), np.full(3, .5), np.tile([.1, .7], (3, 1)))
    assert ope.doubly_robust(never).value == pytest.approx(0.7) and ope.direct_method(never).value == pytest.approx(0.7)
    assert ope.ips(never).value == 0.0 and ope.ips(never).effective_sample_size == 0.0
    for ratio in (ope.snips, ope.sndr):
        with pytest.raises(ValueError, match="never takes a logged action"):
            ratio(never)


@pytest.mark.parametrize("name", ope.ESTIMATORS)
def test_order_of_rows_is_nothing(name, sample):
    p = np.random.default_rng(7).permutation(400)
    other = Sample(*(getattr(sample, f)[p] for f in ("reward", "action", "target", "propensity", "q_hat")))
    close(ope.ESTIMATORS[name](sample), ope.ESTIMATORS[name](other))


def test_nothing_gives_nothing_and_ratios_stay_in_range(sample):
    """Zero reward and q̂ are worth 0; with propensities cubed SNIPS stays ≤ 1 and SNDR ≤ 2, where IPS does not."""
    nothing = replace(sample, reward=np.zeros(400), q_hat=np.zeros_like(sample.target))
    assert all(e.value == 0.0 and e.standard_error == 0.0 for e in ope.estimate_all(nothing).values())
    tiny = replace(sample, propensity=sample.propensity ** 3)
    assert ope.snips(tiny).value <= 1.0 and ope.sndr(tiny).value <= 2.0 and ope.ips(tiny).value > 2.0


# what is missing or wrong ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [n for n in ope.ESTIMATORS if n != "direct_method"])
def test_without_propensities_the_direct_method_alone(name, sample):
    unknown = sample.propensity.copy()
    unknown[:3] = np.nan
    for propensity, count in ((None, 400), (unknown, 3)):
        with pytest.raises(ValueError, match=f"{name} needs .* unknown in {count} of 400 rows; the direct method"):
            ope.ESTIMATORS[name](replace(sample, propensity=propensity))
    assert list(ope.estimate_all(replace(sample, propensity=None))) == ["direct_method"]


def test_estimate_all_says_what_it_can(sample):
    assert list(ope.estimate_all(sample)) == list(ope.ESTIMATORS)
    assert list(ope.estimate_all(replace(sample, q_hat=None))) == ["ips", "clipped_ips", "snips"]
    with pytest.raises(ValueError, match="needs q_hat"):
        ope.estimate_all(replace(sample, q_hat=None, propensity=None))


@pytest.mark.parametrize(("change", "message"), [
    ({"reward": np.array([1., np.nan, 0., 1.])}, "reward = nan in row 1 must be a finite number"),
    ({"action": np.array([0, 2, 0, 1])}, r"action = 2 in row 1 must be in 0 … 1"),
    ({"action": np.array([0., 1., 0., 1.])}, "action has type float64"),
    ({"propensity": np.array([.5, 0., .2, .5])}, r"propensity = 0.0 in row 1 must be in \(0, 1\]"),
    ({"propensity": np.array([.5, 1.5, .2, .5])}, "propensity = 1.5 in row 1"),
    ({"target": np.full((4, 2), .6)}, "row 0 must be probabilities that sum to 1"),
    ({"target": np.full((3, 2), .5)}, r"target has shape \(3, 2\), must be \[4, A\]"),
    ({"q_hat": np.zeros((4, 3))}, r"q_hat has shape \(4, 3\), must be \[4, 2\]"),
    ({"reward": np.zeros(1)}, "must be .* N >= 2"),
])
def test_wrong_arrays_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(FOUR, **change)


def test_wrong_parameters_are_named():
    for call in (lambda: ope.clipped_ips(FOUR, -1.0), lambda: ope.switch_dr(FOUR, math.nan),
                 lambda: ope.dr_os(FOUR, -2.0)):
        with pytest.raises(ValueError, match="must be >= 0"):
            call()


# real logs ------------------------------------------------------------------------------------------------------------
HILLSTROM = Path(__file__).parents[4] / "shared" / "data" / "hillstrom.csv.gz"
ARMS = ["Mens E-Mail", "Womens E-Mail", "No E-Mail"]


def features(raw):
    """[N, D]: a constant and the customer's history, interests and channel."""
    columns = [np.ones(len(raw)), raw["recency"] / 12, np.log(raw["history"]), raw["mens"], raw["womens"],
               raw["newbie"], raw["channel"] == "Web", raw["channel"] == "Phone", raw["zip_code"] == "Rural"]
    return np.column_stack(columns).astype(float)


@pytest.mark.skipif(not HILLSTROM.exists(), reason=f"the e-mail campaign is not here: {HILLSTROM}")
def test_randomised_email_campaign_is_valued_alike_on_both_halves():
    """Visits by arm: the halves agree within 2 standard errors, and the arms' intervals exclude each other.

    q̂ is least squares on customer features, an arm at a time; each half has two folds, and each fold's q̂ is fitted on
    the other one, so that no row is valued by a model that has seen it.
    """
    raw = pd.read_csv(HILLSTROM)
    x, visit = features(raw), raw["visit"].to_numpy(float)
    arm = raw["segment"].map(ARMS.index).to_numpy()
    assert [round(100 * visit[arm == a].mean(), 1) for a in range(3)] == [18.3, 15.1, 10.6]
    part = np.random.default_rng(8).permutation(len(raw)) % 4            # halves {0, 1} and {2, 3}, each in two folds
    q_hat = np.empty((len(raw), 3))
    for fold in range(4):
        teach = part == fold ^ 1                                         # the other fold of the same half
        for a in range(3):
            fit = teach & (arm == a)
            q_hat[part == fold, a] = x[part == fold] @ np.linalg.lstsq(x[fit], visit[fit], rcond=None)[0]
    for estimator in (ope.ips, ope.doubly_robust):
        halves = [[estimator(Sample(visit[rows], arm[rows], np.tile(np.eye(3)[a], (rows.sum(), 1)),
                                    np.full(rows.sum(), 1 / 3), q_hat[rows])) for a in range(3)]
                  for rows in (part < 2, part >= 2)]
        for one, two in zip(*halves, strict=True):
            assert abs(one.value - two.value) < 2 * math.hypot(one.standard_error, two.standard_error)
        for mens, womens, nothing in halves:
            assert mens.low > womens.high and womens.low > nothing.high


@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_open_bandit_runs_through_every_estimator(campaign):
    """Plumbing: true propensities and real rows.  38–69 clicks a file rank nobody, and `check` says so."""
    from envs import logs
    random, bts = logs.open_bandit("random", campaign), logs.open_bandit("bts", campaign)
    ids = logs.items(random)[0]
    rows = logs.to_transition_arrays(random, ids)
    action, reward = rows["action"][0], rows["reward"][0]
    counts = np.bincount(action, minlength=len(ids))
    rate = (np.bincount(action, reward, len(ids)) + 100 * reward.mean()) / (counts + 100)
    shown = np.bincount(logs.to_transition_arrays(bts, ids)["action"][0], minlength=len(ids)) / len(bts.frame)
    sample = Sample(reward, action, np.tile(shown, (len(action), 1)), np.exp(rows["log_prob"][0].astype(float)),
                    np.tile(rate, (len(action), 1)))
    found, paid = ope.estimate_all(sample), logs.check(bts).base_rate
    assert list(found) == list(ope.ESTIMATORS)
    for name, e in found.items():
        assert 0 < e.value < 0.02 and 1 < e.effective_sample_size <= 10_000.001, name
        if name != "direct_method":
            assert e.low < paid[2] and e.high > paid[1], name            # overlaps what bts earned on its own rows
    uniform = replace(sample, target=np.full_like(sample.target, 1 / len(ids)))
    assert ope.ips(uniform).value == pytest.approx(reward.mean(), rel=1e-6)
    for log in (random, bts):
        told = logs.check(log)
        assert 38 <= told.positives <= 69
        assert any(line.startswith("rank two policies: too few clicks") for line in told.cannot)
