"""``python -m envs.logs FILE [--columns ours=theirs ...]``: print what a log can and cannot answer."""
import argparse
import sys

from .check import check
from .reading import read


def main(arguments: list[str] | None = None) -> int:
    """Print what `check` says of the file; the exit status is 2 on bad input."""
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


if __name__ == "__main__":
    sys.exit(main())
