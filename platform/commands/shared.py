"""What commands share: flags that mean the same everywhere, and how a problem ends a command."""
import argparse
import sys
from collections.abc import Callable
from typing import Any

FLAGS: dict[str, dict] = {
    "experiment": {"nargs": "?", "help": "a YAML file, or the name of a shipped one (recloop list)"},
    "--set": {"action": "append", "default": [], "metavar": "KEY=VALUE",
              "help": "override, e.g. algorithms.a2c.gamma=0.95"},
    "--data": {"metavar": "FILE", "help": "an interaction log (Parquet or CSV; or NAME=PATH, a known data set, e.g. "
                                          "kuairand-pure=FOLDER) instead of the default one"},
    "--columns": {"nargs": "+", "default": [], "metavar": "OURS=THEIRS",
                  "help": "names of the log's columns, e.g. item=movieId click=liked"},
    "--like": {"type": float, "metavar": "X", "help": "a reward of X or more is a like, any other is not (ratings)"},
    "--as-values": {"action": "store_true", "help": "take ratings as amounts"},
    "--smoke": {"action": "store_true", "help": "one seed, a few steps: does it run at all?"},
    "--address": {"help": "a running Ray cluster, e.g. auto"},
    "--out": {"metavar": "DIR", "help": "folder to write to (default: results/NAME/TIME; of a bundle: RUN/bundle)"},
    "--verbose": {"action": "store_true", "help": "tracebacks in full"},
}


LOG = ["--data", "--columns", "--like", "--as-values"]               # what a log is, wherever one is taken
LOG_FLAGS = " and ".join([", ".join(LOG[:-1]), LOG[-1]])


def parser(verb: str, does: str, flags: list[str], epilog: str = "") -> argparse.ArgumentParser:
    """The parser of ``recloop verb`` with the named shared flags."""
    made = argparse.ArgumentParser(prog=f"recloop {verb}", description=does, epilog=epilog,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in flags:
        made.add_argument(flag, **FLAGS[flag])
    return made


def log_params(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags of LOG say, as parameters of an environment fitted to a log; `Problem` where they are wrong."""
    from envs.logs.__main__ import pairs

    from ..experiment.model import Problem

    try:
        given = {"path": args.data, "columns": pairs(args.columns) or None, "like": args.like,
                 "as_values": args.as_values or None}
    except ValueError as error:
        raise Problem(str(error)) from None
    return {name: value for name, value in given.items() if value is not None}


def status_of(run: Callable[[], int]) -> int:
    """The exit status of a command: its own, 2 with one message where something must be mended, 130 after Ctrl-C and
    143 after SIGTERM."""
    from ..experiment.model import Problem
    from ..run.ending import SIGTERM_CAME, end_on_sigterm

    end_on_sigterm()
    try:
        return run()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        ended = SIGTERM_CAME.is_set()
        how = str(stop) or "continue with --resume"
        print(f"{'terminated' if ended else 'interrupted'}; {how}", file=sys.stderr)
        return 143 if ended else 130
