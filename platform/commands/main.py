"""``recloop VERB …``: find the verb's file and hand the rest of the line to it."""
import importlib
import sys

from ..installed import foreign_packages, version
from .verbs import VERBS

HELP = ("-h", "--help")


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in HELP:
        print(usage())
        return 0 if given else 2
    if given[0] == "--version":
        print(version() or "not installed")
        return 0
    if given[0] not in VERBS:
        from ..experiment.names import among

        print(f"error: recloop {given[0]}: no such command; {among(given[0], VERBS)}", file=sys.stderr)
        return 2
    for sentence in foreign_packages():
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    return importlib.import_module(VERBS[given[0]].module).main(given[1:])


def usage() -> str:
    """What ``recloop --help`` says."""
    width = max(map(len, VERBS))
    lines = [f"  {name:{width}}  {verb.does}\n  {'':{width}}    {verb.example}" for name, verb in VERBS.items()]
    return "\n".join(["usage: recloop VERB …", "", "Race recommenders that learn by acting on simulated users.", "",
                      *lines, "", "recloop VERB --help tells what a verb takes; recloop --version names the version."])


if __name__ == "__main__":
    sys.exit(main())
