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

from ..engine.cascade import nothing_yet
from ..engine.params import rules
from ..engine.rng import kernel
from ..engine.vector import VectorEnv
from .planner import Planner
from .user import Params, Rules, State, World, begin_users, step_users

HISTORY = 5.0                                    # likes and skips are shown as count / (count + HISTORY)


class Ladder(VectorEnv):
    """Attributes: ``world``, the catalogue (A = topics × items a topic); what the agent may see of it, ``items
    [A, T + 1]``: topic one-hot and quality (the editor's mark); ``shelves [A, K]``, the slates of the item view."""

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
        topic = np.repeat(np.arange(p.topics), per_topic)
        self.world = World(topic, np.array(p.appeal, np.float64)[order], np.array(p.quality, np.float64)[order])
        self.items = np.column_stack([np.eye(p.topics)[topic], self.world.quality]).astype(np.float32)
        items = np.arange(len(topic))
        self.shelves = (items[:, None] + per_topic * np.arange(p.slate)) % len(items)       # [A, K]
        self.rules, self.horizon = rules(Rules, p), p.horizon
        self.planner = Planner(self.rules, self.world, p.slate, self.shelves if p.action == "item" else None)

    def _spaces(self):
        p, items = self.params, len(self.world.topic)
        seen = {"type": Box(0.0, 1.0, (p.types,)), "coarse": Discrete(p.types * 2**p.topics),
                "vector": Box(0.0, 1.0, (p.types + 3 * p.topics + 2,))}[p.observe]
        return seen, Discrete(items) if p.action == "item" else MultiDiscrete([items] * p.slate)

    def _allocate(self):
        n, k = self.num_envs, self.params.topics
        return State(kind=np.zeros(n, np.int64), likes_it=np.zeros((n, k), bool), bored=np.zeros((n, k), np.int64),
                     likes=np.zeros((n, k), np.int64), skips=np.zeros((n, k), np.int64),
                     satisfaction=np.zeros(n, np.int64), mood=np.zeros(n))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _advance(self, action, active):
        slate = self.shelves[action] if self.params.action == "item" else action            # [N, K]
        out = nothing_yet(slate)
        self.run(step_users, slate, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, out.terminated, {"expected_reward": out.expected, "response": out.response,
                                            "left": out.left, "satisfaction": self.state.satisfaction.copy()}

    def _observe(self):
        s, p = self.state, self.params
        if p.observe == "coarse":
            return s.kind * 2**p.topics + (s.bored > 0) @ (1 << np.arange(p.topics))
        if p.observe == "type":
            return (s.kind[:, None] == np.arange(p.types)).astype(np.float32)
        out = np.zeros((self.num_envs, p.types + 3 * p.topics + 2), np.float32)
        self.run(observe_users, self.rules, s, self.t, out)
        return out

    def _oracle(self):
        slate = self.planner.act(self.state, self.t)
        return slate[:, 0] if self.params.action == "item" else slate


@kernel
def observe_users(rules, state, t, out):
    """The vector view ``out [N, G + 3 T + 2]``."""
    g, k = rules.types, rules.topics
    for n in range(len(out)):
        out[n, state.kind[n]] = 1.0
        for topic in range(k):
            out[n, g + topic] = state.bored[n, topic] / rules.levels
            out[n, g + k + topic] = state.likes[n, topic] / (state.likes[n, topic] + HISTORY)
            out[n, g + 2 * k + topic] = state.skips[n, topic] / (state.skips[n, topic] + HISTORY)
        out[n, g + 3 * k], out[n, g + 3 * k + 1] = state.mood[n], t[n] / rules.horizon
