"""Interest exploration: a click-through problem in which every click also tells who the user is.

A user of a hidden type likes one group of documents better than the other, how much better is personal; documents have
a group and a quality that everybody sees.  A session is a fixed number of slates to the same unchanging user, who takes
at most one document each time.  RecSim's ``interest_exploration`` (Ie et al. 2019, arXiv:1909.04847).

| | |
|---|---|
| observation | Dict, ``candidates`` [m, T + 1] group one-hot and quality; of the user, by ``observe``: |
|             | ``history``: ``user`` [2 T], clicks and skips a group as n / (n + 5); ``full``: ``user`` [T], its |
|             | affinities; ``nothing``: no more |
| action      | a slate of k candidates, see `envs.engine.slates`; each copy of a repeated one is a document to choose |
| reward      | 1 for a click (``expected_reward`` in info: its probability) |
| end         | never by itself; ``truncated`` after ``horizon`` steps |
| info        | ``response`` [N, K] clicks; hidden ``kind`` [N], the type |

P(i) = exp(s_i) / (exp(5) + Σ exp(s_j)),  s = affinity_group + quality.

With the published numbers group 0 is the better one for both types (3.33 against 3.24, 4.24 against 2.33), so that
chasing clicks misses nobody; ``quality_means = (0.5, 0.2)`` makes the types disagree (2.75 against 3.24 for type 0).
"""
import numpy as np
from gymnasium.spaces import Box, Dict

from ..engine.params import rules
from ..engine.slates import SlateView
from ..engine.vector import VectorEnv
from .user import Out, Params, Rules, State, World, begin_users, step_users

HALF = 5.0                                       # counts n are shown as n / (n + HALF)


class InterestExploration(VectorEnv):
    """Attribute: ``view``, how actions name slates (`envs.engine.slates`)."""

    Params = Params

    def _build(self):
        p = self.params
        self.horizon, self.view = p.horizon, SlateView(p.action, p.candidates, p.slate)
        for name in ("type_shares", "group_shares"):
            shares = np.array(getattr(p, name), np.float64)
            if shares.ndim != 1 or not (shares >= 0).all() or abs(shares.sum() - 1.0) > 1e-9:
                raise ValueError(f"parameter '{name}' = {getattr(p, name)} must be shares that add to 1")
        types, groups = len(p.type_shares), len(p.group_shares)
        if [len(row) for row in p.affinity_means] != [groups] * types:
            raise ValueError(f"parameter 'affinity_means' = {p.affinity_means} must have {types} rows of {groups}: one "
                             "for each type, with an entry for each group")
        self.rules = rules(Rules, p)
        self.world = World(*(np.array(given, np.float64) for given in (p.type_shares, p.affinity_means, p.group_shares,
                                                                       p.quality_means)))
        if self.world.quality_means.shape != (groups,):
            raise ValueError(f"parameter 'quality_means' has shape {self.world.quality_means.shape}, must be "
                             f"({groups},)")

    def _spaces(self):
        p, groups = self.params, len(self.world.quality_means)
        seen = {"history": {"user": Box(0.0, 1.0, (2 * groups,))}, "full": {"user": Box(0.0, np.inf, (groups,))},
                "nothing": {}}[p.observe]
        return Dict({"candidates": Box(0.0, np.inf, (p.candidates, groups + 1)), **seen}), self.view.space

    def _allocate(self):
        n, m, groups = self.num_envs, self.params.candidates, len(self.world.quality_means)
        return State(kind=np.zeros(n, np.int64), affinity=np.zeros((n, groups)),
                     counts=np.zeros((n, 2 * groups), np.float32), group=np.zeros((n, m), np.int64),
                     shown=np.zeros((n, m, groups + 1), np.float32))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.world, self.who(), self.state)

    def _advance(self, action, active):
        n, slate = self.num_envs, self.view.slates(action)
        out = Out(response=np.zeros(slate.shape, np.int8), reward=np.zeros(n, np.float32), expected=np.zeros(n))
        self.run(step_users, slate, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, np.zeros(n, bool), {"expected_reward": out.expected, "response": out.response,
                                               "kind": self.state.kind.copy()}

    def _observe(self):
        s = self.state
        seen = {"candidates": s.shown.copy()}
        if self.params.observe == "history":
            seen["user"] = s.counts / (s.counts + np.float32(HALF))
        elif self.params.observe == "full":
            seen["user"] = s.affinity.astype(np.float32)
        return seen

    def scores(self) -> np.ndarray:
        """The hidden score ``[N, m]`` of every candidate: affinity for its group plus quality."""
        return np.take_along_axis(self.state.affinity, self.state.group, axis=1) + self.state.shown[:, :, -1]

    def _oracle(self):
        """The best slate of different candidates: nothing that is shown changes the user, so it is the optimum."""
        return self.view.best(self.scores())
