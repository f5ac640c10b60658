"""Reference policies of the ladder: `tests/support/ladder_reference.py` prints the table of `docs/environments.md`.

The policies know what the name says and nothing else; the best fixed shelves are found on other users (an A/B test
with as many users as one likes), the scores are of 4,000 held-out sessions.
"""
import numpy as np

from envs.engine.vector import SPLITS
from envs.ladder.env import Ladder
from envs.ladder.planner import Planner


def sessions(policy, view="item", users=4000, seed=5, first_user=SPLITS["test"], **params):
    """(return ``[N]``, length ``[N]``, type ``[N]``) of one session of every user; ``policy(env) -> action [N, …]``."""
    env = Ladder(users, autoreset="disabled", first_user=first_user, action=view, **params)
    env.reset(seed=seed)
    alive, total, length = np.ones(users, bool), np.zeros(users), np.zeros(users)
    while alive.any():
        _, _, terminated, truncated, info = env.step(policy(env))
        total += np.where(alive, info["expected_reward"], 0.0)
        length += alive
        alive &= ~(terminated | truncated)
    return total, length, env.state.kind.copy()


def random_policy(view):
    rng = np.random.default_rng(1)
    return lambda env: rng.integers(0, len(env.items), env.action_space.shape)


def fixed_shelves(users=2000):
    """A/B test of all shelves: {clicks a step | value a session: (best for all, best per type [G])}."""
    items = len(Ladder(1).items)
    runs = [sessions(lambda env, a=a: np.full(env.num_envs, a), users=users, seed=3, first_user=0)
            for a in range(items)]
    types = runs[0][2].max() + 1
    rates = np.array([[(r[k == g].sum() / n[k == g].sum(), r[k == g].mean()) for g in range(types)]
                      for r, n, k in runs])                                             # [A, G, 2]
    rate_all = np.array([(r.sum() / n.sum(), r.mean()) for r, n, _ in runs])
    return {name: (int(rate_all[:, m].argmax()), rates[:, :, m].argmax(axis=0))
            for m, name in enumerate(("clicks", "value"))}


def planner_policy(myopic=False, taste=True):
    """Optimal in the view of the env for the next click only (``myopic``) and with average tastes (not ``taste``)."""
    plans = {}

    def policy(env):
        if "it" not in plans:
            rules = env.rules if taste else env.rules._replace(taste=0.0)
            plans["it"] = Planner(rules._replace(horizon=1) if myopic else rules, env.world, env.params.slate,
                                  env.shelves if env.params.action == "item" else None)
        s = env.state
        slate = plans["it"].act(s._replace(likes_it=s.likes_it & taste), np.zeros_like(env.t) if myopic else env.t)
        return slate[:, 0] if env.params.action == "item" else slate
    return policy


def table(users=4000):
    """[(policy, view, return [N], length [N])] from the bottom of the ladder to its top."""
    best = fixed_shelves()
    rows = [("random", "item", random_policy("item")), ("random", "slate", random_policy("slate"))]
    for name in ("clicks", "value"):
        whole, typed = best[name]
        rows += [(f"best fixed, by {name}", "item", lambda env, a=whole: np.full(env.num_envs, a)),
                 (f"best per type, by {name}", "item", lambda env, a=typed: a[env.state.kind])]
    for view in ("item", "slate"):
        rows += [("next click, type and boredom known", view, planner_policy(True, False)),
                 ("next click, everything known", view, planner_policy(True, True)),
                 ("plan, tastes unknown", view, planner_policy(False, False)),
                 ("oracle: plan, everything known", view, lambda env: env.oracle())]
    return [(name, view, *sessions(policy, view, users)[:2]) for name, view, policy in rows]


def main():
    print("| policy | view | value a session | length | clicks a step |\n|---|---|---|---|---|")
    for name, view, total, length in table():
        error = total.std() / len(total) ** 0.5
        print(f"| {name} | {view} | {total.mean():.2f} ± {error:.2f} | {length.mean():.1f} "
              f"| {total.sum() / length.sum():.3f} |")
    for view in ("item", "slate"):
        value = Ladder(1, action=view).planner.value()
        print(f"| exact optimum (dynamic programming) | {view} | {value:.3f} | | |")


if __name__ == "__main__":
    main()
