"""Environments so small that what must be learnt is obvious."""
import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from custom_algos.rollout import make_rng


class Toy(gym.vector.VectorEnv):
    """N users whose observation is a number; a subclass says what happens.  SAME_STEP with a dense final_obs."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, users, states, actions):
        self.num_envs, self.states = users, states
        self.single_observation_space = gym.spaces.Discrete(states)
        self.single_action_space = gym.spaces.Discrete(actions)

    def reset(self, *, seed=None, options=None):
        self.coins = make_rng(seed or 0)
        self.state = self.start(self.num_envs)
        return self.state.copy(), {}

    def start(self, n):
        return np.zeros(n, np.int64)

    def step(self, action):
        after, reward, terminated = self.move(action)
        self.state = np.where(terminated, self.start(self.num_envs), after)
        never = np.zeros(self.num_envs, bool)
        return self.state.copy(), reward.astype(np.float32), terminated, never, {"final_obs": after}


class Arms(Toy):
    """Clicks with probabilities .2, .8, .4."""

    means = np.array([0.2, 0.8, 0.4])

    def move(self, action):
        return self.state, self.coins.random(self.num_envs) < self.means[action], np.ones(self.num_envs, bool)


class Identity(Toy):
    """A random digit; 1 for repeating it."""

    def start(self, n):
        return self.coins.integers(self.states, size=n)

    def move(self, action):
        return self.state, action == self.state, np.ones(self.num_envs, bool)


class Chain(Toy):
    """State s wants action s mod 2: a wrong one ends it with nothing, the right one at the last state pays 1."""

    def move(self, action):
        right = action == self.state % 2
        goal = right & (self.state == self.states - 1)
        return np.where(right & ~goal, self.state + 1, self.state), goal, goal | ~right
