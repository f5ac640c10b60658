"""Where a log comes from: a file, the folder of a live loop, or a known data set, written NAME=PATH."""
from dataclasses import replace
from pathlib import Path

from . import known, reading, served
from .schema import Log


def read(source, columns: dict[str, str] | None = None, like: float | None = None, as_values: bool = False) -> Log:
    """The log in ``source``: a file (.parquet, .csv, .csv.gz), the folder that a live loop writes, or NAME=PATH, a
    known set (`known.SETS`) as downloaded.

    ``columns`` maps names of the schema to the file's.  A reward of at least ``like`` counts as a like, any other not;
    ``as_values`` takes ratings as amounts.  ValueError says in one sentence what is wrong, and where.
    """
    name, path = split(source)
    if name:
        return known.load(name, path, columns, like, as_values)
    if served.is_served(path):
        rows, notes = served.table(path)
        log = reading.from_frame(rows, columns, path, like, as_values)
        return replace(log, notes=notes + log.notes)
    return reading.read_file(path, columns, like, as_values)


def split(source) -> tuple[str, str]:
    """(name of the known set or "", path)."""
    name, equals, path = str(source).partition("=")
    if not equals or Path(source).exists() or "/" in name:
        return "", str(source)
    if name not in known.SETS:
        raise ValueError(f"{source}: no such file, and no known data set '{name}'; known are {', '.join(known.SETS)}")
    return name, path


def absolute(source, *folders) -> str:
    """``source`` with its path made absolute: the first of ``folders`` (else the working one) that holds it."""
    name, path = split(source)
    beside = [Path(folder) / path for folder in folders or (Path.cwd(),)]
    found = str(next((place for place in beside if place.exists()), beside[0]).resolve())
    return f"{name}={found}" if name else found
