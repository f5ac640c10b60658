"""Rules on RecSim's users: ``tests/support/recsim_reference.py`` prints the tables of `docs/environments-recsim.md`.

Every rule is a function of (env, generator) to an action.  Scores are of held-out users, one session each.
"""
import numpy as np

from envs.engine.vector import SPLITS
from envs.interest_evolution.env import InterestEvolution
from envs.interest_exploration.env import InterestExploration
from envs.satisfaction.env import LongTermSatisfaction
from envs.satisfaction.user import LEVELS, drift, engagement, satisfaction_of


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
    "uniform random": lambda env, rng: shown(env, rng.random(env.state.topic.shape)),
    "top-k by user interest": lambda env, rng: env.myopic(),
    "top-k by true quality": lambda env, rng: shown(env, env.qualities()),
    "top-k by topic mean": lambda env, rng: env.oracle(),
}
EXPLORATION = {
    "uniform random": lambda env, rng: shown(env, rng.random(env.state.group.shape)),
    "top-quality": lambda env, rng: shown(env, env.state.shown[:, :, -1]),
    "lowest-quality": lambda env, rng: shown(env, -env.state.shown[:, :, -1]),
    "oracle (optimum)": lambda env, rng: env.oracle(),
}
SATISFACTION = {
    "random": lambda env, rng: shown(env, rng.random(env.state.candidates.shape)),
    "most clickbait": lambda env, rng: shown(env, env.state.candidates),
    "least clickbait": lambda env, rng: shown(env, -env.state.candidates),
    "oracle (optimum)": lambda env, rng: env.oracle(),
}
LEVEL = {
    "optimum": lambda env, rng: env.oracle(),
    "myopic": lambda env, rng: np.full(env.num_envs, LEVELS - 1),
    "kale": lambda env, rng: np.zeros(env.num_envs, np.int64),
    "random": lambda env, rng: rng.integers(0, LEVELS, env.num_envs),
}


def posterior(env, rng):
    """Plan for the kinds of users weighed by their posterior: reads nothing but the observed history and the clock."""
    rules, history = env.rules, env.state.history
    kinds = (rules.sensitivity * rules.sensitivity_spread, rules.sensitivity / rules.sensitivity_spread)
    npe, log_odds, step = np.zeros(env.num_envs), np.zeros((2, env.num_envs)), int(env.t[0])
    for clickbait, logarithm in history[:, history.shape[1] - step:].transpose(1, 2, 0).astype(float):
        for k, eta in enumerate(kinds):
            mean, sd = engagement(rules, clickbait, satisfaction_of(eta, npe))
            log_odds[k] -= .5 * ((logarithm - mean) / sd) ** 2                # the standard deviations are the same
        npe = drift(rules, clickbait, npe)
    belief = np.exp(log_odds - log_odds.max(axis=0))
    belief /= belief.sum(axis=0)
    scores = sum(belief[k][:, None] * env.planner.score(
        env.state._replace(sensitivity=np.full(env.num_envs, eta), npe=npe), env.t) for k, eta in enumerate(kinds))
    return np.argmax(scores, axis=1)


HIDDEN = {"action": "level", "observe": "history", "window": 60, "sensitivity": .05, "sensitivity_spread": 5.0}
BLIND = {
    "optimum, kind known": LEVEL["optimum"],
    "posterior of the kind": posterior,
    "best schedule": lambda env, rng: np.where(env.t < 57, 0, LEVELS - 1),    # of all: level c, then chocolate for j
    "kale": LEVEL["kale"],
    "myopic": LEVEL["myopic"],
}


def row(*cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def main(users=20_000):
    row("interest evolution, k = 3, m = 10", "return", "clicks", "quality", "steps")
    for name, rule in EVOLUTION.items():
        s = sessions(InterestEvolution, rule, users)
        quality = ratio(s["quality"], s["clicks"])
        row(name, *(f"{s[c].mean():.1f} ± {error(s[c]):.1f}" for c in ("reward", "clicks")),
            f"{quality[0]:.3f} ± {quality[1]:.3f}", f"{s['length'].mean():.1f} ± {error(s['length']):.1f}")
    row("interest exploration, k = 2, m = 20", "clicks")
    for name, rule in EXPLORATION.items():
        s = sessions(InterestExploration, rule, users)
        row(name, f"{s['reward'].mean():.1f} ± {error(s['reward']):.1f}")
    row("long-term satisfaction, k = 2, m = 20: η", *SATISFACTION)
    for eta in (.01, .1, .3):
        found = [sessions(LongTermSatisfaction, rule, users, sensitivity=eta)["reward"]
                 for rule in SATISFACTION.values()]
        row(eta, *(f"{f.mean():.0f} ± {error(f):.0f}" for f in found))
    row("levels, memory .9, η .05", *LEVEL)
    found = [sessions(LongTermSatisfaction, rule, users, action="level", sensitivity=.05, memory=.9)["expected"]
             for rule in LEVEL.values()]
    row("expected", *(f"{f.mean():.1f} ± {error(f):.1f}" for f in found))
    row("two hidden kinds, η .01 and .25, memory .7", *BLIND)
    found = [sessions(LongTermSatisfaction, rule, users, **HIDDEN)["expected"] for rule in BLIND.values()]
    row("expected", *(f"{f.mean():.0f} ± {error(f):.0f}" for f in found))


if __name__ == "__main__":
    main()
