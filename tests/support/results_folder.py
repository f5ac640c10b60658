"""A small results folder as a run leaves it, with numbers that can be worked out by hand."""
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from platform.report.leaderboard import Board
from platform.report.results import Results


class Made(NamedTuple):
    """A row of a made-up race; its id is never its label."""

    label: str
    role: str
    runs: list[list[float]]                                  # [S, B]
    name: str = ""                                           # of the algorithm; empty: the label is its name
    row: str = ""

    @property
    def id(self) -> str:
        return self.row or f"row-of-{self.label.replace(' ', '-')}"

    @property
    def learns(self) -> bool:
        return self.role in ("learner", "rllib")

    @property
    def algorithm(self) -> str:
        return self.name or self.label.removeprefix("RLlib ")


# S = 2 runs on B = 2 blocks of 100 users; the rows that do not learn have one run
ROWS = (
    Made("ucb", "learner", [[10.0, 14.0], [12.0, 16.0]]),
    Made("a2c", "learner", [[3.0, 7.0], [3.0, 7.0]]),
    Made("RLlib PPO", "rllib", [[5.0, 8.0], [6.0, 11.0]]),
    Made("random", "reference", [[0.0, 4.0]]),
    Made("popularity", "reference", [[9.0, 13.0]]),
    Made("oracle", "bound", [[20.0, 24.0]]),
)


def make(folder: Path, rows=ROWS, env="recloop/Logged-v0", reference="popularity", seeds=2, calibration=True,
         score="session", **columns) -> Path:
    """Write a results folder; ``columns`` add to or replace columns of the curves."""
    learners = [row for row in rows if row.learns]
    experiment = {
        "question": "Does <learning> pay?", "name": "toy", "env": {"id": env, "params": {}}, "score": score,
        "population": {"shards": 1, "users_per_shard": 8, "eval_users": 200}, "budget": {"env_steps": 64},
        "seeds": seeds, "resources": {"workers": 0},
        "algorithms": [{"label": row.label, "rllib" if row.role == "rllib" else "name": row.algorithm}
                       for row in learners]}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    (folder / "machine.json").write_text(json.dumps({"versions": {"numpy": "9.9.9"}, "commit": "abcdef0123456789",
                                                     "cores": 2, "finished": "2026-01-02T03:04:05"}))
    live = env.startswith("recloop/Logged")
    (folder / "rows.json").write_text(json.dumps({
        "rows": [{"row": row.id, "label": row.label, "role": row.role, "name": row.algorithm} for row in rows],
        "reference": named(rows, reference), "random": named(rows, "random", "reference"),
        "bound": next((row.id for row in rows if row.role == "bound"), None), "unit": "likes" if live else "return",
        "live": live, "users_are_people": env.startswith("recloop/")}))
    write(folder, "scores", rows, [
        {"block": block, "users": 100, "return_mean": value, "length_mean": 50.0, "reward_mean": value / 50,
         "wall_s": 2.0 + seed, "env_steps": 64 if row.learns else 0, "env_steps_per_s": 30.0, "seed": seed,
         "row": row.id}
        for row in rows for seed, run in enumerate(row.runs) for block, value in enumerate(run)])
    write(folder, "curves", rows, [
        {"row": row.id, "seed": seed, "iteration": i, "time_s": 1.0 * i, "env_steps": 16 * i,
         "rollout/reward_mean": 0.1 * i, "eval/return_mean": 3.0 * i + seed}
        for row in learners for seed in range(len(row.runs)) for i in range(1, 5)], **columns)
    if calibration:
        write_calibration(folder)
    return folder


def named(rows, name: str, role: str = "") -> str | None:
    """The id of the row whose algorithm has this name."""
    return next((row.id for row in rows if row.algorithm == name and role in ("", row.role)), None)


def write(folder: Path, table: str, rows, lines: list[dict], **columns) -> None:
    """Write a table of ``lines`` that name their row's id and seed; the other identity columns are filled in."""
    known = {row.id: row for row in rows}
    identity = [{"trial": f"{line['row']}/{line['seed']}", "row": line["row"], "algorithm": known[line["row"]].label,
                 "role": known[line["row"]].role, "seed": line["seed"]} for line in lines]
    pd.DataFrame([one | line for one, line in zip(identity, lines, strict=True)]).assign(**columns).to_parquet(
        folder / f"{table}.parquet")


def write_calibration(folder: Path, **changes) -> None:
    found = {"log": "films.parquet", "rows": 1000, "users": 50, "items": 40, "gain_over_base": 0.14,
             "gain_over_items": 0.05, "gain_splits": [0.1] * 9 + [-0.01], "auc": 0.79, "teaches": True,
             "why": "it does",
             "reliability": [{"low": 0, "high": 0.5, "predicted": 0.3, "observed": 0.28, "rows": 500},
                             {"low": 0.5, "high": 1, "predicted": 0.7, "observed": 0.74, "rows": 500}],
             "by_activity": [{"users": "20-50 ratings", "rows": 400, "gain": 0.08, "auc": 0.7}]}
    (folder / "calibration.json").write_text(json.dumps(found | changes))


def write_examples(folder: Path, rows=ROWS) -> None:
    """Three users: random shows Jaws first, everybody else Heat."""
    heat = {"title": "Heat & <Dust>", "genres": "Drama, Crime", "probability": 0.9, "liked": True}
    jaws = {"title": "Jaws", "genres": "Horror, Drama", "probability": 0.2, "liked": False}
    write(folder, "examples", rows, [
        {"row": row.id, "seed": 0, "user": user, "place": place, **item} for row in rows for user in range(3)
        for place, item in enumerate((jaws, heat) if row.algorithm == "random" else (heat, jaws))])


def write_everything(folder: Path) -> Path:
    """A folder in which every section of the page has something to say."""
    names = [row for row in ROWS if row.role == "learner"]
    make(folder, **{"train/q_gap": 2.0})
    write_examples(folder)
    write(folder, "regret", ROWS, [{"row": row.id, "seed": 0, "runs": 2, "t": t, "mean": np.log(t) + i, "sd": 0.3,
                                    "high": np.log(t) + i + 1} for i, row in enumerate(names) for t in (1, 10, 64)])
    write(folder, "shown", ROWS, [{"row": row.id, "seed": 0, "action": action, "count": 3 - action}
                                  for row in names for action in range(3)])
    grid = {"rows": ["S.G", ".#."], "problem": "grid", "value": [1.0, 2, 0, 0.5, 0, 1.5], "action": [1, 1, 0, 2, 0, 2]}
    write(folder, "maps", ROWS, [{"row": row.id, "seed": seed, **grid} for row in names for seed in range(2)])
    write(folder, "estimates", ROWS, [{"row": row.id, "seed": 0, "estimator": "snips", "value": 0.25, "low": 0.2,
                                       "high": 0.3, "effective_sample_size": 40.0, "rows": 1000.0} for row in names])
    (folder / "problem.json").write_text(json.dumps({"lai_robbins": 2.0, "optimum": grid,
                                                     "soft_optima": {"0.1": 12.0}}))
    (folder / "bundle").mkdir()
    (folder / "bundle" / "bundle.json").write_text(json.dumps({
        "algorithm": "ucb", "ids": ["a", "b"], "whole": True,
        "provenance": {"row": ROWS[1].id, "label": ROWS[1].label}}))
    tried = [{"params": {"gamma": gamma}, "score": score, "env_steps": 64} for gamma, score in ((0.5, 6.0), (0.9, 7.0))]
    (folder / "search.json").write_text(json.dumps({ROWS[1].id: {**tried[1], "trials": tried}}))
    return folder


def read(folder: Path) -> tuple[Results, Board]:
    r = Results(folder)
    return r, Board(r)


def standings(folder: Path):
    """The leaderboard by label."""
    return {s.row.label: s for s in read(folder)[1].standings}
