"""``recloop audit LOGDIR``: recompute every decision and every policy version of a served log."""
import sys

from . import shared

EPILOG = """exit status: 0 everything is as it was recorded, 2 something differs or is damaged"""


def parser():
    """The command line."""
    p = shared.parser("audit", "Recompute every decision and every policy version of a served log.", [], EPILOG)
    p.add_argument("log", metavar="LOGDIR", help="folder that the live loop wrote")
    p.add_argument("--bundle", metavar="DIR", help="the bundle that the log began with")
    p.add_argument("--algorithm", default="squarecb", metavar="NAME",
                   help="without a bundle: the fresh policy that it began with (default: squarecb)")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    args = parser().parse_args(arguments)
    return shared.status_of(lambda: _audit(args))


def _audit(args) -> int:
    from pathlib import Path

    from envs.logs.segments import Corrupt, segments

    from ..serving import Refused, fresh_policy, load_policy
    from ..serving.audit import audit

    try:
        if not segments(Path(args.log)):
            raise Refused(f"{args.log}: holds no segments; valid is the folder that a live loop wrote")
        policy = load_policy(args.bundle) if args.bundle else fresh_policy(args.algorithm)
        found = audit(policy, args.log)
    except (Refused, Corrupt) as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    print(f"{found['decisions']:,} decisions and {found['versions']:,} versions are what was recorded "
          f"({found['outcomes']:,} outcomes)")
    if not policy.audited:
        print("this policy's bits are the same on one kind of processor only")
    return 0
