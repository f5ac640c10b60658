"""The feedback loop of a ranking: what stands on top is clicked because it stands there, and learnt from.

A user arrives, looks at place j of the slate with probability γ^j and clicks what is seen with the item's own rate,
independently (position-based model: Richardson et al. 2007; Craswell et al. 2008).  All users are alike; the rates lie
evenly between ``lowest`` and ``highest``, in an order of the world's own.  A recommender that is retrained on its own
clicks mistakes the place for the item, and one that corrects for the place never learns about what it does not show.

| | |
|---|---|
| observation | Box [1], the constant 1 |
| action      | MultiDiscrete, K item ids; an item that stands twice is passed over the second time |
| reward      | clicks on the slate, 0 … K |
| end         | every step is ``terminated`` |
| info        | ``expected_reward``, ``regret`` [N] (against the best ranking), ``response`` [N, K] clicks |
"""
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from ..engine.choice import examination, position_based
from ..engine.params import param
from ..engine.rng import kernel, session_key
from ..engine.vector import VectorEnv

CLICK = 1                                        # purpose of the coins


@dataclass(frozen=True)
class Params:
    items: int = param(20, 1)
    """A."""
    slate: int = param(5, 1)
    """K, places."""
    lowest: float = param(0.05, 0.0, 1.0)
    """Click rate, when looked at, of the worst item."""
    highest: float = param(0.24, 0.0, 1.0)
    """The same of the best."""
    examination: float = param(0.7, 0.0, 1.0)
    """γ: place j = 0 … K-1 is looked at with probability γ^j."""
    world_seed: int = param(0, 0)
    """Seed of the order of the catalogue."""


class ClickLoop(VectorEnv):
    """Attributes: ``rate [A]``, ``best [K]`` the best ranking and its ``value`` in clicks."""

    Params = Params

    def _build(self):
        p = self.params
        if p.slate > p.items:
            raise ValueError(f"parameter 'slate' = {p.slate} must be at most items = {p.items}")
        self.rate = np.random.default_rng([p.world_seed, 6]).permutation(np.linspace(p.lowest, p.highest, p.items))
        self.examined = examination(p.slate, p.examination)                                 # [K]
        self.best = np.argsort(-self.rate, kind="stable")[:p.slate]
        self.value = float(self.rate[self.best] @ self.examined)

    def _spaces(self):
        return Box(0.0, 1.0, (1,)), MultiDiscrete([self.params.items] * self.params.slate)

    def _advance(self, action, active):
        response, reward = np.zeros(action.shape, np.int8), np.zeros(self.num_envs, np.float32)
        expected = np.zeros(self.num_envs)
        step_users(action, active, self.seed, self.user, self.session, self.rate, self.examined, response, reward,
                   expected)
        regret = np.where(active, self.value - expected, 0.0)
        return reward, active.copy(), {"expected_reward": expected, "regret": regret, "response": response}

    def _observe(self):
        return np.ones((self.num_envs, 1), np.float32)

    def _oracle(self):
        return np.tile(self.best, (self.num_envs, 1))


@kernel
def step_users(slate, active, seed, user, session, rate, examined, response, reward, expected):
    """One user, one slate: attraction of every place, then one coin a place."""
    attraction = np.empty(slate.shape[1])
    for n in range(len(slate)):
        if active[n]:
            for j in range(len(attraction)):
                attraction[j] = rate[slate[n, j]]
                for i in range(j):
                    if slate[n, i] == slate[n, j]:
                        attraction[j] = 0.0
                expected[n] += attraction[j] * examined[j]
            reward[n] = position_based(attraction, examined, session_key(seed, user[n], session[n]), 0, CLICK,
                                       response[n])
