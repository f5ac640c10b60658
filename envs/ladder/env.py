"""The ladder: one shop and its users, the same from the first rung of the path to the last.

A user of an observed type, with a hidden taste for some topics, browses.  Each step the shop shows a slate; the user
reads it from the top and clicks at most one item (cascade with limited patience: Craswell et al. 2008, Kempe &
Mahdian 2008).  A click bores: the topic loses its pull for a while.  What was clicked pleases or disappoints by its
quality, nothing worth a click annoys; a dissatisfied user leaves, and comes back only if the shop was good.

| | |
|---|---|
| observation | ``vector``: Box, type one-hot [G], boredom, likes and skips per topic [3 T], mood, clock |
|             | ``type``: Box [G], one-hot; ``coarse``: Discrete(G · 2^T), the type and which topics are bored |
| action      | ``item``: Discrete(A), the item leads and its like of the next topics follow; ``slate``: MultiDiscrete |
| reward      | 1 for a click (``expected_reward`` in info: its probability) |
| end         | ``terminated``: left and does not come back; ``truncated``: after ``horizon`` steps |
| info        | ``response`` [N, K] clicks; hidden ``satisfaction`` [N], and ``left`` [N], whether a visit ended |

P(click at j) = a_j · Π_{i<j} patience (1 - a_i), with a = appeal · affinity(type, topic) · (1 ± taste) ·
(1 - pull_lost · boredom / levels), at most 0.95.  An item that stands twice in a slate is passed over the second time.
"""
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from ..engine.vector import VectorEnv
from .planner import Planner
from .user import Params, Rules, begin_users, observe_users, step_users


class Ladder(VectorEnv):
    """Attributes of the catalogue: ``topic``, ``appeal``, ``quality`` ``[A]`` (A = topics × items a topic) and what the
    agent may see of it, ``items [A, T + 1]``: topic one-hot and quality (the editor's mark)."""

    Params = Params

    def _build(self):
        p = self.params
        per_topic = len(p.appeal)
        if not per_topic or len(p.quality) != per_topic:
            raise ValueError(f"parameters 'appeal' ({per_topic}) and 'quality' ({len(p.quality)}) must have one entry "
                             "for each item of a topic")
        if min(p.appeal) <= 0 or max(p.appeal) > 1 or max(map(abs, p.quality)) > 1:
            raise ValueError("parameter 'appeal' must lie in (0, 1] and 'quality' in [-1, 1]")
        rng = np.random.default_rng([p.world_seed, 2])
        order = np.concatenate([rng.permutation(per_topic) for _ in range(p.topics)])       # [A]
        self.appeal, self.quality = np.array(p.appeal, np.float64)[order], np.array(p.quality, np.float64)[order]
        self.topic = np.repeat(np.arange(p.topics), per_topic)
        self.items = np.column_stack([np.eye(p.topics)[self.topic], self.quality]).astype(np.float32)
        items = np.arange(len(self.topic))
        self.shelves = (items[:, None] + per_topic * np.arange(p.slate)) % len(items)       # [A, K]
        self.rules = Rules(*(getattr(p, name) for name in Rules._fields))
        self.horizon, self.planner = p.horizon, None

    def _spaces(self):
        p, items = self.params, len(self.topic)
        seen = {"type": Box(0.0, 1.0, (p.types,)), "coarse": Discrete(p.types * 2**p.topics),
                "vector": Box(0.0, 1.0, (p.types + 3 * p.topics + 2,))}[p.observe]
        return seen, Discrete(items) if p.action == "item" else MultiDiscrete([items] * p.slate)

    def _allocate(self):
        n, k = self.num_envs, self.params.topics
        return {"kind": np.zeros(n, np.int64), "likes_it": np.zeros((n, k), bool), "bored": np.zeros((n, k), np.int64),
                "likes": np.zeros((n, k), np.int64), "skips": np.zeros((n, k), np.int64),
                "satisfaction": np.zeros(n, np.int64), "mood": np.zeros(n)}

    def _begin(self, rows):
        begin_users(rows, self.rules, self.seed, self.user, self.session, *self.state.values())

    def _advance(self, action, active):
        n, slate = self.num_envs, action
        slate = self.shelves[slate] if self.params.action == "item" else slate             # [N, K]
        response, reward, expected = np.zeros(slate.shape, np.int8), np.zeros(n, np.float32), np.zeros(n)
        terminated, left = np.zeros(n, bool), np.zeros(n, bool)
        step_users(slate, active, self.rules, self.seed, self.user, self.session, self.t, self.topic, self.appeal,
                   self.quality, *self.state.values(), response, reward, expected, terminated, left)
        return reward, terminated, {"expected_reward": expected, "response": response, "left": left,
                                    "satisfaction": self.state["satisfaction"].copy()}

    def _observe(self):
        s, p = self.state, self.params
        if p.observe == "coarse":
            return s["kind"] * 2**p.topics + (s["bored"] > 0) @ (1 << np.arange(p.topics))
        if p.observe == "type":
            return (s["kind"][:, None] == np.arange(p.types)).astype(np.float32)
        out = np.zeros((self.num_envs, p.types + 3 * p.topics + 2), np.float32)
        observe_users(self.rules, s["kind"], s["bored"], s["likes"], s["skips"], s["mood"], self.t, out)
        return out

    def _oracle(self):
        if self.planner is None:
            self.planner = Planner(self.rules, self.topic, self.appeal, self.quality, self.params.slate,
                                   self.shelves if self.params.action == "item" else None)
        slate = self.planner.act(self.state["kind"], self.state["likes_it"], self.state["bored"],
                                 self.state["satisfaction"], self.t)
        return slate[:, 0] if self.params.action == "item" else slate
