"""Reading and writing: every log in one form, from Parquet, CSV or a DataFrame; written as Parquet.

Ids are text, numbers are numbers, times are seconds, `reward` is always there, and so are `terminated` and
`truncated`.  Where nobody knows how a session ended it counts as truncated at its last row: that a user left must be
seen, that a log stops need not be.
"""
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import rewards, tables, times
from .ids import as_text, entry
from .schema import (
    FEATURES,
    FLAGS,
    IDS,
    LISTS,
    NUMBERS,
    SCHEMA,
    Log,
    check_ranges,
    fill_ends,
    in_schema,
    note_duplicates,
    require,
)

_FLAG_WORDS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
_SHOWN = ("request", "position", "candidates", "propensity", "policy")     # who has one of them has a recommender


class _Given(NamedTuple):
    """What is said about the table beside its columns."""

    like: float | None = None
    as_values: bool = False
    self_selected: bool = False
    ours: bool = False                                           # `write` made it: what had to be judged once was
    in_seconds: bool = False


def read_file(path, columns: dict[str, str] | None = None, like: float | None = None, as_values: bool = False) -> Log:
    """The log in ``path`` (.parquet, .csv, .csv.gz); ``columns`` maps names of the schema to the file's.

    ``like``: a reward of at least that counts as a like, any other not.  ``as_values``: ratings are taken as amounts.
    """
    path = Path(path)
    table = tables.opened(path)
    made = table.made or {}
    notes = list(made.get("notes", []))
    source = _source(table.names, columns or {}, path, notes)
    cells = tables.readable(path, lambda: table.columns(source))
    ours = table.made is not None
    return _normal(cells, path, notes, _Given(like, as_values or (bool(made.get("as_values")) and like is None),
                                              bool(made.get("self_selected")), ours,
                                              ours and source.get("time") == "time"))


def from_frame(frame: pd.DataFrame, columns: dict[str, str] | None = None, path="the frame",
               like: float | None = None, as_values: bool = False, self_selected: bool = False) -> Log:
    """The same for a DataFrame in memory; ``self_selected`` declares that users chose these items themselves."""
    notes: list[str] = []
    source = _source(list(frame.columns), columns or {}, path, notes)
    cells = {ours: frame[theirs].reset_index(drop=True) for ours, theirs in source.items()}
    return _normal(cells, path, notes, _Given(like, as_values, self_selected))


def write(log: Log, path) -> None:
    """Write ``log`` as Parquet: the whole file or, when anything goes wrong, no file."""
    path = Path(path)
    if path.suffix != ".parquet":
        raise ValueError(f"{path}: a log is written as .parquet")
    made = {"notes": log.notes, "as_values": rewards.like_ratings(log.frame["reward"]),
            "self_selected": log.self_selected}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        tables.write_parquet(log.frame, temporary, made)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _source(names: list[str], columns: dict[str, str], path, notes: list[str]) -> dict[str, str]:
    """{name in the schema: name in the file}, in the schema's order; what is left out is noted."""
    has = ", ".join(map(str, names))
    for ours, theirs in columns.items():
        if not in_schema(ours):
            raise ValueError(f"{path}: column map: '{ours}' is not in the schema; valid are {', '.join(SCHEMA)} and "
                             f"names that begin with {', '.join(FEATURES)}")
        if theirs not in names:
            raise ValueError(f"{path}: column map: {ours}={theirs}, but the file's columns are {has}")
    source = {name: name for name in names if in_schema(name) and name not in columns.values()} | columns
    for need in (("user",), ("item",), ("click", "reward")):
        if not any(name in source for name in need):
            raise ValueError(f"{path}: column '{' or '.join(need)}' is missing; the file's columns are {has} (a "
                             f"column map names them: {need[-1]}=…)")
    if twice := [theirs for theirs in source.values() if names.count(theirs) > 1]:
        raise ValueError(f"{path}: column '{twice[0]}' stands twice; the file's columns are {has}")
    if left := [str(name) or "(no name)" for name in names if name not in source.values()]:
        notes.append(f"columns left out: {', '.join(left)}")
    order = {name: place for place, name in enumerate(SCHEMA)}
    return dict(sorted(source.items(), key=lambda pair: order.get(pair[0], len(SCHEMA))))


def _normal(cells: dict[str, pd.Series], path, notes: list[str], given: _Given) -> Log:
    """Types, ranges and ends as the schema has them; ValueError names file, column, value and row."""
    if not len(cells["user"]):
        raise ValueError(f"{path}: the log has no rows")
    frame = pd.DataFrame({name: _column(column, name, path, notes, given.in_seconds) for name, column in cells.items()})
    if "reward" not in frame:
        frame["reward"] = frame["click"]
        notes.append("reward is the click: the log has no reward of its own")
    check_ranges(frame, path)
    if not given.ours:
        frame = note_duplicates(frame, notes)
    rated = rewards.decided(frame, given.like, given.as_values, path, notes)
    shown = any(name in frame and frame[name].notna().any() for name in _SHOWN)
    chosen = given.self_selected or (not shown and (rated or bool((frame["reward"].dropna() > 0).all())))
    fill_ends(frame, notes)
    order = [name for name in SCHEMA if name in frame] + [name for name in frame if name not in SCHEMA]
    return Log(frame[order], str(path), list(dict.fromkeys(notes)), rewards.family_of(frame["reward"]), chosen)


def _column(column: pd.Series, name: str, path, notes: list[str], in_seconds: bool) -> pd.Series:
    """One column in the schema's form."""
    if name in IDS:
        text = as_text(column, name, path)
        if name in ("user", "item"):
            require(text.notna(), name, column, path, "an id: leave such rows out or give them one")
        return text
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if name == "time":
        return _seconds(column, path, notes, in_seconds)
    if name in NUMBERS or name in FLAGS:
        return _number(column, name, path)
    if name in LISTS:
        return column.map(lambda cell: _list(cell, name, path)).astype(object)
    return column


def _number(column: pd.Series, name, path) -> pd.Series:
    """Numbers with NaN for null; true and false count as 1 and 0."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64) if column.dtype != object else None
    if numbers is None or numbers.isna().sum() > column.isna().sum():
        words = column.map(lambda cell: _FLAG_WORDS.get(str(cell).lower(), cell)).astype(object)
        numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    require(numbers.notna() & ~np.isinf(numbers) | column.isna(), name, column, path, "a number")
    return numbers


def _seconds(column: pd.Series, path, notes: list[str], in_seconds: bool) -> pd.Series:
    """Seconds since 1970 as float64, or numbers from an unknown start."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return times.from_dates(column, path)
    if not pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.isna().sum() > column.isna().sum():
            return times.from_dates(column, path)
        column = numbers
    column = _number(column, "time", path)
    return column if in_seconds else times.from_numbers(column, path, notes)


def _list(cell: Any, name: str, path):
    """A list, from a list or its JSON text; None for null.  Candidates are ids: text, numbers as they are written."""
    if isinstance(cell, str):
        written = str if name == "candidates" else None
        try:
            cell = json.loads(cell, parse_int=written, parse_float=written)
        except json.JSONDecodeError:
            pass
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, list | tuple | np.ndarray):
        if name == "mask":
            return list(cell)
        entries = [entry(one) for one in cell]
        if all(isinstance(one, str) for one in entries):
            return entries
    raise ValueError(f"{path}: column '{name}' = {cell!r} must be a list"
                     f"{' of ids' if name == 'candidates' else ''}, in CSV written like [3, 17]")
