"""From the start of a process to a pole that stays up: A2C with the settings of `tune_configs/a2c-cartpole.yaml`, but
for the number of users.  What is scarce there is steps, and 24 users make the most of them; here it is seconds, and a
forward pass of 128 users takes a third longer than one of 24.

    python benchmarks/balance.py [SEED] [START]       START: seconds since the epoch when the process was started

Prints the seconds until the mean return of the last 100 sessions, as they were played while exploring, is 475, and the
env steps until then; imports, compilation and everything else are in it.
"""
import os
import sys
import time

BEGIN = time.time()
os.environ.setdefault("OMP_NUM_THREADS", "1")             # before torch is imported

import yaml  # noqa: E402

from custom_algos import find_algorithm  # noqa: E402
from custom_algos.core import make_config  # noqa: E402
from custom_algos.rollout import begin, collect, make_rng  # noqa: E402
from platform.experiment.reading import shipped  # noqa: E402
from platform.trial.build import make_env, one_thread  # noqa: E402

USERS, BUDGET = 128, 1_000_000                             # env steps, over which the step size falls to 0


def settings() -> dict:
    """Parameters of the first row of the experiment, for `USERS` users and `BUDGET` steps."""
    experiment = yaml.safe_load(shipped()["a2c-cartpole"].read_text())
    return experiment["algorithms"][0]["params"] | {"anneal_steps": BUDGET, "rollout_steps": 64}


def balance(seed: int, most: int = BUDGET, wanted: float = 475.0, window: int = 100) -> int:
    """Env steps until the last ``window`` sessions have the mean return ``wanted`` (RuntimeError after ``most``)."""
    env, found = make_env("recloop/CartPole-v1", {}, USERS), find_algorithm("a2c")
    one_thread()
    algorithm = found(env.single_observation_space, env.single_action_space, make_config(found, settings()), seed)
    seen, done, rng = begin(env, seed), 0, make_rng(seed)
    so_far, ended = [0.0] * USERS, []
    while done < most:
        batch, seen, _ = collect(env, algorithm, seen, algorithm.rollout_steps, rng)
        algorithm.learn(batch)
        done += batch.reward.size
        for reward, ends in zip(batch.reward, batch.ends, strict=True):
            so_far = so_far + reward
            ended += so_far[ends].tolist()
            so_far[ends] = 0.0
        if len(ended) >= window and sum(ended[-window:]) / window >= wanted:
            return done
    raise RuntimeError(f"the last {window} sessions have a mean return of {sum(ended[-window:]) / window:.0f} after "
                       f"{most} steps, not {wanted}")


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    since = float(sys.argv[2]) if len(sys.argv) > 2 else BEGIN
    steps = balance(number)
    print(f"{time.time() - since:.2f} {steps}")
