"""Whole runs through the command line: a small experiment, the command, and the numbers it leaves."""
import sys
import time

import pandas as pd
import yaml

SMALL = {"name": "small", "question": "Does a run survive?",
         "env": {"id": "recloop/Logged-v0", "params": {"impressions": 20}},
         "population": {"shards": 2, "users_per_shard": 16, "eval_users": 40, "validation_users": 20},
         "budget": {"env_steps": 64_000, "reports": 20}, "seeds": 1, "reference": "popularity",
         "algorithms": [{"name": "thompson"}, {"name": "a2c"}], "resources": {"workers": 0, "cpus": 2}}


def file_of(folder, raw):
    """A YAML file with the content."""
    path = folder / f"{raw['name']}.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def command(*arguments):
    return [sys.executable, "-m", "platform.tune", *map(str, arguments)]


def numbers(folder):
    """Curves and scores of a run, without what depends on the clock."""
    curves = pd.read_parquet(folder / "curves.parquet").sort_values(["trial", "iteration"]).reset_index(drop=True)
    scores = pd.read_parquet(folder / "scores.parquet").sort_values(["trial", "block"]).reset_index(drop=True)
    return (curves.drop(columns=[c for c in curves if c.startswith("time")]),
            scores.drop(columns=["wall_s", "env_steps_per_s"]))


def assert_same_numbers(calm, disturbed):
    """Both folders hold the same curves and scores, bit for bit."""
    for one, other in zip(numbers(calm), numbers(disturbed), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def wait_for(path, lines, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not reach {lines} lines")
