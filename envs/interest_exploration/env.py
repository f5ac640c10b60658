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
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, Dict

from ..engine.choice import multinomial_logit, take
from ..engine.params import param
from ..engine.rng import kernel, normal, session_key, uniform
from ..engine.slates import VIEWS, SlateView
from ..engine.vector import VectorEnv

TYPE, AFFINITY, GROUP, QUALITY, CHOICE = range(1, 6)                         # purposes of the coins
HALF = 5.0                                       # counts n are shown as n / (n + HALF)


@dataclass(frozen=True)
class Params:
    action: str = param("slate", choices=VIEWS)
    """How the agent names a slate."""
    observe: str = param("history", choices=("history", "full", "nothing"))
    """What the agent sees of the user; ``nothing`` is the published environment."""
    candidates: int = param(20, 1, 10_000)
    """m, documents on offer in a step."""
    slate: int = param(2, 1)
    """k, documents shown."""
    resample: bool = param(True)
    """Fresh candidates every step, or the same m for the whole session."""
    type_shares: tuple = (0.3, 0.7)
    """Share of each of the G types among users."""
    affinity_means: tuple = ((0.1, 0.7), (0.7, 0.1))
    """[G, T] mean of the logarithm of a type's affinity for a group."""
    affinity_sd: float = param(0.1, 0.0)
    """Standard deviation of that logarithm among the users of a type."""
    group_shares: tuple = (0.2, 0.8)
    """Share of each of the T groups among documents."""
    quality_means: tuple = (0.8, 0.2)
    """[T] mean of the logarithm of a document's quality."""
    quality_sd: float = param(0.1, 0.0)
    """Standard deviation of that logarithm within a group."""
    no_click: float = param(5.0)
    """Logit of taking nothing."""
    horizon: int = param(100, 1)
    """Steps of a session."""
    world_seed: int = param(0, 0)
    """Seed of who the users are."""


@kernel
def draw_documents(life, day, group_shares, quality_means, quality_sd, group, shown):
    """The candidates of a step: ``group [m]``, and as they are seen, ``shown [m, T + 1]`` group one-hot and quality."""
    for j in range(len(group)):
        shown[j, group[j]] = 0.0
        group[j] = take(group_shares, 0.0, uniform(life, day, GROUP, j))
        shown[j, group[j]] = 1.0
        shown[j, -1] = np.exp(quality_means[group[j]] + quality_sd * normal(life, day, QUALITY, j))


@kernel
def begin_users(rows, world_seed, seed, user, session, type_shares, affinity_means, affinity_sd, group_shares,
                quality_means, quality_sd, kind, affinity, counts, group, shown):
    """A session starts: the user is who the world says; nothing has been shown yet."""
    for n in rows:
        who = session_key(world_seed, user[n], 0)
        kind[n] = take(type_shares, 0.0, uniform(who, 0, TYPE, 0))
        for about in range(affinity.shape[1]):
            affinity[n, about] = np.exp(affinity_means[kind[n], about] + affinity_sd * normal(who, 0, AFFINITY, about))
        counts[n] = 0.0
        draw_documents(session_key(seed, user[n], session[n]), 0, group_shares, quality_means, quality_sd, group[n],
                       shown[n])


@kernel
def step_users(slate, active, resample, seed, user, session, t, group_shares, quality_means, quality_sd, no_click,
               affinity, counts, group, shown, response, reward, expected):
    """One user, one slate: score, choose; then new candidates."""
    places, groups = slate.shape[1], affinity.shape[1]
    scores, shares = np.empty(places), np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life = session_key(seed, user[n], session[n])
        for j in range(places):
            item = slate[n, j]
            scores[j] = affinity[n, group[n, item]] + shown[n, item, -1]
        nothing = multinomial_logit(scores, no_click, shares)
        expected[n] = 1.0 - nothing
        place = take(shares, nothing, uniform(life, t[n], CHOICE, 0))
        for j in range(places):
            counts[n, group[n, slate[n, j]] + (0 if j == place else groups)] += 1.0
        if place >= 0:
            response[n, place], reward[n] = 1, 1.0
        if resample:
            draw_documents(life, t[n] + 1, group_shares, quality_means, quality_sd, group[n], shown[n])


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
        self.affinity_means, self.quality_means = np.array(p.affinity_means), np.array(p.quality_means)
        if self.quality_means.shape != (groups,):
            raise ValueError(f"parameter 'quality_means' has shape {self.quality_means.shape}, must be ({groups},)")
        self.documents = (np.array(p.group_shares), self.quality_means, p.quality_sd)

    def _spaces(self):
        p, groups = self.params, len(self.quality_means)
        seen = {"history": {"user": Box(0.0, 1.0, (2 * groups,))}, "full": {"user": Box(0.0, np.inf, (groups,))},
                "nothing": {}}[p.observe]
        return Dict({"candidates": Box(0.0, np.inf, (p.candidates, groups + 1)), **seen}), self.view.space

    def _allocate(self):
        n, m, groups = self.num_envs, self.params.candidates, len(self.quality_means)
        return {"kind": np.zeros(n, np.int64), "affinity": np.zeros((n, groups)),
                "counts": np.zeros((n, 2 * groups), np.float32), "group": np.zeros((n, m), np.int64),
                "shown": np.zeros((n, m, groups + 1), np.float32)}

    def _begin(self, rows):
        p = self.params
        begin_users(rows, p.world_seed, self.seed, self.user, self.session, np.array(p.type_shares),
                    self.affinity_means, p.affinity_sd, *self.documents, *self.state.values())

    def _advance(self, action, active):
        p, s, n, slate = self.params, self.state, self.num_envs, self.view.slates(action)
        response, reward, expected = np.zeros(slate.shape, np.int8), np.zeros(n, np.float32), np.zeros(n)
        step_users(slate, active, p.resample, self.seed, self.user, self.session, self.t, *self.documents, p.no_click,
                   s["affinity"], s["counts"], s["group"], s["shown"], response, reward, expected)
        return reward, np.zeros(n, bool), {"expected_reward": expected, "response": response, "kind": s["kind"].copy()}

    def _observe(self):
        s = self.state
        seen = {"candidates": s["shown"].copy()}
        if self.params.observe == "history":
            seen["user"] = s["counts"] / (s["counts"] + np.float32(HALF))
        elif self.params.observe == "full":
            seen["user"] = s["affinity"].astype(np.float32)
        return seen

    def scores(self) -> np.ndarray:
        """The hidden score ``[N, m]`` of every candidate: affinity for its group plus quality."""
        return np.take_along_axis(self.state["affinity"], self.state["group"], axis=1) + self.state["shown"][:, :, -1]

    def _oracle(self):
        """The best slate of different candidates: nothing that is shown changes the user, so it is the optimum."""
        return self.view.best(self.scores())
