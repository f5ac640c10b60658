"""Question by question: each column of a log turns the answers that need it, and sizes are those of the formula."""
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from envs import logs
from envs.logs.answers import visible_difference, visible_lift

N, Z = 10_000, 2.801585218
RNG = np.random.default_rng(1)
BARE = pd.DataFrame({"user": np.arange(N) % 500, "item": RNG.integers(0, 20, N), "click": (np.arange(N) % 10 == 0) * 1})
TIME = 1.65e9 + np.arange(N) * 300.0                              # 34.7 days
FULL = BARE.assign(time=TIME, propensity=0.05, policy="random", position=np.arange(N) % 4, dwell=np.arange(N) % 7,
                   session=np.arange(N) // 500 // 2, terminated=np.arange(N) % 25 == 0)


def answers(frame, **how):
    return {answer.question: answer for answer in logs.check(logs.from_frame(frame, **how)).answers}


def test_a_log_with_everything_answers_everything():
    told = answers(FULL)
    assert list(told) == ["rank two policies", "value another policy off-line", "position effect",
                          "repeats and satiation", "when users leave", "when users return", "drift", "time and money",
                          "personalise"]
    few = {"position effect", "when users leave", "drift", "repeats and satiation"}
    assert {q: a.verdict for q, a in told.items() if q not in few} == dict.fromkeys(set(told) - few, "yes")
    assert {told[question].verdict for question in few} <= {"yes", "partly"}


def test_three_columns_answer_little_and_every_no_says_what_to_record():
    told = answers(BARE)
    assert [a.verdict for a in told.values()] == ["yes", "no", "no", "no", "no", "no", "no", "no", "yes"]
    for answer in told.values():
        assert answer.verdict == "yes" or answer.record
    assert "the propensity of every item shown, and let 15-20 % of the decisions, their order included, be " in str(
        told["value another policy off-line"])
    assert "session, and in its last row terminated" in str(told["when users leave"])


def test_sizes_are_those_of_two_groups():
    assert visible_difference(pd.Series([1.0] * 500 + [0.0] * 500)) == pytest.approx(visible_lift(500, 1000))
    assert visible_difference(pd.Series([0.0, 0.0])) == math.inf
    lift = Z * math.sqrt(2 * .9 / 1000)
    assert f"rates that differ by {lift:.1%} or more: 1,000 positives in 10,000 rows" in answers(BARE)[
        "rank two policies"].why
    poor = answers(BARE.head(500))["rank two policies"]
    assert poor.verdict == "no" and "only from 53% on" in poor.why
    assert poor.record == "about 3,500 rows in all"                          # 500 (.5316 / .2)² = 3,532


def test_how_long_follows_the_logs_pace():
    frame = BARE.head(500).assign(time=TIME[:500])                           # 288 rows a day
    assert answers(frame)["rank two policies"].record == "about 3,500 rows in all, 13 days at this log's pace"


def test_carry_over_scales_with_the_root_of_the_rows():
    """100,000 rows have a standard error of .012: 9,500 later rows show z · .012 · (100,000 / 9,500)^½ = .109."""
    answer = answers(FULL)["repeats and satiation"]
    assert answer.verdict == "partly" and "9,500 rows after an earlier one of the same user" in answer.why
    assert f"{Z * .012 * math.sqrt(1e5 / 9500):.3f} in log-odds" in answer.why and "0.109" in answer.why
    assert answer.record.startswith("about 11,000 rows of this kind")        # (z · .012 / .1)² · 100,000 = 11,303
    without = answers(FULL.drop(columns="propensity"))["repeats and satiation"]
    assert without.verdict == "partly" and "only a bracket and a sign" in without.why
    assert answers(FULL.assign(propensity=1.0))["repeats and satiation"].why == without.why
    assert "nothing tells the order" in answers(FULL.drop(columns="time"))["repeats and satiation"].why
    assert "no user has two rows" in answers(FULL.assign(user=range(N)))["repeats and satiation"].why


def test_value():
    assert "every propensity is 1" in answers(FULL.assign(propensity=1.0))["value another policy off-line"].why
    some = answers(FULL.assign(propensity=np.where(np.arange(N) < 10, .02, np.nan)))["value another policy off-line"]
    assert some.verdict == "partly" and "known in 10 of 10,000 rows" in some.why and "weigh 50 times" in some.why


def test_position():
    told = answers(FULL)["position effect"]
    lift = Z * math.sqrt(2 * .9 / .1 / 2500)
    assert told.verdict == "partly"
    assert f"2,500 or more at each of 4 positions, show differences between two positions from {lift:.0%}" in told.why
    assert answers(FULL.assign(policy="live"))["position effect"].verdict == "partly"
    assert "no rows are known to have had a random order" in answers(FULL.assign(policy="live"))["position effect"].why
    assert answers(FULL.assign(position=1))["position effect"].verdict == "no"
    drawn = FULL.drop(columns="policy").assign(propensity=0.5, candidates=[["1", "2"]] * N)
    assert "10,000 rows with a random order" in answers(drawn)["position effect"].why


def test_leaving_returning_and_drift():
    told = answers(FULL)
    lift = Z * math.sqrt(2 * .96 / 400)
    assert f"400 rows: hazards that differ by {lift:.0%} or more" in told["when users leave"].why
    assert "every row ends its session" in answers(FULL.assign(terminated=True))["when users leave"].why
    assert "4,500 times" in told["when users return"].why                    # 10 sessions of each of 500 users
    once = answers(FULL.assign(session="s"))["when users return"]
    assert once.verdict == "no" and "no user has two sessions" in once.why
    assert answers(FULL.assign(time=np.arange(N)))["when users return"].why == "it has no dates."
    assert "it spans 35 days; from one week to the next a change of " in told["drift"].why
    assert "it spans 3.5 days" in answers(FULL.assign(time=1.65e9 + np.arange(N) * 30.0))["drift"].why


def test_amounts_and_persons():
    told = answers(FULL)
    values = np.arange(N) % 7
    show = math.expm1(Z * pd.Series(np.log(values[values > 0])).std() * math.sqrt(2 / (values > 0).sum()))
    assert f"dwell is above 0 in 85.7% of 10,000 rows; there, values that differ by {show:.1%}" in told[
        "time and money"].why
    paid = answers(BARE.drop(columns="click").assign(reward=np.where(np.arange(N) % 2, 0, 12.5)))["time and money"]
    assert "reward is above 0 in 50.0%" in paid.why
    alone = BARE.assign(user=range(N))
    assert answers(alone)["personalise"].verdict == "no"
    assert answers(alone.assign(user_age=30, obs_hour=3))["personalise"].verdict == "partly"
    assert "from 2 features of users" in answers(alone.assign(user_age=30, obs_hour=3))["personalise"].why


def test_items_that_users_chose_have_no_policy_to_value():
    told = answers(BARE.assign(click=1, time=TIME))
    assert "no recommending policy is behind these rows" in told["value another policy off-line"].why
    assert "order of entry" in told["repeats and satiation"].why


small = st.integers(0, 3)
rows = st.fixed_dictionaries(
    {"user": small, "item": small, "reward": st.one_of(st.none(), st.sampled_from([0.0, 1.0, -1.0, 2.5, 60.0]))},
    optional={"time": st.one_of(st.none(), st.integers(1_600_000_000, 1_610_000_000)),
              "session": st.one_of(st.none(), small), "position": st.one_of(st.none(), small),
              "propensity": st.sampled_from([None, 1.0, 0.5, 1e-6]),
              "policy": st.sampled_from([None, "random", "live"]),
              "terminated": st.booleans(), "dwell": st.sampled_from([None, 0.0, 3.5]), "step": small, "request": small,
              "obs_list": st.lists(small), "user_age": st.integers(1, 9),
              "candidates": st.one_of(st.none(), st.lists(small, min_size=1))})


@settings(max_examples=80, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(st.lists(rows, min_size=1, max_size=8))
def test_any_log_has_nine_answers_in_words(rows):
    if all(row["reward"] is None for row in rows):
        rows[0]["reward"] = 1.0
    told = logs.check(logs.from_frame(pd.DataFrame(rows), as_values=True))
    assert len(told.answers) == 9 and not {"nan", "inf"} & set(str(told).replace("%", " ").split())
    assert all(answer.verdict == "yes" or answer.record for answer in told.answers)


def test_rewards_around_zero_have_no_relative_difference():
    even = BARE.drop(columns="click").assign(reward=np.where(np.arange(N) % 2, 1.0, -1.0), time=TIME)
    told = answers(even)
    assert "the mean reward is 0" in told["rank two policies"].why and "its mean is 0" in told["drift"].why
