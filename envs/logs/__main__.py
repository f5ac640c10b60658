"""``python -m envs.logs FILE [--columns ours=theirs ...] [--like X]``: print what a log can and cannot answer."""
import argparse
import sys

from .check import check
from .sources import read


def main(arguments: list[str] | None = None) -> int:
    """Print what `check` says of the file; the exit status is 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m envs.logs", description="Say what an interaction log can answer.")
    parser.add_argument("file", help="a .parquet, .csv or .csv.gz file, or NAME=PATH, a known data set as downloaded")
    parser.add_argument("--columns", nargs="+", default=[], metavar="OURS=THEIRS", help="e.g. item=movieId click=liked")
    parser.add_argument("--like", type=float, metavar="X", help="a reward of X or more is a like, any other is not")
    parser.add_argument("--as-values", action="store_true", help="take ratings as amounts")
    options = parser.parse_args(arguments)
    try:
        print(check(read(options.file, pairs(options.columns), options.like, options.as_values)))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def pairs(columns: list[str]) -> dict[str, str]:
    """``ours=theirs`` texts as a column map; ValueError names one that is none."""
    split = [pair.split("=", 1) for pair in columns]
    if bad := [pair[0] for pair in split if len(pair) != 2]:
        raise ValueError(f"--columns {bad[0]}: must be written schema name=file's name, e.g. item=movieId")
    return dict(split)


if __name__ == "__main__":
    sys.exit(main())
