"""What dynamic programming says about a learner on a problem that is a table: how wrong its values are, and its map."""
from functools import lru_cache
from typing import Any

import numpy as np

from custom_algos.core import Algorithm
from envs.engine import solver
from envs.tabular.problems import read_map

from ..experiment.model import Experiment
from ..trial.build import Task, make_algorithm, task_of
from ..trial.trial import Spec, Trial


def gap(task: Task, algorithm: Algorithm) -> dict[str, float]:
    """``train/q_gap``: the largest and ``train/q_gap_mean`` the mean |Q − Q*| over reachable states and actions.

    Q* is that of the learner's own discount.  Empty for learners that have no action values or no fixed point.
    """
    exact = task.knows.exact
    if not (exact and exact.mdp and exact.encode) or algorithm.gamma is None:
        return {}
    values = algorithm.action_values(exact.encode(np.arange(len(exact.mdp.start))))
    if values is None:
        return {}
    best, live = answers(task, algorithm.gamma)
    if best is None:
        return {}
    wrong = np.abs(values - best)[live]
    return {"train/q_gap": float(wrong.max()), "train/q_gap_mean": float(wrong.mean())}



@lru_cache(maxsize=4)
def answers(task: Task, gamma: float):
    """(``Q* [S, A]`` for this discount, or None where values do not settle; the `reachable` states ``[S]``)."""
    assert task.knows.exact and task.knows.exact.mdp
    mdp = task.knows.exact.mdp
    try:
        return solver.value_iteration(mdp, gamma, tolerance=1e-9), reachable(mdp)
    except ValueError:
        return None, reachable(mdp)


def reachable(mdp: solver.TabularMDP) -> np.ndarray:
    """``[S]`` bool: states that are not terminal and that some sequence of actions reaches from a start."""
    found = mdp.start > 0
    while True:
        after = found.copy()
        after[mdp.successor[found][mdp.chance[found] > 0]] = True
        if (after == found).all():
            return found & ~mdp.terminal
        found = after


def table(trial: Trial, policy: Any) -> list[dict[str, Any]]:
    """What a learner makes of every cell of a GridWorld, as one row; none where there is no map, or no values."""
    exact = task_of(trial.spec.env_id, trial.spec.env_params).knows.exact
    if exact is None or exact.grid is None or not isinstance(policy, Algorithm):
        return []
    assert exact.mdp and exact.encode
    values = policy.action_values(exact.encode(np.arange(len(exact.mdp.start))))
    return [] if values is None else [grid_map(exact.grid, values)]


def grid_map(grid: tuple[str, str], q: np.ndarray) -> dict[str, Any]:
    """max_a Q and the greedy action of every cell, from ``q [S, A]``; ``grid`` is (map, problem)."""
    return {"rows": ["".join(row) for row in read_map(grid[0])], "problem": grid[1],
            "value": q.max(axis=1).tolist(), "action": q.argmax(axis=1).tolist()}


def known(e: Experiment, task: Task) -> dict[str, Any]:
    """What is known of the problem beforehand: Lai & Robbins' constant, the optimum's map at the first step, and the
    optima of agents that go on exploring."""
    exact, found = task.knows.exact, dict[str, Any]()
    if task.knows.lai_robbins and (slope := task.knows.lai_robbins()) is not None:
        found["lai_robbins"] = slope
    if exact and exact.mdp:
        best = grid_map(exact.grid, exact.plan()[0]) if exact.grid and exact.plan is not None else None
        found |= {"soft_optima": soft_optima(e, task), "optimum": best}
    return found


def soft_optima(e: Experiment, task: Task) -> dict[str, float]:
    """{ε: return of a session of the best policy that explores with it} for every ε an algorithm ends with."""
    exact, found = task.knows.exact, {}
    assert exact and exact.mdp
    for entry in e.algorithms:
        if entry.rllib or any(isinstance(value, dict) for value in entry.params.values()):
            continue
        epsilon = make_algorithm(Spec(e.env.id, e.env.params, entry.name, entry.params), task).final_epsilon
        if epsilon:
            q = solver.backward_induction(exact.mdp, task.env.horizon, epsilon=epsilon)
            found[f"{epsilon:g}"] = float(exact.mdp.start @ solver.soft_value(q[0], epsilon))
    return found
