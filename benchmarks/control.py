"""PPO and SAC on the pole and the pendulum, seed by seed, with the settings of the shipped experiments.

    python benchmarks/control.py [--seeds 20] [--only CELL] [--speed] [--optimum]

Every finished seed is a line of `control.csv` beside this file; what stands there is not run again.  Scores are of the
final policy without exploration, on the same 2,000 start states for everybody.  ``--speed`` times SAC beside RLlib's,
in turns, with equal hidden layers, batch and updates a step; ``--optimum`` plans the pendulum on those start states.
"""
# ruff: noqa: E402
import argparse
import os
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"                               # before NumPy is imported

import numpy as np
import pandas as pd

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import begin, collect, make_rng
from platform.experiment import reading
from platform.judge import evaluation
from platform.trial.build import make_env, one_thread, stable_seed

TABLE = Path(__file__).with_name("control.csv")
STARTS = 2000
CELLS = {"ppo-cartpole": ("ppo", 475.0, 19), "ppo-pendulum": ("ppo", -170.0, 18), "pendulum-sac": ("sac", -160.0, 18)}
#        experiment: (row, score that counts as solved, of 20 seeds so many)


def run(name: str, label: str, seed: int) -> dict:
    """Train the row of the experiment to its budget and judge it."""
    e = reading.read(name)
    entry = next(entry for entry in e.algorithms if entry.shown == label)
    env, found = make_env(e.env.id, e.env.params, e.population.users_per_shard), find_algorithm(entry.name)
    number = stable_seed("control", name, label, seed)
    agent = found(env.single_observation_space, env.single_action_space, make_config(found, entry.params), number)
    seen, done, iteration, start = begin(env, number), 0, 0, time.perf_counter()
    while (left := e.budget.env_steps - done) > 0:
        steps = min(agent.rollout_steps, -(-left // env.num_envs))
        batch, seen, _ = collect(env, agent, seen, steps, make_rng(number, 0, iteration))
        agent.learn(batch)
        done, iteration = done + batch.reward.size, iteration + 1
    seconds = time.perf_counter() - start
    rows = evaluation.score(e.env.id, e.env.params, agent, "test", STARTS)
    return {"algorithm": label, "task": name, "seed": seed, "score": round(evaluation.mean_return(rows), 2),
            "env_steps": done, "seconds": round(seconds, 1)}


def races(only: list[str], seeds: int) -> None:
    """Every cell and seed that the table lacks, then what the table says."""
    for name in only:
        label, goal, wanted = CELLS[name]
        for seed in range(seeds):
            table = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=["task", "seed", "score", "seconds"])
            if not ((table["task"] == name) & (table["seed"] == seed)).any():
                row = pd.DataFrame([run(name, label, seed)])
                row.to_csv(TABLE, mode="a", header=not TABLE.exists(), index=False)
                print(row.to_csv(header=False, index=False).strip(), flush=True)
        mine = pd.read_csv(TABLE).query("task == @name")
        solved = int((mine["score"] >= goal).sum())
        print(f"{name}: {label} ≥ {goal:g} in {solved} of {len(mine)} seeds (wanted: {wanted} of 20);"
              f" median {mine['score'].median():.1f}, {mine['score'].min():.1f} to {mine['score'].max():.1f}; "
              f"{mine['seconds'].median():.0f} s a run", flush=True)


def optimum(size: int = 241, torques: int = 17) -> float:
    """Backward induction over 200 steps on a grid of angle (periodic) × speed, bilinear: what its greedy policy gets
    from the start states."""
    angle = np.linspace(-np.pi, np.pi, size, endpoint=False)
    speed, push = np.linspace(-8.0, 8.0, size), np.linspace(-2.0, 2.0, torques)

    def after(th, dot, u):
        cost = ((th + np.pi) % (2 * np.pi) - np.pi)**2 + 0.1 * dot**2 + 0.001 * u**2
        dot = np.clip(dot + (15.0 * np.sin(th) + 3.0 * u) * 0.05, -8.0, 8.0)
        return th + dot * 0.05, dot, -cost

    def look(value, th, dot):
        x, y = ((th + np.pi) % (2 * np.pi)) / (2 * np.pi) * size, (dot + 8.0) / 16.0 * (size - 1)
        i, j = x.astype(int) % size, np.minimum(y.astype(int), size - 2)
        p, q = x - np.floor(x), y - j
        k = (i + 1) % size
        near, far = ((1 - q) * value[row, j] + q * value[row, j + 1] for row in (i, k))
        return (1 - p) * near + p * far

    values = [np.zeros((size, size))]
    grid = np.meshgrid(angle, speed, indexing="ij")
    for _ in range(200):
        best = np.full((size, size), -np.inf)
        for u in push:
            th, dot, reward = after(*grid, u)
            np.maximum(best, reward + look(values[-1], th, dot), out=best)
        values.append(best)
    begins = []
    for _, env, seed, users in evaluation._blocks("recloop/Pendulum-v1", {}, "test", STARTS):
        env.reset(seed=seed, options={"users": users})
        begins.append((env.state.angle.copy(), env.state.seen[:, 2].copy()))
    th, dot = (np.concatenate(part) for part in zip(*begins, strict=True))
    total = np.zeros(STARTS)
    for left in range(200, 0, -1):
        options = np.stack([paid + look(values[left - 1], t, d) for t, d, paid in (after(th, dot, u) for u in push)])
        th, dot, reward = after(th, dot, push[options.argmax(axis=0)])
        total += reward
    return float(total.mean())


def speed(seconds: float = 20.0, rounds: int = 3) -> None:
    """Env steps a second of SAC, ours and RLlib's: an update of 256 rows a step, hidden layers of 64, in turns."""
    import training

    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(training.ours("sac", {"hidden": (64, 64)}, 1, 2000, "recloop/Pendulum-v1"))
        theirs.append(training.rllib_sac(seconds))
        print(f"SAC, an update of 256 rows a step, 64-64: {ours[-1]:.0f} env steps/s, RLlib's {theirs[-1]:.1f}: "
              f"{ours[-1] / theirs[-1]:.1f} times as fast", flush=True)
    mine, other = np.median(ours), np.median(theirs)
    print(f"medians: {mine:.0f} and {other:.1f}, {mine / other:.1f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge PPO and SAC on many seeds.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=CELLS, action="append")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--optimum", action="store_true")
    args = parser.parse_args()
    one_thread()
    if args.optimum:
        print(f"pendulum, best possible on these {STARTS} starts: {optimum():.1f}")
    elif args.speed:
        speed()
    else:
        races(args.only or list(CELLS), args.seeds)


if __name__ == "__main__":
    main()
