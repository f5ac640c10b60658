"""The figures of docs/environments-sardine.md: `tests/support/sardine_reference.py [sardine] [retention] [loop]`."""
import sys

import numpy as np
from click_loop import TABLE, loop
from retention import live, per_satisfaction, random_slates
from sardine import play

import envs
from envs.retention.env import Retention


def shown(values: np.ndarray) -> str:
    """Mean ± one standard error over the first axis."""
    return f"{values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def sardine(worlds: int = 20, users: int = 200) -> None:
    """Expected clicks an episode and steps bored: the standard error is that over catalogues."""
    for name in envs.SARDINE:
        for policy, params in (("random", {}), ("oracle", {}), ("oracle", {"oracle": "rotation"})):
            for compat in (False, True):
                found = np.array([play(name, policy, users, world, compat=compat, **params)[[0, 2]].mean(axis=1)
                                  for world in range(worlds)])
                print(name, params.get("oracle", policy), f"compat={compat}", shown(found[:, 0]), "bored",
                      shown(found[:, 1]), flush=True)


def best_fixed(env) -> np.ndarray:
    """The best single slate of every type ``[G, K]``, among all, by exact value."""
    plan, slates = env.plan(), env.plan().random()
    value = [plan.value_of(per_satisfaction(env, np.tile(slate, (env.rules.types, 1)))) for slate in slates]
    return slates[np.argmax(value, axis=0)]


def retention(users: int = 4000) -> None:
    """Exact values, and what a simulation of 4,000 users adds to them."""
    env, rng = Retention(users, autoreset="disabled"), np.random.default_rng(0)
    plan, fixed = env.plan(), best_fixed(env)
    rows = {"random": (plan.random(), lambda e: random_slates(e, rng)),
            "next click": (plan.next_click(), lambda e: plan.next_click()[e.state.kind]),
            "best slate per type": (fixed, lambda e: fixed[e.state.kind]), "optimum": (None, lambda e: e.oracle())}
    for name, (slates, policy) in rows.items():
        exact = plan.value() if slates is None else plan.value_of(per_satisfaction(env, slates)).mean()
        env.reset(seed=1, options={"users": np.arange(users)})
        _, expected, clicks, visits, gone = live(env, policy)
        print(f"{name}: exact {exact:.2f}, simulated", shown(expected), "visits", shown(visits), "clicks a visit",
              f"{clicks.sum() / visits.sum():.2f}", f"never came back {gone.mean():.3f}", flush=True)
    for name, slates in (("fixed", fixed), ("next click", plan.next_click())):
        shop = env.world
        print(name, [[(float(shop.appeal[i]), float(shop.quality[i]), bool(shop.topic[i] == g)) for i in slate]
                     for g, slate in enumerate(slates.tolist())])


def click_loop(replications: int = 1000) -> None:
    """Gap, recall and best first of the five policies of the loop."""
    for name, (users, params, *row) in TABLE.items():
        found = loop(users, replications, **params)
        print(name, users, *(f"{mean:.4f} ± {error:.4f}" for mean, error in zip(
            found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(replications), strict=True)), row, flush=True)


if __name__ == "__main__":
    parts = {"sardine": sardine, "retention": retention, "loop": click_loop}
    for part in sys.argv[1:] or parts:
        parts[part]()
