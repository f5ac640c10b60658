"""Search: every algorithm with a search space gets its best parameters, by the score on validation users."""
import json
import math
from pathlib import Path
from typing import Any

from ..experiment.model import Experiment
from ..experiment.plan import entry_rows, folder_name, trials
from ..experiment.spaces import tune_space
from ..trial.trial import Trial
from .folder import write_json
from .saved import attempts
from .tuning import Failed, fit


def search(e: Experiment, folder: Path, console, trust: bool = False) -> Experiment:
    """The experiment with what was found in place of its search spaces; found ones are kept in ``search.json``.

    One that was not finished begins anew, or, with ``trust``, goes on from Tune's own saved state.
    """
    done = folder / "search.json"
    chosen = json.loads(done.read_text()) if done.exists() else {}
    for trial in trials(e, "search"):
        if trial.row.id not in chosen:
            chosen[trial.row.id] = _search_one(e, trial, folder, console, trust)
            write_json(done, chosen)
    entries = []
    for entry, row in entry_rows(e):
        best = chosen.get(row.id, {}).get("params", {})
        entries.append(entry.model_copy(update={"params": entry.params | best}))
    return e.model_copy(update={"algorithms": entries})


def _search_one(e: Experiment, trial: Trial, folder: Path, console, trust: bool) -> dict[str, Any]:
    from ray import tune

    space = {key: tune_space(value) for key, value in trial.space.items()}
    grids = [len(value["grid"]) for value in trial.space.values() if "grid" in value]
    samples = 1 if len(grids) == len(trial.space) else e.search.trials
    total, metric = samples * math.prod(grids), e.search.metric
    scheduler = tune.schedulers.ASHAScheduler(max_t=e.budget.reports, grace_period=max(1, e.budget.reports // 4),
                                              metric=metric, mode=e.search.mode) \
        if e.search.scheduler == "asha" and e.budget.reports > 1 else None
    stage = f"search-{folder_name(trial.row.id)}"
    again = "" if trust or not attempts(folder, stage) else " from the beginning (--trust continues a search, and " \
        "reads the pickles in its folder)"
    console.print(f"searching {trial.row.label}: {total} trials over {', '.join(space)}{again}", markup=False,
                  soft_wrap=True)
    results, _ = fit({"trial": trial.plain(), "search": space}, folder, stage, e, total, console, trust,
                     search_alg=_searcher(e, trial, bool(grids)), scheduler=scheduler, num_samples=samples)
    return choose(results, metric, trial.row.label, console)


def choose(results: list, metric: str, label: str, console) -> dict[str, Any]:
    """The best of the settings whose score is a finite number; the others are named.  `Failed` where there is none."""
    table = [{"params": r.config["search"], "score": float(r.metrics[metric]), "env_steps": r.metrics["env_steps"]}
             for r in results if r.metrics and metric in r.metrics]
    if not table:
        raise Failed(f"no trial of the search for {label} finished")
    good = [line for line in table if math.isfinite(line["score"])]
    if not good:
        raise Failed(f"the search for {label} found nothing: none of the {len(table)} settings it tried has a finite "
                     f"{metric}; check the environment's rewards, or search smaller values")
    for line in table:
        if not math.isfinite(line["score"]):
            setting = ", ".join(f"{name} {value}" for name, value in line["params"].items())
            console.print(f"search for {label}: the setting {setting} cannot be chosen, its score is {line['score']}",
                          markup=False, soft_wrap=True)
    best = max(good, key=lambda line: line["score"])
    return {"params": best["params"], "score": best["score"], "trials": [_plain(line) for line in table]}


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN: a score that is not finite is kept as null."""
    return line if math.isfinite(line["score"]) else line | {"score": None}


def _searcher(e: Experiment, trial: Trial, grid: bool):
    from ray.tune.search.basic_variant import BasicVariantGenerator

    if e.search.searcher == "random" or grid:
        return BasicVariantGenerator(random_state=trial.spec.seed)
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return OptunaSearch(metric=e.search.metric, mode=e.search.mode, seed=trial.spec.seed)
