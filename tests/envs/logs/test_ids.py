"""Ids come back as they were written, from CSV and Parquet."""
import csv
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs import logs
from envs.logs.ids import as_text, natural
from envs.logs.schema import IDS

WORDS = ["NA", "None", "null", "nan", "N/A", "007", "7", "0007", "7.0", "1e5", "true", " 7", "-0", "1_000", "0x10",
         "9007199254740993", "1234567890123456789", "1" * 40]
names = st.one_of(st.sampled_from(WORDS), st.from_regex(r"[0-9]{1,20}", fullmatch=True),
                  st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
optional = st.one_of(st.none(), names)
rows = st.lists(st.fixed_dictionaries({"user": names, "session": optional, "request": optional, "item": names,
                                       "policy": optional}), min_size=1, max_size=8)


def ids_of(log):
    return log.frame[list(IDS)].astype(object).where(log.frame[list(IDS)].notna(), None).to_dict("records")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_any_text_is_an_id_in_csv_and_in_parquet(tmp_path, rows):
    with open(tmp_path / "a.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)
        table.writerow([*IDS, "click", "step"])
        table.writerows([row[name] for name in IDS] + [0, k] for k, row in enumerate(rows))
    pq.write_table(pa.table({**{name: pa.array([row[name] for row in rows], pa.string()) for name in IDS},
                             "click": [0] * len(rows), "step": list(range(len(rows)))}), tmp_path / "a.parquet")
    for file in ("a.csv", "a.parquet"):
        log = logs.read(tmp_path / file)
        assert ids_of(log) == rows
        logs.write(log, tmp_path / "again.parquet")
        assert ids_of(logs.read(tmp_path / "again.parquet")) == rows


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.none(), st.integers(-2**63, 2**63 - 1)), min_size=1, max_size=8))
def test_whole_numbers_beside_nulls_keep_their_digits(tmp_path, numbers):
    pq.write_table(pa.table({"user": ["a"] * len(numbers), "item": ["b"] * len(numbers), "click": [1] * len(numbers),
                             "step": list(range(len(numbers))), "session": pa.array(numbers, pa.int64())}),
                   tmp_path / "a.parquet")
    pd.DataFrame({"user": "a", "item": "b", "click": 1, "step": range(len(numbers)),
                  "session": pd.array(numbers, dtype="Int64")}).to_csv(tmp_path / "a.csv", index=False)
    for file in ("a.csv", "a.parquet"):
        found = logs.read(tmp_path / file).frame["session"]
        assert [None if pd.isna(cell) else cell for cell in found] == [None if n is None else str(n) for n in numbers]


@pytest.mark.parametrize(("column", "text"), [
    (pd.Series([1.0, None, 12.0]), ["1", None, "12"]),                       # what pandas makes of 1, null, 12
    (pd.Series([1.5, 2.0]), ["1.5", "2"]),
    (pd.Series([10**40, 1], dtype=object), [str(10**40), "1"]),
    (pd.Series([1, "1", "01", None, "NA", np.int8(3), 4.0], dtype=object), ["1", "1", "01", None, "NA", "3", "4"]),
    (pd.Series([2**63 - 1, None], dtype="Int64"), [str(2**63 - 1), None]),
    (pd.Series([2**64 - 1], dtype="uint64"), [str(2**64 - 1)]),
    (pd.Series(["7", "007", None], dtype="category"), ["7", "007", None]),
    (pd.Series([30, 4, 30], dtype="category"), ["30", "4", "30"]),
    (pd.Series([Decimal("12.00"), Decimal("1.5")]), ["12", "1.5"]),
    (pd.Series([b"ab", None], dtype=object), ["ab", None]),
    (pd.Series(["", "x"]), [None, "x"])])                                    # empty, as in CSV
def test_columns_of_any_type(column, text):
    found = as_text(column, "user", "f")
    assert found.dtype == "str" and [None if pd.isna(cell) else cell for cell in found] == text


@pytest.mark.parametrize("column", [pd.Series([1.0, 2.0**53]), pd.Series([1.0, np.inf]), pd.Series(["a", 1e300]),
                                    pd.Series(["a", ["b"]]), pd.Series(["a", {"b": 1}])])
def test_what_lost_its_digits_or_is_no_id_is_refused(column):
    with pytest.raises(ValueError, match=r"f: column 'user' = .* in row 2 must be "):
        as_text(column, "user", "f")


def test_a_float_that_is_no_number_is_null_in_parquet_too(tmp_path):
    pq.write_table(pa.table({"user": [1.0, 2.0], "item": [b"x", b"y"], "click": [1, 0],
                             "session": pa.array([3.0, float("nan")])}), tmp_path / "a.parquet")
    frame = logs.read(tmp_path / "a.parquet").frame
    assert frame["user"].tolist() == ["1", "2"] and frame["item"].tolist() == ["x", "y"]
    assert frame["session"][0] == "3" and pd.isna(frame["session"][1])


def test_order_is_by_value_where_all_are_numbers():
    assert natural(["10", "9", "-3", "007", "7", "1" * 30]) == ["-3", "007", "7", "9", "10", "1" * 30]
    assert natural(["10", "9", "a"]) == ["10", "9", "a"] and natural([]) == []
    frame = pd.DataFrame({"user": 1, "item": [10, 9, 100, 9], "click": 1, "step": [0, 1, 2, 3], "item_x": [1, 2, 3, 4]})
    ids, features, _ = logs.items(logs.from_frame(frame))
    assert ids.tolist() == ["9", "10", "100"] and features.tolist() == [[2.0], [1.0], [3.0]]


def test_candidates_are_ids_too(tmp_path):
    (tmp_path / "a.csv").write_text('user,item,click,candidates\n1,07,1,"[""07"", 7, 12345678901234567890, 1.50]"\n'
                                    '1,7,0,\n')
    assert logs.read(tmp_path / "a.csv").frame["candidates"].tolist() == [
        ["07", "7", "12345678901234567890", "1.50"], None]
    pd.DataFrame({"user": [1, 2], "item": [3, 4], "click": [1, 0], "candidates": [[3, 4], [4]]}).to_parquet(
        tmp_path / "a.parquet")
    log = logs.read(tmp_path / "a.parquet")
    assert log.frame["candidates"].tolist() == [["3", "4"], ["4"]]
    assert not any("among the row's candidates" in line for line in logs.check(log).cannot)
    with pytest.raises(ValueError, match=r"'candidates' = .* must be a list of ids"):
        logs.from_frame(pd.DataFrame({"user": [1], "item": [3], "click": [1], "candidates": [[3, None]]}))


def test_numbers_stand_for_their_text_among_the_item_ids():
    log = logs.from_frame(pd.DataFrame({"user": [1, 2], "item": ["3", "4"], "click": [1, 0]}))
    for item_ids in ([4, 3], ["4", "3"], np.array([4, 3])):
        assert logs.to_transition_arrays(log, item_ids)["action"].tolist() == [[1, 0]]
