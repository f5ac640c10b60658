"""Known data sets, as their owners publish them, as tables with the schema's names.

Each function takes the path of a download and returns (table, what must be known about it).  Columns of the owner that
the schema does not know stay in the table under their own names, so that a column map can choose them as reward.
"""
from pathlib import Path

import numpy as np
import pandas as pd

from . import tables


def movielens(path: str) -> tuple[pd.DataFrame, list[str]]:
    """Ratings of films (Harper & Konstan 2015): u.data, ratings.dat or ratings.csv with the list of films beside it."""
    file = _find(path, ["u.data", "ratings.dat", "ratings.csv"], "grouplens.org/datasets/movielens")
    names = ["user", "item", "reward", "time"]
    if file.name == "u.data":
        frame = pd.read_csv(file, sep="\t", names=names, dtype={"user": str, "item": str})
    elif file.name == "ratings.dat":                             # a::b::c::d: the C parser takes one character
        frame = pd.read_csv(file, sep=":", header=None, usecols=[0, 2, 4, 6], dtype={0: str, 2: str})
        frame.columns = pd.Index(names)
    else:
        frame = _table(file, {"user": "userId", "item": "movieId", "reward": "rating", "time": "timestamp"})
    return pd.concat([frame, films(_films(file.parent), frame["item"])], axis=1), []


def films(table: pd.DataFrame, item: pd.Series) -> pd.DataFrame:
    """Title, year and genres (0/1) of the film of each row ``item [rows]``; ``table`` has title, year, genres."""
    if table.empty:
        return pd.DataFrame(index=range(len(item)))
    genres = table["genres"].str.get_dummies("|").drop(columns="(no genres listed)", errors="ignore").astype(np.int8)
    known = pd.concat([table["title"].rename("item_title"), table["year"].rename("item_year"),
                       genres.add_prefix("item_genre_")], axis=1)
    return known.reindex(item).reset_index(drop=True)


def _films(folder: Path) -> pd.DataFrame:
    """title, year and genres by item id, of u.item, movies.dat or movies.csv; empty where none is there."""
    if (folder / "movies.csv").is_file():
        table = _table(folder / "movies.csv", {"item": "movieId", "title": "title", "genres": "genres"})
    elif (folder / "movies.dat").is_file():
        lines = (folder / "movies.dat").read_bytes().decode("utf-8", errors="replace").splitlines()
        table = pd.DataFrame([line.split("::") for line in lines], columns=["item", "title", "genres"])
    elif (folder / "u.item").is_file():
        genre = [line.split("|")[0] for line in (folder / "u.genre").read_text().split() if "|" in line]
        rows = [line.split("|") for line in (folder / "u.item").read_text(encoding="latin-1").splitlines()]
        table = pd.DataFrame({"item": [row[0] for row in rows], "title": [row[1] for row in rows], "genres": [
            "|".join(g for g, flag in zip(genre, row[5:], strict=True) if flag == "1") for row in rows]})
    else:
        table = pd.DataFrame({"item": [], "title": [], "genres": []}, dtype="str")
    table["year"] = table["title"].str.extract(r"\((\d{4})\)\s*$", expand=False).astype(np.float64)
    return table.set_index("item")


def kuairand(path: str) -> tuple[pd.DataFrame, list[str]]:
    """Short videos (Gao et al. 2022): all log_standard_*.csv and log_random_*.csv; dwell is the time played."""
    wanted = {"user": "user_id", "item": "video_id", "time": "time_ms", "click": "is_click", "dwell": "play_time_ms",
              "item_seconds": "duration_ms", "policy": "is_rand", "obs_tab": "tab", "is_like": "is_like",
              "long_view": "long_view", "is_follow": "is_follow", "is_hate": "is_hate"}
    files = [*sorted(Path(path).rglob("log_standard_*.csv")), *sorted(Path(path).rglob("log_random_*.csv"))]
    if not files:
        raise ValueError(f"{path}: holds no log_standard_*.csv or log_random_*.csv; it is the folder that the archive "
                         "of zenodo record 10439422 unpacks")
    frame = pd.concat([_table(file, wanted) for file in files], ignore_index=True)
    for name in ("dwell", "item_seconds"):
        frame[name] = frame[name] / 1000.0
    frame["policy"] = np.where(frame["policy"].astype(float) == 1, "random", "standard")
    missing = [kind for kind in ("standard", "random") if not any(kind in file.name for file in files)]
    notes = [f"no log_{kind}_*.csv is there: rows of that policy are missing" for kind in missing]
    return frame, [*notes, "rows of policy random were drawn at random from 7,583 videos; no propensities are known"]


def open_bandit(path: str) -> tuple[pd.DataFrame, list[str]]:
    """Impressions of a fashion shop (Saito et al. 2021): {random,bts}/{all,men,women}/*.csv, or the small Parquet."""
    if Path(path).is_file():
        if Path(path).suffix != ".parquet":
            raise ValueError(f"{path}: must be the folder with random/ and bts/, or the sample as .parquet")
        return bandit(pd.read_parquet(path))
    found = {(policy, campaign): file for file in sorted(Path(path).resolve().rglob("*.csv"))
             for policy in ("random", "bts") for campaign in ("all", "men", "women")
             if file.stem == campaign and policy in file.parts[-3:]}
    if not found:
        raise ValueError(f"{path}: holds no random/all/all.csv or the like; it is the folder that the archive of "
                         "research.zozo.com/data.html unpacks")
    parts = []
    for (policy, campaign), file in found.items():
        names = tables.opened(file).names
        chance = "propensity_score" if "propensity_score" in names else "action_prob"
        users = [name for name in names if name.startswith("user_feature_")]
        part = _table(file, {"item_id": "item_id", "timestamp": "timestamp", "position": "position", "click": "click",
                             "propensity_score": chance, **{name: name for name in users}})
        parts.append(part.assign(policy=policy, campaign=campaign))
    return bandit(pd.concat(parts, ignore_index=True))


def bandit(raw: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Open Bandit's columns, with policy and campaign, as the schema has them."""
    item = raw["campaign"].astype(str) + "/" + raw["item_id"].astype(str)
    frame = raw.assign(user=np.arange(len(raw)), item=item, time=raw["timestamp"], propensity=raw["propensity_score"],
                       item_campaign=raw["campaign"], terminated=True)
    return frame.drop(columns=["timestamp", "propensity_score", "item_id", "campaign"]), [
        "users are not named: each row is its own; rows are sampled, so slates cannot be rejoined"]


def coat(path: str) -> tuple[pd.DataFrame, list[str]]:
    """Ratings of coats (Schnabel et al. 2016): 24 that each user chose and 16 drawn at random, of 300."""
    parts = []
    for name, policy, chance in (("train", "self-selected", np.nan), ("test", "random", 1 / 300)):
        ratings = np.loadtxt(_find(path, [f"{name}.ascii"], "www.cs.cornell.edu/~schnabts/mnar"), ndmin=2)
        user, item = np.nonzero(ratings)
        parts.append(pd.DataFrame({"user": user, "item": item, "reward": ratings[user, item], "policy": policy,
                                   "propensity": chance}))
    frame = pd.concat(parts, ignore_index=True)
    for side in ("user", "item"):
        file = _find(path, ["train.ascii"], "").with_name(f"{side}_features.ascii")
        if file.is_file():
            features = np.loadtxt(file, ndmin=2)[frame[side]]
            frame = pd.concat([frame, pd.DataFrame({f"{side}_{k:02}": features[:, k].astype(np.int8)
                                                    for k in range(features.shape[1])})], axis=1)
    return frame, ["rows of policy self-selected were chosen by the users themselves, those of policy random drawn "
                   "uniformly from 300 coats; no time is known"]


def hillstrom(path: str) -> tuple[pd.DataFrame, list[str]]:
    """An e-mail campaign with three randomised arms (Hillstrom 2008): segment, visit, conversion, spend."""
    found = [Path(path)] if Path(path).is_file() else sorted([*Path(path).glob("*illstrom*.csv*")])
    if not found:
        raise ValueError(f"{path}: holds no Hillstrom CSV with the columns segment, visit, conversion, spend")
    features = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")
    frame = _table(found[0], {"item": "segment", "click": "visit", **{f"user_{name}": name for name in features},
                              "conversion": "conversion", "spend": "spend"})
    return frame.assign(user=np.arange(len(frame)), propensity=1 / 3, policy="random", terminated=True), [
        "users are not named: each row is its own; the arm was drawn at random, 1/3 each"]


def _find(path: str, names: list[str], origin: str) -> Path:
    """The file with one of ``names``: ``path`` itself, in it, or one folder below."""
    place = Path(path)
    if place.is_file() and place.name in names:
        return place
    for name in names:
        if found := [file for file in (place / name, *sorted(place.glob(f"*/{name}"))) if file.is_file()]:
            return found[0]
    raise ValueError(f"{path}: holds no {' or '.join(names)}; it is the folder that the archive of {origin} unpacks")


def _table(file: Path, columns: dict[str, str]) -> pd.DataFrame:
    """The named ``columns`` {ours: the file's} of a CSV."""
    table = tables.opened(file)
    if lacking := [theirs for theirs in columns.values() if theirs not in table.names]:
        raise ValueError(f"{file}: column '{lacking[0]}' is missing; the file's columns are {', '.join(table.names)}")
    return pd.DataFrame(tables.readable(file, lambda: table.columns(columns)))
