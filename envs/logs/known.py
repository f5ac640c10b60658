"""Known logs by name: those that ship with the project, and public data sets in a folder of yours (NAME=PATH)."""
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import downloads
from .reading import from_frame
from .schema import Log

DATA = Path(__file__).parents[1] / "data"


class Published(NamedTuple):
    """A data set: how it is read, and its owner's own figures as far as they are certain."""

    table: Callable[[str], tuple[pd.DataFrame, list[str]]]
    figures: dict[str, float]
    """of the whole: rows, users, items, or "sum of COLUMN"; "POLICY rows" counts one policy's"""
    self_selected: bool = False


def _movielens(rows: int, users: int, **more: float) -> Published:
    figures = {"rows": rows, "users": users} | {name.replace("_", " "): value for name, value in more.items()}
    return Published(downloads.movielens, figures, self_selected=True)


SETS = {
    "movielens-100k": _movielens(100_000, 943, items=1_682, sum_of_reward=352_986),
    "movielens-1m": _movielens(1_000_209, 6_040, items=3_706, sum_of_reward=3_582_313),
    "movielens-10m": _movielens(10_000_054, 69_878, items=10_677),
    "movielens-20m": _movielens(20_000_263, 138_493),
    "movielens-25m": _movielens(25_000_095, 162_541, items=59_047),
    "movielens-32m": _movielens(32_000_204, 200_948),
    "movielens-latest-small": _movielens(100_836, 610, items=9_724, sum_of_reward=353_083),
    "kuairand-pure": Published(downloads.kuairand, {"standard rows": 1_436_609, "random rows": 1_186_059,
                                                    "users": 27_285}),
    "kuairand-1k": Published(downloads.kuairand, {"standard rows": 11_713_045, "random rows": 43_028, "users": 1_000}),
    "kuairand-27k": Published(downloads.kuairand, {"standard rows": 322_278_385, "random rows": 1_186_059,
                                                   "users": 27_285}),
    "open-bandit": Published(downloads.open_bandit, {"random rows": 1_374_327 + 452_949 + 864_585, "items": 160}),
    "open-bandit-small": Published(downloads.open_bandit, {"random rows": 30_000, "bts rows": 30_000, "items": 160,
                                                           "sum of click": 287}),
    "coat": Published(downloads.coat, {"self-selected rows": 6_960, "random rows": 4_640, "users": 290, "items": 300,
                                       "sum of reward": 28_518}),
    "hillstrom": Published(downloads.hillstrom, {"rows": 64_000, "items": 3, "sum of click": 9_394,
                                                 "sum of conversion": 578}),
}


def load(name: str, path: str, columns: dict[str, str] | None = None, like: float | None = None,
         as_values: bool = False) -> Log:
    """The known set ``name`` (a key of SETS) in ``path``; how far its figures are the published ones is a note."""
    if not Path(path).exists():
        raise ValueError(f"{name}={path}: no such file or folder")
    known = SETS[name]
    table, notes = known.table(path)
    compared = compare(table, known.figures, name)
    log = from_frame(table, columns, f"{name}={path}", like, as_values, known.self_selected)
    log.notes.extend([compared, *notes])
    return log


def compare(table: pd.DataFrame, figures: dict[str, float], name: str) -> str:
    """One sentence: the published ``figures`` are met, or which are not."""
    def found(what: str) -> float:
        if what == "rows":
            return len(table)
        if what.endswith(" rows"):
            return int((table["policy"] == what.removesuffix(" rows")).sum())
        if what.startswith("sum of "):
            return float(table[what.removeprefix("sum of ")].sum())
        return table[what.removesuffix("s")].nunique()

    mine = {what: found(what) for what in figures}
    wrong = [f"{mine[what]:,.10g} {what} instead of {value:,.10g}" for what, value in figures.items()
             if mine[what] != value]
    if wrong:
        return f"this is not the whole {name} as published: {', '.join(wrong)}"
    return f"{', '.join(f'{value:,.10g} {what}' for what, value in figures.items())}: as published of {name}"


def default_movies() -> Log:
    """MovieLens latest-small of 2016 (Harper & Konstan 2015): a rating of 4 or more is a like, reward 1.

    ValueError where the files are missing: an installed package does not carry them (`envs/data/NOTICE.md`).
    """
    files = DATA / "movielens_small_ratings.parquet", DATA / "movielens_small_movies.parquet"
    if not all(file.is_file() for file in files):
        raise ValueError("the MovieLens log is missing: its terms forbid commercial use, so only the project's "
                         "repository has it and no installed package; take a log of your own (--data FILE, or the "
                         "parameter path), or an experiment that needs no log, such as ladder-bandits")
    ratings, movies = pd.read_parquet(files[0]), pd.read_parquet(files[1]).set_index("movieId")
    like = (ratings["rating"] >= 4.0).astype(np.float64)
    frame = pd.DataFrame({"time": ratings["timestamp"], "user": ratings["userId"], "item": ratings["movieId"],
                          "click": like, "reward": like})
    frame = pd.concat([frame, downloads.films(movies, ratings["movieId"])], axis=1)
    return from_frame(frame, path="MovieLens latest-small", self_selected=True)


def open_bandit(policy: str | None = None, campaign: str | None = None) -> Log:
    """The Open Bandit sample (Saito et al. 2021): 10,000 impressions of a fashion shop a policy and campaign.

    Item numbers start anew in every campaign, so ids are campaign/number.  ``policy`` (random, bts) and ``campaign``
    (all, men, women) choose a part.
    """
    raw = pd.read_parquet(DATA / "obd_small.parquet")
    for name, wanted in (("policy", policy), ("campaign", campaign)):
        if wanted is not None:
            valid = sorted(raw[name].unique())
            if wanted not in valid:
                raise ValueError(f"Open Bandit: {name} = {wanted!r} must be one of {', '.join(valid)}")
            raw = raw[raw[name] == wanted]
    frame, notes = downloads.bandit(raw)
    log = from_frame(frame, path=" ".join(["Open Bandit sample", *filter(None, (policy, campaign))]))
    log.notes.extend(notes)
    return log
