"""Known logs by name: those that ship with the project."""
from pathlib import Path

import numpy as np
import pandas as pd

from .reading import from_frame
from .schema import Log

DATA = Path(__file__).parents[1] / "data"


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
    genres = movies["genres"].str.get_dummies("|").drop(columns="(no genres listed)").astype(np.int8)
    known = pd.concat([movies["title"].rename("item_title"), movies["year"].rename("item_year"),
                       genres.add_prefix("item_genre_")], axis=1)
    like = (ratings["rating"] >= 4.0).astype(np.float64)
    frame = pd.DataFrame({"time": ratings["timestamp"], "user": ratings["userId"], "item": ratings["movieId"],
                          "click": like, "reward": like})
    frame = pd.concat([frame, known.loc[ratings["movieId"]].reset_index(drop=True)], axis=1)
    return from_frame(frame, path="MovieLens latest-small")


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
    item = raw["campaign"].astype(str) + "/" + raw["item_id"].astype(str)
    frame = raw.assign(user=np.arange(len(raw)), item=item, time=raw["timestamp"], propensity=raw["propensity_score"],
                       item_campaign=raw["campaign"], terminated=True)
    frame = frame.drop(columns=["timestamp", "propensity_score", "item_id", "campaign"])
    log = from_frame(frame, path=" ".join(["Open Bandit sample", *filter(None, (policy, campaign))]))
    log.notes.append("users are not named: each row is its own; rows are sampled, so slates cannot be rejoined")
    return log
