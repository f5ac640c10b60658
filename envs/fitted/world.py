"""What a log says about its world: the catalogue, the fitted users, and who is kept for testing."""
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .. import logs
from ..engine.rng import combine
from . import taste
from .belief import Model, model_of


class World(NamedTuple):
    """What the log says: the catalogue and the fitted users (read only, shared by every batch of a process)."""

    items: np.ndarray              # [A, D] float32 features
    item_ids: np.ndarray           # [A] the log's own ids, text
    feature_names: list[str]       # [D]
    titles: list[str]              # [A]
    rows: dict[str, np.ndarray]    # user, item (indices), like, in time order
    taste: taste.Taste
    root: np.ndarray               # [U, 1 + d, 1 + d] Cholesky factors of the users' posterior covariances
    groups: tuple[np.ndarray, ...]  # the log's users of each split, in the order of SPLITS
    source: str                    # where the log came from
    has_propensities: bool         # every kept row says how probable its item was


@lru_cache(maxsize=4)
def load_world(path: str, min_item_rows: int, dimensions: int, world_seed: int,
               columns: tuple[tuple[str, str], ...] = (), like: float | None = None, as_values: bool = False) -> World:
    """Read and fit a log once a process; ValueError says what is wrong with the file."""
    log = read_likes(path, dict(columns), like, as_values)
    frame = log.frame[log.frame["reward"].notna()]        # an unknown reward is neither a like nor a skip
    counts = frame["item"].value_counts()
    kept = set(counts.index[counts >= min_item_rows])
    if len(kept) < 2:
        raise ValueError(f"{log.path}: only {len(kept)} items have min_item_rows = {min_item_rows} rows or more; "
                         f"the most frequent item has {int(counts.max()) if len(counts) else 0}")
    ids, features, names = logs.items(log)
    chosen = np.array([item in kept for item in ids])
    ids, features = np.asarray(ids)[chosen], features[chosen]
    frame = frame[frame["item"].isin(kept)]
    if "time" in frame and frame["time"].notna().all():
        frame = frame.sort_values("time", kind="stable")
    place = {item: a for a, item in enumerate(ids)}
    users, user = np.unique(frame["user"].astype(str).to_numpy(), return_inverse=True)
    rows = {"user": user.astype(np.int64), "item": frame["item"].map(place).to_numpy(np.int64),
            "like": frame["reward"].to_numpy(np.float64, copy=True)}
    if rows["like"].min() == rows["like"].max():
        raise ValueError(f"{log.path}: every reward is {rows['like'].min():g}; likes and skips are both needed")
    if len(users) < 5:
        raise ValueError(f"{log.path}: {len(users)} users; at least 5 are needed for disjoint training and test users")
    fitted = taste.fit(rows["user"], rows["item"], rows["like"], len(users), len(ids), dimensions)
    order = np.array([combine(np.uint64(world_seed), u) for u in range(len(users))], np.uint64).argsort(kind="stable")
    parts = np.split(order, [int(0.6 * len(users)), int(0.8 * len(users))])
    titles = frame.drop_duplicates("item").set_index("item").get("item_title")
    names_of = [str(ids[a] if titles is None else titles[ids[a]]) for a in range(len(ids))]
    known = "propensity" in frame and bool(frame["propensity"].notna().all())
    if known:
        rows["propensity"] = frame["propensity"].to_numpy(np.float64)
    return World(scaled(features), ids, names, names_of, rows, fitted, np.linalg.cholesky(fitted.user_cov),
                 tuple(parts), str(log.path), known)


@lru_cache(maxsize=4)
def load_model(*key) -> Model:
    """What the training users of `load_world` teach, with the arguments of `load_world`; fitted once a process."""
    world = load_world(*key)
    rows, users = world.rows, world.groups[0]
    kept = np.isin(rows["user"], users)
    fitted = taste.fit(np.searchsorted(np.sort(users), rows["user"][kept]), rows["item"][kept], rows["like"][kept],
                       len(users), len(world.items), world.taste.user_mean.shape[1] - 1)
    return model_of(fitted)


def read_likes(path: str, columns: dict[str, str], like: float | None, as_values: bool) -> logs.Log:
    """The log, whose rewards are likes (1) and skips (0); ValueError where they are not.

    No amount is cut at a number of ours: the item that is watched longest is often not the one that is liked by most.
    """
    if not path:
        if columns or like is not None or as_values:
            raise ValueError("columns, like and as_values describe a log of yours: name it with path (--data FILE)")
        return logs.default_movies()
    log = logs.read(path, columns, like, as_values)
    if log.family != "binary":
        reward = log.frame["reward"].dropna()
        kind = "an amount" if log.family == "amount" else "a real number"
        raise ValueError(f"{log.path}: the reward is {kind} ({reward.min():g} to {reward.max():g}, mean "
                         f"{reward.mean():.4g}), and users are fitted to likes (0 or 1) alone: name the threshold from "
                         "which on a reward counts as a like, like: X (--like X)")
    return log


def scaled(features: np.ndarray) -> np.ndarray:
    """Features ``[A, D]`` brought to [0, 1] by column; a catalogue without features gets one constant column."""
    if features.shape[1] == 0:
        return np.ones((len(features), 1), np.float32)
    features = np.nan_to_num(features.astype(np.float64), nan=np.nanmean(features) if features.size else 0.0)
    low, high = features.min(axis=0), features.max(axis=0)
    return ((features - low) / np.where(high > low, high - low, 1.0)).astype(np.float32)
