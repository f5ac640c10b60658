"""From an experiment to a folder of results: search, final seeds, tables."""
import contextlib
import datetime
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from ..experiment import model as ex

QUIET = {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_DEDUP_LOGS": "0",
         "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
         "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
         "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "999999", "PYTHONWARNINGS": "ignore",
         "TUNE_GLOBAL_CHECKPOINT_S": "2", "TUNE_DISABLE_SIGINT_HANDLER": "1",
         "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0"}


class Failed(RuntimeError):
    """At least one trial ended with an error."""


def new_folder(e: ex.Experiment, out: str | None) -> Path:
    """The folder of a fresh run; `ex.Problem` when the named one is taken."""
    if out:
        folder = Path(out).resolve()
        if folder.is_file():
            raise ex.Problem(f"--out {out}: is a file; name a folder")
        if folder.exists() and any(folder.iterdir()):
            raise ex.Problem(f"--out {out}: the folder is not empty; name a new one, or continue it with "
                             f"--resume {out}")
    else:
        folder = Path("results", e.name, datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ex.Problem(f"--out {folder}: cannot be made ({error.strerror}); name a folder you may write to") from None
    write_whole(folder / "experiment.yaml", yaml.safe_dump(e.model_dump(), sort_keys=False))
    return folder


def saved_experiment(folder: str | Path) -> ex.Experiment:
    """The experiment of a run that was started before; `ex.Problem` when the folder holds none."""
    path = Path(folder) / "experiment.yaml"
    if not path.exists():
        raise ex.Problem(f"--resume {folder}: {path} does not exist; name the folder of a run (results/NAME/TIME)")
    return ex.read(path)


def run(e: ex.Experiment, folder: Path, console, address: str | None = None) -> Path:
    """Run (or continue) an experiment; returns the folder.  Raises `Failed` after writing what there is."""
    started, path = time.time(), folder / "machine.json"
    before = json.loads(path.read_text()) if path.exists() else {}          # a continued run keeps its beginning
    record = machine(e) | {"started": before.get("started", _at(started)),
                           "commands": [*before.get("commands", []), " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])]}
    with cluster(e, address):
        write_whole(path, json.dumps(record, indent=1))
        frozen = search(e, folder, console)
        failed = race(frozen, folder, console)
    conclude(frozen, folder)
    if not failed:
        keep_last_checkpoints(folder)
    wall = before.get("wall_s", 0.0) + time.time() - started
    write_whole(path, json.dumps(record | {"finished": _now(), "wall_s": round(wall, 1)}, indent=1))
    (folder / "errors.txt").unlink(missing_ok=True)
    if failed:
        write_whole(folder / "errors.txt", "\n\n".join(failed))
        reasons = [error.strip().splitlines()[-1] for error in failed]
        raise Failed("\n".join([*reasons, f"tracebacks: {folder / 'errors.txt'}"]))
    return folder


@contextlib.contextmanager
def cluster(e: ex.Experiment, address: str | None):
    """Ray, without its noise; refuses trials that could never be placed."""
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    import ray

    mine = not ray.is_initialized()
    if mine and address:
        reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    elif mine:
        ray.init(address="local", num_cpus=ex.cpus(e), include_dashboard=False, log_to_driver=False,
                 logging_level=logging.ERROR)
    for name in ("ray", "ray.tune", "ray.rllib", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        ex.check_resources(e, e.name, ray.cluster_resources().get("CPU", 0))
        yield
    finally:
        if mine:
            ray.shutdown()


def reachable(address: str) -> None:
    """`ex.Problem` when nobody answers at host:port (Ray itself would try for minutes)."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:                                           # "auto", "local": Ray's own words
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise ex.Problem(f"--address {address}: no Ray cluster answers there ({error})") from None


def search(e: ex.Experiment, folder: Path, console) -> ex.Experiment:
    """Give every algorithm with a search space its best parameters, by the score on validation users."""
    done = folder / "search.json"
    chosen = json.loads(done.read_text()) if done.exists() else {}
    for trial in ex.trials(e, "search"):
        if trial["label"] not in chosen:
            chosen[trial["label"]] = _search_one(e, trial, folder, console)
            write_whole(done, json.dumps(chosen, indent=1))
    entries = []
    for entry in e.algorithms:
        best = chosen.get(ex.label(entry), {}).get("params", {})
        entries.append(entry.model_copy(update={"params": entry.params | best}))
    return e.model_copy(update={"algorithms": entries})


def _search_one(e, trial, folder, console):
    from ray import tune

    space = {key: tune_space(value) for key, value in trial["space"].items()}
    grids = [len(value["grid"]) for value in trial["space"].values() if "grid" in value]
    only_grid = len(grids) == len(trial["space"])
    samples = 1 if only_grid else e.search.trials
    total = samples * math.prod(grids)
    from ray.tune.search.basic_variant import BasicVariantGenerator

    searcher: Any = BasicVariantGenerator(random_state=trial["seed"])
    if e.search.searcher == "optuna" and not grids:
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        searcher = OptunaSearch(metric=e.search.metric, mode=e.search.mode, seed=trial["seed"])
    scheduler = tune.schedulers.ASHAScheduler(max_t=e.budget.reports, grace_period=max(1, e.budget.reports // 4),
                                              metric=e.search.metric, mode=e.search.mode) \
        if e.search.scheduler == "asha" and e.budget.reports > 1 else None
    config = tune.TuneConfig(search_alg=searcher, scheduler=scheduler, num_samples=samples, reuse_actors=True,
                             trial_dirname_creator=_dirname)
    console.print(f"searching {trial['label']}: {total} trials over {', '.join(space)}")
    results, _ = _tune(config, {"trial": {k: v for k, v in trial.items() if k != "space"}, "search": space}, folder,
                       f"search-{ex.folder_name(trial['label'])}", e, total, console)
    good = [r for r in results if r.metrics and e.search.metric in r.metrics]
    if not good:
        raise Failed(f"no trial of the search for {trial['label']} finished")
    best = max(good, key=lambda r: r.metrics[e.search.metric])
    table = [{"params": r.config["search"], "score": r.metrics[e.search.metric], "env_steps": r.metrics["env_steps"]}
             for r in good]
    return {"params": best.config["search"], "score": best.metrics[e.search.metric], "trials": table}


def tune_space(value: dict):
    """A search word as Tune's own object."""
    from ray import tune

    (word, given), = value.items()
    if word == "choice":
        return tune.choice(given)
    if word == "grid":
        return tune.grid_search(given)
    return getattr(tune, word)(*given)


def race(e: ex.Experiment, folder: Path, console) -> list[str]:
    """The final stage: every algorithm and seed as one Tune experiment; returns the errors of failed trials."""
    from ray import tune

    rows = [{k: v for k, v in trial.items() if k != "space"} for trial in ex.trials(e, "final")]
    if e.log:
        for trial in rows:
            trial["log"] = str(folder / "logs" / f"{trial['seed_number']}.parquet")
        _write_logs(e, folder, console)
    _, errors = _tune(tune.TuneConfig(reuse_actors=True, trial_dirname_creator=_dirname),
                      {"trial": tune.grid_search(rows)}, folder, "final", e, len(rows), console)
    return errors


def _write_logs(e, folder, console) -> None:
    """The log of every seed that is not there yet."""
    from .simulated_log import write_log
    from .workers import Spec

    for number in range(e.seeds):
        path = folder / "logs" / f"{number}.parquet"
        if not path.exists():
            console.print(f"writing log {number + 1} of {e.seeds}: {e.log.rows:,} rows of {e.log.name} after "
                          f"{e.log.env_steps:,} steps")
            write_log(path, Spec(e.env.id, e.env.params, e.log.name, e.log.params, ex.log_seed(e, number)),
                      e.log.env_steps, e.log.rows)


def _dirname(trial) -> str:
    spec = trial.config["trial"]
    return f"{ex.folder_name(spec['label'])}-seed{spec['seed_number']}-{trial.trial_id}"


def _tune(config, space, folder, name, e, total, console):
    """Fit or continue one Tune experiment below the run's folder."""
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
            tuner = tune.Tuner(Race, param_space=space, tune_config=config, run_config=tune.RunConfig(
                name=name, storage_path=str(folder / "tune"), verbose=0, callbacks=[progress], stop=_finished,
                failure_config=tune.FailureConfig(max_failures=1),
                # all of them: Tune's saved state lags behind, and a resume may ask for one that num_to_keep removed
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=True)))
        grid = tuner.fit()
    return [grid[i] for i in range(len(grid))], [str(error) for error in grid.errors]


def _finished(trial_id: str, result: Mapping) -> bool:
    return bool(result.get("done"))


def conclude(e: ex.Experiment, folder: Path) -> None:
    """The tables that the report reads: curves.parquet, scores.parquet, calibration.json, stories.json."""
    import pandas as pd

    from .progress import read_lines

    curves = pd.DataFrame(read_lines(folder / "curves.jsonl"))
    finished = read_lines(folder / "done.jsonl")
    scores = pd.DataFrame([{"trial": row["trial"], "algorithm": row["algorithm"], "kind": row["kind"], "stage": "test",
                            "seed": row["seed"], **block, "env_steps": row["env_steps"], "wall_s": row["time_s"],
                            "env_steps_per_s": row["env_steps"] / row["time_s"] if row["time_s"] else float("nan")}
                           for row in finished for block in row["scores"]])
    collected = pd.DataFrame([{"trial": row["trial"], "algorithm": row["algorithm"], "kind": row["kind"],
                               "runs": e.population.replications, "t": t, "mean": mean, "sd": sd, "high": high}
                              for row in finished for t, mean, sd, high in row.get("curve") or []])
    shown = pd.DataFrame([{"algorithm": row["algorithm"], "trial": row["trial"], "action": action, "count": count}
                          for row in finished for action, count in enumerate(row.get("shown") or [])])
    tables = {"curves": curves, "scores": scores, "regret": collected, "shown": shown}
    for name, table in tables.items():
        if table.empty and name in ("regret", "shown"):
            continue
        part = folder / f"{name}.parquet.part"
        table.to_parquet(part)
        os.replace(part, folder / f"{name}.parquet")
    write_whole(folder / "experiment.yaml", yaml.safe_dump(e.model_dump(), sort_keys=False))
    _problem(e, folder)
    maps = {row["algorithm"]: row["map"] for row in finished if row.get("map") and row["seed"] == 0}
    if maps:
        write_whole(folder / "maps.json", json.dumps(maps))
    _calibrate(e, folder, scores)
    _stories(e, folder, finished, scores)
    if e.estimates:
        write_whole(folder / "estimates.json", json.dumps({row["trial"]: row["estimates"] for row in finished
                                                           if row.get("estimates")}, indent=1))


def keep_last_checkpoints(folder: Path) -> None:
    """The final policy of every trial moves to ``checkpoints/<trial>``; the earlier ones are only for a resume."""
    for trial in sorted((folder / "tune" / "final").glob("*/")):
        saved = sorted(trial.glob("checkpoint_*"))
        if saved:
            target = folder / "checkpoints" / trial.name.rsplit("-", 1)[0]
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(saved[-1], target)
        for old in saved[:-1]:
            shutil.rmtree(old)


def _problem(e, folder):
    """What is known of the problem beforehand: Lai & Robbins' constant, the optima of agents that go on exploring."""
    from ..judge import exact
    from .workers import make_env

    env, known = make_env(e.env.id, e.env.params, 1), {}
    if (slope := getattr(env, "lai_robbins", lambda: None)()) is not None:
        known["lai_robbins"] = slope
    if hasattr(env, "mdp"):
        known |= {"soft_optima": exact.soft_optima(e, env), "optimum": exact.optimal_map(env)}
    if known:
        write_whole(folder / "problem.json", json.dumps(known))


def _calibrate(e, folder, scores):
    """Does the log teach anything?  Gain > 0 in every split and oracle − random ≥ 10 standard errors of a score."""
    from .workers import make_env

    env = make_env(e.env.id, e.env.params, 1)
    if not hasattr(env, "calibration") or scores.empty:
        return
    found = env.calibration()
    oracle = scores[scores.kind == "bound"]
    random = scores[(scores.kind == "reference") & (scores.algorithm == "random")]
    users, blocks = oracle.users.sum(), len(oracle)
    level = (oracle.return_mean * oracle.users).sum() / users
    error = float((((oracle.return_mean - level) ** 2 * oracle.users).sum() / (blocks - 1) / users) ** 0.5) \
        if blocks > 1 else float("nan")                    # blocks hold different people
    gap = float(level - (random.return_mean * random.users).sum() / random.users.sum())
    positive = sum(gain > 0 for gain in found["gain_splits"])
    teaches = positive == len(found["gain_splits"]) and gap >= 10 * error
    if blocks < 10 or users < 100:
        error, teaches = float("nan"), positive == len(found["gain_splits"])     # too few users to judge the gap
    why = (f"held-out likelihood beats the base rate in {positive} of {len(found['gain_splits'])} splits; the oracle "
           f"is {gap:.2f} likes a session above random, "
           + (f"{gap / error:.0f} standard errors of a score" if error > 0
              else "scored on too few users to judge that"))
    write_whole(folder / "calibration.json", json.dumps(
        found | {"log": Path(env.world.source).name, "teaches": bool(teaches), "why": why, "oracle_minus_random": gap,
                 "standard_error": error if error > 0 else None}, indent=1))


def _stories(e, folder, finished, scores):
    """Three test users: what random showed them, and what the best learner shows them."""
    told = {row["algorithm"]: row for row in finished if row.get("story")}
    learners = scores[scores.kind.isin(["ours", "rllib"])] if len(scores) else scores
    if "random" not in told or learners.empty:
        return
    best = learners.groupby("algorithm").return_mean.mean().sort_values(ascending=False).index
    after = next((name for name in best if name in told), None)
    if after is None:
        return
    oracle = told.get("oracle", {}).get("story") or [[]] * len(told["random"]["story"])
    stories = []
    for n, (before, later, loved) in enumerate(zip(told["random"]["story"], told[after]["story"], oracle, strict=True)):
        genres = [g for item in loved for g in item["genres"].split(", ") if g]
        top = sorted(set(genres), key=lambda g: -genres.count(g))[:3]
        titles = ", ".join(item["title"] for item in loved[:3])
        stories.append({"user": f"test user {n + 1}", "before": before, "after": later, "before_label": "random",
                        "after_label": after, "likes": f"would most of all like {titles}"
                        + (f" (often {', '.join(top)})" if top else "")})
    write_whole(folder / "stories.json", json.dumps(stories, indent=1))


def machine(e: ex.Experiment) -> dict:
    """Where and with what the numbers were made."""
    import platform as standard

    versions = {}
    for name in ("recloop", "ray", "torch", "gymnasium", "numpy", "numba", "pandas", "scipy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent,
                            check=False).stdout.strip()
    return {"versions": versions, "commit": commit, "cores": ex.cpus(e), "python": standard.python_version(),
            "system": standard.platform()}


def write_whole(path: Path, text: str) -> None:
    """A file that is either complete or not there."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def _now() -> str:
    return _at(time.time())


def _at(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment).isoformat(timespec="seconds")
