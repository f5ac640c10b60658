"""Rules on RecSim's users: ``python tests/recsim_reference.py`` prints the tables of `docs/environments-recsim.md`.

Every rule is a function of (env, generator) to an action.  Scores are of held-out users, one session each.
"""
import numpy as np

from envs.core import SPLITS
from envs.interest_evolution import InterestEvolution
from envs.interest_exploration import InterestExploration
from envs.long_term_satisfaction import LEVELS, LongTermSatisfaction


def sessions(model, rule, users=4000, seed=5, **params):
    """Sums ``[N]`` over one session of every user: reward, expected, clicks, quality of what was clicked, length."""
    env = model(users, autoreset="disabled", first_user=SPLITS["test"], **params)
    env.reset(seed=seed)
    rng, alive = np.random.default_rng(seed), np.ones(users, bool)
    sums = {name: np.zeros(users) for name in ("reward", "expected", "clicks", "quality", "length")}
    while alive.any():
        _, reward, terminated, truncated, info = env.step(rule(env, rng))
        clicks = info.get("response", np.zeros((users, 1)))
        sums["reward"] += reward
        sums["expected"] += info["expected_reward"]
        sums["clicks"] += clicks.sum(axis=1)
        sums["quality"] += (clicks * info.get("quality", 0.0)).sum(axis=1)
        sums["length"] += alive
        alive &= ~(terminated | truncated)
    return sums


def error(values) -> float:
    """The standard error of the mean of ``values [N]``."""
    return float(np.std(values) / np.sqrt(len(values)))


def ratio(part, whole) -> tuple[float, float]:
    """Σ part / Σ whole and its standard error."""
    value = part.sum() / whole.sum()
    return value, error(part - value * whole) / whole.mean()


def shown(env, scores):
    """The first k of this step's candidates by ``scores [N, m]``."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :env.params.slate]


EVOLUTION = {
    "uniform random": lambda env, rng: shown(env, rng.random(env.state["topic"].shape)),
    "top-k by user interest": lambda env, rng: env.myopic(),
    "top-k by true quality": lambda env, rng: shown(env, env.qualities()),
    "top-k by topic mean": lambda env, rng: env.oracle(),
}
EXPLORATION = {
    "uniform random": lambda env, rng: shown(env, rng.random(env.state["group"].shape)),
    "top-quality": lambda env, rng: shown(env, env.state["quality"]),
    "lowest-quality": lambda env, rng: shown(env, -env.state["quality"]),
    "oracle (optimum)": lambda env, rng: env.oracle(),
}
SATISFACTION = {
    "random": lambda env, rng: shown(env, rng.random(env.state["candidates"].shape)),
    "most clickbait": lambda env, rng: shown(env, env.state["candidates"]),
    "least clickbait": lambda env, rng: shown(env, -env.state["candidates"]),
    "oracle (optimum)": lambda env, rng: env.oracle(),
}
LEVEL = {
    "optimum": lambda env, rng: env.oracle(),
    "myopic": lambda env, rng: np.full(env.num_envs, LEVELS - 1),
    "kale": lambda env, rng: np.zeros(env.num_envs, np.int64),
    "random": lambda env, rng: rng.integers(0, LEVELS, env.num_envs),
}


def row(*cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def main():
    row("interest evolution, k = 3, m = 10", "return", "clicks", "quality", "steps")
    for name, rule in EVOLUTION.items():
        s = sessions(InterestEvolution, rule)
        quality = ratio(s["quality"], s["clicks"])
        row(name, *(f"{s[c].mean():.1f} ± {error(s[c]):.1f}" for c in ("reward", "clicks")),
            f"{quality[0]:.3f} ± {quality[1]:.3f}", f"{s['length'].mean():.1f} ± {error(s['length']):.1f}")
    row("interest exploration, k = 2, m = 20", "clicks")
    for name, rule in EXPLORATION.items():
        s = sessions(InterestExploration, rule)
        row(name, f"{s['reward'].mean():.1f} ± {error(s['reward']):.1f}")
    row("long-term satisfaction, k = 2, m = 20: η", *SATISFACTION)
    for eta in (.01, .1, .3):
        found = [sessions(LongTermSatisfaction, rule, sensitivity=eta)["reward"] for rule in SATISFACTION.values()]
        row(eta, *(f"{f.mean():.0f} ± {error(f):.0f}" for f in found))
    row("levels, memory .9, η .05", *LEVEL)
    found = [sessions(LongTermSatisfaction, rule, action="level", sensitivity=.05, memory=.9)["expected"]
             for rule in LEVEL.values()]
    row("expected", *(f"{f.mean():.1f} ± {error(f):.1f}" for f in found))


if __name__ == "__main__":
    main()
