"""The interaction log: one schema, read from Parquet or CSV, written as Parquet, checked in plain words.

A row is one item shown to one user.  Only `user`, `item` and one of `click` and `reward` are required; what a log lacks
is null or absent, and `check` says what can therefore not be answered.  `read` returns every log in the same form:
numbers are numbers, `reward` is always there, and so are `terminated` and `truncated`.  Where nobody knows how a
session ended it counts as truncated at its last row: that a user left must be seen, that a log stops need not be.

    python -m envs.logs FILE [--columns item=movieId click=liked]
"""
import argparse
import json
import math
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).parents[1] / "data"
IDS = ("user", "session", "request", "item", "policy")           # whole numbers or text
NUMBERS = ("time", "step", "position", "propensity", "click", "dwell", "reward")
FLAGS = ("terminated", "truncated")
LISTS = ("candidates", "mask")                                   # ids that could have been shown; which were allowed
SCHEMA = ("time", "user", "session", "request", "step", "position", "item", "candidates", "mask", "propensity",
          "policy", "click", "dwell", "reward", "terminated", "truncated")
FEATURES = ("obs_", "user_", "item_")                            # any column that begins like this is a feature
FEW_ROWS = 20                                                    # below this an item's own rate says little
WORTHWHILE_LIFT = 0.2                                            # few changes of a recommender are worth more
Z95 = 1.959963984540054
_NOTES = b"recloop.notes"
_FLAG_WORDS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


@dataclass(frozen=True, eq=False)
class Log:
    """Rows of an interaction log in the schema's form, and what had to be assumed to bring them there."""

    frame: pd.DataFrame
    path: str
    notes: list[str] = field(default_factory=list)


# read and write -------------------------------------------------------------------------------------------------------
def read(path, columns: dict[str, str] | None = None) -> Log:
    """The log in ``path`` (.parquet, .csv, .csv.gz); ``columns`` maps names of the schema to the file's."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    notes: list[str] = []
    try:
        if path.name.endswith((".csv", ".csv.gz")):
            names = list(pd.read_csv(path, nrows=0).columns)
            source = _source(names, columns or {}, path, notes)
            raw = pd.read_csv(path, usecols=list(set(source.values())), low_memory=False)
        elif path.suffix == ".parquet":
            schema = pq.read_schema(path)
            notes += json.loads((schema.metadata or {}).get(_NOTES, b"[]"))
            source = _source(schema.names, columns or {}, path, notes)
            raw = pd.read_parquet(path, columns=list(set(source.values())))
        else:
            raise ValueError(f"{path}: cannot read a file named *{path.suffix}; valid are .parquet, .csv and .csv.gz")
    except (pa.ArrowException, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError,
            EOFError, zlib.error) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a readable {''.join(path.suffixes)} file: {why}") from error
    return _normal(raw, source, path, notes)


def from_frame(frame: pd.DataFrame, columns: dict[str, str] | None = None, path="the frame") -> Log:
    """The same for a DataFrame in memory."""
    notes: list[str] = []
    return _normal(frame, _source(list(frame.columns), columns or {}, path, notes), path, notes)


def write(log: Log, path) -> None:
    """Write ``log`` as Parquet: the whole file or, when anything goes wrong, no file."""
    path = Path(path)
    if path.suffix != ".parquet":
        raise ValueError(f"{path}: a log is written as .parquet")
    table = pa.Table.from_pandas(log.frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _NOTES: json.dumps(log.notes).encode()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _source(names: list[str], columns: dict[str, str], path, notes: list[str]) -> dict[str, str]:
    """{name in the schema: name in the file}, in the schema's order; what is left out is noted."""
    for ours, theirs in columns.items():
        if not _known(ours):
            raise ValueError(f"{path}: column map: '{ours}' is not in the schema; valid are {', '.join(SCHEMA)} and "
                             f"names that begin with {', '.join(FEATURES)}")
        if theirs not in names:
            raise ValueError(f"{path}: column map: {ours}={theirs}, but the file's columns are "
                             f"{', '.join(map(str, names))}")
    source = {name: name for name in names if _known(name) and name not in columns.values()} | columns
    for need in (("user",), ("item",), ("click", "reward")):
        if not any(name in source for name in need):
            raise ValueError(f"{path}: column '{' or '.join(need)}' is missing; the file's columns are "
                             f"{', '.join(map(str, names))} (a column map names them: {need[-1]}=…)")
    if left := [str(name) for name in names if name not in source.values()]:
        notes.append(f"columns left out: {', '.join(left)}")
    order = {name: place for place, name in enumerate(SCHEMA)}
    return dict(sorted(source.items(), key=lambda pair: order.get(pair[0], len(SCHEMA))))


def _known(name) -> bool:
    return name in SCHEMA or str(name).startswith(FEATURES)


# one form for all logs ------------------------------------------------------------------------------------------------
def _normal(raw: pd.DataFrame, source: dict[str, str], path, notes: list[str]) -> Log:
    """Types, ranges and ends as the schema has them; ValueError names file, column, value and row."""
    if raw.empty:
        raise ValueError(f"{path}: the log has no rows")
    frame = pd.DataFrame({ours: raw[theirs].reset_index(drop=True) for ours, theirs in source.items()})
    for name in frame:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if name == "time":
            column = _seconds(column, path)
        elif name in NUMBERS or name in FLAGS:
            column = _number(column, name, path)
        elif name in LISTS:
            column = column.map(lambda cell, name=name: _list(cell, name, path))
        elif name in ("user", "item"):
            _all(column.notna(), name, column, path, "an id: leave such rows out or give them one")
        frame[name] = column
    if "reward" not in frame:
        frame["reward"] = frame["click"]
        notes.append("reward is the click: the log has no reward of its own")
    _ranges(frame, path)
    _ends(frame, notes)
    order = [name for name in SCHEMA if name in frame] + [name for name in frame if name not in SCHEMA]
    return Log(frame[order], str(path), list(dict.fromkeys(notes)))


def _all(good: pd.Series, name, column, path, valid):
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        value = column.iloc[row]
        value = value.item() if isinstance(value, np.generic) else value
        raise ValueError(f"{path}: column '{name}' = {value!r} in row {row + 1} must be {valid}")


def _number(column: pd.Series, name, path) -> pd.Series:
    """Numbers with NaN for null; true and false count as 1 and 0."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64) if column.dtype != object else None
    if numbers is None or numbers.isna().sum() > column.isna().sum():
        words = column.map(lambda cell: _FLAG_WORDS.get(str(cell).lower(), cell))
        numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    _all(numbers.notna() & ~np.isinf(numbers) | column.isna(), name, column, path, "a number")
    return numbers


def _seconds(column: pd.Series, path) -> pd.Series:
    """Seconds since 1970 as float64; dates are converted (those without a zone are taken as UTC)."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        if pd.api.types.is_numeric_dtype(column):
            return _number(column, "time", path)
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        _all(dates.notna() | column.isna(), "time", column, path, "seconds since 1970 or a date like 2026-01-31T12:00Z")
        column = dates
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return (column - pd.Timestamp(0)) / pd.Timedelta(seconds=1)


def _list(cell, name, path):
    """A list, from a list or its JSON text; None for null."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except json.JSONDecodeError:
            pass
    if isinstance(cell, list | tuple | np.ndarray):
        return list(cell)
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return None
    raise ValueError(f"{path}: column '{name}' = {cell!r} must be a list, in CSV written like [3, 17]")


def _ranges(frame: pd.DataFrame, path) -> None:
    def within(name: str, valid: str, test: Callable):
        if name in frame:
            _all(frame[name].isna() | test(frame[name]), name, frame[name], path, valid)

    within("propensity", "in (0, 1]", lambda p: (p > 0) & (p <= 1))
    within("click", "0 or 1", lambda c: c.isin([0, 1]))
    for name in ("step", "position"):
        within(name, "a whole number, 0 or more", lambda n: (n >= 0) & (n % 1 == 0))
    within("dwell", "0 or more", lambda d: d >= 0)
    for name in FLAGS:
        within(name, "true or false", lambda flag: flag.isin([0, 1]))
    if frame["reward"].isna().all():
        raise ValueError(f"{path}: column 'reward' (or 'click') is null in every row, must be known in at least one")
    if "mask" in frame:
        if "candidates" not in frame:
            raise ValueError(f"{path}: column 'mask' needs a column 'candidates' of equally long lists")
        fits = [m is None or (c is not None and len(m) == len(c))
                for m, c in zip(frame["mask"], frame["candidates"], strict=True)]
        _all(pd.Series(fits), "mask", frame["mask"], path, "as long as the row's candidates")


def _runs(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in the order of their sessions: (order, decision, last), each ``[N]``, the latter two in that order.

    A decision is a request, or one row where requests are unknown; ``last`` marks the session's last decision.
    Without sessions a user's whole record is one.  In a session `step` decides, else `time`, else the file's order.
    """
    rows = np.arange(len(frame))
    keys = ["user", *(["session"] if "session" in frame else [])]
    session = frame.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    clock = next((name for name in ("step", "time") if name in frame and frame[name].notna().all()), None)
    moment = rows if clock is None else frame[clock].to_numpy()
    named = "request" in frame and bool(frame["request"].notna().all())
    request = pd.factorize(frame["request"])[0] if named else rows
    order = np.lexsort((rows, request, moment, session))
    session, request = session[order], request[order]
    begins = np.r_[True, (session[1:] != session[:-1]) | (request[1:] != request[:-1])]
    decision = np.cumsum(begins) - 1
    final = pd.Series(decision).groupby(session).transform("max").to_numpy()
    return order, decision, decision == final


def _ends(frame: pd.DataFrame, notes: list[str]) -> None:
    """Fill `terminated` and `truncated`: an unknown end of a session is a truncation at its last decision."""
    for name in FLAGS:
        frame[name] = frame[name].fillna(0.0).astype(bool) if name in frame else False
    order, decision, last = _runs(frame)
    ended = (frame["terminated"] | frame["truncated"]).to_numpy()[order]
    known = np.bincount(decision, ended) > 0                                          # [decisions]
    unknown = last & ~known[decision]
    truncated = frame["truncated"].to_numpy().copy()
    truncated[order[unknown]] = True
    frame["truncated"] = truncated
    if unknown.any():
        count, of = len(np.unique(decision[unknown])), len(np.unique(decision[last]))
        what = "sessions" if "session" in frame else "users' records (no sessions are named: a user's rows are one)"
        notes.append(f"the end is unknown in {count:,} of {of:,} {what}: counted as truncated at the last row")
    if (ended & ~last).any():
        notes.append(f"{_n(int((ended & ~last).sum()), 'row')} said to end a session that goes on in later rows")


# arrays for algorithms ------------------------------------------------------------------------------------------------
def items(log: Log) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(ids ``[A]`` sorted, features ``[A, D]`` float32, names of the D features): the numeric item_* columns.

    An item's features are the first known value in its rows; a value that is never known becomes the items' mean.
    """
    names = [name for name in log.frame if name.startswith("item_") and pd.api.types.is_numeric_dtype(log.frame[name])]
    table = log.frame[["item", *names]].groupby("item", sort=True).first()
    return table.index.to_numpy(), _dense(table), names


def _dense(table: pd.DataFrame) -> np.ndarray:
    """``[rows, D]`` float32 with nulls replaced by the column's mean (0 where there is none)."""
    table = table.astype(np.float64)
    return table.fillna(table.mean()).fillna(0.0).to_numpy(np.float32)


def to_transition_arrays(log: Log, item_ids) -> dict[str, np.ndarray]:
    """The log as T = 1 step of N = rows users, named as the fields of a transition; action = index into ``item_ids``.

    obs are the obs_* columns, nulls replaced by the column's mean, or zeros ``[1, N, 1]`` where there are none.
    next_obs is that of the session's next decision; at an end, where nobody saw it, the row's own.
    """
    frame = log.frame
    action = pd.Index(item_ids).get_indexer(pd.Index(frame["item"]))
    _all(pd.Series(action >= 0), "item", frame["item"], log.path, f"one of the {len(item_ids)} item_ids")
    _all(frame["reward"].notna(), "reward", frame["reward"], log.path, "known: leave such rows out first")
    names = [name for name in frame if name.startswith("obs_")]
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise ValueError(f"{log.path}: column '{name}' is text; an observation must be numbers")
    obs = _dense(frame[names]) if names else np.zeros((len(frame), 1), np.float32)   # [N, D]
    order, decision, last = _runs(frame)
    begins = np.flatnonzero(np.r_[True, np.diff(decision) > 0])                      # [decisions]
    ends = (frame["terminated"] | frame["truncated"]).to_numpy()[order]
    after = begins[np.minimum(decision + 1, len(begins) - 1)]
    next_obs = np.empty_like(obs)
    next_obs[order] = np.where((last | ends)[:, None], obs[order], obs[order][after])
    propensity = frame["propensity"] if "propensity" in frame else np.full(len(frame), np.nan)
    return {"obs": obs[None], "action": action.astype(np.int64)[None], "next_obs": next_obs[None],
            "reward": frame["reward"].to_numpy(np.float32)[None],
            "terminated": frame["terminated"].to_numpy()[None], "truncated": frame["truncated"].to_numpy()[None],
            "log_prob": np.log(np.asarray(propensity, np.float64)).astype(np.float32)[None]}


# what a log can answer ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Check:
    """The figures of a log, and in words what it can and cannot answer."""

    rows: int
    users: int
    items: int
    base_rate: tuple[float, float, float]        # mean reward and its 95 % interval (Wilson for 0/1, else normal)
    positives: int | None                        # rows with reward 1; None where rewards are not 0/1
    positions: dict[int, int]                    # rows a position
    nulls: dict[str, int]                        # null cells a column, columns with any
    facts: list[str]
    can: list[str]
    cannot: list[str]

    def __str__(self):
        parts = (("What is in it", self.facts), ("It can", self.can), ("It cannot", self.cannot))
        return "\n".join(f"{title}\n" + "\n".join(f"  - {line}" for line in lines) for title, lines in parts if lines)


def wilson(positives: float, rows: float) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927): right for rare clicks and for a rate of 0, unlike p ± 2 s."""
    p, z2 = positives / rows, Z95 * Z95
    middle, spread = p + z2 / (2 * rows), Z95 * math.sqrt(p * (1 - p) / rows + z2 / (4 * rows * rows))
    low, high = (middle - spread) / (1 + z2 / rows), (middle + spread) / (1 + z2 / rows)
    return (0.0 if positives == 0 else low), (1.0 if positives == rows else high)


def visible_lift(positives: float, rows: float) -> float:
    """The relative difference of rates that two groups of this size show with 95 % confidence and 80 % power."""
    return (Z95 + 0.8416) * math.sqrt(2 * (1 - positives / rows) / positives) if positives else math.inf


def check(log: Log) -> Check:
    """Count ``log`` and say in words which questions it can and cannot answer."""
    frame = log.frame
    can: list[str] = []
    cannot: list[str] = []
    rewards = frame["reward"].dropna()
    binary = bool(rewards.isin([0, 1]).all())
    positives = int(rewards.sum()) if binary else None
    if binary:
        low, high = wilson(rewards.sum(), len(rewards))
    else:
        low, high = (rewards.mean() + side * Z95 * rewards.std() / math.sqrt(len(rewards)) for side in (-1, 1))
    base = (float(rewards.mean()), float(low), float(high))
    per_item = frame["item"].value_counts()
    facts = _facts(log, base, positives, per_item)
    _ask_ranking(frame, rewards, positives, can, cannot)
    _ask_propensities(frame, can, cannot)
    _ask_support(frame, per_item, cannot)
    _ask_sessions(log, can, cannot)
    positions = frame["position"].dropna().value_counts().sort_index() if "position" in frame else pd.Series(dtype=int)
    nulls = {name: int(count) for name, count in frame.isna().sum().items() if count}
    return Check(len(frame), frame["user"].nunique(), len(per_item), base, positives,
                 {int(place): int(count) for place, count in positions.items()}, nulls, facts, can, cannot)


def _facts(log, base, positives, per_item) -> list[str]:
    frame = log.frame
    when = ""
    if "time" in frame and frame["time"].notna().any():
        first, final = (pd.Timestamp(t, unit="s").date() for t in (frame["time"].min(), frame["time"].max()))
        when = f", {first} to {final}"
    facts = [f"{log.path}: {_n(len(frame), 'row')} of {_n(frame['user'].nunique(), 'user')} and "
             f"{_n(len(per_item), 'item')}{when}."]
    if positives is None:
        facts.append(f"Mean reward {base[0]:.4g}, 95% interval {base[1]:.4g} to {base[2]:.4g}.")
    else:
        facts.append(f"Base rate {base[0]:.2%} ({_n(positives, 'positive')}), 95% interval "
                     f"{base[1]:.2%} to {base[2]:.2%}.")
    facts.append(f"Rows an item: {per_item.min():,} to {per_item.max():,}, half of the items have "
                 f"{per_item.median():,.0f} or fewer; {_n(int((per_item >= 50).sum()), 'item')} with 50 or more.")
    if "position" in frame and frame["position"].notna().any():
        by = frame.groupby("position")["reward"].agg(["size", "mean"])
        facts.append("Positions: " + "; ".join(f"{place:g}: {_n(int(size), 'row')}, mean reward {mean:.4g}"
                                               for place, size, mean in by.itertuples()) + ".")
    nulls = frame.isna().sum()
    if nulls.any():
        facts.append("Nulls: " + ", ".join(f"{name} {count:,}" for name, count in nulls.items() if count) + ".")
    return facts + [f"Note: {note}." for note in log.notes]


def _ask_ranking(frame, rewards, positives, can, cannot) -> None:
    if rewards.nunique() == 1:
        cannot.append(f"teach anything: the reward is {rewards.iloc[0]:g} in every row.")
    elif positives is not None:
        lift = visible_lift(positives, len(rewards))
        have = f"{_n(positives, 'positive')} in {_n(len(rewards), 'row')}"
        if lift > WORTHWHILE_LIFT:
            cannot.append(f"rank two policies: too few clicks. {have} show a difference of two rates only from "
                          f"{lift:.0%} on (95% confidence, 80% power).")
        else:
            can.append(f"resolve rates that differ by {lift:.1%} or more: {have} (95% confidence, 80% power).")
    if "policy" in frame and frame["policy"].nunique() > 1 and positives is not None:
        for name, part in frame.dropna(subset=["reward"]).groupby("policy")["reward"]:
            low, high = wilson(part.sum(), len(part))
            can.append(f"say what policy {name} earned: {part.mean():.2%}, 95% interval {low:.2%} to {high:.2%} "
                       f"({_n(int(part.sum()), 'positive')} in {_n(len(part), 'row')}).")


def _ask_propensities(frame, can, cannot) -> None:
    known = frame["propensity"].dropna() if "propensity" in frame else pd.Series(dtype=float)
    if known.empty:
        cannot.append("give inverse-propensity or doubly robust estimates: no row has a propensity. The direct method "
                      "(a fitted reward model) alone can be reported, and nothing here shows how wrong it is.")
        return
    share = "every row" if len(known) == len(frame) else f"{len(known):,} of {len(frame):,} rows, and on these alone"
    can.append(f"value other policies by inverse propensity and doubly robust estimates: propensities are known in "
               f"{share}. The smallest is {known.min():.2g}: such a row can weigh {1 / known.min():,.0f} times.")
    if known.nunique() == 1 and known.iloc[0] == 1.0:
        cannot.append("say what another choice would have earned: every propensity is 1, the policy never varied.")


def _ask_support(frame, per_item, cannot) -> None:
    few = int((per_item < FEW_ROWS).sum())
    if few:
        cannot.append(f"say much about {few:,} of {_n(len(per_item), 'item')} by their own rates: fewer than "
                      f"{FEW_ROWS} rows each.")
    if "candidates" in frame and frame["candidates"].notna().any():
        named = frame[frame["candidates"].notna()]
        outside = sum(item not in allowed for item, allowed in zip(named["item"], named["candidates"], strict=True))
        if outside:
            cannot.append(f"be trusted in {_n(outside, 'row')}: the item shown is not among the row's candidates.")
        never = set().union(*named["candidates"]) - set(per_item.index)
        if never:
            some = ", ".join(map(str, sorted(never, key=str)[:5])) + (", …" if len(never) > 5 else "")
            cannot.append(f"value a policy that shows one of {_n(len(never), 'candidate')} never shown here: {some}.")
    else:
        cannot.append("say which items could have been shown and were not: it names no candidates, so a policy that "
                      "shows other items than these rows is beyond it.")
    if "policy" in frame and frame["policy"].nunique() > 1:
        shown = frame.groupby("item")["policy"].nunique()
        alone = int((shown < frame["policy"].nunique()).sum())
        if alone:
            cannot.append(f"compare its policies on {_n(alone, 'item')} that not all of them have shown.")


def _ask_sessions(log, can, cannot) -> None:
    frame = log.frame
    if "position" not in frame or frame["position"].isna().all():
        cannot.append("separate taste from the place on the page: positions are unknown.")
    if "session" not in frame:
        cannot.append("say what a recommendation does to the rest of a session: it names no sessions.")
    elif frame["terminated"].any():
        can.append(f"show when users leave: they end a session in {_n(int(frame['terminated'].sum()), 'row')}.")
    else:
        cannot.append("show when users leave: no session is known to have ended by the user's choice.")


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


# the logs that ship ---------------------------------------------------------------------------------------------------
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


def main(arguments: list[str] | None = None) -> int:
    """``python -m envs.logs FILE [--columns ours=theirs ...]``: print what `check` says; 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m envs.logs", description="Say what an interaction log can answer.")
    parser.add_argument("file", help="a .parquet, .csv or .csv.gz file")
    parser.add_argument("--columns", nargs="+", default=[], metavar="OURS=THEIRS", help="e.g. item=movieId click=liked")
    options = parser.parse_args(arguments)
    try:
        pairs = [pair.split("=", 1) for pair in options.columns]
        if bad := [pair[0] for pair in pairs if len(pair) != 2]:
            raise ValueError(f"--columns {bad[0]}: must be written schema name=file's name, e.g. item=movieId")
        print(check(read(options.file, dict(pairs))))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0

