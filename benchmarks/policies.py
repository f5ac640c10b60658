"""Speed of a policy outside the simulator: import, decision, a row of learning.  Called by ``benchmarks/bench.py``."""
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from platform.serving import Event, fresh_policy

ROOT = Path(__file__).resolve().parents[1]
CONTEXT = {"time": "morning", "temperature": 20.5, "tags": ["x", "y"]}


def item(i: int) -> dict:
    """A candidate with three features beside its id."""
    return {"id": f"item {i}", "features": {"kind": f"kind {i % 3}", "price": i % 97 / 10,
                                            "brand": f"brand {i % 50}"}}


def rows(shown, rounds: int) -> list[tuple]:
    """(what, median milliseconds, goal)."""
    decided = [(f"decide: {what}", shown(times, " ms"), goal) for what, times, goal in decisions(rounds)]
    return [("import platform.serving in a new process", shown([imported() for _ in range(rounds)], " ms"), "< 1,000"),
            *decided, ("learn: an event of 1,000 given at once", shown(learning(rounds), " ms"), "")]


def imported() -> float:
    """Milliseconds of the import alone, and of a fresh policy."""
    probe = ("import time; start = time.perf_counter(); from platform.serving import fresh_policy; fresh_policy(); "
             "print(time.perf_counter() - start)")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    return 1e3 * float(done.stdout)


def decisions(rounds: int):
    """(what, milliseconds of each round, goal) of one decision."""
    policy = fresh_policy()
    for count, goal in ((10, "< 1"), (1000, "")):
        given = [item(i) for i in range(count)]
        yield f"{count:,} candidates with features of their own", timed(policy, rounds, given), goal
    for count, goal in ((1000, ""), (100_000, "≤ 5")):
        policy.add_items([item(i) for i in range(count)])
        yield f"{count:,} items of the catalogue", timed(policy, rounds, None), goal
    yield "1,000 of them by id", timed(policy, rounds, policy.items[:1000]), ""


def timed(policy, rounds: int, candidates) -> list[float]:
    times = []
    for number in range(1 + 20 * rounds):
        start = time.perf_counter()
        policy.recommend("u", CONTEXT, candidates, key=number.to_bytes(32, "big"))
        times.append(1e3 * (time.perf_counter() - start))
    return times[1:]                                      # the first one compiles, or makes the catalogue


def learning(rounds: int) -> list[float]:
    policy, rng, times = fresh_policy(), np.random.default_rng(0), []
    for _ in range(1 + rounds):
        events = [Event("u", CONTEXT, [item(int(i))], f"item {i}", float(rng.random() < 0.1), 0.1)
                  for i in rng.integers(1000, size=1000)]
        start = time.perf_counter()
        policy.learn(events)
        times.append(time.perf_counter() - start)
    return times[1:]                                      # seconds for 1,000 are milliseconds for one
