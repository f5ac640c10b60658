"""Known sets as their owners publish them: made files with the same columns and defects, and the real ones at hand."""
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from envs import logs
from envs.logs import known

SHARED = Path(__file__).parents[4] / "shared" / "data"


def real(name):
    if not (SHARED / name).exists():
        pytest.skip(f"the data set {name} is not on this machine: {SHARED / name}")
    return SHARED / name


def said(log, part):
    return any(part in note for note in log.notes)


def movielens(folder, form):
    """Three ratings of two users: as ml-100k, ml-1m or ml-latest-small has them."""
    folder.mkdir(parents=True)
    rows = [(1, 31, 2.5, 1260759144), (1, 1029, 4, 1260759179), (2, 31, 5, 835355493)]
    if form == "u.data":
        (folder / "u.data").write_text("".join(f"{u}\t{i}\t{int(r)}\t{t}\n" for u, i, r, t in rows))
        (folder / "u.genre").write_text("unknown|0\nAction|1\nDrama|2\n\n")
        (folder / "u.item").write_bytes("31|Misérables, Les (1995)|01-Jan-1995||http://x|0|0|1\n"
                                        "1029|unknown||||1|0|0\n".encode("latin-1"))
    elif form == "ratings.dat":
        (folder / "ratings.dat").write_text("".join(f"{u}::{i}::{int(r)}::{t}\n" for u, i, r, t in rows))
        (folder / "movies.dat").write_bytes("31::Misérables, Les (1995)::Drama\n"
                                            "1029::unknown::unknown\n".encode("latin-1"))
    else:
        (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n"
                                            + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in rows))
        (folder / "movies.csv").write_text('movieId,title,genres\n31,"Misérables, Les (1995)",Drama\n'
                                           "1029,unknown,(no genres listed)\n")


@pytest.mark.parametrize(("name", "form", "inside"), [
    ("movielens-100k", "u.data", "ml-100k"), ("movielens-1m", "ratings.dat", ""),
    ("movielens-32m", "ratings.csv", "ml")])
def test_movielens(tmp_path, name, form, inside):
    movielens(tmp_path / "d" / inside, form)
    log = logs.read(f"{name}={tmp_path / 'd'}", like=4)
    frame = log.frame
    assert frame["user"].tolist() == ["1", "1", "2"] and frame["item"].tolist() == ["31", "1029", "31"]
    assert frame["reward"].tolist() == [0.0, 1.0, 1.0] and frame["time"].tolist()[2] == 835355493
    assert frame["item_year"].tolist()[::2] == [1995.0, 1995.0] and np.isnan(frame["item_year"][1])
    assert frame["item_genre_Drama"].tolist() == [1, 0, 1] and frame["item_title"][0].startswith("Mis")
    assert log.self_selected and said(log, f"this is not the whole {name} as published: 3 rows instead of")
    assert f"{known.SETS[name].figures['rows']:,}" in str(log.notes)
    assert logs.read(f"{name}={tmp_path / 'd' / inside / form}", as_values=True).frame["reward"].max() == 5


def test_movielens_without_its_list_of_films(tmp_path):
    movielens(tmp_path / "d", "ratings.csv")
    (tmp_path / "d" / "movies.csv").unlink()
    log = logs.read(f"movielens-25m={tmp_path / 'd'}", like=4)
    assert len(log.frame) == 3 and logs.items(log)[0].tolist() == ["31", "1029"]


def kuairand(folder, kinds=("standard_4_08_to_4_21", "random_4_22_to_5_08")):
    """A row a log, with columns that nobody asks for and a play time beyond the video's length."""
    (folder / "data").mkdir(parents=True)
    head = ("user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
            "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab\n")
    for kind in kinds:
        drawn = int(kind.startswith("random"))
        (folder / "data" / f"log_{kind}_pure.csv").write_text(
            head + f"0,3784,20220409,2100,1649509200123,{drawn},0,0,0,0,0,1,151024,104400,0,0,0,{drawn},1\n"
                   f"17,7,20220409,2101,1649509260000,0,1,0,0,0,0,0,0,8000,0,0,0,{drawn},4\n")


def test_kuairand(tmp_path):
    kuairand(tmp_path / "k")
    log = logs.read(f"kuairand-pure={tmp_path / 'k'}")
    frame = log.frame
    assert frame["policy"].tolist() == ["standard", "standard", "random", "random"]
    assert frame["dwell"].tolist() == [151.024, 0.0, 151.024, 0.0]
    assert frame["item_seconds"].tolist()[:2] == [104.4, 8.0]
    assert frame["time"][0] == pytest.approx(1649509200.123) and frame["obs_tab"].tolist()[:2] == [1, 4]
    assert frame["reward"].tolist() == [0, 0, 1, 0] and not log.self_selected and "propensity" not in frame
    assert said(log, "time is read as milliseconds since 1970: 2022-04-09 to 2022-04-09")
    assert said(log, "2 standard rows instead of 1,436,609, 2 random rows instead of 1,186,059, 2 users instead of 27,")
    liked = logs.read(f"kuairand-pure={tmp_path / 'k'}", {"reward": "is_like"}).frame
    watched = logs.read(f"kuairand-pure={tmp_path / 'k'}", {"reward": "dwell"})
    assert liked["reward"].tolist() == [0, 1, 0, 1] and watched.family == "amount"
    kuairand(tmp_path / "half", ("random_4_22_to_5_08",))
    assert said(logs.read(f"kuairand-1k={tmp_path / 'half'}"), "no log_standard_*.csv is there")


def test_the_feature_tables_alone_are_no_kuairand():
    with pytest.raises(ValueError, match=r"holds no log_standard_\*.csv or log_random_\*.csv; it is the folder that"):
        logs.read(f"kuairand-pure={real('kuairand-pure')}")


@pytest.mark.parametrize("chance", ["propensity_score", "action_prob"])
def test_open_bandit_folder(tmp_path, chance):
    for policy, campaign, p in (("random", "men", 1 / 34), ("bts", "all", 0.3)):
        folder = tmp_path / policy / campaign
        folder.mkdir(parents=True)
        (folder / f"{campaign}.csv").write_text(
            f",timestamp,item_id,position,click,{chance},user_feature_0,user-item_affinity_0\n"
            f"0,2019-11-24 00:00:34.762830+00:00,14,3,1,{p},81ce,0.0\n1,2019-11-24 00:01:34+00:00,7,1,0,{p},81ce,1.0\n")
        (folder / "item_context.csv").write_text("item_id,item_feature_0\n14,0.5\n")
    log = logs.read(f"open-bandit={tmp_path}")
    assert log.frame["item"].tolist() == ["all/14", "all/7", "men/14", "men/7"]
    assert log.frame["policy"].tolist() == ["bts", "bts", "random", "random"] and log.frame["user"].nunique() == 4
    assert log.frame["propensity"].tolist() == [0.3, 0.3, 1 / 34, 1 / 34] and log.frame["terminated"].all()
    assert log.frame["time"][0] == pytest.approx(1574553634.76283) and said(log, "2 random rows instead of 2,691,861")
    assert logs.read(f"open-bandit={tmp_path / 'random' / 'men'}").frame["policy"].unique().tolist() == ["random"]


def test_open_bandit_sample_is_the_one_that_ships():
    log = logs.read(f"open-bandit-small={known.DATA / 'obd_small.parquet'}")
    pd.testing.assert_frame_equal(log.frame, logs.open_bandit().frame)
    assert said(log, "30,000 random rows, 30,000 bts rows, 160 items, 287 sum of click: as published of open-bandit-s")


def test_coat_made(tmp_path):
    for name, rows in (("train", "0 5 1\n0 0 2\n"), ("test", "3 0 0\n0 4 0\n")):
        (tmp_path / f"{name}.ascii").write_text(rows)
    (tmp_path / "user_features.ascii").write_text("0 1\n1 0\n")
    log = logs.read(f"coat={tmp_path}", like=4)
    assert log.frame[["user", "item", "reward"]].to_numpy().tolist() == [
        ["0", "1", 1.0], ["0", "2", 0.0], ["1", "2", 0.0], ["0", "0", 0.0], ["1", "1", 1.0]]
    assert log.frame["policy"].tolist() == ["self-selected"] * 3 + ["random"] * 2 and not log.self_selected
    assert log.frame["propensity"].isna().sum() == 3 and log.frame["user_00"].tolist() == [0, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="looks like ratings"):
        logs.read(f"coat={real('coat')}")


def test_coat_and_hillstrom_real():
    coat = logs.read(f"coat={real('coat')}", like=4)
    assert said(coat, "6,960 self-selected rows, 4,640 random rows, 290 users, 300 items, 28,518 sum of reward: as pub")
    by = coat.frame.groupby("policy")["reward"].mean()
    assert by["self-selected"] == pytest.approx(1905 / 6960) and by["random"] == pytest.approx(860 / 4640)
    mail = logs.read(f"hillstrom={real('hillstrom.csv.gz')}")
    assert said(mail, "64,000 rows, 3 items, 9,394 sum of click, 578 sum of conversion: as published of hillstrom")
    spend = logs.read(f"hillstrom={real('hillstrom.csv.gz')}", {"reward": "spend"})
    assert spend.family == "amount" and spend.frame["reward"].sum() == pytest.approx(67258.13)
    assert spend.frame["user_zip_code"].unique().tolist() == ["Surburban", "Rural", "Urban"]       # sic


@pytest.mark.parametrize(("source", "words"), [
    ("movielens-1m={}", "holds no u.data or ratings.dat or ratings.csv; it is the folder that the archive of g"),
    ("movielens-1m={}/none", "movielens-1m=.*none: no such file or folder"),
    ("movielens-2m={}", "no such file, and no known data set 'movielens-2m'; known are movielens-100k, "),
    ("coat={}", "holds no train.ascii"), ("open-bandit={}", "holds no random/all/all.csv"),
    ("hillstrom={}", "holds no Hillstrom CSV"),
    ("hillstrom={}/h.csv", "column 'segment' is missing; the file's columns"),
    ("open-bandit={}/h.csv", "must be the folder with random/ and bts/")])
def test_what_is_not_there_is_said(tmp_path, source, words):
    (tmp_path / "h.csv").write_text("user,item,click\n1,a,1\n")
    with pytest.raises(ValueError, match=words):
        logs.read(source.format(tmp_path))


def test_a_file_may_be_called_like_an_equation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("day=1.csv").write_text("user,item,click\n1,a,1\n2,b,0\n")
    assert len(logs.read("day=1.csv").frame) == 2 and logs.absolute("day=1.csv") == str(tmp_path / "day=1.csv")
    assert logs.absolute("coat=x/y") == f"coat={tmp_path / 'x/y'}" and logs.absolute("f.csv") == str(tmp_path / "f.csv")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "c").mkdir()
    assert logs.absolute("coat=c", tmp_path, tmp_path / "beside") == f"coat={tmp_path / 'beside' / 'c'}"
    assert logs.absolute("/a/year=2024/f.csv") == "/a/year=2024/f.csv"
