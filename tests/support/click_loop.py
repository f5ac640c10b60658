"""The table of the feedback loop, and the experiment it is a table of."""
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from custom_algos.bandits.click_models import ClickModel
from custom_algos.core import make_config
from custom_algos.rollout import begin, collect, make_rng
from envs.bandits.click_loop import ClickLoop

# policy: (users a round, parameters, value gap, top-5 recall, best item first); means of the last 10 of 100 rounds
TABLE = {
    "naive": (500, {"corrected": False, "random_share": 0.0}, .080, .75, .20),
    "corrected": (500, {"random_share": 0.0}, .138, .38, .42),
    "naive, 10 % random": (200, {"corrected": False}, .062, .77, .26),
    "corrected, 10 % random": (200, {}, .005, .91, .97),
    "corrected, Thompson": (500, {"thompson": True, "random_share": 0.0}, .002, .96, 1.00)}


def ranker(actions=20, places=5, **params):
    return ClickModel(Box(0, 1, (1,)), MultiDiscrete([actions] * places), make_config(ClickModel, params))


def loop(users, replications, rounds=100, **params):
    """(gap, recall, best first) ``[replications, 3]`` of the rankings of the last 10 rounds, random slates aside."""
    env = ClickLoop(users * replications, autoreset="same_step")
    algorithm = ranker(replications=replications, **params)
    deployed, top, found = ranker(replications=replications, **params | {"random_share": 0.0}), env.best, []
    seen = begin(env, 0)
    for t in range(rounds):
        if t >= rounds - 10:
            deployed.load_policy_state(algorithm.policy_state())
            slate, _ = deployed.act(np.ones((replications, 1)), make_rng(1, t))             # [R, K]
            found.append([1 - env.world.rate[slate] @ env.world.examined / env.value, np.isin(slate, top).mean(axis=1),
                          slate[:, 0] == top[0]])
        batch, seen, _ = collect(env, algorithm, seen, 1, make_rng(0, t))
        algorithm.learn(batch)
    return np.mean(found, axis=0).T
