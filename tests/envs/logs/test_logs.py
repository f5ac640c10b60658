"""The interaction log: round trips, broken input, unknown ends, what `check` says, and the logs that ship."""
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs import logs
from envs.logs import tables
from envs.logs.__main__ import main
from envs.logs.answers import visible_lift
from envs.logs.check import wilson
from envs.logs.schema import LISTS

FULL = pd.DataFrame({                                      # every column of the schema once, with nulls where allowed
    "time": [10.0, 20.0, 30.0, 5.0],
    "user": ["ann", "ann", "ann", "bob"],
    "session": [1, 1, 2, 1],
    "request": ["r1", "r2", "r3", "r4"],
    "step": [0.0, 1.0, 0.0, 0.0],
    "position": [1.0, 2.0, None, 1.0],
    "item": [7, 9, 7, 8],
    "candidates": [[7, 9], [7, 9, 11], None, [8, 7]],
    "mask": [[True, True], [True, True, False], None, [True, True]],
    "propensity": [0.5, 0.25, 1.0, None],
    "policy": ["old", "old", "new", None],
    "click": [1.0, 0.0, 1.0, 0.0],
    "dwell": [3.5, 0.0, None, 1.0],
    "reward": [1.0, 0.0, 2.5, 0.0],
    "terminated": [False, True, False, False],
    "truncated": [False, False, False, True],
    "obs_hour": [8.0, 9.0, 10.0, 11.0],
    "user_age": [30.0, 30.0, 30.0, None],
    "item_year": [1999.0, 2005.0, 1999.0, 2010.0],
    "item_title": ["Heat", "Ray", "Heat", None],
})
SMALL = {"user": [1, 1, 2], "item": [3, 4, 3], "click": [1, 0, 1]}


def small(**columns) -> pd.DataFrame:
    return pd.DataFrame(SMALL | columns)


def same(first: pd.DataFrame, second: pd.DataFrame):
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def listed(frame):
    return [None if cell is None else list(cell) for cell in frame]


LISTED = {"candidates": [["7", "9"], ["7", "9", "11"], None, ["8", "7"]], "mask": list(FULL["mask"])}   # ids are text


# round trips ----------------------------------------------------------------------------------------------------------
def test_parquet_round_trip_is_exact(tmp_path):
    log = logs.from_frame(FULL)
    assert list(log.frame) == [*logs.SCHEMA, "obs_hour", "user_age", "item_year", "item_title"]
    logs.write(log, tmp_path / "log.parquet")
    back = logs.read(tmp_path / "log.parquet")
    lists = list(LISTS)
    same(back.frame.drop(columns=lists), log.frame.drop(columns=lists))
    for name in lists:
        assert listed(back.frame[name]) == LISTED[name]
    assert back.notes == log.notes and back.path == str(tmp_path / "log.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def test_csv_is_the_same_log(tmp_path):
    text = FULL.assign(**{name: FULL[name].map(lambda c: None if c is None else str(c).lower()) for name in LISTS})
    for name in ("log.csv", "log.csv.gz"):
        text.to_csv(tmp_path / name, index=False)
        back, log = logs.read(tmp_path / name).frame, logs.from_frame(FULL).frame
        same(back.drop(columns=["candidates", "mask"]), log.drop(columns=["candidates", "mask"]))
        assert listed(back["candidates"]) == LISTED["candidates"] and listed(back["mask"]) == LISTED["mask"]


number = st.one_of(st.none(), st.floats(-1e9, 1e9, width=32))
row = st.fixed_dictionaries({
    "user": st.integers(0, 5), "item": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    "click": st.sampled_from([0, 1, None]), "reward": st.floats(-1e6, 1e6), "dwell": st.floats(0, 1e6),
    "propensity": st.one_of(st.none(), st.floats(1e-6, 1.0)), "session": st.sampled_from([None, "a", "b"]),
    "terminated": st.booleans(), "truncated": st.sampled_from([True, False, None]), "obs_x": number})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(row, min_size=1, max_size=12))
def test_any_log_survives_write_and_read(tmp_path, rows):
    log = logs.from_frame(pd.DataFrame(rows))
    logs.write(log, tmp_path / "any.parquet")
    back = logs.read(tmp_path / "any.parquet")
    same(back.frame, log.frame)
    assert back.notes == log.notes
    ends = (log.frame["terminated"] | log.frame["truncated"]).groupby(
        [log.frame["user"], log.frame["session"]], dropna=False)
    assert ends.last().all()                                            # every session ends, one way or the other


def test_column_map(tmp_path):
    frame = pd.DataFrame({"userId": [1, 2], "movieId": [3, 4], "rating": [4.5, 2.0], "item": ["x", "y"], "junk": 0})
    frame.to_csv(tmp_path / "ratings.csv", index=False)
    columns = {"user": "userId", "item": "movieId", "reward": "rating"}
    log = logs.read(tmp_path / "ratings.csv", columns)
    assert log.frame["item"].tolist() == ["3", "4"] and log.frame["reward"].tolist() == [4.5, 2.0]
    assert "columns left out: item, junk" in log.notes                 # the mapped item, not the file's own
    same(log.frame, logs.from_frame(frame, columns).frame)
    assert log.notes == logs.from_frame(frame, columns).notes


def test_one_column_may_serve_twice():
    log = logs.from_frame(pd.DataFrame({"user": [1, 2], "item": [3, 4], "liked": [True, False]}),
                          {"click": "liked", "reward": "liked"})
    assert log.frame["click"].tolist() == log.frame["reward"].tolist() == [1.0, 0.0]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    logs.write(logs.from_frame(small()), tmp_path / "log.parquet")
    before = (tmp_path / "log.parquet").read_bytes()

    def half(table, path):
        open(path, "w").write("half")
        raise OSError("disk full")

    monkeypatch.setattr(tables.pq, "write_table", half)
    with pytest.raises(OSError, match="disk full"):
        logs.write(logs.from_frame(FULL), tmp_path / "log.parquet")
    assert (tmp_path / "log.parquet").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def test_dates_become_seconds():
    at = ["1970-01-01T00:00:01Z", "1970-01-02T00:00:00+01:00", None]
    for dates in (at, pd.to_datetime(pd.Series(at), utc=True, format="ISO8601")):
        time = logs.from_frame(small(time=dates)).frame["time"]
        assert time[0] == 1.0 and time[1] == 23 * 3600 and np.isnan(time[2])
    plain = pd.Series(pd.to_datetime(["1970-01-01", "1970-01-03", "2000-01-01"])).astype("datetime64[s]")
    assert logs.from_frame(small(time=plain)).frame["time"].tolist() == [0.0, 172800.0, 946684800.0]


# broken input ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("columns", "message"), [
    ({"propensity": [0.5, 1.7, 0.1]}, r"column 'propensity' = 1.7 in row 2 must be in \(0, 1\]"),
    ({"propensity": [0.5, 0.1, 0.0]}, r"column 'propensity' = 0.0 in row 3"),
    ({"reward": [1, "much", 0]}, "column 'reward' = 'much' in row 2 must be a number"),
    ({"reward": [1, 0, np.inf]}, "column 'reward' = inf in row 3 must be a number"),
    ({"reward": [None, None, None]}, "is null in every row"),
    ({"click": [1, 2, 0]}, "column 'click' = 2.0 in row 2 must be 0 or 1"),
    ({"dwell": [1, 2, -0.5]}, "column 'dwell' = -0.5 in row 3 must be 0 or more"),
    ({"position": [1, 1.5, 2]}, "column 'position' = 1.5 in row 2 must be a whole number"),
    ({"terminated": ["true", "perhaps", "false"]}, "column 'terminated' = 'perhaps' in row 2 must be a number"),
    ({"terminated": [0, 1, 3]}, "column 'terminated' = 3.0 in row 3 must be true or false"),
    ({"user": [1, None, 2]}, "column 'user' = nan in row 2 must be an id"),
    ({"item": ["a", "b", None]}, "column 'item' = .* in row 3 must be an id"),
    ({"time": ["2026-01-01", "yesterday", None]}, "column 'time' = 'yesterday' in row 2 must be seconds since 1970"),
    ({"candidates": [[1, 2], "three", None]}, "column 'candidates' = 'three' must be a list"),
    ({"mask": [[True], None, None]}, "column 'mask' needs a column 'candidates'"),
    ({"candidates": [[1, 2]] * 3, "mask": [[True, True], [True], None]}, "'mask' = .* in row 2 must be as long as"),
])
def test_broken_values_are_named(columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        logs.from_frame(small(**columns))
    small(**columns).to_csv(tmp_path / "bad.csv", index=False)
    if not {"candidates", "mask"} & set(columns):
        with pytest.raises(ValueError, match=r"bad\.csv: column"):
            logs.read(tmp_path / "bad.csv")


def test_broken_files_are_named(tmp_path):
    def broken(name, content, message, columns=None):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            logs.read(tmp_path / name, columns)
        assert name in str(caught.value) and "\n" not in str(caught.value)

    broken("none.csv", None, "no such file")
    broken("log.xlsx", b"x", "valid are .parquet, .csv and .csv.gz")
    broken("bad.parquet", b"not parquet", "not a readable .parquet file")
    broken("bad.csv.gz", b"not gzip", "not a readable .csv.gz file")
    broken("empty.csv", b"", "not a readable .csv file")
    broken("header.csv", b"user,item,click\n", "the log has no rows")
    broken("short.csv", b"user,click\n1,1\n", "column 'item' is missing; the file's columns are user, click")
    broken("silent.csv", b"user,item\n1,1\n", "column 'click or reward' is missing")
    good = b"user,item,click\n1,1,1\n"
    broken("map.csv", good, "column map: 'itm' is not in the schema; valid are time, user", {"itm": "item"})
    broken("map.csv", good, "column map: item=movie, but the file's columns are user, item, click", {"item": "movie"})
    with pytest.raises(ValueError, match=r"a log is written as \.parquet"):
        logs.write(logs.from_frame(small()), tmp_path / "log.csv")


# ends of sessions -----------------------------------------------------------------------------------------------------
def test_unknown_ends_are_truncated_at_the_last_row():
    """Session a ends by choice; b by nobody's word, and its last row by step is the first in the file."""
    frame = pd.DataFrame({"user": 1, "session": ["b", "a", "a", "b"], "step": [1, 0, 1, 0], "item": [1, 2, 3, 4],
                          "click": [0, 1, 0, 1], "terminated": [None, False, True, None]})
    log = logs.from_frame(frame)
    assert log.frame["terminated"].tolist() == [False, False, True, False]
    assert log.frame["truncated"].tolist() == [True, False, False, False]
    assert "the end is unknown in 1 of 2 sessions: counted as truncated at the last row" in log.notes
    assert log.notes == logs.from_frame(frame.assign(step=[20, 7, 8, 3])).notes


def test_without_sessions_a_users_rows_are_one():
    log = logs.from_frame(small(time=[20, 10, 5]))
    assert log.frame["truncated"].tolist() == [True, False, True]
    assert any("2 of 2 users' records" in note for note in log.notes)


def test_rows_of_one_request_end_together():
    frame = pd.DataFrame({"user": 1, "session": 1, "request": ["x", "x", "y", "y"], "time": [1, 1, 2, 2],
                          "item": [1, 2, 3, 4], "click": [0, 1, 0, 0]})
    assert logs.from_frame(frame).frame["truncated"].tolist() == [False, False, True, True]


def test_a_session_that_goes_on_after_its_end_is_reported():
    log = logs.from_frame(small(user=[1, 1, 1], session=[1, 1, 1], terminated=[True, False, True]))
    assert any("1 row said to end a session that goes on" in note for note in log.notes)


# arrays ---------------------------------------------------------------------------------------------------------------
def test_transition_arrays():
    log = logs.from_frame(FULL)
    arrays = logs.to_transition_arrays(log, [7, 8, 9])
    assert arrays["action"].tolist() == [[0, 2, 0, 1]]
    assert arrays["obs"].tolist() == [[[8.0], [9.0], [10.0], [11.0]]]
    assert arrays["next_obs"].tolist() == [[[9.0], [9.0], [10.0], [11.0]]]          # ann's first session has two rows
    assert arrays["reward"].tolist() == [[1.0, 0.0, 2.5, 0.0]]
    assert arrays["terminated"].tolist() == [[False, True, False, False]]
    assert arrays["truncated"].tolist() == [[False, False, True, True]]             # ann's second session: nobody knows
    assert arrays["log_prob"][0, :3] == pytest.approx(np.log([.5, .25, 1.0])) and np.isnan(arrays["log_prob"][0, 3])
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "obs": "float32", "action": "int64", "next_obs": "float32", "reward": "float32", "terminated": "bool",
        "truncated": "bool", "log_prob": "float32"}


def test_next_obs_of_a_slate_is_the_next_request():
    frame = pd.DataFrame({"user": 1, "session": 1, "request": ["x", "x", "y", "z"], "time": [1, 1, 2, 3], "item": 5,
                          "click": 0.0, "obs_n": [1.0, 1.0, 2.0, None]})
    arrays = logs.to_transition_arrays(logs.from_frame(frame), [5])
    mean = np.float32(4 / 3)
    assert arrays["obs"][0, :, 0].tolist() == [1.0, 1.0, 2.0, mean]
    assert arrays["next_obs"][0, :, 0].tolist() == [2.0, 2.0, mean, mean]


def test_next_obs_follows_the_session_not_the_file():
    """Steps 0 … 3 of one session stand in the file as 2, 0, 3, 1; a session that goes on after an end has no next."""
    frame = pd.DataFrame({"user": 1, "session": 1, "step": [2, 0, 3, 1], "item": 5, "click": 0.0,
                          "obs_n": [2.0, 0.0, 3.0, 1.0], "terminated": [False, False, True, True]})
    arrays = logs.to_transition_arrays(logs.from_frame(frame), [5])
    assert arrays["next_obs"][0, :, 0].tolist() == [3.0, 1.0, 3.0, 1.0]


def test_arrays_without_observations_or_propensities():
    arrays = logs.to_transition_arrays(logs.from_frame(small()), [4, 3])
    assert arrays["obs"].shape == (1, 3, 1) and not arrays["obs"].any() and np.isnan(arrays["log_prob"]).all()
    assert arrays["action"].tolist() == [[1, 0, 1]]


def test_arrays_refuse_what_they_cannot_hold():
    with pytest.raises(ValueError, match="column 'item' = '4' in row 2 must be one of the 1 item_ids"):
        logs.to_transition_arrays(logs.from_frame(small()), [3])
    with pytest.raises(ValueError, match="column 'reward' = nan in row 2 must be known"):
        logs.to_transition_arrays(logs.from_frame(small(reward=[1, None, 0])), [3, 4])
    with pytest.raises(ValueError, match="column 'obs_page' is text"):
        logs.to_transition_arrays(logs.from_frame(small(obs_page=["home", "cart", "home"])), [3, 4])


def test_items_take_the_first_known_value():
    frame = small(item_price=[None, 4.0, 2.0], item_new=[True, False, True], item_name=["a", "b", "a"])
    ids, features, names = logs.items(logs.from_frame(frame))
    assert ids.tolist() == ["3", "4"] and names == ["item_price", "item_new"]
    assert features.tolist() == [[2.0, 1.0], [4.0, 0.0]] and features.dtype == np.float32
    unknown = logs.items(logs.from_frame(small(item_price=[None, 4.0, None])))[1]
    assert unknown.tolist() == [[4.0], [4.0]]                                       # never known: the items' mean
    assert logs.items(logs.from_frame(small()))[1].shape == (2, 0)


# check ----------------------------------------------------------------------------------------------------------------
def says(told, part):
    return any(part in line for line in told)


def test_wilson_interval():
    """Published examples: 81 of 263 (Newcombe 1998, table I), 15 of 148, 0 of 20, 1 of 29."""
    for positives, rows, low, high in ((81, 263, .2553, .3662), (15, 148, .0624, .1605), (0, 20, 0, .1611),
                                       (1, 29, .0061, .1718)):
        assert wilson(positives, rows) == pytest.approx((low, high), abs=5e-5)
    assert wilson(20, 20)[1] == 1.0


def test_visible_lift_is_the_difference_that_two_samples_show():
    """50 % against 50 % of 1,000 rows each: 2.8016 sqrt(2 · .25 / 1000) = .0626, i.e. 12.5 % of the rate."""
    assert visible_lift(500, 1000) == pytest.approx(0.1253, abs=1e-4)
    assert visible_lift(46, 10_000) == pytest.approx(0.583, abs=1e-3) and visible_lift(0, 9) == np.inf


def test_check_counts():
    told = logs.check(logs.from_frame(FULL.drop(columns="reward")))
    assert (told.rows, told.users, told.items, told.positives) == (4, 2, 3, 2)
    assert told.positions == {1: 2, 2: 1}
    assert told.nulls == {"position": 1, "candidates": 1, "mask": 1, "propensity": 1, "policy": 1, "dwell": 1,
                          "user_age": 1, "item_title": 1}
    assert told.base_rate == pytest.approx((0.5, *wilson(2, 4)))
    assert says(told.facts, "Nulls: position 1, candidates 1")
    assert says(told.facts, "Positions: 1: 2 rows, mean reward 0.5; 2: 1 row, mean reward 0")
    assert says(told.facts, "4 rows of 2 users and 3 items.") and says(told.facts, "numbers from 5 to 30")
    assert says(told.facts, "Note: the end is unknown in 1 of 3 sessions")


def test_check_propensities():
    none = logs.check(logs.from_frame(small()))
    assert says(none.cannot, "doubly robust estimates: no row has a propensity. The direct method")
    assert not says(none.can, "value another policy")
    some = logs.check(logs.from_frame(small(propensity=[0.5, None, 0.02])))
    assert says(some.can, "known in 2 of 3 rows, and on these alone. The smallest is 0.02: such a row can weigh 50 ")
    assert not says(some.cannot, "inverse-propensity")
    assert says(logs.check(logs.from_frame(small(propensity=[0.5, 0.5, 0.5]))).can, "known in every row")
    assert says(logs.check(logs.from_frame(small(propensity=[1, 1, 1]))).cannot, "every propensity is 1")


def test_check_support():
    told = logs.check(logs.from_frame(small(candidates=[[3, 4, 5], [4, 6], [4]])))
    assert says(told.cannot, "value a policy that shows one of 2 candidates never shown here: 5, 6.")
    assert says(told.cannot, "be trusted in 1 row: the item shown is not among the row's candidates")
    assert says(told.cannot, "say much about 2 of 2 items by their own rates: fewer than 20 rows each")
    assert says(logs.check(logs.from_frame(small())).cannot, "it names no candidates")
    two = logs.check(logs.from_frame(small(policy=["old", "old", "new"])))
    assert says(two.cannot, "compare its policies on 1 item that not all of them have shown")
    assert says(two.facts, "Policy old earned 50.00%") and says(two.facts, "Policy new earned 100.00%")


def test_check_rewards_that_teach_nothing_and_rewards_that_are_no_clicks():
    assert says(logs.check(logs.from_frame(small(click=[0, 0, 0]))).cannot, "the reward is 0 in every row")
    told = logs.check(logs.from_frame(small(reward=[1.0, 2.0, 6.0])))
    half = 1.959963985 * np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    assert told.positives is None and told.base_rate == pytest.approx((3.0, 3.0 - half, 3.0 + half), rel=1e-6)
    assert says(told.facts, "Mean reward 3, 95% interval")


def test_check_sessions_and_positions():
    bare = logs.check(logs.from_frame(small()))
    assert says(bare.cannot, "it names no sessions") and says(bare.cannot, "positions are unknown")
    left = logs.check(logs.from_frame(small(session=[1, 1, 1], terminated=[0, 1, 1], position=[1, 1, 1])))
    assert says(left.can, "when users leave: users end a session in 2 rows") and says(left.cannot, "the same position")
    assert says(logs.check(logs.from_frame(small(session=[1, 1, 1]))).cannot, "no session is known to have ended")


# the logs that ship ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def movies():
    return logs.default_movies()


def test_movies(movies):
    """100,004 ratings of 671 users and 9,066 movies; 453 with 50 or more; a like is 4 stars or more."""
    told = logs.check(movies)
    assert (told.rows, told.users, told.items, told.positives) == (100_004, 671, 9_066, 51_568)
    assert (movies.frame["item"].value_counts() >= 50).sum() == 453 and says(told.facts, "453 items with 50 or more")
    assert told.base_rate == pytest.approx((0.515659, 0.512561, 0.518756), abs=1e-6)
    assert movies.frame.groupby("user").size().min() == 20
    assert says(told.facts, "1995-01-09 to 2016-10-16") and says(told.facts, "Note: the end is unknown in 671 of 671")
    assert says(told.cannot, "no recommending policy") and movies.frame["truncated"].sum() == 671


def test_movies_features(movies):
    ids, features, names = logs.items(movies)
    assert features.shape == (9_066, 20) and names[0] == "item_year" and "item_genre_Film-Noir" in names
    assert np.isfinite(features).all()
    heat = movies.frame[movies.frame["item_title"] == "Heat"]
    assert heat["item_year"].iloc[0] == 1995.0
    row = dict(zip(names, features[ids == heat["item"].iloc[0]][0], strict=True))
    assert {name for name, value in row.items() if value == 1.0} == {"item_genre_Action", "item_genre_Crime",
                                                                    "item_genre_Thriller"}


def test_open_bandit():
    told = logs.check(logs.open_bandit())
    assert (told.rows, told.items, told.positives) == (60_000, 80 + 34 + 46, 287)
    assert told.positions == {1: 19_924, 2: 20_113, 3: 19_963} and not told.nulls
    clicks = {(p, c): logs.check(logs.open_bandit(p, c)).positives for p in ("random", "bts")
              for c in ("all", "men", "women")}
    assert list(clicks.values()) == [38, 46, 46, 42, 69, 46]
    assert set(logs.open_bandit("random", "men").frame["propensity"].round(9)) == {round(1 / 34, 9)}
    assert logs.open_bandit().frame["terminated"].all()
    with pytest.raises(ValueError, match="campaign = 'kids' must be one of all, men, women"):
        logs.open_bandit(campaign="kids")


# the command ----------------------------------------------------------------------------------------------------------
def test_command(tmp_path, capsys):
    pd.DataFrame({"who": [1, 2], "what": [3, 4], "liked": [1, 0]}).to_csv(tmp_path / "my.csv", index=False)
    good = [str(tmp_path / "my.csv"), "--columns", "user=who", "item=what", "click=liked"]
    assert main(good) == 0
    assert "It cannot\n  - " in capsys.readouterr().out
    assert main(good[:1]) == 2
    error = capsys.readouterr().err
    assert "column 'user' is missing; the file's columns are who, what, liked" in error and error.count("\n") == 1
    assert main([*good, "dwell"]) == 2
    assert "--columns dwell: must be written" in capsys.readouterr().err


def test_command_as_a_process(tmp_path):
    command = [sys.executable, "-m", "envs.logs", "none.parquet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "none.parquet: no such file\n")
