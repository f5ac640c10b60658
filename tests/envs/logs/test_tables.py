"""Files as they come: rows out of step are refused, odd but sound ones read, cells keep their kind."""
import gzip

import pytest

from envs import logs


def read(tmp_path, text, name="f.csv", **how):
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return logs.read(tmp_path / name, **how)


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
@pytest.mark.parametrize(("text", "words"), [
    ("user,item,click\n1,a,1\n2,b\n3,c,0\n", "line 3 has 2 cells, the header has 3 names: '2,b'"),
    ("user,item,click\n1,a,1\n2,b,0,9\n", "line 3 has 4 cells, the header has 3 names"),
    ("user,item,click\n7,1,a,1\n7,2,b,0\n", "line 2 has 4 cells"),                    # pandas: an index of its own
    ("user,item,click\n1,a,1,\n2,b,0\n", "line 2 has 4 cells, the header has 3"),
    ("user,item,click\n1,a,1,\n2,b,0,5\n", "line 3 has 4 cells"),
    ('user,item,click,item_t\n1,a,1,"x\ny"\n2,b,0\n', "line 4 has 3 cells"),          # a line of the file, not a row
    ("user,item,click,item_t\n1,a,1,one, two\n", "line 2 has 5 cells, .* need quotes")])
def test_rows_with_a_wrong_number_of_cells_are_refused_with_their_line(tmp_path, text, words, name):
    with pytest.raises(ValueError, match=words) as caught:
        read(tmp_path, text, name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [
    "\ufeffuser,item,click\n1,a,1\n2,b,0\n", "user,item,click\r\n1,a,1\r\n2,b,0\r\n", "user,item,click\n1,a,1\n\n2,b,0",
    "user,item,click\n1,a,1,\n2,b,0,\n", '"user",item,"click"\n"1",a,1\n2,"b",0\n', "\nuser,item,click\n1,a,1\n2,b,0\n",
    ",user,item,click\n0,1,a,1\n1,2,b,0\n", "user,item,click,x,x\n1,a,1,5,6\n2,b,0,7,8\n"])
def test_odd_but_sound_files(tmp_path, text):
    frame = read(tmp_path, text).frame
    assert frame["user"].tolist() == ["1", "2"] and frame["item"].tolist() == ["a", "b"]
    assert frame["click"].tolist() == [1.0, 0.0]


def test_a_name_that_stands_twice_is_refused_where_it_is_needed(tmp_path):
    with pytest.raises(ValueError, match="column 'item' stands twice; the file's columns are user, item, item, click"):
        read(tmp_path, "user,item,item,click\n1,a,b,1\n")


def test_null_words_are_null_in_numbers_and_text_elsewhere(tmp_path):
    frame = read(tmp_path, "user,item,reward,dwell,user_country,item_price,item_new,item_year\n"
                           "NA,null,1,NaN,NA,NA,true,1999\nnan,None,0,2.5,DE,3.5,false,2001\n").frame
    assert frame["user"].tolist() == ["NA", "nan"] and frame["item"].tolist() == ["null", "None"]
    assert frame["dwell"].isna().tolist() == [True, False] and frame["user_country"].tolist() == ["NA", "DE"]
    assert frame["item_price"].isna().tolist() == [True, False] and frame["item_price"][1] == 3.5
    assert frame["item_new"].tolist() == [True, False] and frame["item_year"].dtype == "int64"


def test_long_lists_and_many_rows_fit(tmp_path):
    rows = 20_000
    items = "[" + ", ".join(str(k) for k in range(40_000)) + "]"
    (tmp_path / "f.csv").write_text("user,item,click,candidates\n" + f'0,1,1,"{items}"\n'
                                    + "".join(f"{k},{k % 7},{k % 2},\n" for k in range(rows)))
    frame = logs.read(tmp_path / "f.csv").frame
    assert len(frame) == rows + 1 and len(frame["candidates"][0]) == 40_000 and frame["item"].nunique() == 7
    assert frame["user"].iloc[-1] == str(rows - 1)


def test_a_log_of_an_earlier_version_keeps_its_notes(tmp_path):
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq
    table = pa.table({"time": [1.0, 2.0], "user": [1, 2], "item": [3, 4], "reward": [1.0, 0.0]})
    pq.write_table(table.replace_schema_metadata({b"recloop.notes": json.dumps(["a note"]).encode()}),
                   tmp_path / "old.parquet")
    log = logs.read(tmp_path / "old.parquet")
    assert log.notes[0] == "a note" and log.frame["user"].tolist() == ["1", "2"]
