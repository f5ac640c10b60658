"""``python -m platform.tune [EXPERIMENT]``: run an experiment, print the answer, write the report."""
import argparse
import os
import sys

EPILOG = """exit status: 0 all trials finished, 1 a trial failed, 2 something to mend before it can run.
examples:
  python -m platform.tune                                  the quickstart
  python -m platform.tune --data my_log.parquet            the same race on users fitted to your log
  python -m platform.tune movies --set algorithms.a2c.gamma=0.95
  python -m platform.tune --resume results/quickstart/2026-01-31-120000"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m platform.tune", description="Race recommenders on simulated users.",
                                formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG)
    p.add_argument("experiment", nargs="?", help="a YAML file, or the name of a shipped one (default: quickstart)")
    p.add_argument("--list", action="store_true", help="list the shipped experiments, environments and algorithms")
    p.add_argument("--dry-run", action="store_true",
                   help="check everything and print the resolved experiment and its trials")
    p.add_argument("--chapter", type=int, metavar="N", help="run every shipped experiment of chapter N of docs/path")
    p.add_argument("--figures", metavar="DIR", help="also write the figures (SVG) and the leaderboard (Markdown) here")
    p.add_argument("--smoke", action="store_true", help="one seed, a few steps: does it run at all?")
    p.add_argument("--resume", metavar="RUN", help="continue the run in this results folder")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="override, e.g. algorithms.a2c.gamma=0.95")
    p.add_argument("--data", metavar="FILE", help="an interaction log (Parquet or CSV) instead of the default one")
    p.add_argument("--address", help="a running Ray cluster, e.g. auto")
    p.add_argument("--out", metavar="DIR", help="results folder (default: results/NAME/TIME)")
    p.add_argument("--verbose", action="store_true", help="tracebacks in full")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    args = parser().parse_args(arguments)
    from .experiment.model import Problem
    from .report import terminal

    try:
        if args.list:
            return terminal.list_all()
        return _chapter(args) if args.chapter is not None else _run(args)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; continue with --resume", file=sys.stderr)
        return 130


def _chapter(args) -> int:
    from .experiment import model as experiment

    if args.experiment or args.resume or args.out or args.data:
        raise experiment.Problem("--chapter runs several experiments: leave out EXPERIMENT, --resume, --out and --data")
    worst = 0
    for name in experiment.of_chapter(args.chapter):
        args.experiment = name
        worst = max(worst, _run(args))
        print()
    return worst


def _run(args) -> int:
    from .experiment import model as experiment
    from .report import terminal
    from .run import race

    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    if args.resume and (args.experiment or args.set or args.data or args.out or args.smoke):
        raise experiment.Problem("--resume continues a run as it was: leave out EXPERIMENT, --set, --data, --out and "
                                 "--smoke")
    if args.resume:
        e = race.saved_experiment(args.resume)
    else:
        e = experiment.read(args.experiment or "quickstart", args.set, args.data, args.smoke)
    plan = f"{1 + e.resources.workers} CPUs a trial, on the cluster"
    if not args.address:
        plan = experiment.check_resources(e, args.experiment or "quickstart", experiment.cpus(e))
    trials = experiment.trials(e, "final")
    if args.dry_run:
        return terminal.dry_run(e, trials, plan)
    if args.address:
        race.reachable(args.address)
    from pathlib import Path

    from rich.console import Console

    folder = Path(args.resume).resolve() if args.resume else race.new_folder(e, args.out)
    console = Console(highlight=False)
    terminal.introduce(console, e, trials, plan, folder)
    status = 0
    try:
        race.run(e, folder, console, args.address)
    except race.Failed as failed:
        console.print(f"[red]some trials failed[/red]; the rest is reported.\n{failed}", markup=True, soft_wrap=True)
        status = 1
    return max(status, terminal.conclude(console, folder, args.verbose, args.figures))


if __name__ == "__main__":
    sys.exit(main())
