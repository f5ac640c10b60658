"""Likes, amounts, values, and ratings that must not be taken for one of them."""
import numpy as np
import pandas as pd
import pytest

from envs import logs
from envs.logs.rewards import family_of, like_ratings

RNG = np.random.default_rng(0)
STARS = pd.Series(RNG.choice([.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5], 500)).astype(float)


def log_of(reward, **how):
    n = len(reward)
    return logs.from_frame(pd.DataFrame({"user": range(n), "item": "b", "reward": reward}), path="r", **how)


@pytest.mark.parametrize(("reward", "family"), [
    ([0, 1, 1, None], "binary"), ([0, 0], "binary"), ([0, 0, 3, 0.2], "amount"), ([15.5, 1.8], "amount"),
    ([0, 1, 2], "amount"), ([-1, 0, 1], "real"), ([-0.5, None], "real")])
def test_families(reward, family):
    assert family_of(pd.Series(reward, dtype=float)) == family == log_of(reward).family


@pytest.mark.parametrize("reward", [
    STARS, [1, 2, 3, 4, 5] * 3, [5, 4, 3, 5, 5], [7, 10, 8, None, 9] * 3, [0, 2, 4, 6, 8, 10, 9] + [8, 9] * 10])
def test_ratings_are_recognised(reward):
    assert like_ratings(pd.Series(reward, dtype=float))
    with pytest.raises(ValueError, match=r"r: column 'reward' looks like ratings \(.*--like .*--as-values") as caught:
        log_of(reward)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reward", [
    [0, 1, 1], [1, 1, 1], [0, 0, 0, 0, 1, 2, 5], [1] * 60 + [2] * 20 + [3] * 10 + [4] * 5,    # what was bought
    RNG.exponential(5, 100), RNG.integers(0, 500, 200), [-2, 1, 4, 5], [1.25, 2, 5], [1, 2, 6], [4.5, 2.0]])
def test_counts_money_and_likes_are_no_ratings(reward):
    assert not like_ratings(pd.Series(reward, dtype=float))
    log_of(reward)


def test_a_like_is_a_reward_of_at_least_the_threshold():
    log = log_of([1, 4, 3.5, None, 5, 2], like=4)
    assert log.frame["reward"].tolist()[:3] == [0, 1, 0] and np.isnan(log.frame["reward"][3]) and log.family == "binary"
    assert "a reward of 4 or more counts as a like (1), any other as 0: 40.0% are likes" in log.notes
    values = log_of([1, 4, 3.5, None, 5, 2], as_values=True)
    assert values.frame["reward"].tolist()[:3] == [1, 4, 3.5] and values.family == "amount"
    assert log_of([0, 60, 3.2], like=10).frame["reward"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(("how", "words"), [
    ({"like": 6}, "like = 6 divides nothing: the rewards lie between 1 and 5"),
    ({"like": 1}, "like = 1 divides nothing"),
    ({"like": 4, "as_values": True}, "like = 4 and as_values exclude each other")])
def test_decisions_that_decide_nothing(how, words):
    with pytest.raises(ValueError, match=words):
        log_of([1, 2, 3, 4, 5], **how)


def test_what_was_decided_is_written_with_the_log(tmp_path):
    for how, family in (({"as_values": True}, "amount"), ({"like": 3}, "binary")):
        log = log_of(list(STARS), **how)
        logs.write(log, tmp_path / "r.parquet")
        back = logs.read(tmp_path / "r.parquet")
        assert back.family == family and back.self_selected and back.notes == log.notes
        pd.testing.assert_frame_equal(back.frame, log.frame)
    log = log_of(list(STARS), as_values=True)
    logs.write(log, tmp_path / "r.parquet")
    assert logs.read(tmp_path / "r.parquet", like=4).frame["reward"].mean() == pytest.approx((STARS >= 4).mean())


def test_ratings_and_purchases_without_impressions_have_no_recommending_policy():
    said = "has no recommending policy: users chose these items themselves"
    ratings, bought = log_of(list(STARS), like=4), log_of([1] * 9)
    assert ratings.self_selected and bought.self_selected and said in str(logs.check(ratings))
    shown = logs.from_frame(pd.DataFrame({"user": range(500), "item": "b", "reward": STARS, "propensity": .1}), like=4)
    clicks = log_of([1, 0, 1])
    assert not shown.self_selected and not clicks.self_selected and said not in str(logs.check(clicks))


def test_check_says_the_family():
    assert "The reward is an amount (counts, time or money): 0 to 9, 50.0% are zero" in str(logs.check(log_of([0, 9])))
    assert "The reward is a real number: -3 to 2.5, 50.0% are negative" in str(logs.check(log_of([-3, 2.5])))
