"""``recloop export RUN``: the winner of a race, or a row of it, as a folder that opens without the simulator."""
import sys

from . import shared

EPILOG = """The folder (a bundle) holds the policy, its items and CARD.md; in Python:
  from platform.serving import load_policy
  policy = load_policy("DIR"); policy.recommend(user=…, context=…, k=3)
exit status: 0 written, 2 something to mend"""


def parser():
    """The command line."""
    p = shared.parser("export", "Write a policy of a finished race as a bundle.", ["--out"], EPILOG)
    p.add_argument("run", metavar="RUN", help="results folder of the race (results/NAME/TIME)")
    p.add_argument("--row", metavar="NAME", help="label of the row to export (default: the best learner of ours)")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    args = parser().parse_args(arguments)
    return shared.status_of(lambda: _export(args))


def _export(args) -> int:
    from ..serving.decision import Refused
    from ..serving.export import export

    try:
        made = export(args.run, args.row, args.out)
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    print(f"{made.row.label} is in {made.folder}; read {made.folder / 'CARD.md'}")
    return 0
