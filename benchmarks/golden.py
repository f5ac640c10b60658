"""Golden numbers: does a change of the code's shape leave every number where it was?

    python benchmarks/golden.py keep FOLDER              run everything, keep the numbers in FOLDER/golden.json
    python benchmarks/golden.py compare FOLDER OTHER     exit 1 and name what differs between two such folders

What runs, through the command line: every shipped experiment without its RLlib rows (once as ``--smoke``, once a
little longer), every algorithm of the registry on up to two environments that accept it, and every environment with
up to two algorithms.  The latter experiments are written to FOLDER/yaml once; copy that folder to run the same ones
with other code.  Kept of a run: the numeric columns of its tables and every array of its checkpoints, by shape, type
and value (SHA-256).  Names of columns and files may change, times are left out.
"""
import collections
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from safetensors.numpy import load_file

TIMES = ("time", "wall", "per_s")                         # parts of the names of columns that no two runs share
ORDER = ("algorithm", "seed", "iteration", "block", "t", "action", "estimator", "user", "place")
PLACES = ("seed", "user", "place")                        # where a row stands, not what was measured
SLOW = {"off-policy", "replay-target", "user-types", "features"}          # their short form is long: smoke only
SHORT = ["seeds=1", "budget.env_steps=2000", "budget.reports=2", "population.eval_users=40",
         "population.validation_users=20", "population.replications=1"]
TINY = {"budget": {"env_steps": 640, "reports": 2}, "seeds": 1,
        "population": {"users_per_shard": 8, "shards": 2, "eval_users": 20, "validation_users": 10}}
QUICK = {"learning_starts": 64, "batch_size": 16, "rollout_steps": 8}     # so that every learner learns


def experiments(folder: Path) -> dict[str, list[str]]:
    """{name of a run: arguments of the command}; writes the YAML files that are not there yet."""
    written = folder / "yaml"
    if not written.exists():
        _write(written)
    runs = {}
    for path in sorted(written.glob("*.yaml")):
        runs[path.stem] = [str(path)]
        if path.stem.startswith("shipped-"):
            runs[path.stem] += ["--smoke"]
            if path.stem.removeprefix("shipped-") not in SLOW:
                runs[path.stem.replace("shipped-", "short-")] = [str(path)] + [f"--set={item}" for item in SHORT]
    return runs


def _write(written: Path) -> None:
    from platform.experiment.reading import shipped
    from platform.experiment.yaml_text import load

    written.mkdir(parents=True)
    for name, path in shipped().items():
        raw = load(path.read_text())
        raw["algorithms"] = [row for row in raw["algorithms"] if "rllib" not in row]
        (written / f"shipped-{name}.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    for env_id, name, params in pairs():
        raw = {"name": "tiny", "env": {"id": env_id}, **TINY, "algorithms": [{"name": name, "params": params}]}
        (written / f"tiny-{env_id.removeprefix('recloop/')}-{name}.yaml").write_text(yaml.safe_dump(raw))


def pairs():
    """(environment, algorithm, parameters): every one of both at least once, where it is accepted twice."""
    import dataclasses

    import envs
    from custom_algos import ALGORITHMS, find_algorithm
    from custom_algos.core import make_config
    from platform.trial.build import make_env

    of_env, of_algorithm = collections.Counter(), collections.Counter()
    for env_id in envs.MODELS:
        try:
            env = make_env(env_id, {}, 8)
        except (ValueError, OSError) as error:
            print("left out:", env_id, error)
            continue
        for name in sorted(ALGORITHMS, key=lambda name: of_algorithm[name]):
            if of_env[env_id] >= 2 and of_algorithm[name] >= 2:
                continue
            found = find_algorithm(name)
            fields = {f.name for f in dataclasses.fields(found.Config)}
            params = {key: value for key, value in QUICK.items() if key in fields}
            try:
                learner = found(env.single_observation_space, env.single_action_space, make_config(found, params), 0,
                                getattr(env, "items", None))
                obs, info = env.reset(seed=0)
                learner.act(obs, np.random.default_rng(0), mask=info.get("action_mask"))
            except (ValueError, TypeError, AttributeError):
                continue
            of_env[env_id] += 1
            of_algorithm[name] += 1
            yield env_id, name, params


def numbers(run: Path) -> dict[str, list[str]]:
    """{table, or tensors, or a file: sorted digests of arrays} of one results folder."""
    found = collections.defaultdict(list)
    for path in sorted(run.glob("*.parquet")):
        found[path.stem] = columns(pd.read_parquet(path))
    for path in sorted(run.glob("checkpoints/*/*.safetensors")):
        found["tensors"] += [digest(array) for array in load_file(path).values()]
    for name in ("problem.json", "calibration.json"):
        if (run / name).exists():
            found[name] += [digest(np.array(sorted(_leaves(json.loads((run / name).read_text())))))]
    return {kind: sorted(digests) for kind, digests in found.items()}


def columns(table: pd.DataFrame) -> list[str]:
    """Digests of the columns of numbers and of lists of numbers, rows in an order that names do not decide."""
    order = [c for c in ORDER if c in table and not isinstance(table[c].iloc[0], list | np.ndarray)]
    table, found = table.sort_values(order, kind="stable"), []
    for name, column in table.items():
        if name in PLACES or any(part in str(name) for part in TIMES):
            continue
        if column.dtype.kind in "biuf":
            found.append(digest(column.to_numpy(np.float64)))
        elif isinstance(column.iloc[0], list | np.ndarray) and not isinstance(column.iloc[0][0], str):
            found.append(digest(np.concatenate([np.asarray(cell, np.float64) for cell in column])))
    return found


def _leaves(tree):
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(part)
    elif isinstance(tree, int | float):
        yield float(tree)


def digest(array: np.ndarray) -> str:
    """Type, shape and value in one line."""
    data = np.ascontiguousarray(array)
    return f"{data.dtype} {list(data.shape)} {hashlib.sha256(data.tobytes()).hexdigest()[:24]}"


def keep(folder: Path) -> int:
    """Run what has not run yet; the numbers of all runs in ``folder/golden.json``."""
    import ray

    from platform import tune

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    kept, failed = {}, []
    runs = experiments(folder)
    for i, (name, arguments) in enumerate(runs.items()):
        run = folder / "runs" / name
        if not (run / "report.html").exists():
            shutil.rmtree(run, ignore_errors=True)
            if tune.main([*arguments, "--out", str(run)]):
                failed.append(name)
        kept[name] = numbers(run)
        shutil.rmtree(run / "tune", ignore_errors=True)
        print(f"[golden] {i + 1} of {len(runs)}: {name}", flush=True)
    (folder / "golden.json").write_text(json.dumps(kept, indent=1))
    print(f"{sum(map(count, kept.values()))} arrays of {len(kept)} runs; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


def count(kinds: dict[str, list[str]]) -> int:
    return sum(map(len, kinds.values()))


def compare(one: Path, other: Path) -> int:
    """Print how many arrays are equal, and what is not."""
    before, after = (json.loads((folder / "golden.json").read_text()) for folder in (one, other))
    equal, wrong = 0, 0
    for name in sorted(before | after):
        for kind in sorted(before.get(name, {}) | after.get(name, {})):
            a, b = (collections.Counter(side.get(name, {}).get(kind, [])) for side in (before, after))
            equal += (a & b).total()
            if a != b:
                wrong += 1
                print(f"{name}: {kind}: {(a - b).total()} arrays only in {one.name}, {(b - a).total()} only in "
                      f"{other.name}")
    print(f"{equal} arrays equal in {len(before)} runs; {wrong} tables or sets of tensors differ")
    return bool(wrong)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"] and len(sys.argv) == 3:
        sys.exit(keep(Path(sys.argv[2]).resolve()))
    if sys.argv[1:2] == ["compare"] and len(sys.argv) == 4:
        sys.exit(compare(Path(sys.argv[2]), Path(sys.argv[3])))
    sys.exit(__doc__)
