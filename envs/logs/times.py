"""Times as seconds since 1970, whatever unit a log has them in.

The unit of numbers is told by their size over the whole column: between 1990 and 2100 seconds, milliseconds,
microseconds, nanoseconds and dates written as digits do not overlap.  Smaller numbers (0, 1, 2 …) count from a start
that nobody knows: they keep the order of events, and are no dates.
"""
from typing import NamedTuple

import numpy as np
import pandas as pd

from .schema import require

FIRST, LAST = 631_152_000.0, 4_102_444_800.0                     # 1990-01-01 and 2100-01-01
VALID = "seconds since 1970 or a date like 2026-01-31T12:00Z"


class Unit(NamedTuple):
    """How times are written as numbers: so many to a second, or digits in the form of a date."""

    name: str
    per_second: float = 0.0
    form: str = ""


UNITS = (Unit("seconds since 1970", 1.0), Unit("milliseconds since 1970", 1e3), Unit("microseconds since 1970", 1e6),
         Unit("nanoseconds since 1970", 1e9), Unit("dates written YYYYMMDD", form="%Y%m%d"),
         Unit("dates written YYYYMMDDHHMM", form="%Y%m%d%H%M"),
         Unit("dates written YYYYMMDDHHMMSS", form="%Y%m%d%H%M%S"))
_DIGITS = {"%Y%m%d": 8, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}


def dated(time: pd.Series) -> bool:
    """Whether seconds ``[rows]`` are dates (1990 or later), and not numbers that count from an unknown start."""
    known = time.dropna()
    return bool(len(known) and known.min() >= FIRST)


def span(time: pd.Series) -> str:
    """First and last day of seconds ``[rows]``."""
    first, final = (pd.Timestamp(t, unit="s").date() for t in (time.min(), time.max()))
    return f"{first} to {final}"


def from_dates(column: pd.Series, path) -> pd.Series:
    """Seconds since 1970 of dates or their ISO text; those without a zone are taken as UTC."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        require(dates.notna() | column.isna(), "time", column, path, VALID)
        column = dates
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return (column - pd.Timestamp(0)) / pd.Timedelta(seconds=1)


def from_numbers(numbers: pd.Series, path, notes: list[str]) -> pd.Series:
    """Seconds since 1970 of float64 ``numbers [rows]`` (NaN = unknown); what they were taken for is noted.

    ValueError names the first row that is of another unit than most, or of none.
    """
    known = numbers.dropna()
    if known.empty:
        return numbers
    found = [(unit, seconds) for unit in UNITS if (seconds := _seconds(known, unit)).notna().any()]
    if not found:
        return _counted(numbers, known, path, notes)
    unit, seconds = max(found, key=lambda pair: pair[1].notna().sum())
    if seconds.isna().any():
        fits = pd.Series(True, index=numbers.index)
        fits[known.index] = seconds.notna()
        require(fits, "time", numbers, path, f"{unit.name} between 1990 and 2100, as {seconds.notna().mean():.3g} of "
                "the rows are; leave unknown times empty (a count from a start of your own stays below 631152000)")
    notes.append(f"time is read as {unit.name}: {span(seconds)}")
    return seconds.reindex(numbers.index)


def _counted(numbers, known, path, notes) -> pd.Series:
    """Numbers that are dates in no unit: kept where they are small enough to count from a start."""
    require(numbers.isna() | (numbers.abs() < FIRST), "time", numbers, path,
            f"{VALID}, milliseconds, microseconds or nanoseconds since 1970 or a date written YYYYMMDD[HHMM], between "
            "1990 and 2100; or a number that counts from a start of your own, below 631152000")
    low, high = known.min(), known.max()
    if low == high:
        notes.append(f"time is {low:g} in every row: it tells neither an order nor a date")
    else:
        notes.append(f"times are no dates but numbers from {low:g} to {high:g}: kept as they are, taken as seconds "
                     "from an unknown start; they tell the order of events, and no days")
    return numbers


def _seconds(known: pd.Series, unit: Unit) -> pd.Series:
    """Seconds since 1970 where a number is a time of 1990 … 2100 in this unit, else NaN."""
    if unit.per_second:
        seconds = known / unit.per_second
    else:
        length = _DIGITS[unit.form]
        low, high = 1990 * 10.0**(length - 4), 2101 * 10.0**(length - 4)
        seconds = pd.Series(np.nan, index=known.index)
        written = known[(known >= low) & (known < high) & (known % 1 == 0)]
        if len(written):
            days = pd.to_datetime(written.astype(np.int64).astype(str), format=unit.form, errors="coerce")
            seconds[written.index] = (days - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    return seconds.where((seconds >= FIRST) & (seconds < LAST))
