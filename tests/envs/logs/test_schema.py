"""Identical rows: the same event exported twice, or an event that happened again."""
import numpy as np
import pandas as pd
import pytest

from envs import logs

RNG = np.random.default_rng(0)
N = 400
FRAME = pd.DataFrame({"user": RNG.integers(0, 30, N), "item": RNG.integers(0, 5, N), "click": RNG.integers(0, 2, N),
                      "time": np.arange(N), "request": np.arange(N), "position": 0})


@pytest.mark.parametrize("left", [["request"], ["time"], []])
def test_a_place_on_a_page_is_counted_once(left):
    frame = FRAME.drop(columns=left)
    once, twice = logs.from_frame(frame), logs.from_frame(pd.concat([frame, frame]))
    pd.testing.assert_frame_equal(once.frame, twice.frame)
    assert logs.check(once).base_rate == logs.check(twice).base_rate
    assert "400 duplicate rows left out: identical to an earlier row, down to the place on the page" in str(twice.notes)


@pytest.mark.parametrize("left", [["position"], ["time", "request"], ["time", "request", "position"]])
def test_what_may_have_happened_again_is_kept_and_said(left):
    frame = FRAME.drop(columns=left)
    twice = logs.from_frame(pd.concat([frame, frame]))
    assert len(twice.frame) == 2 * N
    again = int(pd.concat([frame, frame]).duplicated().sum())
    assert any(note.startswith(f"{again} duplicate rows kept") for note in twice.notes)


def test_ratings_that_differ_are_no_duplicates_when_both_become_likes():
    frame = pd.DataFrame({"user": 1, "item": 2, "reward": [1.0, 2, 3, 4, 5], "time": 7.0, "position": 0})
    log = logs.from_frame(frame, like=3)
    assert len(log.frame) == 5 and not any("duplicate" in note for note in log.notes)


def test_rows_differ_by_a_list_or_a_feature():
    frame = pd.DataFrame({"user": 1, "item": 2, "click": 1, "time": 7.0, "position": 0, "obs_x": [1, 2, 1],
                          "candidates": [[2, 3], [2, 3], [2, 4]]})
    assert len(logs.from_frame(frame).frame) == 3
    assert len(logs.from_frame(pd.concat([frame, frame.iloc[1:2]])).frame) == 3
