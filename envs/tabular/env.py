"""Small Markov decision processes as environments: GridWorlds, cliff, frozen lake, boredom, churn.

Every problem is a table (`envs.tabular.problems`), so that its optimum, and the exact return of any policy an agent has
learned, are known (`envs.engine.solver`).  One session walks through the table, one coin a step.

| | |
|---|---|
| observation | ``id``: Discrete(S); ``one_hot``: Box [S]; ``features``: Box [D] in [-1, 1], coordinates or levels |
| action      | Discrete(A) |
| reward      | of the outcome that is drawn; ``boredom``: a click, its probability is ``expected_reward`` in info |
| end         | ``terminated`` in a terminal state; ``truncated`` after ``horizon`` steps |
"""
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.knows import Exact, Knows
from ..engine.params import param
from ..engine.solver import TabularMDP, backward_induction, evaluate
from ..engine.vector import VectorEnv
from . import problems
from .user import Out, State, World, begin_users, step_users

ON_A_MAP = ("grid", "frozen_lake", "cliff")      # problems whose states are cells
HORIZONS = {"grid": 500, "frozen_lake": 100, "cliff": 500, "boredom": 100, "churn": 200}


@dataclass(frozen=True)
class Params:
    problem: str = param("grid", choices=tuple(HORIZONS))
    """Which table (see `envs.tabular.problems`)."""
    map: str = param("hard")
    """Of grid, frozen_lake and cliff: easy, hard, cliff, 4x4, 8x8, or rows of S G # H C . divided by "/"."""
    slip: float = param(0.0, 0.0, 1.0)
    """Of the same: probability that the move is another one (grid: any, uniformly; the others: to one of the sides)."""
    topics: int = param(1, 1, 5)
    """T, of boredom: 5^T states."""
    observe: str = param("id", choices=("id", "one_hot", "features"))
    """What the agent sees of the state."""
    horizon: int = param(0, 0)
    """Steps of a session after which it is truncated; 0: the problem's own (500, 100, 500, 100, 200 in their order)."""


def build(p: Params) -> TabularMDP:
    """The table of these parameters."""
    horizon = p.horizon or HORIZONS[p.problem]
    if p.problem == "boredom":
        return problems.boredom(p.topics, horizon)
    if p.problem == "churn":
        return problems.churn(horizon)
    return getattr(problems, p.problem)(p.map, p.slip, horizon)


def cumulative(chance) -> np.ndarray:
    """Upper ends of the outcomes' shares of [0, 1) ``[…, K]``; exactly 1 from the last possible outcome on."""
    after = np.cumsum(chance[..., ::-1], axis=-1)[..., ::-1] - chance
    return np.where(after > 1e-15, np.cumsum(chance, axis=-1), 1.0)


class Tabular(VectorEnv):
    """``mdp`` is the table; a table of your own: subclass and write ``_table()``."""

    Params = Params

    def _table(self) -> TabularMDP:
        return build(self.params)

    def _build(self):
        self.mdp = self._table()
        self.horizon = self.mdp.horizon
        self.world = World(cumulative(self.mdp.start), cumulative(self.mdp.chance), self.mdp.successor, self.mdp.reward,
                           self.mdp.terminal)
        self.clicks = self.params.problem == "boredom"    # the reward is a coin of its own, with a known mean
        self.one_hot = np.eye(len(self.mdp.start), dtype=np.float32)
        if self.mdp.features is not None:
            self.features = self.mdp.features
        elif self.params.observe == "features":
            raise ValueError("parameter 'observe' = 'features': this table has none; use id or one_hot")

    def _spaces(self):
        states, actions = self.mdp.chance.shape[:2]
        if self.params.observe == "id":
            return Discrete(states), Discrete(actions)
        if self.params.observe == "one_hot":
            return Box(0.0, 1.0, (states,)), Discrete(actions)
        return Box(-1.0, 1.0, self.features.shape[1:]), Discrete(actions)

    def _allocate(self):
        return State(np.zeros(self.num_envs, np.int64))

    def _begin(self, rows):
        self.run(begin_users, rows, self.world, self.who(), self.state)

    def _advance(self, action, active):
        info, out = {}, Out(reward=np.zeros(self.num_envs, np.float32), terminated=np.zeros(self.num_envs, bool))
        if self.clicks:
            info["expected_reward"] = np.where(active, self.mdp.R[self.state.state, action], 0.0)
        self.run(step_users, action, active, self.world, self.who(), self.state, out)
        return out.reward, out.terminated, info

    def _observe(self):
        return self.encode(self.state.state)

    def _oracle(self):
        return self.optimal_actions[np.minimum(self.t, len(self.plan) - 1), self.state.state]

    # exact answers ------------------------------------------------------------------------------------------------
    def knows(self) -> Knows:
        p, given = self.params, type(self)._table is Tabular._table          # not a table of a subclass
        exact = Exact(self.random_return, self.optimal_return, self.exact_return, True, self.mdp, self.encode,
                      lambda: self.plan, (p.map, p.problem) if given and p.problem in ON_A_MAP else None)
        return replace(super().knows(), exact=exact)

    def encode(self, state) -> np.ndarray:
        """What the agent sees of the states ``[n]``: ``[n, …]``."""
        if self.params.observe == "id":
            return np.array(state, np.int64)
        if self.params.observe == "one_hot":
            return self.one_hot[state]
        return self.features[state]

    @cached_property
    def plan(self) -> np.ndarray:
        """``Q* [H, S, A]``, the values of the optimum that knows the step."""
        return backward_induction(self.mdp)

    @cached_property
    def optimal_actions(self) -> np.ndarray:
        """``[H, S]``."""
        return self.plan.argmax(axis=-1)

    def optimal_return(self) -> float:
        """The exact expected return of a session of the best policy that knows state and step."""
        return float(self.mdp.start @ self.plan[0].max(axis=-1))

    def exact_return(self, act) -> float:
        """The exact expected return of a session (undiscounted, with the horizon) of the stationary policy ``act``.

        ``act(obs [S, …]) -> actions [S]`` is asked once for all states, or gives probabilities ``[S, A]``.
        """
        choice = np.asarray(act(self.encode(np.arange(len(self.mdp.start)))))
        return float(self.mdp.start @ evaluate(self.mdp, choice, horizon=self.horizon))

    def random_return(self) -> float:
        """The same of uniformly random actions."""
        states, actions = self.mdp.chance.shape[:2]
        return self.exact_return(lambda obs: np.full((states, actions), 1.0 / actions))
