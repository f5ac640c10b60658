r"""A known score: items in the order of  s_a = b_a + ⟨w_a, x⟩  for what is observed, x.  Nothing is learned here.

With w = 0 it is one fixed ranking for everybody.  References of the tables are made of it: whoever knows b and w (a fit
to a log, a spreadsheet) loads them as the policy's state.
"""
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ..core import Algorithm
from ..parts.explore import epsilon_greedy
from ..parts.spaces import flat_obs, flat_size


@dataclass(frozen=True)
class Config:
    pass


class Ranking(Algorithm):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"ranking needs a Discrete action space, not {action_space}")
        self.bias, self.weight = np.zeros(int(action_space.n)), np.zeros((flat_size(obs_space), int(action_space.n)))

    def act(self, obs, rng, explore=True, mask=None):
        return epsilon_greedy(self.action_values(obs), 0.0, rng, mask)

    def action_values(self, obs) -> np.ndarray:
        """s ``[N, A]``."""
        return self.bias + flat_obs(obs, self.obs_space).astype(np.float64) @ self.weight

    def learn(self, batch):
        return {"reward_mean": float(batch.reward.mean())}

    def policy_state(self):
        return {"bias": self.bias.copy(), "weight": self.weight.copy()}          # [A], [D, A]

    def load_policy_state(self, policy):
        self.bias, self.weight = (np.array(policy[name], np.float64) for name in ("bias", "weight"))

    def state_dict(self):
        return self.policy_state()

    def load_state_dict(self, state):
        self.load_policy_state(state)
