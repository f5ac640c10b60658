"""From an experiment to a folder of results: search, final seeds, tables."""
import datetime
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from ..experiment.checks import warnings
from ..experiment.model import Experiment
from ..experiment.plan import log_seed, trials
from ..trial.trial import Role, Spec
from .cluster import cluster
from .folder import conclude, forget, machine, read_lines, whole_lines, write_json, write_whole
from .saved import KEPT, has_report, keep_last, newest_first
from .search import search
from .tuning import Failed, fit


def run(e: Experiment, folder: Path, console, address: str | None = None, trust: bool = False) -> Path:
    """Run (or continue) an experiment; returns the folder.  Raises `Failed` after writing what there is.

    ``trust``: what only a pickle can tell (unfinished searches, RLlib's checkpoints) is continued, not begun anew.
    """
    started, path = time.time(), folder / "machine.json"
    before = json.loads(path.read_text()) if path.exists() else {}          # a continued run keeps its beginning
    record = machine(e) | {"started": before.get("started", _at(started)),
                           "commands": [*before.get("commands", []), " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])]}
    with cluster(e, address, console):
        write_json(path, record)
        frozen = search(e, folder, console, trust)
        failed = race(frozen, folder, console, trust)
    conclude(frozen, folder)
    if not failed:
        keep_last(folder, trials(frozen, "final"))
    wall = before.get("wall_s", 0.0) + time.time() - started
    if told := warnings(e) + [f"{line['stage']} {line['trial']}, seed {line['seed']}: {line['notice']}"
                              for line in whole_lines(folder / "notices.jsonl")]:
        record["notices"] = told
    write_json(path, record | {"finished": _at(time.time()), "wall_s": round(wall, 1)})
    (folder / "errors.txt").unlink(missing_ok=True)
    if failed:
        write_whole(folder / "errors.txt", "\n\n".join(failed))
        reasons = [error.strip().splitlines()[-1] for error in failed]
        raise Failed("\n".join([*reasons, f"tracebacks: {folder / 'errors.txt'}"]))
    return folder


def race(e: Experiment, folder: Path, console, trust: bool = False) -> list[str]:
    """The final stage: every algorithm and seed as one Tune experiment; returns the errors of failed trials.

    Of a run that is continued, the trials that are not finished, each from its newest whole checkpoint.
    """
    from ray import tune

    every = trials(e, "final")
    if e.log:
        every = [replace(trial, log=str(_log(folder, trial.seed_number))) for trial in every]
        _write_logs(e, folder, console)
    saved = {trial.id: newest_first(folder, trial) for trial in every}
    reported = {line["trial"]: line["iteration"] for line in read_lines(folder / "tables.jsonl")}
    left = [trial for trial in every
            if trial.id not in reported or not has_report(saved[trial.id], reported[trial.id])]
    for trial in left:
        if trial.row.role is Role.RLLIB and saved[trial.id] and not trust:
            saved[trial.id] = []
            console.print(f"{trial.row.label} #{trial.seed_number} begins anew (--trust reads RLlib's checkpoints, "
                          "which are pickles)", markup=False, soft_wrap=True)
    for name in ("curves.jsonl", "tables.jsonl"):
        forget(folder / name, {trial.id for trial in left if not saved[trial.id]})
    if not left:
        return []
    found = [replace(trial, checkpoints=tuple(map(str, saved[trial.id]))) for trial in left]
    space = {"trial": tune.grid_search([trial.plain() for trial in found])}
    return fit(space, folder, "final", e, len(left), console, checkpoints=KEPT)[1]


def _log(folder: Path, number: int) -> Path:
    return folder / "logs" / f"{number}.parquet"


def _write_logs(e: Experiment, folder: Path, console) -> None:
    """The log of every seed that is not there yet."""
    from ..trial.simulated_log import write_log

    assert e.log
    for number in range(e.seeds):
        if not _log(folder, number).exists():
            console.print(f"writing log {number + 1} of {e.seeds}: {e.log.rows:,} rows of {e.log.name} after "
                          f"{e.log.env_steps:,} steps")
            write_log(_log(folder, number), Spec(e.env.id, e.env.params, e.log.name, e.log.params, log_seed(e, number)),
                      e.log.env_steps, e.log.rows)


def _at(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment).isoformat(timespec="seconds")
