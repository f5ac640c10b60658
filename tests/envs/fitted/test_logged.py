"""Users fitted to a log: a life against a scalar reference, the fit against brute force, the shipped log's figures."""
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.rollout import evaluate, make_rng
from envs.engine.rng import combine, mix, normal, session_key, uniform
from envs.engine.vector import SPLIT_SIZE, SPLITS
from envs.fitted import env as logged
from envs.fitted import taste
from envs.fitted.observing import observe
from envs.fitted.user import LIKE, TASTE, replay

TEST_USERS = SPLITS["test"] + np.arange(300)


def movies(users, autoreset="disabled", **params):
    return logged.Logged(users, autoreset=autoreset, **params)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


# one user's life ------------------------------------------------------------------------------------------------------
def history(features, actions, likes, horizon):
    """What a user with these impressions shows: liked sums and skipped sums / 10, the clock, the last three items."""
    d, past = features.shape[1], list(zip(actions, likes, strict=True))
    sums = [sum((features[a] for a, like in past if like == wanted), np.zeros(d)) / 10 for wanted in (1, 0)]
    last = [features[a] if like else -features[a] for a, like in past[:-4:-1]] + 3 * [np.zeros(d)]
    return np.concatenate([*sums, [len(past) / horizon], *last[:3]])


def scalar_life(env, user, seed, session, actions):
    """One user, one session, in plain Python: (expected rewards, likes, the observation after every step)."""
    world, d = env.world, env.params.taste_dimensions
    group = world.groups[user // SPLIT_SIZE]
    who = group[user % SPLIT_SIZE % len(group)]
    key = np.uint64(combine(np.uint64(mix(np.uint64(env.params.world_seed))), user))
    own = world.taste.user_mean[who] + world.root[who] @ [normal(key, 0, TASTE, b) for b in range(1 + d)]
    life, expected, likes, seen = np.uint64(session_key(seed, user, session)), [], [], []
    for t, a in enumerate(actions):
        item = world.taste.item_mean[a]
        p = 0.0 if a in actions[:t] else sigmoid(world.taste.mu + own[0] + item[0] + own[1:] @ item[1:])
        expected.append(p)
        likes.append(int(uniform(life, t, LIKE, 0) < p))
        seen.append(history(env.items.astype(float), actions[:t + 1], likes, env.horizon))
    return np.array(expected), np.array(likes), np.array(seen)


@pytest.mark.parametrize("params", [{}, {"taste_dimensions": 0}, {"world_seed": 5, "impressions": 20}])
def test_a_session_is_the_scalar_users_life(params):
    users = np.array([0, 3, 1000, SPLITS["validation"] + 2, SPLITS["test"], SPLITS["test"] + 500])
    env = movies(6, autoreset="same_step", **params)
    _, info = env.reset(seed=77, options={"users": users})
    actions = make_rng(1).integers(30, size=(2, env.horizon, 6))             # of 30 items: many are shown twice
    assert info["action_mask"].all()
    for session in range(2):                                                 # the user comes back with the same taste
        reward, expected, seen = [], [], []
        for action in actions[session]:
            _, r, terminated, truncated, info = env.step(action)
            reward.append(r), expected.append(info["expected_reward"]), seen.append(info["final_obs"])
            assert not terminated.any() and truncated.all() == (len(reward) == env.horizon)
        for n, user in enumerate(users):
            e, likes, after = scalar_life(env, int(user), 77, session, list(actions[session, :, n]))
            np.testing.assert_allclose(np.array(expected)[:, n], e, atol=1e-12)
            np.testing.assert_array_equal(np.array(reward)[:, n], likes)
            np.testing.assert_allclose(np.array(seen)[:, n], after, atol=1e-5)


def test_what_was_seen_gives_nothing_again():
    env = movies(50)
    env.reset(seed=1)
    _, _, _, _, info = env.step(np.full(50, 7))
    assert (info["expected_reward"] > 0).all() and not info["action_mask"][:, 7].any()
    assert info["action_mask"].sum() == 50 * (len(env.items) - 1)
    _, reward, _, _, info = env.step(np.full(50, 7))
    assert not info["expected_reward"].any() and not reward.any()
    np.testing.assert_array_equal(env.probabilities()[:, 7], 0.0)


def test_the_oracle_shows_the_best_fifty_in_order():
    env = movies(20)
    env.reset(seed=1)
    before = env.probabilities()
    shown = []
    for _ in range(env.horizon):
        shown.append(env.oracle())
        env.step(shown[-1])
    np.testing.assert_array_equal(np.array(shown).T, np.argsort(-before, axis=1, kind="stable")[:, :env.horizon])


@pytest.mark.parametrize("impressions", [10, 20, 50])
def test_a_user_who_likes_everything_stays_inside_the_observation_space(impressions):
    env = movies(1, impressions=impressions)
    env.catalogue = env.catalogue._replace(mu=100.0)                         # logit + 100
    env.reset(seed=0)
    common = np.where(np.isin(env.items, (0, 1)).all(axis=0), env.items.sum(axis=0), 0).argmax()      # a genre of many
    for action in np.argsort(-env.items[:, common], kind="stable")[:impressions]:
        obs, reward, *_ = env.step(np.array([action]))
        assert reward[0] == 1 and env.observation_space.contains(obs)
    assert obs[0, common] == pytest.approx(impressions / 10, rel=1e-6)


# the log --------------------------------------------------------------------------------------------------------------
def test_training_validation_and_test_users_are_different_people():
    env = movies(1)
    groups = env.world.groups
    everyone = np.concatenate(groups)
    assert len(everyone) == len(set(everyone)) == len(env.world.taste.user_mean)
    assert [round(len(g) / len(everyone), 2) for g in groups] == [0.6, 0.2, 0.2]
    other = movies(1, world_seed=1).world.groups
    assert set(groups[0]) != set(other[0])                                   # the split is the world's
    batch = env.log_batch()
    of_training = np.isin(env.world.rows["user"], groups[0])
    assert batch["reward"].shape == (1, of_training.sum())
    assert batch["reward"].sum() == env.world.rows["like"][of_training].sum()
    np.testing.assert_array_equal(np.bincount(batch["action"][0]), np.bincount(env.world.rows["item"][of_training]))


def test_the_logs_observations_are_those_of_the_reference_history():
    env = movies(1)
    batch, world = env.log_batch(), env.world
    start = 0
    for user in np.sort(world.groups[0])[:12]:
        mine = world.rows["user"] == user
        items, likes = world.rows["item"][mine], world.rows["like"][mine]
        for r in range(len(items)):
            begin = r // env.horizon * env.horizon                           # sessions are cut every 50 rows
            t = slice(begin, r), slice(begin, r + 1)
            row = start + r
            assert batch["action"][0, row] == items[r] and batch["reward"][0, row] == likes[r]
            for name, part in zip(("obs", "next_obs"), t, strict=True):
                expected = history(env.items, items[part], likes[part], env.horizon)
                np.testing.assert_allclose(batch[name][0, row], expected, atol=1e-5)
            assert batch["truncated"][0, row] == (r + 1 == len(items) or (r + 1) % env.horizon == 0)
        start += len(items)
    assert not batch["terminated"].any() and np.isnan(batch["log_prob"]).all()


def test_a_replayed_session_shows_bit_for_bit_what_the_environment_showed():
    env = movies(5)
    obs, _ = env.reset(seed=3)
    rows = []
    for action in make_rng(2).integers(len(env.items), size=(env.horizon, 5)):
        after, reward, _, truncated, _ = env.step(action)
        rows.append((obs, action, reward, after, truncated))
        obs = after
    before, action, reward, after, last = (np.array(part).swapaxes(0, 1) for part in zip(*rows, strict=True))
    flat = [part.reshape(250, -1) for part in (before, after, last)]
    out = [np.zeros_like(part) for part in flat]
    replay(np.repeat(np.arange(5), 50), action.reshape(-1), reward.reshape(-1).astype(float), env.items, 50,
           out[0], out[1], out[2][:, 0])
    for shown, replayed in zip(flat, out, strict=True):
        np.testing.assert_array_equal(shown, replayed)


# the fit --------------------------------------------------------------------------------------------------------------
def test_without_taste_a_huge_log_gives_back_the_rates():
    rng = make_rng(1)
    rates = np.array([0.1, 0.3, 0.5, 0.7, 0.95])
    item = rng.integers(5, size=200_000)
    like = (rng.random(len(item)) < rates[item]).astype(float)
    fitted = taste.fit(np.zeros(len(item), np.int64), item, like, 1, 5, 0)
    seen = np.bincount(item, like) / np.bincount(item)
    logits = fitted.mu + fitted.user_mean[0, 0] + fitted.item_mean[:, 0]
    np.testing.assert_allclose(logits, np.log(seen / (1 - seen)), atol=5e-3)
    np.testing.assert_allclose(fitted.probability(np.zeros(5, np.int64), np.arange(5)), seen, atol=1e-3)


def test_an_item_effect_is_the_posterior_mean_on_a_grid():
    """One item's effect given the rest, by brute force: N(0, τ²) with the fit's own τ times the logistic likelihood."""
    rng = make_rng(2)
    truth, item = rng.normal(size=40), rng.integers(40, size=1200)
    like = (rng.random(1200) < sigmoid(0.3 + truth[item])).astype(float)
    fitted = taste.fit(np.zeros(1200, np.int64), item, like, 1, 40, 0)
    rest = fitted.mu + fitted.user_mean[0, 0]
    prior = (fitted.item_mean[:, 0] ** 2 + fitted.item_cov[:, 0, 0]).mean()
    grid = np.linspace(-6, 6, 4001)
    for a in range(40):
        y = like[item == a]
        log_post = -grid**2 / (2 * prior) + y.sum() * (rest + grid) - len(y) * np.logaddexp(0, rest + grid)
        weight = np.exp(log_post - log_post.max())
        mean = (weight * grid).sum() / weight.sum()
        sd = np.sqrt((weight * (grid - mean) ** 2).sum() / weight.sum())
        assert abs(fitted.item_mean[a, 0] - mean) < 0.15 * sd
        var = fitted.item_cov[a, 0, 0]
        ratio = np.sqrt(var) / sd                  # the bound's ω = tanh(ξ/2) / 2ξ is above the curvature σ'(ξ), and
        assert ratio < 1 and (ratio > 0.95 or abs(rest + mean) > 0.7)        # equal to it at 0: too sure of extremes
        second = (rest + fitted.item_mean[a, 0])**2 + var + fitted.user_cov[0, 0, 0]
        weight = np.tanh(np.sqrt(second) / 2) / (2 * np.sqrt(second))
        assert var == pytest.approx(1 / (1 / prior + len(y) * weight), rel=1e-6)
        assert fitted.item_mean[a, 0] == pytest.approx(var * (y - 0.5 - weight * rest).sum(), abs=1e-6)


def made_up(users=400, items=80, per_user=50, dimensions=2, seed=3):
    """A log from the model itself: (user, item, like, true logit)."""
    rng = make_rng(seed)
    c, b = 0.8 * rng.normal(size=users), 0.8 * rng.normal(size=items)
    p, q = rng.normal(size=(users, dimensions)), 0.7 * rng.normal(size=(items, dimensions))
    user = np.repeat(np.arange(users), per_user)
    item = np.concatenate([rng.permutation(items)[:per_user] for _ in range(users)])
    logit = 0.2 + c[user] + b[item] + (p[user] * q[item]).sum(axis=1)
    return user, item, (rng.random(len(user)) < sigmoid(logit)).astype(float), logit


def test_the_model_is_found_again_in_its_own_data():
    user, item, like, logit = made_up()
    held = make_rng(4).random(len(user)) < 0.2
    def score(dimensions):
        fitted = taste.fit(user[~held], item[~held], like[~held], 400, 80, dimensions)
        return fitted, taste.log_likelihood(fitted.probability(user[held], item[held]), like[held]).mean()
    truth = taste.log_likelihood(sigmoid(logit[held]), like[held]).mean()
    (_, none), (fitted, two), (_, four) = score(0), score(2), score(4)
    assert none + 0.03 < two < truth and truth - two < 0.045                 # 1440 numbers from 16 000 rows cost that
    assert four == pytest.approx(two, abs=0.003)                             # dimensions that are not there do no harm
    sizes = np.sort((fitted.item_mean[:, 1:]**2).mean(axis=0))
    assert sizes[0] > 0.1                                                    # both that are there were found
    points, width = fitted.user_mean[:, 0].var(), fitted.user_cov[:, 0, 0].mean()
    assert points < points + width < 0.64                                    # draws come nearer to the users' own .8²
    p = fitted.probability(user[held], item[held])
    for low, high in ((0, .3), (.3, .5), (.5, .7), (.7, 1)):
        inside = (p >= low) & (p < high)
        error = np.sqrt(p[inside].mean() * (1 - p[inside].mean()) / inside.sum())
        assert abs(p[inside].mean() - like[held][inside].mean()) < 4 * error + 0.01
    # every posterior is a Gaussian
    for cov in (fitted.user_cov, fitted.item_cov):
        np.testing.assert_allclose(cov, cov.swapaxes(1, 2), atol=1e-12)
        assert np.linalg.eigvalsh(cov).min() > 0


def test_few_rows_are_shrunk_more_than_many():
    """Items 0 and 1 are liked nine times of ten; item 0 in 10 rows, item 1 in 1000; the others vary about one half."""
    rng = make_rng(5)
    rates = rng.uniform(0.2, 0.8, 30)
    item = np.concatenate([np.zeros(10, int), np.ones(1000, int), np.repeat(np.arange(2, 32), 200)])
    like = np.concatenate([np.tile([1.] * 9 + [0.], 101), (rng.random(6000) < np.repeat(rates, 200)).astype(float)])
    user = rng.integers(50, size=len(item))
    fitted = taste.fit(user, item, like, 50, 32, 0)
    effect, raw = fitted.item_mean[:2, 0], np.log(0.9 / 0.1) - fitted.mu
    assert 0 < effect[0] < 0.85 * raw and 0.95 * raw < effect[1] < 1.02 * raw
    assert fitted.item_cov[0, 0, 0] > 10 * fitted.item_cov[1, 0, 0]
    assert fitted.user_mean[:, 0].std() < 0.1                                # and no user differs: nothing is found


def test_auc_by_hand():
    assert taste.auc(np.array([.1, .2, .3, .4]), np.array([0, 1, 0, 1])) == 0.75
    assert taste.auc(np.array([.5, .5, .5]), np.array([0, 1, 1])) == 0.5
    assert np.isnan(taste.auc(np.array([.5, .6]), np.array([1, 1])))


# the shipped movies ---------------------------------------------------------------------------------------------------
@lru_cache
def report():
    return movies(1).calibration()


def test_the_movies_teach_something_in_ten_of_ten_splits():
    found = report()
    assert len(found["gain_splits"]) == 10 and min(found["gain_splits"]) > 0 and min(found["gain_items_splits"]) > 0
    assert found["base"] == pytest.approx(-0.677, abs=0.004)
    assert found["item_only"] == pytest.approx(-0.625, abs=0.004)
    assert -0.545 < found["model"] < -0.53
    assert found["gain_over_base"] == pytest.approx(found["model"] - found["base"], abs=1e-12)


def test_the_probabilities_of_the_movies_are_calibrated():
    found = report()
    assert len(found["reliability"]) == 10
    assert sum(part["rows"] for part in found["reliability"]) == found["held_out_rows"]
    for part in found["reliability"]:
        error = np.sqrt(part["predicted"] * (1 - part["predicted"]) / part["rows"])
        assert abs(part["predicted"] - part["observed"]) < 4 * error + 0.02
    assert found["auc"] > 0.75 and all(level["gain"] > 0 for level in found["by_activity"])


def test_random_popularity_and_oracle_on_test_users():
    """Likes an impression over 50 different movies: random ≈ .58 < popularity ≈ .76 < oracle, each by many errors."""
    env = movies(len(TEST_USERS))
    batch = env.log_batch()
    batch = Transition(*(batch.get(name) for name in Transition._fields))
    def score(name):
        cls = name and find_algorithm(name)
        policy = cls and cls(env.single_observation_space, env.single_action_space, make_config(cls, {}))
        if name == "popularity":
            policy.learn(batch)
        result = evaluate(env, policy, 1, make_rng(1), TEST_USERS)
        assert (result["length"] == 50).all()
        return result["return"] / 50
    random, popularity, oracle = score("random"), score("popularity"), score(None)
    assert random.mean() == pytest.approx(0.58, abs=0.02)
    assert popularity.mean() == pytest.approx(0.76, abs=0.02)
    assert (oracle >= np.maximum(random, popularity) - 1e-12).all()          # user by user, by definition
    for low, high in ((random, popularity), (popularity, oracle)):
        assert (high - low).mean() > 10 * (high - low).std() / np.sqrt(len(low))


@pytest.mark.parametrize(("params", "words"), [
    ({"impressions": 454}, "impressions = 454 exceed the catalogue of 453 items"),
    ({"min_item_rows": 10**6}, "min_item_rows = 1000000"),
    ({"path": "no_such_file.parquet"}, "no_such_file.parquet"),
])
def test_what_cannot_be_simulated_is_said(params, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        movies(1, **params)


# logs of one's own ----------------------------------------------------------------------------------------------------
def shop(tmp_path, reward, name="shop.csv"):
    """2,000 rows of 40 users and three items called 007, 7 and 10, with columns of the shop's own names."""
    rng = make_rng(9)
    item = rng.integers(3, size=2000)
    pd.DataFrame({"who": rng.integers(40, size=2000), "what": np.array(["007", "7", "10"])[item],
                  "stars": reward(item, rng)}).to_csv(tmp_path / name, index=False)
    return {"path": str(tmp_path / name), "columns": {"user": "who", "item": "what", "reward": "stars"},
            "impressions": 3}


def stars(item, rng):
    return rng.choice([1, 2, 3, 4, 5], size=len(item), p=[.1, .2, .3, .2, .2])


def seconds(item, rng):
    """The first two items: 2 s, nearly always; the third: 30 s, half of the time."""
    return np.where(item < 2, 2.0 * (rng.random(len(item)) < .9), 30.0 * (rng.random(len(item)) < .5))


def test_ratings_are_fitted_as_the_likes_that_the_threshold_makes(tmp_path):
    params = shop(tmp_path, stars)
    with pytest.raises(ValueError, match="looks like ratings"):
        movies(1, **params)
    env = movies(1, **params, like=4)
    assert env.world.item_ids.tolist() == ["007", "7", "10"] and env.world.titles == ["007", "7", "10"]
    table = pd.read_csv(tmp_path / "shop.csv")
    assert env.world.rows["like"].mean() == pytest.approx((table.stars >= 4).mean())
    assert movies(1, **params, like=2).world.rows["like"].mean() == pytest.approx((table.stars >= 2).mean())


def test_an_amount_is_never_cut_in_silence(tmp_path):
    params = shop(tmp_path, seconds)
    with pytest.raises(ValueError, match=r"the reward is an amount \(0 to 30, mean .*like: X \(--like X\)"):
        movies(1, **params)
    world = movies(1, **params, like=10).world
    assert world.taste.item_mean[:, 0].argmax() == 2                         # 10 s or more: only the third item
    with pytest.raises(ValueError, match="the reward is an amount"):
        movies(1, **shop(tmp_path, stars), as_values=True)
    with pytest.raises(ValueError, match="the reward is a real number"):
        movies(1, **shop(tmp_path, lambda item, rng: rng.normal(size=len(item)), "real.csv"))


@pytest.mark.parametrize(("params", "words"), [
    ({"like": "4"}, "parameter 'like' = '4' must be a float"), ({"like": float("nan")}, "must be a finite number"),
    ({"like": True}, "'like' = True must be a float"), ({"as_values": 1}, "'as_values' = 1 must be a bool"),
    ({"columns": "item=what"}, r"parameter 'columns' = 'item=what' must be a mapping \(key: value\)"),
    ({"columns": {"item": 3}, "path": "x.csv"}, "parameter 'columns': 'item': 3 must be a name of the schema"),
    ({"like": 4}, "describe a log of yours: name it with path"),
    ({"columns": {"item": "what"}}, "describe a log of yours"),
    ({"path": "coat=nowhere"}, "coat=nowhere: no such file or folder")])
def test_how_a_log_is_read_is_checked(params, words):
    with pytest.raises(ValueError, match=words):
        movies(1, **params)


def test_a_server_makes_the_observations_and_masks_of_the_simulator():
    """Step by step over a session and a half, from items and rewards alone."""
    env = movies(2, autoreset="same_step", impressions=6)
    observer = env.knows().observer
    obs, _ = env.reset(seed=3)
    rng, shown, likes = make_rng(7), [[], []], [[], []]
    for _ in range(9):
        for n in range(2):
            made, allowed = observe(observer.numbers, np.array(shown[n], np.int64), np.array(likes[n]))
            np.testing.assert_array_equal(made, obs[n])
            start = len(shown[n]) // 6 * 6
            assert set(np.flatnonzero(~allowed)) == set(shown[n][start:])
        action = rng.integers(len(env.items), size=2)
        obs, reward, *_ = env.step(action)
        for n in range(2):
            shown[n].append(action[n])
            likes[n].append(reward[n])
    assert env.knows().names.ids()[:2] == [str(item) for item in env.world.item_ids[:2]]
