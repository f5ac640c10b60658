"""One Tune experiment below a run's folder: fitted, or continued where it stands."""
from collections.abc import Mapping
from pathlib import Path

from ..experiment.model import Experiment
from ..experiment.plan import folder_name
from ..trial.trial import Trial


class Failed(RuntimeError):
    """At least one trial ended with an error."""


def fit(space: dict, folder: Path, name: str, e: Experiment, total: int, console, **how) -> tuple[list, list[str]]:
    """(results, errors of failed trials) of `ray.tune` over ``space``; ``how`` goes to its `TuneConfig`."""
    from ray import tune

    from .progress import Progress
    from .trainable import Race

    with Progress(folder, total, e.budget.env_steps, console) as progress:
        path = folder / "tune" / name
        if tune.Tuner.can_restore(str(path)):
            tuner = tune.Tuner.restore(str(path), trainable=Race, param_space=space, resume_unfinished=True,
                                       resume_errored=True)
            # callbacks are not part of what Tune saves; the type allows for Ray Client, where there is no local tuner
            tuner._local_tuner._run_config.callbacks = [progress]  # type: ignore[union-attr]
        else:
            config = tune.TuneConfig(reuse_actors=True, trial_dirname_creator=_dirname, **how)
            tuner = tune.Tuner(Race, param_space=space, tune_config=config, run_config=tune.RunConfig(
                name=name, storage_path=str(folder / "tune"), verbose=0, callbacks=[progress], stop=_finished,
                failure_config=tune.FailureConfig(max_failures=1),
                # all of them: Tune's saved state lags behind, and a resume may ask for one that num_to_keep removed
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=True)))
        grid = tuner.fit()
    return [grid[i] for i in range(len(grid))], [str(error) for error in grid.errors]


def _dirname(trial) -> str:
    ours = Trial.of(trial.config["trial"])
    return f"{folder_name(ours.row.id)}-seed{ours.seed_number}-{trial.trial_id}"


def _finished(trial_id: str, result: Mapping) -> bool:
    return bool(result.get("done"))
