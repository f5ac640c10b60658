"""Bandit environments: exact regret by hand, frequencies against means, who meets which coins."""
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.optimize import minimize
from scipy.special import betaln
from support.lives import agree, record, resumes

from envs import MODELS
from envs.bandits.arms import ArmBandit
from envs.bandits.contexts import ContextBandit, FreshContextBandit
from envs.bandits.headlines import HeadlineBandit, fit_prior, log_likelihood, read_arms

HEADLINES = Path(__file__).parents[4] / "shared" / "data" / "upworthy_arms.csv.gz"
CLICK_RATES = (.05, .045, .04, .04, .035, .035, .03, .03, .025, .02)
SHIFTS = ((.3, .5, .9), (.3, .2, .9), (.3, .2, .1), (.7, .2, .1), (.7, .5, .1))
CASES = {
    "bernoulli": (ArmBandit, {"means": CLICK_RATES}),
    "gaussian": (ArmBandit, {"reward": "gaussian"}),
    "piecewise": (ArmBandit, {"means": SHIFTS, "changes": (2, 4, 6, 8)}),
    "drifting": (ArmBandit, {"means": (.5, .5, .5), "amplitude": .4, "period": 20.0}),
    "types": (ArmBandit, {"types": 5, "observe": "one_hot"}),
    "ids": (ArmBandit, {"types": 3, "observe": "id", "own_arms": True}),
    "appearing": (ArmBandit, {"arms": 4, "cycle": 8, "stay": 3}),
    "delayed": (ArmBandit, {"delay": "exponential", "delay_mean": 5.0}),
    "headlines": (HeadlineBandit, {"prior_a": 2.0, "prior_b": 150.0}),
    "linear": (ContextBandit, {}),
    "signs": (ContextBandit, {"context": "signs", "link": "logistic", "reward": "bernoulli", "bias": True}),
    "items": (ContextBandit, {"items": ((1, 0), (0, 1), (.9, .2)), "theta": (1, 0)}),
    "fresh": (FreshContextBandit, {"context": "normal", "link": "cosine"}),
}
IDS = [name for name, (model, _) in MODELS.items()
       if model.split(":")[0] in ("envs.bandits.arms", "envs.bandits.contexts", "envs.bandits.headlines")]


def total_regret(env, arm, steps):
    """Regret ``[N]`` of showing ``arm`` for ``steps`` steps."""
    env.reset(seed=0)
    action = np.full(env.num_envs, arm)
    return sum(env.step(action)[-1]["regret"] for _ in range(steps))


def same_step(model, n=1, **params):
    return model(n, autoreset="same_step", **params)


# the contract --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", IDS)
def test_ids_pass_gymnasiums_checker(name):
    params = {"prior_a": 2.0, "prior_b": 150.0} if "Headline" in name else {}
    check_env(gym.make(name, **params).unwrapped, skip_render_check=True)
    batch = gym.make_vec(name, num_envs=3, vectorization_mode="vector_entry_point", **params)
    obs, _ = batch.reset(seed=1)
    assert batch.observation_space.contains(obs)
    _, reward, terminated, truncated, _ = batch.step(batch.action_space.sample())
    assert reward.dtype == np.float32 and terminated.all() and not truncated.any()


@pytest.mark.parametrize("case", CASES)
def test_a_users_life_does_not_depend_on_autoreset(case):
    model, params = CASES[case]
    lives = [record(model(6, autoreset=mode, **params), steps) for mode, steps in
             (("same_step", 10), ("disabled", 10), ("next_step", 20))]
    assert agree(lives[0], lives[1]) == 60 and agree(lives[0], lives[2]) == 60


@pytest.mark.parametrize("case", CASES)
def test_a_users_life_does_not_depend_on_the_batch(case):
    model, params = CASES[case]
    whole = record(same_step(model, 6, **params), 10)
    parts = record(same_step(model, 2, slot0=0, stride=6, **params), 10) | \
        record(same_step(model, 4, slot0=2, stride=6, **params), 10)
    assert agree(whole, parts) == 60
    if case not in ("piecewise", "drifting", "appearing", "ids", "headlines"):  # there a slot has a clock, or arms
        backwards = record(same_step(model, 6, **params), 10, users=np.arange(6)[::-1])
        assert agree(whole, backwards) == 6                                     # session 0 of users 0 … 5


@pytest.mark.parametrize("case", CASES)
def test_state_is_restored_bit_for_bit(case):
    model, params = CASES[case]
    for mode in ("same_step", "next_step"):
        resumes(model(5, autoreset=mode, **params))


@pytest.mark.parametrize("case", CASES)
def test_seeds_change_the_coins_and_not_the_world(case):
    model, params = CASES[case]
    a, b, c = (record(same_step(model, 50, **params), 20, seed=s) for s in (1, 2, 1))
    assert a == c and a != b
    if case != "fresh":                                                         # candidates belong to the session
        assert all(a[life][0][4] == b[life][0][4] for life in a)


@pytest.mark.parametrize("case", CASES)
def test_the_oracle_has_no_regret_and_regret_is_never_negative(case):
    model, params = CASES[case]
    env = same_step(model, 40, **params)
    env.reset(seed=0)
    for _ in range(12):
        np.testing.assert_allclose(env.step(env.oracle())[-1]["regret"], 0.0, atol=1e-12)
        assert (env.step(np.zeros(40, int))[-1]["regret"] >= 0.0).all()


def test_invalid_actions_are_refused():
    for model, params in (CASES["bernoulli"], CASES["fresh"]):
        env = same_step(model, 3, **params)
        env.reset(seed=0)
        for bad in (-1, 99):
            with pytest.raises(ValueError, match=f"action {bad} .entry 2. must lie in 0"):
                env.step(np.array([0, 1, bad]))


@pytest.mark.parametrize("params, message", [
    ({"means": (.1, .2), "changes": (5,)}, "must hold .segments, types, arms. = .2, 1, 2."),
    ({"means": ((.1, .2), (.2, .1)), "changes": (0,)}, "positive and increasing"),
    ({"means": (.1, 1.2)}, r"must lie in \[0, 1\]"),
    ({"means": (.5, .1), "amplitude": .2}, r"must lie in \[0, 1\]"),
    ({"arms": 4, "cycle": 10, "stay": 2}, "at least cycle / arms = 2.5"),
])
def test_impossible_worlds_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ArmBandit(1, **params)


# exact regret --------------------------------------------------------------------------------------------------------
def test_regret_of_fixed_arms_by_hand():
    env = same_step(ArmBandit, 2, means=CLICK_RATES)
    for arm, mean in enumerate(CLICK_RATES):
        np.testing.assert_allclose(total_regret(env, arm, 100), 100 * (.05 - mean), atol=1e-9)


def test_piecewise_regret_by_hand():
    """Arm 2 is best for 2000 steps, then .2, .6 and .6 behind; arm 0 loses .6, .6, 0, 0, 0."""
    env = gym.make_vec("recloop/PiecewiseBandit-v0", num_envs=2, vectorization_mode="vector_entry_point",
                       autoreset="same_step")
    np.testing.assert_allclose(total_regret(env, 2, 5000), 1400.0, atol=1e-8)
    np.testing.assert_allclose(total_regret(env, 0, 5000), 1200.0, atol=1e-8)
    short = same_step(ArmBandit, 1, means=((.2, .4), (.9, .1)), changes=(3,))
    short.reset(seed=0)
    assert [short.step([0])[-1]["expected_reward"][0] for _ in range(5)] == [.2, .2, .2, .9, .9]


def test_drift_follows_the_sine():
    """Any fixed arm loses as much as any other over whole turns: ∫ max − .5 = 6616 in 20,000 steps (3 arms, .4)."""
    env = gym.make_vec("recloop/DriftingBandit-v0", num_envs=1, vectorization_mode="vector_entry_point",
                       autoreset="same_step")
    means = lambda t: .5 + .4 * np.sin(2 * np.pi * (t / 5000 + np.arange(3) / 3))      # noqa: E731
    env.reset(seed=0)
    for t in range(50):
        info = env.step([1])[-1]
        np.testing.assert_allclose(info["expected_reward"], means(t)[1], atol=1e-12)
    exact = 4 * sum(means(t).max() - means(t)[0] for t in range(5000))
    assert abs(exact - 6616) < 1.0
    np.testing.assert_allclose(total_regret(env, 0, 5000), exact / 4, atol=1e-6)


def test_the_clock_starts_with_a_seed_and_counts_only_real_steps():
    for mode, calls in (("same_step", 4), ("next_step", 7)):                    # every second call is a rest
        env = ArmBandit(1, autoreset=mode, means=((0., 1.), (1., 0.)), changes=(4,))
        for _ in range(2):
            env.reset(seed=0)
            for _ in range(calls):
                env.step([1])
            assert env.state.clock[0] == 4


def test_types_by_hand():
    """Item 0 pays .15 to all, item 1 + g pays .30 to type g: the best fixed arm loses .15 a step."""
    env = gym.make_vec("recloop/TypesBandit-v0", num_envs=2000, vectorization_mode="vector_entry_point",
                       autoreset="same_step")
    obs, _ = env.reset(seed=0)
    kind = obs.argmax(axis=1)
    assert (obs.sum(axis=1) == 1).all() and (kind == env.state.type).all()
    assert np.abs(np.bincount(kind, minlength=5) - 400).max() < 4 * np.sqrt(2000 * .2 * .8)
    info = env.step(1 + kind)[-1]
    np.testing.assert_allclose(info["expected_reward"], .30)
    np.testing.assert_allclose(env.step(np.zeros(2000, int))[-1]["regret"], .15)
    wrong = (env.state.type + 1) % 5
    np.testing.assert_allclose(env.step(1 + wrong)[-1]["regret"], .25)


def test_hidden_types_are_there_and_not_seen():
    seen, hidden = (same_step(ArmBandit, 200, types=2, means=((.9, .1), (.1, .9)), observe=view)
                    for view in ("id", "nothing"))
    ids, nothing = seen.reset(seed=4)[0], hidden.reset(seed=4)[0]
    assert (nothing == 1.0).all() and nothing.shape == (200, 1) and set(ids) == {0, 1}
    a, b = seen.step(np.zeros(200, int)), hidden.step(np.zeros(200, int))
    np.testing.assert_array_equal(a[1], b[1])                                   # the same users, the same coins
    np.testing.assert_allclose(a[-1]["expected_reward"], np.where(ids == 0, .9, .1))


def test_the_last_sight_of_a_user_is_of_that_user_and_not_of_the_next_one():
    """A user is shown one item: ``final_obs`` is still about that user, the observation about who came after."""
    env = ArmBandit(12, autoreset="disabled", types=7, observe="id")
    types = dict(zip(range(12), env.reset(seed=1)[0], strict=True))
    assert len(set(types.values())) > 2
    env = same_step(ArmBandit, 4, types=7, observe="id")
    obs, info = env.reset(seed=1)
    for first in (0, 4):
        assert obs.tolist() == [types[first + n] for n in range(4)]
        before = obs
        obs, _, terminated, _, info = env.step(np.zeros(4, int))
        assert terminated.all() and info["final_obs"].tolist() == before.tolist()
        assert info["user"].tolist() == [first + 4 + n for n in range(4)]
    assert obs.tolist() == [types[8 + n] for n in range(4)]


# frequencies ---------------------------------------------------------------------------------------------------------
def play(env, action, steps):
    """Rewards ``[steps, N]`` and what `info` said of delay, if anything."""
    env.reset(seed=7)
    rows = [env.step(action) for _ in range(steps)]
    return np.array([row[1] for row in rows]), np.array([row[-1].get("delay", 0) for row in rows])


def test_click_frequencies_are_the_means():
    means = np.arange(1, 10) / 10
    reward, _ = play(same_step(ArmBandit, 900, means=tuple(means)), np.arange(900) % 9, 100)
    assert set(np.unique(reward)) == {0.0, 1.0}
    error = (reward.mean(axis=0).reshape(100, 9).mean(axis=0) - means) / np.sqrt(means * (1 - means) / 10_000)
    assert np.abs(error).max() < 4


def test_gaussian_rewards_have_mean_and_deviation():
    reward, _ = play(same_step(ArmBandit, 1000, reward="gaussian", means=(-1.0, 2.0), noise=.5), np.ones(1000, int), 50)
    assert abs(reward.mean() - 2.0) < 4 * .5 / np.sqrt(50_000)
    assert abs(reward.std() - .5) < 4 * .5 / np.sqrt(100_000)


@pytest.mark.parametrize("law, mean, variance, none", [
    ("geometric", 9.0, 90.0, .1),                                               # p = .1: (1-p)/p, (1-p)/p², p
    ("exponential", 20.0, 400.0, 1 - np.exp(-.025)),                            # rounded: P(0) = P(X < 1/2)
    ("fixed", 7.0, 0.0, 0.0),
])
def test_delays_have_their_law(law, mean, variance, none):
    _, delay = play(same_step(ArmBandit, 1000, delay=law, delay_mean=mean), np.zeros(1000, int), 50)
    assert delay.dtype == np.int64 and delay.min() >= 0
    assert abs(delay.mean() - mean) <= 4 * np.sqrt(variance / delay.size)
    assert abs((delay == 0).mean() - none) <= 4 * np.sqrt(none * (1 - none) / delay.size)


def test_the_delay_is_no_coin_of_the_reward():
    on, off = (same_step(ArmBandit, 500, delay=law) for law in ("geometric", "none"))
    (late, delay), (now, _) = play(on, np.zeros(500, int), 20), play(off, np.zeros(500, int), 20)
    np.testing.assert_array_equal(late, now)
    assert abs(np.corrcoef(late.ravel(), delay.ravel())[0, 1]) < 4 / np.sqrt(late.size)
    assert "delay" not in off.step(np.zeros(500, int))[-1]


def test_arms_take_turns():
    """4 arms, cycle 8, stay 3: arm a is on offer while (clock + 2 a) mod 8 < 3; absent arms pay nothing."""
    env = same_step(ArmBandit, 1, means=(.9, .5, .4, .3), cycle=8, stay=3)
    _, info = env.reset(seed=0)
    for t in range(20):
        on = np.array([(t + 2 * a) % 8 < 3 for a in range(4)])
        np.testing.assert_array_equal(info["action_mask"][0], on)
        assert on.any()
        _, reward, _, _, info = env.step([t % 4])
        mean = (.9, .5, .4, .3)[t % 4] * on[t % 4]
        best = max(m for m, here in zip((.9, .5, .4, .3), on, strict=True) if here)
        assert info["expected_reward"][0] == mean and abs(info["regret"][0] - (best - mean)) < 1e-12
        assert reward[0] == 0.0 or on[t % 4]
        np.testing.assert_array_equal(info["final_mask"], info["action_mask"])


def test_own_arms_are_a_problem_for_each_slot_from_the_prior():
    env = same_step(ArmBandit, 2000, own_arms=True, prior_a=2.0, prior_b=6.0, arms=5)
    assert env.world.table.shape == (2000, 1, 1, 5)
    assert abs(env.world.table.mean() - .25) < 4 * np.sqrt(.25 * .75 / 9 / 10_000)
    part = same_step(ArmBandit, 3, own_arms=True, prior_a=2.0, prior_b=6.0, arms=5, slot0=7, stride=2000)
    np.testing.assert_array_equal(part.world.table, env.world.table[7:10])
    shared = same_step(ArmBandit, 2000, arms=5)
    assert shared.world.table.shape == (1, 1, 1, 5)
    assert (same_step(ArmBandit, 1, arms=5, world_seed=1).world.table != shared.world.table).all()


# headlines -----------------------------------------------------------------------------------------------------------
def test_log_likelihood_is_the_beta_binomial():
    n, c = np.array([10.0, 0.0, 7.0]), np.array([3.0, 0.0, 7.0])
    exact = (betaln(2.5 + c, 4.0 + n - c) - betaln(2.5, 4.0)).sum()
    assert abs(log_likelihood(n, c, 2.5, 4.0) - exact) < 1e-10


def test_the_prior_is_recovered_from_its_own_arms():
    rng = np.random.default_rng(5)
    n = np.full(4000, 2000.0)
    a, b = fit_prior(n, rng.binomial(2000, rng.beta(2.0, 150.0, 4000)).astype(float))
    assert abs(a / 2.0 - 1) < .08 and abs(b / 150.0 - 1) < .08                  # 4 s.e.: s.e. of ln a ≈ .02


def test_broken_tables_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a file; it must name a CSV of headline tests"):
        gym.make("recloop/HeadlineBandit-v0", path=str(tmp_path / "absent.csv"))
    (tmp_path / "words.csv").write_text("test,arm,impressions,clicks\nx,0,many,few\n")
    with pytest.raises(ValueError, match="is not a table test,arm,impressions,clicks"):
        read_arms(tmp_path / "words.csv")
    (tmp_path / "more.csv").write_text("test,arm,impressions,clicks\nx,0,5,6\n")
    with pytest.raises(ValueError, match="more clicks than impressions"):
        read_arms(tmp_path / "more.csv")


def test_real_headlines():
    if not HEADLINES.exists():
        pytest.skip("the table of headline tests is not at hand (../shared/data/upworthy_arms.csv.gz)")
    n, c = read_arms(HEADLINES)
    other = minimize(lambda x: -(betaln(np.exp(x[0]) + c, np.exp(x[1]) + n - c).sum()
                                 - len(n) * betaln(*np.exp(x))), np.log([1.0, 100.0]), method="Nelder-Mead",
                     options={"xatol": 1e-7, "fatol": 1e-7})
    np.testing.assert_allclose(fit_prior(n, c), np.exp(other.x), rtol=1e-4)
    np.testing.assert_allclose(fit_prior(n, c), (2.2903, 165.87), rtol=1e-4)    # the figures of docs/environments.md
    env = same_step(HeadlineBandit, 1000, path=str(HEADLINES))
    assert env.world.table.shape == (1000, 1, 1, 4) and abs(env.world.table.mean() - .01362) < 4 * .0089 / np.sqrt(4000)


# contexts ------------------------------------------------------------------------------------------------------------
def test_given_items_and_theta_by_hand():
    """A deceptive set: the third item tells of both directions and is never best."""
    env = same_step(ContextBandit, 3, items=((1, 0), (0, 1), (.8, .4)), theta=(1.0, .5))
    obs, _ = env.reset(seed=0)
    assert (obs == 1.0).all() and obs.shape == (3, 1) and env.items.shape == (3, 2)
    info = env.step([0, 1, 2])[-1]
    np.testing.assert_allclose(info["expected_reward"], [1.0, .5, 1.0], atol=1e-6)
    np.testing.assert_allclose(info["regret"], [0.0, .5, 0.0], atol=1e-6)


LINKS = {"identity": lambda s: s, "logistic": lambda s: 1 / (1 + np.exp(-s)), "cosine": lambda s: np.cos(3 * s),
         "square": lambda s: s**2}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("bias", [False, True])
def test_means_of_a_fixed_set_are_the_link_of_the_score(link, bias):
    env = same_step(ContextBandit, 50, link=link, bias=bias, dim=4, actions=6)
    obs, _ = env.reset(seed=0)
    x = np.column_stack([obs, np.ones(50)]) if bias else obs
    means = LINKS[link](x @ env.world.weights.T)                                      # [50, 6]
    action = np.arange(50) % 6
    info = env.step(action)[-1]
    np.testing.assert_allclose(info["expected_reward"], means[np.arange(50), action], atol=1e-6)
    np.testing.assert_allclose(info["regret"], means.max(axis=1) - means[np.arange(50), action], atol=1e-6)


@pytest.mark.parametrize("link", LINKS)
def test_means_of_fresh_candidates_are_the_link_of_the_score(link):
    env = same_step(FreshContextBandit, 50, link=link, theta=(.5, -1.0, .25), dim=3, actions=4)
    obs, _ = env.reset(seed=0)
    np.testing.assert_allclose((obs["candidates"]**2).sum(axis=2), 1.0, atol=1e-5)
    means = LINKS[link](obs["candidates"] @ np.array([.5, -1.0, .25]))          # [50, 4]
    after, _, _, _, info = env.step(np.full(50, 2))
    np.testing.assert_allclose(info["expected_reward"], means[:, 2], atol=1e-6)
    np.testing.assert_allclose(info["regret"], means.max(axis=1) - means[:, 2], atol=1e-6)
    assert (after["candidates"] != obs["candidates"]).all()


def test_context_laws():
    sphere, signs, normals = (same_step(ContextBandit, 20_000, context=c, dim=4).reset(seed=0)[0] for c in
                              ("sphere", "signs", "normal"))
    np.testing.assert_allclose((sphere**2).sum(axis=1), 1.0, atol=1e-5)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    for x, variance in ((sphere, .25), (signs, 1.0), (normals, 1.0)):
        assert np.abs(x.mean(axis=0)).max() < 4 * np.sqrt(variance / 20_000)
        np.testing.assert_allclose(np.cov(x.T), variance * np.eye(4), atol=4 * 1.5 * variance / np.sqrt(20_000))


def test_logistic_clicks_have_their_frequency():
    """d fair signs and a constant, w ~ N(0, 4 / d): users split by their click probability."""
    env = same_step(ContextBandit, 20_000, actions=8, dim=12, context="signs", link="logistic", reward="bernoulli",
                    weight_scale=2.0, bias=True)
    drawn = same_step(ContextBandit, 1, actions=2000, dim=12, weight_scale=2.0).world.weights
    assert abs(drawn.std() - 2 / 12**.5) < .02
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.arange(20_000) % 8)
    p = info["expected_reward"]
    for low in np.arange(0, 1, .1):
        group = (p >= low) & (p < low + .1)
        spread = np.sqrt((p[group] * (1 - p[group])).sum())
        assert abs(reward[group].sum() - p[group].sum()) < 4 * spread


def test_gaussian_noise_of_contexts():
    env = same_step(FreshContextBandit, 20_000, noise=.3)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.zeros(20_000, int))
    noise = reward - info["expected_reward"]
    assert abs(noise.mean()) < 4 * .3 / np.sqrt(20_000) and abs(noise.std() - .3) < 4 * .3 / np.sqrt(40_000)


def test_contextual_errors_are_clear():
    for params, message in (({"dim": 0}, "needs given 'items'"), ({"theta": (1.0,)}, "go with given items"),
                            ({"items": ((1, 0),), "theta": (1.0,)}, r"must be \(2,\)")):
        with pytest.raises(ValueError, match=message):
            ContextBandit(1, **params)
    with pytest.raises(ValueError, match="'actions' ≥ 2"):
        FreshContextBandit(1, actions=1)
