"""The checkpoints of a run: found without Tune, whose own saved state is a pickle and says what to run.

Tune writes them to ``tune/final/<attempt>/<trial>/checkpoint_<number>``; every command that runs (or continues) the
race is an attempt of its own.
"""
import shutil
from pathlib import Path

from ..experiment.plan import folder_name
from ..trial import checkpoint
from ..trial.trial import Trial

KEPT = 3                                                  # of a trial in one attempt: the newest may be broken


def trial_name(trial: Trial) -> str:
    """Name of a trial's folders."""
    return f"{folder_name(trial.row.id)}-seed{trial.seed_number}"


def attempts(folder: Path, stage: str) -> list[Path]:
    """The folders of the attempts so far, the last one last."""
    found = [path for path in (folder / "tune" / stage).glob("*/") if path.name.isdigit()]
    return sorted(found, key=lambda path: int(path.name))


def newest_first(folder: Path, trial: Trial) -> list[Path]:
    """Every checkpoint of a trial that is left, from all attempts."""
    found: list[Path] = []
    for attempt in attempts(folder, trial.stage):
        for place in sorted(attempt.glob(f"{trial_name(trial)}-*/")):
            if place.name.rpartition("-")[0] == trial_name(trial):
                found += sorted(place.glob("checkpoint_*"))
    return found[::-1]


def has_report(saved: list[Path], report: int) -> bool:
    """Whether the newest of the checkpoints is that of this report."""
    try:
        return bool(saved) and checkpoint.load(saved[0], "report")["report"] == report
    except checkpoint.Broken:
        return False


def keep_last(folder: Path, trials: list[Trial]) -> None:
    """The final policy of every trial moves to ``checkpoints/<trial>``; the earlier ones are only for a resume."""
    for trial in trials:
        saved = newest_first(folder, trial)
        if saved:
            target = folder / "checkpoints" / trial_name(trial)
            part = target.with_name(target.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(saved[0], part)
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
        for old in saved[1:]:
            shutil.rmtree(old)
