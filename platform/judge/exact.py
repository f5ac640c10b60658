"""What dynamic programming says about a learner on a problem that is a table: how wrong its values are, and its map."""
from functools import lru_cache
from typing import Any

import numpy as np

from custom_algos import find_algorithm
from custom_algos.core import Algorithm, make_config
from envs.engine import solver
from envs.tabular.problems import read_map


def gap(env, algorithm: Algorithm) -> dict[str, float]:
    """``train/q_gap``: the largest and ``train/q_gap_mean`` the mean |Q − Q*| over reachable states and actions.

    Q* is that of the learner's own discount.  Empty for learners that have no action values or no fixed point.
    """
    values = algorithm.action_values(env.encode(np.arange(len(env.mdp.start))))
    if algorithm.gamma is None or values is None:
        return {}
    best, live = answers(env, algorithm.gamma)
    if best is None:
        return {}
    wrong = np.abs(values - best)[live]
    return {"train/q_gap": float(wrong.max()), "train/q_gap_mean": float(wrong.mean())}


@lru_cache(maxsize=4)
def answers(env, gamma: float):
    """(``Q* [S, A]`` for this discount, or None where values do not settle; the `reachable` states ``[S]``)."""
    try:
        return solver.value_iteration(env.mdp, gamma, tolerance=1e-9), reachable(env.mdp)
    except ValueError:
        return None, reachable(env.mdp)


def reachable(mdp: solver.TabularMDP) -> np.ndarray:
    """``[S]`` bool: states that are not terminal and that some sequence of actions reaches from a start."""
    found = mdp.start > 0
    while True:
        after = found.copy()
        after[mdp.successor[found][mdp.chance[found] > 0]] = True
        if (after == found).all():
            return found & ~mdp.terminal
        found = after


def learnt_map(env, algorithm: Any) -> dict[str, Any] | None:
    """What a learner makes of every cell of a GridWorld, for the report's picture; None where there is no map."""
    values = algorithm.action_values(env.encode(np.arange(len(env.mdp.start)))) if has_map(env) else None
    return None if values is None else grid_map(env, values)


def optimal_map(env) -> dict[str, Any] | None:
    """The same of the optimum that knows the step, at the first one."""
    return grid_map(env, env.plan[0]) if has_map(env) else None


def has_map(env) -> bool:
    return hasattr(env, "mdp") and getattr(env.params, "problem", "") in ("grid", "frozen_lake", "cliff")


def grid_map(env, q) -> dict[str, Any]:
    """max_a Q and the greedy action of every cell, from ``q [S, A]``."""
    return {"rows": ["".join(row) for row in read_map(env.params.map)], "problem": env.params.problem,
            "value": q.max(axis=1).tolist(), "action": q.argmax(axis=1).tolist()}


def soft_optima(e, env) -> dict[str, float]:
    """{ε: return of a session of the best policy that explores with it} for every ε an algorithm ends with."""
    found = {}
    for entry in e.algorithms:
        if entry.rllib or any(isinstance(value, dict) for value in entry.params.values()):
            continue
        config = make_config(find_algorithm(entry.name), entry.params)
        epsilon = getattr(config, "epsilon_end", None)
        if epsilon:
            q = solver.backward_induction(env.mdp, env.horizon, epsilon=epsilon)
            found[f"{epsilon:g}"] = float(env.mdp.start @ solver.soft_value(q[0], epsilon))
    return found
