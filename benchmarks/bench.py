"""Speed: simulators, the sampling loop, Ray on top of it, bandits.  One core unless a row says otherwise.

    make bench      or      python benchmarks/bench.py [--only NAME] [--rounds 5]

Every figure is the median over rounds, in brackets the slowest and the fastest round.  Compare figures of one run only:
the workers' rows take turns within each round, so that a busy machine slows all of them alike.
"""
# ruff: noqa: E402
import argparse
import os
import sys
import time
import tracemalloc
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"                               # before NumPy is imported

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import begin, collect, make_rng
from platform.run.fleet import Fleet, LocalFleet
from platform.trial.build import make_algorithm, make_env, one_thread
from platform.trial.trial import Spec

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import policies
import training

CONSOLE = Console(width=132, highlight=False)
P1 = tuple(round(0.1 * k, 1) for k in range(1, 10))       # nine Bernoulli arms .1, .2, …, .9


def rate(run, count: int, rounds: int, seconds: float = 0.3) -> list[float]:
    """Things a second in each round: ``run()`` does ``count`` of them and is repeated until ``seconds`` are over."""
    run()                                                 # compile, warm up
    found = []
    for _ in range(rounds):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or not calls:
            run()
            calls += 1
        found.append(calls * count / elapsed)
    return found


def take_turns(runs: dict, count: int, rounds: int) -> dict[str, list[float]]:
    """The same for several runs, one after the other within each round; returns things a second."""
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name] += rate_once(run, count)
    return found


def rate_once(run, count: int) -> list[float]:
    start = time.perf_counter()
    run()
    return [count / (time.perf_counter() - start)]


def shown(values: list[float], unit: str = "") -> str:
    """Median (slowest … fastest)."""
    low, middle, high = np.min(values), np.median(values), np.max(values)
    digits = 0 if middle >= 100 else 2 if middle >= 1 else 4
    return f"{middle:,.{digits}f}{unit} ({low:,.{digits}f} … {high:,.{digits}f})"


def table(title: str, rows: list[tuple], *names: str) -> None:
    out = Table(title=title, title_justify="left")
    for place, name in enumerate(names):
        out.add_column(name, justify="right" if place else "left")
    for row in rows:
        out.add_row(*map(str, row))
    CONSOLE.print(out)


def logged_actions(env) -> np.ndarray:
    """Fifty different items for every user, ``[50, N]``."""
    rng, items = np.random.default_rng(0), env.single_action_space.n
    return np.argsort(rng.random((env.num_envs, items)), axis=1)[:, :env.horizon].T.astype(np.int64).copy()


def bench_env(rounds: int) -> None:
    """User-steps a second of the users fitted to a log (step, observation, action mask, final observation)."""
    rows = []
    for users, goal in ((1, ""), (64, ""), (1024, "5,000,000")):
        env = make_env("recloop/Logged-v0", {}, users)
        actions = logged_actions(env)
        env.reset(seed=0)

        def session(env=env, actions=actions):
            for action in actions:
                env.step(action)
        rows.append((f"{users:,} users", shown(rate(session, actions.size, rounds)), goal))
    table("recloop/Logged-v0 in process", rows, "batch", "user-steps/s", "goal")


def bench_sampling(rounds: int) -> None:
    """Act, step and record, with an A2C policy of two hidden layers of 64."""
    rows = []
    for users, goal in ((64, ""), (1024, "500,000")):
        spec = Spec("recloop/Logged-v0", {}, "a2c", {"hidden": (64, 64)}, users_per_shard=users)
        env = make_env(spec.env_id, {}, users)
        algorithm, seen, rng = make_algorithm(spec), begin(env, 0), make_rng(0)
        one_thread()
        obs, mask = seen
        act = rate(lambda a=algorithm, o=obs, m=mask, r=rng: a.act(o, r, True, m), users, rounds)
        whole = rate(lambda e=env, a=algorithm, s=seen, r=rng: collect(e, a, s, 50, r), 50 * users, rounds)
        rows.append((f"{users:,} users", shown(act), shown(whole), goal))
    table("the whole sampling loop, A2C 64-64 on recloop/Logged-v0", rows, "batch", "act alone, decisions/s",
          "act + step + record, samples/s",
          "goal")


def bench_ray(rounds: int) -> None:
    """What Ray costs on top of sampling in process."""
    import logging

    warnings.filterwarnings("ignore")
    import ray

    spec = Spec("recloop/Logged-v0", {}, "a2c", {}, shards=4, users_per_shard=512)
    steps, cores = 25, len(os.sched_getaffinity(0))
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        rows = call_costs(ray, rounds)
        fleets = {"0 (in process)": LocalFleet(spec), "1": Fleet(spec, 1), "2": Fleet(spec, 2)}
        policy = fleets["0 (in process)"].simulator.algorithm.policy_state()
        samples = spec.shards * spec.users_per_shard * steps
        speeds = take_turns({n: lambda f=f: f.collect(policy, 0, steps) for n, f in fleets.items()}, samples, rounds)
        batch = fleets["0 (in process)"].collect(policy, 0, steps)[0][0]
    finally:
        ray.shutdown()
    table("Ray's own cost (median over calls)", rows, "what", "cost")
    size = sum(part.nbytes for part in batch if part is not None)
    base = np.median(speeds["0 (in process)"])
    CONSOLE.print(f"one call = {spec.users_per_shard * steps:,} transitions = {size / 1e6:.1f} MB returned; "
                  f"{cores} cores for driver and workers")
    table("samples/s through the fleet, A2C 64-64",
          [(n, shown(v), f"{np.median(v) / base:.2f}") for n, v in speeds.items()],
          "workers", "samples/s", "ratio to in process")


def call_costs(ray, rounds: int) -> list[tuple]:
    """ms of an empty call, and ms a megabyte that comes back (slope between 1 and 32 MB)."""
    @ray.remote(num_cpus=0)
    class Echo:
        def nothing(self):
            return None

        def megabytes(self, n):
            return np.zeros((n, 131072))                  # float64: n · 2²⁰ bytes

    def ms(call, times=20 * rounds):
        found = []
        for _ in range(times):
            start = time.perf_counter()
            value = ray.get(call())
            found.append(1e3 * (time.perf_counter() - start))
            del value
        return found
    echo = Echo.remote()
    ray.get([echo.nothing.remote(), echo.megabytes.remote(32)])
    empty, one = ms(echo.nothing.remote), ms(lambda: echo.megabytes.remote(1))
    many = ms(lambda: echo.megabytes.remote(32))
    slope = (np.median(many) - np.median(one)) / 31
    ray.kill(echo)
    return [("an empty call", f"{np.median(empty):.2f} ms (99 %: {np.percentile(empty, 99):.2f})"),
            ("a MB (2²⁰ bytes) that comes back", f"{slope:.2f} ms")]


def bench_bandits(rounds: int, learners: int = 1000, steps: int = 10_000) -> None:
    """Pulls a second (act, step, record, learn) on P1: ours as one array program and alone, beside MABWiser."""
    rows = []
    for name, params in (("ucb", {"alpha": 4.0}), ("thompson", {})):
        for number in (learners, 1):
            speed, regret = pulls(name, params, number, steps, min(rounds, 3))
            rows.append((f"recloop {name}, {number:,} learner{'s' * (number > 1)}", shown(speed), regret))
    table(f"bandits on nine Bernoulli arms .1 … .9, {steps:,} steps a learner", rows + mabwiser(rounds, steps),
          "algorithm", "pulls/s", "regret a learner")


def pulls(name: str, params: dict, learners: int, steps: int, rounds: int) -> tuple[list[float], str]:
    """(pulls a second in each round, mean regret of a learner) of ``learners`` independent learners in one array."""
    env, found = make_env("recloop/BernoulliBandit-v0", {"means": P1}, learners), find_algorithm(name)
    speed, regret = [], []
    for number in range(rounds + 1):                      # the first one, short, compiles
        algorithm = found(env.single_observation_space, env.single_action_space,
                          make_config(found, params | {"replications": learners}), 0)
        seen, lost, length = begin(env, number), 0.0, steps if number else 50
        rng, start = make_rng(number), time.perf_counter()
        for _ in range(length):
            batch, seen, totals = collect(env, algorithm, seen, 1, rng)
            algorithm.learn(batch)
            lost += totals["regret"].sum()
        if number:
            speed.append(learners * length / (time.perf_counter() - start))
            regret.append(lost / learners)
    return speed, f"{np.mean(regret):.1f}"


def mabwiser(rounds: int, steps: int) -> list[tuple]:
    """The same problem and the same UCB1 (its α = 1 is our α = 4) with MABWiser, which has no replication axis.

    A pull is `predict`, the user's coin and `partial_fit`; its `fit` wants a start, which is one pull of every arm.
    """
    try:
        from mabwiser.mab import MAB, LearningPolicy
    except ImportError as error:
        return [("MABWiser", f"skipped ({error}); pip install mabwiser puts it beside ours", "")]
    rows, arms = [], list(range(len(P1)))
    for name, policy in (("UCB1", LearningPolicy.UCB1(alpha=1)), ("Thompson", LearningPolicy.ThompsonSampling())):
        speed, regret = [], []
        for number in range(min(rounds, 3)):
            rng, mab, counts = np.random.default_rng(number), MAB(arms, policy, seed=number), np.ones(len(P1))
            start = time.perf_counter()
            mab.fit(arms, [int(rng.random() < p) for p in P1])
            for _ in range(steps - len(P1)):
                arm = mab.predict()
                mab.partial_fit([arm], [int(rng.random() < P1[arm])])
                counts[arm] += 1
            speed.append(steps / (time.perf_counter() - start))
            regret.append(counts @ (max(P1) - np.array(P1)))
        rows.append((f"MABWiser {name}, 1 learner", shown(speed), f"{np.mean(regret):.1f}"))
    return rows


def bench_linucb(rounds: int) -> None:
    """LinUCB, 20 numbers of context and a constant, 50 actions with a model each, batches of 1,024 users."""
    n, d, k, rng = 1024, 20, 50, np.random.default_rng(0)
    found = find_algorithm("lin_ucb")
    algorithm = found(gym.spaces.Box(-4, 4, (d,)), gym.spaces.Discrete(k), make_config(found, {"model": "disjoint"}), 0)
    obs, draw = rng.normal(size=(n, d)).astype(np.float32), make_rng(1)
    action, reward = rng.integers(k, size=n), rng.random(n)
    batch = bandit_batch(obs, action, reward)
    runs = {"recloop": (lambda: algorithm.act(obs, draw)[0], lambda: algorithm.learn(batch))}
    runs |= mabwiser_linucb(obs, action, reward, k, algorithm.config)
    rows, decided = [], {}
    for name, (decide, learn) in runs.items():
        learn()
        decided[name] = np.asarray(decide())              # after the same 1,024 rows
        alone = rate(decide, n, rounds)
        both = rate(lambda d=decide, u=learn: (d(), u()), n, rounds)
        same = np.mean(decided[name] == decided["recloop"])
        rows.append((name, shown(alone), shown(both), f"{same:.1%}"))
    table(f"LinUCB, d = {d}, K = {k}, batches of {n:,}", rows, "", "decide, decisions/s",
          "decide and learn, decisions/s", "decisions as ours")


def mabwiser_linucb(obs, action, reward, arms: int, config) -> dict:
    """{name: (decide, learn)} of MABWiser's LinUCB with the same α, λ and constant, where it is installed."""
    try:
        from mabwiser.mab import MAB, LearningPolicy
    except ImportError:
        return {}
    contexts = np.concatenate([np.ones((len(obs), 1)), obs], axis=1, dtype=np.float64)
    mab = MAB(list(range(arms)), LearningPolicy.LinUCB(alpha=config.alpha, l2_lambda=config.l2), seed=0)
    return {"MABWiser": (lambda: mab.predict(contexts), lambda: mab.partial_fit(action, reward, contexts))}


def bandit_batch(obs, action, reward):
    """``[1, N]`` transitions of users who are gone after one step."""
    from custom_algos.core import Transition

    n = len(action)
    return Transition(obs[None], np.asarray(action, np.int64)[None], np.asarray(reward, np.float32)[None], obs[None],
                      np.ones((1, n), bool),
                      np.zeros((1, n), bool), np.zeros((1, n), np.float32))


def bench_arms(rounds: int, arms: int = 100_000) -> None:
    """A catalogue of 100,000 items: time and memory of a decision."""
    rng, rows = np.random.default_rng(0), []
    items = rng.normal(size=(arms, 20)).astype(np.float32)
    for name, params, width in (("thompson", {}, 1), ("lin_ucb", {"model": "shared"}, 10)):
        found = find_algorithm(name)
        tracemalloc.start()
        algorithm = found(gym.spaces.Box(-4, 4, (width,)), gym.spaces.Discrete(arms), make_config(found, params), 0,
                          items if name == "lin_ucb" else None)
        obs = rng.normal(size=(256, width)).astype(np.float32)
        algorithm.learn(bandit_batch(obs, rng.integers(arms, size=256), rng.random(256) < 0.3))
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for users in (1, 64):
            seen, draw = obs[:users], make_rng(2)
            tracemalloc.start()
            algorithm.act(seen, draw)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            speed = rate(lambda a=algorithm, s=seen, r=draw: a.act(s, r), users, rounds)
            rows.append((f"{name}, {users} users at a time", shown([1e3 / s for s in speed], " ms"),
                         f"{held / 1e6:.0f} MB", f"{peak / 1e6:.0f} MB"))
    table(f"{arms:,} arms (lin_ucb: shared model, 20 item features × 11 of context)", rows, "what", "a decision",
          "held", "peak while deciding")


def bench_simulators(rounds: int) -> None:
    """User-steps a second of every simulator at 1,024 users with random actions."""
    table("simulators, 1,024 users, random actions", training.simulator_rows(rate, shown, rounds), "id", "user-steps/s",
          "goal")


def bench_dqn(rounds: int) -> None:
    """Training DQN on CartPole end to end, beside Stable-Baselines3 and RLlib, one core."""
    import logging

    warnings.filterwarnings("ignore")
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        rows = training.dqn_rows()
    finally:
        ray.shutdown()
    table("DQN on CartPole", rows, "who", "setting", "rows trained on a step", "env steps/s", "ratio")


def bench_a2c(rounds: int) -> None:
    """Training A2C (64-64) on CartPole: throughput, and the time from a process's start until the pole stays up."""
    table("A2C on CartPole, one configuration", training.a2c_rows(rounds), "what", "median (lowest … highest)", "goal")


def bench_policies(rounds: int) -> None:
    """A policy outside the simulator (SquareCB, features by name): import, one decision, one row of learning."""
    table("a served policy", policies.rows(shown, rounds), "what", "median (lowest … highest)", "goal")


SECTIONS = {"env": bench_env, "simulators": bench_simulators, "dqn": bench_dqn, "a2c": bench_a2c,
            "sampling": bench_sampling, "ray": bench_ray, "bandits": bench_bandits, "linucb": bench_linucb,
            "arms": bench_arms, "policies": bench_policies}


def main() -> int:
    parser = argparse.ArgumentParser(description="Print how fast everything is.")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section alone (may be repeated)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    one_thread()
    machine()
    for name in args.only or SECTIONS:
        CONSOLE.print(f"\n[bold]{name}[/bold]: {SECTIONS[name].__doc__.splitlines()[0]}")
        SECTIONS[name](args.rounds)
    return 0


def machine() -> None:
    """What the figures were measured on."""
    from importlib import metadata, util

    import platform

    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    names = ["recloop", "ray", "torch", "numpy", "numba", "gymnasium"]
    names += [name for name in ("mabwiser", "stable_baselines3") if util.find_spec(name)]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    load = os.getloadavg()[0]
    CONSOLE.print(f"{model}, {len(os.sched_getaffinity(0))} cores, load {load:.1f}; "
                  f"Python {platform.python_version()}, {versions}")
    if load > 1.0:
        CONSOLE.print("[yellow]the machine is busy: expect lower figures than on a quiet one[/yellow]")


if __name__ == "__main__":
    sys.exit(main())
