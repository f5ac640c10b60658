"""The unit of times is found by their size, and what is no time is said."""
import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs import logs
from envs.logs.times import FIRST, LAST

FACTOR = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
FORMS = {"YYYYMMDD": "%Y%m%d", "YYYYMMDDHHMM": "%Y%m%d%H%M", "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S"}
moments = st.lists(st.integers(int(FIRST), int(LAST) - 1), min_size=1, max_size=6)


def log_of(time, **how):
    n = len(time)
    return logs.from_frame(pd.DataFrame({"user": ["a"] * n, "item": "b", "click": 1, "step": range(n), "time": time}),
                           **how)


def notes_of_time(log):
    return [note for note in log.notes if note.startswith("time")]


def day(seconds):
    return str(pd.Timestamp(seconds, unit="s").date())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments, st.sampled_from(sorted(FACTOR)), st.booleans())
def test_every_unit_since_1970(tmp_path, seconds, unit, as_csv):
    time = pd.Series(seconds, dtype="int64") * FACTOR[unit]
    if as_csv:
        pd.DataFrame({"user": "a", "item": "b", "click": 1, "step": range(len(time)), "time": time}).to_csv(
            tmp_path / "t.csv", index=False)
        log = logs.read(tmp_path / "t.csv")
    else:
        log = log_of(time)
    np.testing.assert_allclose(log.frame["time"], seconds, rtol=0, atol=1e-6)
    assert notes_of_time(log) == [f"time is read as {unit} since 1970: {day(min(seconds))} to {day(max(seconds))}"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2099-12-31")), min_size=1, max_size=6),
       st.sampled_from(sorted(FORMS)), st.booleans())
def test_dates_written_as_digits(dates, name, as_text):
    written = [date.strftime(FORMS[name]) for date in dates]
    expected = [pd.to_datetime(text, format=FORMS[name]).timestamp() for text in written]
    log = log_of(written if as_text else [int(text) for text in written])
    assert log.frame["time"].tolist() == expected
    assert notes_of_time(log) == [f"time is read as dates written {name}: {day(min(expected))} to {day(max(expected))}"]


@pytest.mark.parametrize(("time", "seconds"), [
    (["2022-04-08T00:00:00+08:00", "2022-04-08"], [1649347200.0, 1649376000.0]),
    ([datetime.date(2022, 4, 8), None], [1649376000.0, np.nan]),
    ([1649347200123, None], [1649347200.123, np.nan]),
    ([1649347200.25, 1649347201.5], [1649347200.25, 1649347201.5])])
def test_dates_nulls_and_fractions(time, seconds):
    np.testing.assert_allclose(log_of(time).frame["time"], seconds, atol=1e-6)


def test_small_numbers_count_from_a_start_and_are_no_dates():
    log = log_of([3, 0, 7.5])
    assert log.frame["time"].tolist() == [3.0, 0.0, 7.5]
    assert notes_of_time(log) == ["times are no dates but numbers from 0 to 7.5: kept as they are, taken as seconds "
                                  "from an unknown start; they tell the order of events, and no days"]
    assert "1970" not in str(logs.check(log)) and log.frame["truncated"].tolist() == [False, False, True]
    assert notes_of_time(log_of([0, 0])) == ["time is 0 in every row: it tells neither an order nor a date"]


@pytest.mark.parametrize(("time", "words"), [
    ([1.65e9, 1.65e9, 1.65e12], "'time' = 1650000000000.0 in row 3 must be seconds since 1970 between 1990 and 2100, "
                                "as 0.667 of the rows are"),
    ([1.65e12, 0, 1.65e12], r"'time' = 0.0 in row 2 must be milliseconds since 1970 .* leave unknown times empty"),
    ([20220422, 20221399, 20220401], "'time' = 20221399.0 in row 2 must be dates written YYYYMMDD"),
    ([5e10, 5e10], "'time' = 50000000000.0 in row 1 must be seconds since 1970 or a date"),
    ([1, -7e8], "'time' = -700000000.0 in row 2 must be seconds"),
    ([1e30], "'time' = 1e.30 in row 1"),
    (["2022-04-08", "soon"], "'time' = 'soon' in row 2 must be seconds since 1970 or a date")])
def test_a_mixture_and_the_impossible_are_refused_with_the_row(time, words):
    with pytest.raises(ValueError, match=f"column {words}"):
        log_of(time)


def test_what_was_written_is_not_judged_again(tmp_path):
    """Dates before 1990, given as dates, are seconds that a reader could not tell."""
    for time in (["1960-01-01", "2000-01-01"], [1650589200000, 1650589201000]):
        log = log_of(time)
        logs.write(log, tmp_path / "t.parquet")
        again = logs.read(tmp_path / "t.parquet")
        assert again.frame["time"].tolist() == log.frame["time"].tolist() and again.notes == log.notes
