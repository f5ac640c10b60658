"""A small shop of slates whose optimum is known: a click now, or a user who stays.

A user with an interest 0 … L-1 in each of T topics looks at a slate of K of N items and takes at most one, or nothing
(multinomial logit).  What was taken moves the interest in its topic up or down by one, and its quality decides whether
the user goes on.  With N = 12 and K = 3 there are 220 slates, with N = 40 there are 9880: small enough to
enumerate, large enough to hurt who treats every slate as an action of its own (the tabular instance of
SlateQ: Ie et al. 2019, arXiv:1905.12767).

| | |
|---|---|
| observation | ``id``: Discrete(L^T); ``one_hot``: Box [L^T]; ``features``: Box [T], interests in [-1, 1] |
| action      | ``slate``: MultiDiscrete, K items; ``flat``: Discrete(C(N, K)), the sets in lexicographic order |
| reward      | 1 for a click (``expected_reward`` in info: its probability) |
| end         | ``terminated``: the user left; ``truncated``: after ``horizon`` steps |
| info        | ``response`` [N, K] clicks |

    P(item i) = w_i / (1 + Σ_{j in slate} w_j)      w_i = appeal(topic) · strength(i) · pull(interest in the topic)

An item that stands twice in a slate is seen once.
"""
import itertools
import math
from dataclasses import replace
from functools import cached_property

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from ..engine.knows import Exact, Knows
from ..engine.params import rules
from ..engine.solver import TabularMDP, evaluate
from ..engine.vector import VectorEnv
from ..tabular.problems import scaled
from .planner import plan_slates, slate_table
from .user import Out, Params, Rules, State, World, begin_users, step_users

MOST_SLATES = 200_000                            # C(N, K) must not exceed it: this is the shop that can be enumerated


class SmallSlate(VectorEnv):
    """``items [N, T + 1]``: topic one-hot and strength (``flat``: their means ``[C, T + 1]``); ``slates [C, K]``."""

    Params = Params

    def _build(self):
        p = self.params
        topics, levels = len(p.appeal), len(p.pull)
        if not topics == len(p.rise) == len(p.stay) or min(*p.appeal, *p.pull) <= 0:
            raise ValueError(f"parameters 'appeal' = {p.appeal}, 'rise' and 'stay' must have one entry for each topic, "
                             "and 'appeal' and 'pull' be positive")
        if min(*p.rise, *p.stay) < 0 or max(*p.rise, *p.stay) > 1:
            raise ValueError(f"parameters 'rise' = {p.rise} and 'stay' = {p.stay} must lie in [0, 1]")
        if p.slate > p.items or math.comb(p.items, p.slate) > MOST_SLATES:
            raise ValueError(f"parameter 'slate' = {p.slate} must be at most 'items' = {p.items}, and there may be at "
                             f"most {MOST_SLATES} slates")
        order = np.random.default_rng([p.world_seed, 1]).permutation(p.items)
        topic, rank = order % topics, order // topics                        # [N]
        last = np.maximum(1, np.bincount(topic, minlength=topics)[topic] - 1)
        strength = 1.0 - (1.0 - p.weakest) * rank / last
        self.interest = np.arange(levels**topics)[:, None] // levels ** np.arange(topics) % levels      # [S, T]
        weight = np.array(p.appeal)[topic] * strength * np.array(p.pull)[self.interest[:, topic]]
        self.world = World(weight, topic, np.array(p.rise, np.float64), np.array([*p.stay, p.stay_nothing], np.float64))
        self.rules = rules(Rules, p, levels=levels)
        self.slates = np.array(list(itertools.combinations(range(p.items), p.slate)))        # [C, K]
        self.items = np.column_stack([np.eye(topics)[topic], strength]).astype(np.float32)
        self.items = self.items[self.slates].mean(axis=1) if p.action == "flat" else self.items
        self.features, self.one_hot = scaled(self.interest, levels - 1), np.eye(len(self.interest), dtype="f4")
        self.horizon = p.horizon

    def _spaces(self):
        p, states = self.params, len(self.interest)
        seen = {"id": Discrete(states), "one_hot": Box(0.0, 1.0, (states,)),
                "features": Box(-1.0, 1.0, self.features.shape[1:])}[p.observe]
        return seen, Discrete(len(self.slates)) if p.action == "flat" else MultiDiscrete([p.items] * p.slate)

    def _allocate(self):
        return State(np.zeros(self.num_envs, np.int64))

    def _begin(self, rows):
        self.run(begin_users, rows, self.world, self.who(), self.state)

    def _advance(self, action, active):
        n, slate = self.num_envs, self.slates[action] if self.params.action == "flat" else action
        out = Out(response=np.zeros(slate.shape, np.int8), reward=np.zeros(n, np.float32), expected=np.zeros(n),
                  terminated=np.zeros(n, bool))
        self.run(step_users, slate, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, out.terminated, {"expected_reward": out.expected, "response": out.response}

    def _observe(self):
        return self.encode(self.state.state)

    def _oracle(self):
        slate = self.plan[0][np.minimum(self.t, self.params.horizon - 1), self.state.state]
        return self.flat(slate) if self.params.action == "flat" else slate

    # exact answers ------------------------------------------------------------------------------------------------
    def knows(self) -> Knows:
        return replace(super().knows(), exact=Exact(self.random_return, self.optimal_return, self.exact_return))

    def encode(self, state) -> np.ndarray:
        """What the agent sees of the states ``[n]``: ``[n, …]``."""
        if self.params.observe == "id":
            return np.array(state, np.int64)
        return (self.one_hot if self.params.observe == "one_hot" else self.features)[state]

    def flat(self, slates) -> np.ndarray:
        """The flat actions ``[n]`` of the slates ``[n, K]`` of distinct items, in any order."""
        place = self.params.items ** np.arange(self.params.slate)[::-1]
        return np.searchsorted(self.slates @ place, np.sort(slates, axis=-1) @ place)

    @cached_property
    def plan(self):
        """(the best slates ``[H, S, K]`` in ascending order, the values of the first step ``[S]``)."""
        slates, value = plan_slates(self.rules, self.world)
        return np.sort(slates, axis=-1), value

    def optimal_return(self) -> float:
        """The exact expected return of a session of the best policy that knows interests and step."""
        return float(self.plan[1].mean())

    def exact_return(self, act) -> float:
        """The exact expected return of a stationary policy, ``act(obs [S, …]) -> actions [S]`` or slates ``[S, K]``."""
        action = np.asarray(act(self.encode(np.arange(len(self.interest)))))
        slates = self.slates[action] if self.params.action == "flat" else action
        return self._return(self.table(slates[:, None]))

    def random_return(self) -> float:
        """The same of a uniformly random slate of distinct items."""
        return self._return(self.table(self.slates[None]))

    def _return(self, mdp) -> float:
        policy = np.full(mdp.chance.shape[:2], 1.0 / mdp.chance.shape[1])
        return float(mdp.start @ evaluate(mdp, policy, horizon=self.horizon))

    def table(self, slates) -> TabularMDP:
        """The MDP in which only ``slates [S or 1, A, K]`` are shown; ``table(env.slates[None])`` is the whole shop."""
        return slate_table(slates, self.rules, self.world, self.interest)
