"""Ids are text exactly as written: 007 is not 7, NA is a name, and 19 digits stay 19 digits.

Nothing passes through a float: a column of numbers from Parquet or a DataFrame becomes 12, never 12.0, and a float
that is too large to have kept its digits is refused.
"""
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .schema import require

EXACT = 2**53                                                    # from here on a float loses whole numbers
_WHOLE = re.compile(r"-?[0-9]+")
_VALID = "below 2^53, where a float still holds every whole number: store larger ids as whole numbers or text"


def as_text(column: pd.Series, name, path) -> pd.Series:
    """A column of ids of any type as text; null and the empty text are null.  ValueError names cell and row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = as_text(pd.Series(column.cat.categories), name, path)
        return pd.Series(categories.array.take(column.cat.codes.to_numpy(), allow_fill=True), column.index)
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError):                   # mixed types, whole numbers of 40 digits
        return _slow(column, name, path)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        numbers = pd.Series(array.to_pandas()).astype(np.float64)
        require(numbers.isna() | (numbers.abs() < EXACT), name, numbers, path, _VALID)
        if (numbers.isna() | (numbers % 1 == 0)).all():
            array = pa.array(numbers, from_pandas=True).cast(pa.int64())
    if pa.types.is_integer(array.type) or pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        text = array.cast(pa.large_string()).to_pandas().astype("str")
        text.index = column.index
        return _without_empty(text)
    return _slow(column, name, path)


def _without_empty(text: pd.Series) -> pd.Series:
    """The empty text is null, as an empty cell of a CSV is."""
    empty = text == ""
    return text.mask(empty) if empty.any() else text


def _slow(column: pd.Series, name, path) -> pd.Series:
    """Cell by cell, for columns of mixed types."""
    cells = pd.Series([entry(cell) for cell in column], dtype=object)
    require(cells.map(lambda cell: cell is not NotImplemented), name, column, path,
            "an id: a number or text (a float only up to 2^53)")
    return _without_empty(pd.Series(cells.to_numpy(), column.index, dtype="str"))


def entry(cell: Any) -> Any:
    """One id as text, None for null; NotImplemented for what is no id."""
    if isinstance(cell, str):
        return str(cell)
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, bytes):
        return cell.decode(errors="backslashreplace")
    if isinstance(cell, float | np.floating | Decimal):
        if cell != cell:
            return None
        if abs(float(cell)) >= (EXACT if not isinstance(cell, Decimal) else float("inf")):
            return NotImplemented
        return str(int(cell)) if cell == int(cell) else str(cell)
    if isinstance(cell, list | tuple | dict | set | np.ndarray):
        return NotImplemented
    return str(cell)


def natural(ids) -> list[str]:
    """Distinct ids in order: by value where all are whole numbers (9 before 10, 007 before 7), else as text."""
    ids = list(ids)
    if all(_WHOLE.fullmatch(name) for name in ids):
        return sorted(ids, key=lambda name: (int(name), name))
    return sorted(ids)
