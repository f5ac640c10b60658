"""Files as columns: Parquet and CSV, strictly, with ids as they are written and no row out of step with its header."""
import csv
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .ids import as_text
from .schema import IDS, LISTS

NULL_WORDS = ("#n/a", "<na>", "n/a", "na", "nan", "-nan", "none", "null")      # of numbers and dates; ids have none
_BROKEN = (pa.ArrowException, csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error)
_META, _OLD_NOTES = b"recloop.log", b"recloop.notes"
_BLOCK = 1 << 24                                                 # bytes; a row must fit into one


class Table:
    """A file that was opened: ``names`` of its columns, and ``made``, what `envs.logs.write` left in it, or None."""

    names: list[str]
    made: dict[str, Any] | None = None

    def columns(self, source: dict[str, str]) -> dict[str, pd.Series]:
        """{name in the schema: its cells}, ``source`` maps to names of the file."""
        raise NotImplementedError


class Csv(Table):
    """Every row must have as many cells as the header has names, or one empty cell more in every row."""

    def __init__(self, path: Path):
        self.path = path
        with self._text() as text:
            rows = csv.reader(text)
            self.names = next((row for row in rows if row), [])
            self.lines = rows.line_num                           # of the header, with empty ones before it
            try:
                first = next((row for row in rows if row), [])
            except csv.Error:                                    # a cell of more than 131,072 characters
                first = []
        if not self.names:
            raise ValueError(f"{path}: not a readable .csv file: it is empty")
        self.width = len(self.names) + (len(first) == len(self.names) + 1 and first[-1] == "")

    def columns(self, source):
        places = [str(place) for place in range(self.width)]     # names may stand twice, places do not
        wanted = {ours: str(self.names.index(theirs)) for ours, theirs in source.items()}
        read = sorted({*wanted.values(), *places[len(self.names):]}, key=int)
        try:
            table = pacsv.read_csv(
                self.path, pacsv.ReadOptions(column_names=places, skip_rows=self.lines, block_size=_BLOCK),
                pacsv.ParseOptions(newlines_in_values=True),
                pacsv.ConvertOptions(column_types=dict.fromkeys(places, pa.large_string()), include_columns=read,
                                     null_values=[""], strings_can_be_null=True))
        except pa.ArrowInvalid as error:
            if "Expected" in str(error):
                self._refuse_shifted(error)
            raise
        if self.width > len(self.names) and table[places[-1]].null_count < len(table):
            self._refuse_shifted(None)
        return {ours: _typed(ours, table[place]) for ours, place in wanted.items()}

    def _text(self):
        opened = gzip.open if self.path.name.endswith(".gz") else open
        return opened(self.path, "rt", encoding="utf-8-sig", newline="")

    def _refuse_shifted(self, error):
        """Name the first row that has not the header's number of cells, one in step with a trailing comma last."""
        wrong: list[tuple[int, list[str]]] = []
        with self._text() as text:
            rows, line = csv.reader(text), 1
            try:
                for row in rows:
                    if row and len(row) != len(self.names):
                        trails = len(row) == self.width and not row[-1]
                        if not (trails and wrong):
                            wrong.append((line, row))
                        if not trails:
                            break
                    line = rows.line_num + 1
            except csv.Error:                                    # then the reason that Arrow gave has to do
                return
        if wrong:
            line, row = wrong[-1]
            raise ValueError(f"{self.path}: line {line} has {len(row)} cells, the header has {len(self.names)} names: "
                             f"{','.join(row)[:60]!r} (cells that hold a comma need quotes; an unknown one stays "
                             "empty)") from error


class Parquet(Table):
    """Whole numbers beside nulls stay whole numbers."""

    def __init__(self, path: Path):
        self.path = path
        schema = pq.read_schema(path)
        self.names, meta = schema.names, schema.metadata or {}
        if _META in meta:
            self.made = json.loads(meta[_META])
        elif _OLD_NOTES in meta:
            self.made = {"notes": json.loads(meta[_OLD_NOTES])}

    def columns(self, source):
        table = pq.read_table(self.path, columns=sorted(set(source.values())), partitioning=None)
        return {ours: as_text(table[theirs].to_pandas(types_mapper=pd.ArrowDtype), ours, self.path) if ours in IDS
                else table[theirs].to_pandas() for ours, theirs in source.items()}


def opened(path: Path) -> Table:
    """The file of a log; ValueError in one sentence where it is none."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    kinds = {".csv": Csv, ".csv.gz": Csv, ".parquet": Parquet}
    kind = next((made for ending, made in kinds.items() if path.name.endswith(ending)), None)
    if kind is None:
        raise ValueError(f"{path}: cannot read a file named *{path.suffix}; valid are .parquet, .csv and .csv.gz")
    return readable(path, lambda: kind(path))


def readable(path: Path, work):
    """What ``work()`` gives; what the file's format makes fail is a ValueError of one sentence."""
    try:
        return work()
    except _BROKEN as error:
        why = str(error).partition("\n")[0]
        raise ValueError(f"{path}: not a readable {''.join(path.suffixes)} file: {why}") from error


def write_parquet(frame: pd.DataFrame, path, made: dict[str, Any]) -> None:
    """``frame`` as one Parquet file that tells what `opened` then finds as ``made``."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _META: json.dumps(made).encode()})
    pq.write_table(table, path)


def _typed(ours: str, column: pa.ChunkedArray) -> pd.Series:
    """Cells of a CSV: ids and lists as written; else numbers or true/false where all are, with null words as null."""
    text = column.to_pandas()
    if ours in IDS or ours in LISTS:
        return text
    lower = text.str.lower()
    cleaned = text.mask(lower.isin(NULL_WORDS))
    array = pa.array(cleaned, from_pandas=True)
    for kind in (pa.int64(), pa.float64()):
        try:
            return array.cast(kind).to_pandas()
        except pa.ArrowInvalid:
            pass
    if cleaned.notna().all() and lower.isin(["true", "false"]).all():
        return lower == "true"
    return text if ours.startswith(("obs_", "user_", "item_")) else cleaned
