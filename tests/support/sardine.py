"""One episode of SARDINE's users under a named policy."""
import numpy as np

import envs
from envs.sardine.env import Sardine


def play(name, policy, users=100, world=0, **params):
    """(expected clicks, clicks, bored steps) of one episode of each user, ``[N]`` each."""
    env = Sardine(users, autoreset="disabled", world_seed=world, **envs.SARDINE[name] | params)
    env.reset(seed=1, options={"users": 1000 * world + np.arange(users)})
    rng, size, sums = np.random.default_rng(world), len(env.items), np.zeros((3, users))
    for _ in range(env.horizon):
        if policy != "random":
            action = env.oracle()[:, ::-1] if policy == "reversed" else env.oracle()
        else:                                              # with replacement, as the released code samples
            action = rng.integers(size, size=env.action_space.shape)
        _, reward, _, _, info = env.step(action)
        sums += info["expected_reward"], reward, info["bored"]
    return sums
