"""One Tune experiment below a run's folder: fitted, or continued where it stands."""
from collections.abc import Mapping
from pathlib import Path

from ..experiment.model import Experiment
from ..trial.trial import Trial
from .saved import attempts, trial_name


class Failed(RuntimeError):
    """At least one trial ended with an error."""


def fit(space: dict, folder: Path, stage: str, e: Experiment, total: int, console, trust: bool = False,
        checkpoints: int = 0, **how) -> tuple[list, list[str]]:
    """(results, errors of failed trials) of `ray.tune` over ``space``; ``how`` goes to its `TuneConfig`.

    Every call is an attempt of its own; with ``trust`` an unfinished one is continued as Tune left it, which reads its
    pickles.  ``checkpoints``: how many of a trial are kept.
    """
    from ray import tune

    from .progress import Progress
    from .trainable import Race

    before = attempts(folder, stage)
    space = space | {"folder": str(folder)}
    with Progress(folder, total, e.budget.env_steps, console) as progress:
        if trust and before and tune.Tuner.can_restore(str(before[-1])):
            tuner = tune.Tuner.restore(str(before[-1]), trainable=Race, param_space=space, resume_unfinished=True,
                                       resume_errored=True)
            # callbacks are not part of what Tune saves; the type allows for Ray Client, where there is no local tuner
            tuner._local_tuner._run_config.callbacks = [progress]  # type: ignore[union-attr]
        else:
            config = tune.TuneConfig(reuse_actors=True, trial_dirname_creator=_dirname, **how)
            number = int(before[-1].name) + 1 if before else 1
            kept = tune.CheckpointConfig(num_to_keep=checkpoints, checkpoint_frequency=1, checkpoint_at_end=True) \
                if checkpoints else tune.CheckpointConfig()
            tuner = tune.Tuner(Race, param_space=space, tune_config=config, run_config=tune.RunConfig(
                name=str(number), storage_path=str(folder / "tune" / stage), verbose=0, callbacks=[progress],
                stop=_finished, failure_config=tune.FailureConfig(max_failures=1), checkpoint_config=kept))
        grid = tuner.fit()
    return [grid[i] for i in range(len(grid))], [str(error) for error in grid.errors]


def _dirname(trial) -> str:
    return f"{trial_name(Trial.of(trial.config['trial']))}-{trial.trial_id}"


def _finished(trial_id: str, result: Mapping) -> bool:
    return bool(result.get("done"))
