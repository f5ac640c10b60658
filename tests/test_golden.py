"""Golden numbers: what a few small trainings came to, so that no change of the code's shape changes a number unseen.

The whole comparison, every experiment and checkpoint array by array, is `benchmarks/golden.py`.  A change that is meant
to move a number prints the new one with ``python tests/test_golden.py`` and says so in the changelog.
"""
import dataclasses

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import evaluate, make_rng, train

# (environment, its parameters, algorithm, its parameters): (mean return of 20 users, sum of |numbers| of its state)
CASES = {
    "thompson": ("BernoulliBandit", {}, "thompson", {}),
    "lin_ucb": ("LinearBandit", {}, "lin_ucb", {}),
    "q_learning": ("GridEasy", {}, "q_learning", {}),
    "sarsa": ("Churn", {}, "sarsa", {"gamma": 0.95}),
    "dqn": ("CartPole-v1", {}, "dqn",
                     {"learning_starts": 64, "batch_size": 16, "huber": 1.0}),
    "a2c": ("Ladder", {"action": "slate"}, "a2c", {"rollout_steps": 8}),
    "reinforce": ("Retention", {}, "reinforce", {"rollout_steps": 8}),
    "slateq": ("InterestEvolution", {}, "slateq", {"learning_starts": 64, "batch_size": 16}),
    "neural_ucb": ("NonlinearBandit", {}, "neural_ucb", {}),
    "boredom": ("Sardine-SlateTopK-Bored", {"action": "topk"}, "a2c", {"rollout_steps": 8}),
    "satisfaction": ("LongTermSatisfaction", {"action": "level"}, "dqn",
                     {"learning_starts": 64, "batch_size": 16, "huber": 1.0}),
    "log": ("Logged", {"impressions": 10}, "epsilon_greedy", {}),
}
GOLDEN: dict[str, tuple[float, float]] = {
    "thompson": (0.9966546216081735, 3178.0),
    "lin_ucb": (0.770515558330288, 7612.637603351606),
    "q_learning": (-500.0, 133.41391791569663),
    "sarsa": (6.25, 39.96045384735373),
    "dqn": (24.2, 7246.015443533819),
    "a2c": (10.148363862689928, 1670.6908489616205),
    "reinforce": (22.677134975999994, 31054.026209613996),
    "slateq": (160.3525978542117, 80576.23131428666),
    "neural_ucb": (0.8726677728725999, 151828.74156001344),
    "boredom": (30.229430384152828, 1909.1331623206888),
    "satisfaction": (1111.5748234651705, 31464.420878962894),
    "log": (7.848394417560778, 2593.0),
}


def trained(case: str) -> tuple[float, float]:
    """The two numbers of a case."""
    name, env_params, algorithm, params = CASES[case]
    env_id = f"recloop/{name}" if "-v" in name else f"recloop/{name}-v0"

    def users(n, autoreset, **place):
        return gym.make_vec(env_id, n, vectorization_mode="vector_entry_point", autoreset=autoreset, **place,
                            **env_params).unwrapped
    env, found = users(16, "same_step"), find_algorithm(algorithm)
    learner = found(env.single_observation_space, env.single_action_space, make_config(found, params), 3,
                    getattr(env, "items", None))
    train(env, learner, 1600, seed=3)
    held_out = users(20, "disabled", first_user=2**30)
    score = evaluate(held_out, learner, 5, make_rng(5))["return"].mean()
    return float(score), float(sum(np.abs(np.asarray(leaf, np.float64)).sum() for leaf in leaves(learner.state_dict())))


def leaves(tree):
    """The arrays of floats of a state."""
    if isinstance(tree, dict):
        for part in tree.values():
            yield from leaves(part)
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        yield tree[np.isfinite(tree)]
    elif dataclasses.is_dataclass(tree):
        yield from leaves(vars(tree))


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_what_they_were(case):
    import threadpoolctl

    with threadpoolctl.threadpool_limits(1):
        assert trained(case) == pytest.approx(GOLDEN[case], rel=1e-6)


if __name__ == "__main__":
    for each in CASES:
        print(f"    {each!r}: {trained(each)},", flush=True)
