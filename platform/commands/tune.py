"""``recloop tune [EXPERIMENT]``: run an experiment, print the answer, write the report."""
import os
import shutil
import sys
from pathlib import Path

from . import shared

EPILOG = """exit status: 0 all trials finished, 1 a trial failed, 2 something to mend before it can run,
130 and 143 stopped by Ctrl-C and SIGTERM (--resume continues).
examples:
  recloop tune                                  the quickstart
  recloop tune --data my_log.parquet            the same race on users fitted to your log
  recloop tune --data ratings.csv --columns user=userId item=movieId reward=rating --like 4
  recloop tune movies --set algorithms.a2c.gamma=0.95
  recloop tune --resume results/quickstart/2026-01-31-120000
`python -m platform.tune` is the same command."""


def parser():
    """The command line."""
    p = shared.parser("tune", "Race recommenders on simulated users.",
                      ["experiment", "--set", *shared.LOG, "--smoke", "--address", "--out", "--verbose"], EPILOG)
    p.add_argument("--resume", metavar="RUN", help="continue the run in this results folder")
    p.add_argument("--trust", action="store_true", help="with --resume: continue unfinished searches and RLlib's rows, "
                   "too, which reads pickles: only for a folder that you know")
    p.add_argument("--chapter", type=int, metavar="N", help="run every shipped experiment of chapter N of docs/path")
    p.add_argument("--figures", metavar="DIR", help="also write the figures (SVG) and the leaderboard (Markdown) here")
    p.add_argument("--dry-run", action="store_true", help="the same as: recloop check EXPERIMENT")
    p.add_argument("--list", action="store_true", help="the same as: recloop list")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    args = parser().parse_args(arguments)
    if args.list:
        from .list import list_all

        return list_all()
    return shared.status_of(lambda: _chapter(args) if args.chapter is not None else _run(args))


def _chapter(args) -> int:
    from ..experiment.model import Problem
    from ..experiment.reading import of_chapter

    if args.experiment or args.resume or args.out or shared.log_params(args):
        raise Problem(f"--chapter runs several experiments: leave out EXPERIMENT, --resume, --out, {shared.LOG_FLAGS}")
    worst = 0
    for name in of_chapter(args.chapter):
        args.experiment = name
        worst = max(worst, _run(args))
        print()
    return worst


def _run(args) -> int:
    from ..experiment import checks, model, plan
    from ..run import folder
    from . import check

    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    e = _experiment(args)
    resources = f"{1 + e.resources.workers} CPUs a trial, on the cluster"
    if not args.address:
        resources = checks.check_resources(e, args.experiment or "quickstart", checks.cpus(e))
    trials = plan.trials(e, "final")
    if args.dry_run:
        return check.dry_run(e, trials, resources)
    if args.resume:
        return _race(e, trials, resources, Path(args.resume).resolve(), args)
    where = folder.new_folder(e, args.out)
    try:
        return _race(e, trials, resources, where, args)
    except model.Problem:
        shutil.rmtree(where)                               # only the cluster could say so: nothing has run
        raise


def _experiment(args):
    from ..experiment import reading
    from ..experiment.model import Problem
    from ..run.folder import saved_experiment

    if args.trust and not args.resume:
        raise Problem("--trust goes with --resume: it says that the pickles of that folder may be read")
    if not args.resume:
        return reading.read(args.experiment or "quickstart", args.set, shared.log_params(args), args.smoke)
    if args.experiment or args.set or shared.log_params(args) or args.out or args.smoke:
        raise Problem(f"--resume continues a run: leave out EXPERIMENT, --set, --out, --smoke, {shared.LOG_FLAGS}")
    return saved_experiment(args.resume)


def _race(e, trials, resources: str, where: Path, args) -> int:
    from rich.console import Console

    from ..report import terminal
    from ..run import race
    from ..run.ending import disk_full
    from ..run.tuning import Failed

    console = Console(highlight=False)
    terminal.introduce(console, e, trials, resources, where)
    status, again = 0, f"continue with: recloop tune --resume {where}"
    try:
        race.run(e, where, console, args.address, args.trust)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(again) from None
    except Exception as error:
        if disk_full(error):
            print(f"error: the disk is full; make room, then {again}", file=sys.stderr)
            return 1
        if not isinstance(error, Failed):
            raise
        console.print("[red]some trials failed[/red]; the rest is reported.")
        console.print(str(error), markup=False, soft_wrap=True)
        status = 1
    return max(status, terminal.conclude(console, where, args.verbose, args.figures))
