"""Personal sessions: everybody likes something else, and tires of what was clicked.

A user has an interest in each of T topics, drawn for this user alone, and a boredom with each of them.  Each of the
100 steps of a session recommends one of A items.  Half of the items are quick: they attract more and bore twice as
fast.  Who chases the next click burns the user's favourite topics with quick items; who plans rotates.  The state is
T continuous interests and (levels + 1)^T boredoms: too many for a table, few numbers for a network.

| | |
|---|---|
| observation | ``vector``: Box [2 T], what the shop believes of the interests, and boredom / levels |
|             | ``coarse``: Discrete(T · 2^T), the favourite topic and which topics are bored (half-way or more) |
|             | ``levels``: Discrete(T · (levels + 1)^T), the favourite topic and all boredoms |
| action      | Discrete(A), an item |
| reward      | 1 for a click (``expected_reward`` in info: its probability) |
| end         | ``truncated`` after ``horizon`` steps; nobody leaves |

    P(click on item i of topic k) = interest_k · appeal_i · (1 - pull_lost · boredom_k / levels)

A click adds the item's pace (2, quick items 4) to the boredom of its topic; topics that are not shown cool by one.
"""
from dataclasses import replace
from functools import cached_property

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.knows import Knows
from ..engine.params import rules
from ..engine.solver import TabularMDP
from ..engine.vector import VectorEnv, Who
from .planner import Planner, user_table
from .user import Out, Params, Rules, State, World, begin_users, step_users

MOST_STATES = 20_000                             # boredoms up to which the optimum of a user is computed


class Sessions(VectorEnv):
    """``items [A, T + 2]``: topic one-hot, appeal and depth, a noisy hint that an item is slow."""

    Params = Params

    def _build(self):
        p = self.params
        rng = np.random.default_rng([p.world_seed, 1])
        quick = np.arange(p.per_topic) % 2                                   # [per_topic]
        shelf = np.empty(p.per_topic)
        for which, top in ((0, p.slow_top), (1, p.quick_top)):
            shelf[quick == which] = np.linspace(top, min(p.weakest, top), (quick == which).sum())
        order = rng.permutation(p.topics * p.per_topic)
        topic, place = order // p.per_topic, order % p.per_topic             # [A]
        self.world = World(topic, shelf[place], np.where(quick == 1, p.quick_pace, p.slow_pace)[place])
        self.rules = rules(Rules, p)
        depth = np.clip(0.6 - 0.2 * quick[place] + 0.15 * rng.standard_normal(len(order)), 0, 1)
        self.items = np.column_stack([np.eye(p.topics)[topic], self.world.appeal, depth]).astype(np.float32)
        self.horizon = p.horizon

    def _spaces(self):
        p = self.params
        seen = {"vector": Box(0.0, 1.0, (2 * p.topics,)), "coarse": Discrete(p.topics * 2**p.topics),
                "levels": Discrete(p.topics * (p.levels + 1)**p.topics)}[p.observe]
        return seen, Discrete(len(self.world.topic))

    def _allocate(self):
        return self._rested(self.num_envs)

    def _rested(self, n) -> State:
        shape = (n, self.params.topics)
        return State(interest=np.zeros(shape), belief=np.zeros(shape), bored=np.zeros(shape, np.int64))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _advance(self, action, active):
        out = Out(reward=np.zeros(self.num_envs, np.float32), expected=np.zeros(self.num_envs))
        self.run(step_users, action, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, np.zeros(self.num_envs, bool), {"expected_reward": out.expected}

    def _observe(self):
        return self.encode(self.state.belief, self.state.bored)

    def encode(self, belief, bored) -> np.ndarray:
        """What the agent sees of ``belief`` and ``bored``, both ``[n, T]``: ``[n, …]``."""
        p, topics = self.params, np.arange(self.params.topics)
        if p.observe == "vector":
            return np.concatenate([belief, bored / p.levels], axis=1, dtype=np.float32)
        if p.observe == "coarse":
            return belief.argmax(axis=1) * 2**p.topics + (2 * bored >= p.levels) @ (1 << topics)
        return belief.argmax(axis=1) * (p.levels + 1)**p.topics + bored @ (p.levels + 1)**topics

    # exact answers ------------------------------------------------------------------------------------------------
    @cached_property
    def planner(self) -> Planner:
        """Dynamic programming over boredom and step, one user at a time."""
        return Planner(self.rules, self.world)

    def _solvable(self) -> bool:
        return (self.params.levels + 1)**self.params.topics <= MOST_STATES

    def _oracle(self):
        return self.planner.act(self.state.interest, self.state.bored, self.t) if self._solvable() else None

    def knows(self) -> Knows:
        return replace(super().knows(), oracle=self._solvable())

    def optimal_return(self, users) -> np.ndarray:
        """The exact expected return ``[n]`` of a session of each of the ``users`` (ids) under its own optimum."""
        return np.array([self.planner.solve(row)[1] for row in self.people(users)[0]])

    def exact_return(self, act, users) -> np.ndarray:
        """The exact expected return ``[n]`` of the stationary policy ``act(obs [S, …]) -> items [S]`` for each user.

        For every user ``act`` is asked once, about all S = (levels + 1)^T boredoms.
        """
        return np.array([self.planner.follow(interest, act(self.encode(np.tile(belief, (len(self.planner.states), 1)),
                                                                       self.planner.states)))
                         for interest, belief in zip(*self.people(users), strict=True)])

    def people(self, users) -> tuple[np.ndarray, np.ndarray]:
        """Interest and belief ``[n, T]`` of the users with these ids."""
        users = np.asarray(users, np.int64)
        now, state = np.zeros_like(users), self._rested(len(users))
        begin_users(np.arange(len(users)), self.rules, Who(0, users, now, now), state)
        return state.interest, state.belief

    def table(self, user: int) -> TabularMDP:
        """One user as a `TabularMDP` over boredoms, for `envs.engine.solver`."""
        return user_table(self.people([user])[0][0], self.rules, self.world)
