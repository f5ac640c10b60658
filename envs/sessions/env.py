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
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.params import param
from ..engine.rng import kernel, normal, session_key, uniform
from ..engine.solver import TabularMDP
from ..engine.vector import VectorEnv
from .planner import Planner, after, user_table

INTEREST, BELIEF, CLICK = 1, 2, 3                # purposes of the coins
MOST_STATES = 20_000                             # boredoms up to which the optimum of a user is computed


@dataclass(frozen=True)
class Params:
    observe: str = param("vector", choices=("vector", "coarse", "levels"))
    """What the agent sees; the users are the same."""
    topics: int = param(5, 1, 8)
    """T."""
    per_topic: int = param(20, 2)
    """Items of a topic, every second one quick; A = T · per_topic."""
    weakest: float = param(0.1, 0.0, 1.0)
    """Appeal of the weakest item of a topic."""
    slow_top: float = param(0.9, 0.0, 1.0)
    """Appeal of the best slow item of a topic; the others lie evenly between."""
    quick_top: float = param(0.95, 0.0, 1.0)
    """The same of the quick items."""
    interest_mean: float = param(-1.0)
    """Interest in a topic is σ(z) with z ~ N(mean, sd²), one draw a user and topic; this is the mean."""
    interest_sd: float = param(5.0, 0.0)
    """sd: the larger, the more a user either likes a topic or does not."""
    belief_noise: float = param(0.03, 0.0)
    """Standard deviation of the shop's belief about an interest, the same for a user's whole life."""
    levels: int = param(4, 1, 8)
    """Boredom of a topic is 0 … levels; a session starts at 0."""
    slow_pace: int = param(2, 1)
    """Boredom that a click on a slow item adds."""
    quick_pace: int = param(4, 1)
    """The same of a quick item."""
    pull_lost: float = param(1.0, 0.0, 1.0)
    """Share of its pull that a topic has lost at full boredom."""
    types: int = param(0, 0)
    """0: every user has interests of its own; G: there are G of them, user n is of type n mod G."""
    horizon: int = param(100, 1)
    """Steps of a session after which it is truncated."""
    world_seed: int = param(0, 0)
    """Seed of the order of the catalogue and of who the users are."""


@kernel
def begin_users(rows, world_seed, user, types, mean, sd, noise, interest, belief, bored):
    """A session starts: the user is who the world says, and rested."""
    for n in rows:
        who = session_key(world_seed, user[n] % types if types > 0 else user[n], 0)
        for k in range(interest.shape[1]):
            interest[n, k] = 1.0 / (1.0 + np.exp(-mean - sd * normal(who, 0, INTEREST, k)))
            belief[n, k] = min(1.0, max(0.0, interest[n, k] + noise * normal(who, 0, BELIEF, k)))
            bored[n, k] = 0


@kernel
def step_users(action, active, seed, user, session, t, topic, appeal, pace, levels, pull_lost, interest, bored, reward,
               expected):
    """One user, one item: the pull of its topic, a click or none, boredom."""
    for n in range(len(action)):
        if active[n]:
            item, shown = action[n], topic[action[n]]
            expected[n] = interest[n, shown] * appeal[item] * (1.0 - pull_lost * bored[n, shown] / levels)
            click = uniform(session_key(seed, user[n], session[n]), t[n], CLICK, 0) < expected[n]
            reward[n] = click
            for k in range(bored.shape[1]):
                bored[n, k] = after(bored[n, k], k == shown, click, pace[item], levels)


class Sessions(VectorEnv):
    """The catalogue: ``topic``, ``appeal``, ``pace`` ``[A]``, and what the agent may see of it.

    ``items [A, T + 2]``: topic one-hot, appeal and depth, a noisy hint that an item is slow.
    """

    Params = Params

    def _build(self):
        p = self.params
        rng = np.random.default_rng([p.world_seed, 1])
        quick = np.arange(p.per_topic) % 2                                   # [per_topic]
        shelf = np.empty(p.per_topic)
        for which, top in ((0, p.slow_top), (1, p.quick_top)):
            shelf[quick == which] = np.linspace(top, min(p.weakest, top), (quick == which).sum())
        order = rng.permutation(p.topics * p.per_topic)
        self.topic, place = order // p.per_topic, order % p.per_topic        # [A]
        self.appeal, self.pace = shelf[place], np.where(quick == 1, p.quick_pace, p.slow_pace)[place]
        depth = np.clip(0.6 - 0.2 * quick[place] + 0.15 * rng.standard_normal(len(order)), 0, 1)
        self.items = np.column_stack([np.eye(p.topics)[self.topic], self.appeal, depth]).astype(np.float32)
        self.horizon = p.horizon

    def _spaces(self):
        p = self.params
        seen = {"vector": Box(0.0, 1.0, (2 * p.topics,)), "coarse": Discrete(p.topics * 2**p.topics),
                "levels": Discrete(p.topics * (p.levels + 1)**p.topics)}[p.observe]
        return seen, Discrete(len(self.topic))

    def _allocate(self):
        n, k = self.num_envs, self.params.topics
        return {"interest": np.zeros((n, k)), "belief": np.zeros((n, k)), "bored": np.zeros((n, k), np.int64)}

    def _begin(self, rows):
        p = self.params
        begin_users(rows, p.world_seed, self.user, p.types, p.interest_mean, p.interest_sd, p.belief_noise,
                    *self.state.values())

    def _advance(self, action, active):
        reward, expected = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs)
        step_users(action, active, self.seed, self.user, self.session, self.t, self.topic, self.appeal, self.pace,
                   self.params.levels, self.params.pull_lost, self.state["interest"], self.state["bored"], reward,
                   expected)
        return reward, np.zeros(self.num_envs, bool), {"expected_reward": expected}

    def _observe(self):
        return self.encode(self.state["belief"], self.state["bored"])

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
        p = self.params
        return Planner(self.topic, self.appeal, self.pace, p.topics, p.levels, p.pull_lost, p.horizon)

    def _oracle(self):
        if (self.params.levels + 1)**self.params.topics > MOST_STATES:
            return None
        return self.planner.act(self.state["interest"], self.state["bored"], self.t)

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
        p, users = self.params, np.asarray(users, np.int64)
        interest, belief, bored = (np.zeros((len(users), p.topics)) for _ in range(3))
        begin_users(np.arange(len(users)), p.world_seed, users, p.types, p.interest_mean, p.interest_sd,
                    p.belief_noise, interest, belief, bored.astype(np.int64))
        return interest, belief

    def table(self, user: int) -> TabularMDP:
        """One user as a `TabularMDP` over boredoms, for `envs.engine.solver`."""
        p = self.params
        interest = self.people([user])[0][0]
        return user_table(interest, self.topic, self.appeal, self.pace, p.levels, p.pull_lost, p.horizon)
