"""Reading and writing: every log in one form, from Parquet, CSV or a DataFrame; written as Parquet.

Numbers are numbers, `reward` is always there, and so are `terminated` and `truncated`.  Where nobody knows how a
session ended it counts as truncated at its last row: that a user left must be seen, that a log stops need not be.
"""
import json
import math
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .schema import FEATURES, FLAGS, LISTS, NUMBERS, SCHEMA, Log, check_ranges, fill_ends, in_schema, require

_NOTES = b"recloop.notes"
_FLAG_WORDS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


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
        if not in_schema(ours):
            raise ValueError(f"{path}: column map: '{ours}' is not in the schema; valid are {', '.join(SCHEMA)} and "
                             f"names that begin with {', '.join(FEATURES)}")
        if theirs not in names:
            raise ValueError(f"{path}: column map: {ours}={theirs}, but the file's columns are "
                             f"{', '.join(map(str, names))}")
    source = {name: name for name in names if in_schema(name) and name not in columns.values()} | columns
    for need in (("user",), ("item",), ("click", "reward")):
        if not any(name in source for name in need):
            raise ValueError(f"{path}: column '{' or '.join(need)}' is missing; the file's columns are "
                             f"{', '.join(map(str, names))} (a column map names them: {need[-1]}=…)")
    if left := [str(name) for name in names if name not in source.values()]:
        notes.append(f"columns left out: {', '.join(left)}")
    order = {name: place for place, name in enumerate(SCHEMA)}
    return dict(sorted(source.items(), key=lambda pair: order.get(pair[0], len(SCHEMA))))


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
            require(column.notna(), name, column, path, "an id: leave such rows out or give them one")
        frame[name] = column
    if "reward" not in frame:
        frame["reward"] = frame["click"]
        notes.append("reward is the click: the log has no reward of its own")
    check_ranges(frame, path)
    fill_ends(frame, notes)
    order = [name for name in SCHEMA if name in frame] + [name for name in frame if name not in SCHEMA]
    return Log(frame[order], str(path), list(dict.fromkeys(notes)))


def _number(column: pd.Series, name, path) -> pd.Series:
    """Numbers with NaN for null; true and false count as 1 and 0."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64) if column.dtype != object else None
    if numbers is None or numbers.isna().sum() > column.isna().sum():
        words = column.map(lambda cell: _FLAG_WORDS.get(str(cell).lower(), cell))
        numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    require(numbers.notna() & ~np.isinf(numbers) | column.isna(), name, column, path, "a number")
    return numbers


def _seconds(column: pd.Series, path) -> pd.Series:
    """Seconds since 1970 as float64; dates are converted (those without a zone are taken as UTC)."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        if pd.api.types.is_numeric_dtype(column):
            return _number(column, "time", path)
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        valid = "seconds since 1970 or a date like 2026-01-31T12:00Z"
        require(dates.notna() | column.isna(), "time", column, path, valid)
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
