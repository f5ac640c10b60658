"""A results folder: made once, written whole or not at all, and turned into the tables that the report reads.

`curves.jsonl` and `tables.jsonl` grow while trials run; `conclude` makes Parquet of them, table by table, and does not
know what is in them.
"""
import contextlib
import datetime
import itertools
import json
import os
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..experiment import reading
from ..experiment.checks import cpus
from ..experiment.model import Experiment, Problem
from ..experiment.plan import describe
from ..installed import own_commit
from ..judge import exact
from ..judge.calibration import calibrate
from ..trial.build import task_of


def new_folder(e: Experiment, out: str | None) -> Path:
    """The folder of a fresh run; `Problem` when the named one is taken."""
    if out:
        folder = Path(out).resolve()
        if folder.is_file():
            raise Problem(f"--out {out}: is a file; name a folder")
        if folder.exists() and any(folder.iterdir()):
            raise Problem(f"--out {out}: the folder is not empty; name a new one, or continue it with --resume {out}")
    else:
        folder = Path("results", e.name, datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")).resolve()
    try:
        folder = _make(folder, taken=bool(out))
    except OSError as error:
        raise Problem(f"--out {folder}: cannot be made ({error.strerror}); name a folder you may write to") from None
    write_json(folder / "rows.json", describe(e))
    save_experiment(e, folder)
    return folder


def _make(folder: Path, taken: bool) -> Path:
    """The folder, new; where it is there already (a second run of the same second) the next free name, or, where it may
    be ``taken``, itself."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(2):
        try:
            folder.mkdir(exist_ok=taken)
            return folder
        except FileExistsError:
            folder = folder.with_name(f"{folder.name.partition('_')[0]}_{number}")
    raise AssertionError("numbers do not end")


def save_experiment(e: Experiment, folder: Path) -> None:
    write_whole(folder / "experiment.yaml", yaml.safe_dump(e.model_dump(), sort_keys=False))


def saved_experiment(folder: str | Path) -> Experiment:
    """The experiment of a run that was started before; `Problem` when the folder holds none."""
    path = Path(folder) / "experiment.yaml"
    if not path.exists():
        raise Problem(f"--resume {folder}: {path} does not exist; name the folder of a run (results/NAME/TIME)")
    attempts = Path(folder).glob("tune/final/*/")
    if not (Path(folder) / "rows.json").exists() or not all(path.name.isdigit() for path in attempts):
        raise Problem(f"--resume {folder}: made by an older version, which kept its trials in another form; run the "
                      "experiment again (the old report.html stays readable)")
    return reading.read(path)


def write_whole(path: Path, text: str) -> None:
    """A file that is either complete or not there."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def write_json(path: Path, content: Any) -> None:
    write_whole(path, json.dumps(content, indent=1))


def append(path: Path, row: dict) -> None:
    """One JSON line, on disk before we go on; a half-written one before it (a kill, a full disk) is closed first."""
    with open(path, "ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
        file.write((b"" if not end or file.read(1) == b"\n" else b"\n") + json.dumps(row).encode() + b"\n")
        file.flush()


def whole_lines(path: Path) -> list[dict]:
    """Every whole line of a file written by `append`."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):    # what a killed run wrote last
            rows.append(json.loads(line))
    return rows


def read_lines(path: Path) -> list[dict]:
    """The same where a later row of a trial and iteration replaces the earlier one."""
    return list({(row["trial"], row["iteration"]): row for row in whole_lines(path)}.values())


def forget(path: Path, trials: set[str]) -> None:
    """Take out the lines of trials that begin anew."""
    if path.exists() and trials:
        kept = [row for row in whole_lines(path) if row["trial"] not in trials]
        write_whole(path, "".join(json.dumps(row) + "\n" for row in kept))


def conclude(e: Experiment, folder: Path) -> None:
    """The files that the report reads: every table as Parquet, and what is known of the problem and of its log."""
    tables: dict[str, list[dict]] = defaultdict(list)
    tables["curves"] = read_lines(folder / "curves.jsonl")
    for line in read_lines(folder / "tables.jsonl"):
        for name, rows in line["tables"].items():
            tables[name] += [line["identity"] | row for row in rows]
    for name, rows in tables.items():
        part = folder / f"{name}.parquet.part"
        pd.DataFrame(rows).to_parquet(part)
        os.replace(part, folder / f"{name}.parquet")
    save_experiment(e, folder)
    write_json(folder / "rows.json", describe(e))
    task = task_of(e.env.id, e.env.params)
    if known := exact.known(e, task):
        write_json(folder / "problem.json", known)
    if (found := calibrate(task, pd.DataFrame(tables["scores"]))) is not None:
        write_json(folder / "calibration.json", found)


def machine(e: Experiment) -> dict[str, Any]:
    """Where and with what the numbers were made."""
    import platform as standard

    versions = {}
    for name in ("recloop", "ray", "torch", "gymnasium", "numpy", "numba", "pandas", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {"versions": versions, "commit": own_commit(), "cores": cpus(e), "python": standard.python_version(),
            "system": standard.platform()}
