"""What dynamic programming says about a learner on a problem that is a table: how wrong its values are, and its map."""
from typing import Any

import numpy as np

from custom_algos import find_algorithm
from custom_algos.core import Algorithm, make_config
from envs import solver
from envs.problems import read_map


def gap(env, algorithm: Algorithm) -> dict[str, float]:
    """``train/q_gap``: the largest and ``train/q_gap_mean`` the mean |Q − Q*| over reachable states and actions.

    Q* is that of the learner's own discount.  Empty for learners that have no action values or no fixed point.
    """
    gamma = getattr(algorithm.config, "gamma", None)
    if gamma is None or not hasattr(algorithm, "action_values"):
        return {}
    key = f"q_star_{gamma}"
    if not hasattr(env, key):                              # the table does not change: solve it once
        try:
            setattr(env, key, solver.value_iteration(env.mdp, gamma, tolerance=1e-9))
        except ValueError:
            setattr(env, key, None)
    best, live = getattr(env, key), reachable(env.mdp)
    if best is None:
        return {}
    wrong = np.abs(algorithm.action_values(env.encode(np.arange(len(live)))) - best)[live]
    return {"train/q_gap": float(wrong.max()), "train/q_gap_mean": float(wrong.mean())}


def reachable(mdp: solver.TabularMDP) -> np.ndarray:
    """``[S]`` bool: states that are not terminal and that some sequence of actions reaches from a start."""
    found = mdp.start > 0
    while True:
        after = found.copy()
        after[mdp.successor[found][mdp.chance[found] > 0]] = True
        if (after == found).all():
            return found & ~mdp.terminal
        found = after


def cells(env) -> np.ndarray | None:
    """The map of a GridWorld ``[rows, columns]``; None where the problem has none."""
    if not hasattr(env, "mdp") or getattr(env.params, "problem", "") not in ("grid", "frozen_lake", "cliff"):
        return None
    return read_map(env.params.map)


def grid_map(env, algorithm: Any) -> dict[str, Any] | None:
    """Values max_a Q and greedy actions of every cell, for the report's picture; None where there is no map."""
    if (grid := cells(env)) is None:
        return None
    q = algorithm.action_values(env.encode(np.arange(grid.size)))
    return {"rows": ["".join(row) for row in grid], "problem": env.params.problem,
            "value": [float(v) for v in q.max(axis=1)], "action": [int(a) for a in q.argmax(axis=1)]}


def optimal_map(env) -> dict[str, Any] | None:
    """The same of the optimum that knows the step, at the first one."""
    if (grid := cells(env)) is None:
        return None
    return {"rows": ["".join(row) for row in grid], "problem": env.params.problem,
            "value": [float(v) for v in env.plan[0].max(axis=1)], "action": [int(a) for a in env.optimal_actions[0]]}


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
