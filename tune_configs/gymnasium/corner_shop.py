"""An environment of one's own, as any package brings it: a Gymnasium environment and the line that registers it."""
import gymnasium as gym
from gymnasium import spaces


class CornerShop(gym.Env):
    """A regular trusts the shop (0 … 3).  Advertising (action 0) earns 1 and costs one trust; helping (action 1) earns
    nothing and gives one back.  Who has no trust left does not come again.

    Twenty visits that begin with one trust can hold ten advertisements, each paid for by the help before it: the best
    return is 10.  Whoever takes what pays now gets 1.
    """

    def __init__(self, visits: int = 20):
        self.visits = visits
        self.observation_space = spaces.Discrete(4)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.trust, self.visit = 1, 0
        return self.trust, {}

    def step(self, action):
        self.visit += 1
        self.trust = min(3, self.trust + 1) if action else self.trust - 1
        return self.trust, float(action == 0), self.trust == 0, self.visit == self.visits, {}


gym.register("CornerShop-v0", CornerShop)
