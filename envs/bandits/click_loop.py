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
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from ..engine.choice import examination, position_based
from ..engine.knows import Knows
from ..engine.params import kernel_type, param
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


@kernel_type
class World(NamedTuple):
    rate: np.ndarray               # [A] click rate of an item that is looked at
    examined: np.ndarray           # [K] probability that a place is looked at


@kernel_type
class Out(NamedTuple):
    response: np.ndarray           # [N, K] int8
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]


@kernel
def step_users(slate, active, world, who, out):
    """One user, one slate: attraction of every place, then one coin a place."""
    attraction = np.empty(slate.shape[1])
    for n in range(len(slate)):
        if active[n]:
            for j in range(len(attraction)):
                attraction[j] = world.rate[slate[n, j]]
                for i in range(j):
                    if slate[n, i] == slate[n, j]:
                        attraction[j] = 0.0
                out.expected[n] += attraction[j] * world.examined[j]
            life = session_key(who.seed, who.user[n], who.session[n])
            out.reward[n] = position_based(attraction, world.examined, life, 0, CLICK, out.response[n])


class ClickLoop(VectorEnv):
    """Attributes: ``world``, ``best [K]`` the best ranking and its ``value`` in clicks."""

    Params = Params

    def _build(self):
        p = self.params
        if p.slate > p.items:
            raise ValueError(f"parameter 'slate' = {p.slate} must be at most items = {p.items}")
        rate = np.random.default_rng([p.world_seed, 6]).permutation(np.linspace(p.lowest, p.highest, p.items))
        self.world = World(rate, examination(p.slate, p.examination))
        self.best = np.argsort(-rate, kind="stable")[:p.slate]
        self.value = float(rate[self.best] @ self.world.examined)

    def _spaces(self):
        return Box(0.0, 1.0, (1,)), MultiDiscrete([self.params.items] * self.params.slate)

    def _advance(self, action, active):
        out = Out(response=np.zeros(action.shape, np.int8), reward=np.zeros(self.num_envs, np.float32),
                  expected=np.zeros(self.num_envs))
        self.run(step_users, action, active, self.world, self.who(), out)
        regret = np.where(active, self.value - out.expected, 0.0)
        return out.reward, active.copy(), {"expected_reward": out.expected, "regret": regret, "response": out.response}

    def knows(self) -> Knows:
        return replace(super().knows(), regret=True)

    def _observe(self):
        return np.ones((self.num_envs, 1), np.float32)

    def _oracle(self):
        return np.tile(self.best, (self.num_envs, 1))
