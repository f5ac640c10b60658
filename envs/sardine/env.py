"""SARDINE: slates that bore, interests that drift, and more to gain from patience than from the next click.

A user cares for three to five topics.  Every item speaks of two or three; its main topic is the one it bores with.
Five remembered clicks on one topic (of the last ten clicks and the last five steps) and the user is absent for five
steps, so that who shows what is clicked most loses three steps of four.  Deffayet et al. 2024 (arXiv:2311.16586); the
story of one step is in `envs.sardine.user`.

| | |
|---|---|
| observation | ``ideal``: Box [3 T], what the user feels ũ, remembered clicks / threshold (at most 1), patience left |
|             | ``published``: Dict of slate ids, click bits and that histogram; ``history``: Box [h, 2 T] |
| action      | ``slate``: MultiDiscrete of K item ids (Discrete for K = 1); ``topk``: Box [T], a direction |
| reward      | clicks on the slate (``expected_reward`` in info) |
| end         | ``truncated`` after ``horizon`` steps; nobody leaves (``compat``: reported as terminated) |
| info        | ``response`` [N, K] clicks; hidden ``bored`` [N]: some topic bored the user when the slate came |

A direction a ∈ R^T shows the K items of highest ⟨E_i, a⟩, the published wrapper; only its direction counts.
Differences from the released code: ids -1 and -2 (which reveal the hidden user) are no actions; the two faults named at
``compat`` are mended unless it is set.
"""
import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from ..engine.choice import examination
from ..engine.params import rules
from ..engine.rng import kernel
from ..engine.vector import VectorEnv
from .catalogue import draw_embeddings, read_embeddings
from .planner import feel_users, fill_slates, room_for_clicks
from .user import CLICK, FIRST_CLICK, Out, Params, Rules, State, World, begin_users, feel, step_users


class Sardine(VectorEnv):
    """Attributes: ``embeddings [A, T]``, ``topic [A]`` main topics, and both as an agent may know them, ``items
    [A, 2 T]`` (main topics one-hot: which topic an item bores with is no linear function of its embedding)."""

    Params = Params

    def _build(self):
        p = self.params
        items = read_embeddings(p.embeddings) if p.embeddings else draw_embeddings(p.items, p.topics, p.world_seed)
        if p.oracle == "rotation" and p.action == "topk":
            raise ValueError("parameter 'oracle' = 'rotation' needs action = 'slate': a direction cannot rotate")
        self.embeddings, self.topic = items, items.argmax(axis=1)                           # [A, T], [A]
        self.items = np.hstack([items, np.eye(items.shape[1])[self.topic]]).astype(np.float32)
        self.by_topic = np.ascontiguousarray(items.T)                                       # [T, A]
        about = np.argsort(-items, axis=1, kind="stable")[:, :(items > 0).sum(axis=1).max()].astype(np.int32)
        examined = examination(p.slate, p.examination, mixed=p.click_model == "mixed")
        self.world = World(about, np.take_along_axis(items, about, axis=1), examined)
        longest = np.sqrt((items**2).sum(axis=1)).max()
        self.rules = rules(Rules, p, absent=p.boredom == "absent", longest=longest)
        self.horizon = p.horizon

    def _spaces(self):
        p, (size, topics) = self.params, self.embeddings.shape
        shown = Discrete(size) if p.slate == 1 else MultiDiscrete([size] * p.slate)
        seen: gym.Space = Box(0.0, 1.0, (3 * topics,))
        if p.observe == "published":
            seen = Dict({"slate": MultiDiscrete([size] * p.slate), "clicks": MultiBinary(p.slate),
                         "histogram": Box(0.0, 1.0, (topics,))})
        elif p.observe == "history":
            seen = Box(0.0, 1.0, (p.history, 2 * topics))
        return seen, Box(-1.0, 1.0, (topics,)) if p.action == "topk" else shown

    def _allocate(self):
        n, p, topics = self.num_envs, self.params, self.embeddings.shape[1]
        steps, places = p.history * (p.observe == "history"), p.slate * (p.observe == "published")
        return State(interest=np.zeros((n, topics)), bored=np.zeros((n, topics), np.int32),
                     count=np.zeros((n, topics), np.int32), queue=np.zeros((n, p.memory, 2), np.int32),
                     ring=np.zeros((n, 2), np.int32), shown=np.zeros((n, places), np.int64),
                     clicks=np.zeros((n, places), np.int8), past=np.zeros((n, steps, 2 * topics), np.float32))

    def _begin(self, rows):
        first, those = np.zeros((self.num_envs, self.params.slate), np.int64), np.zeros(self.num_envs, bool)
        self.run(begin_users, rows, self.rules, self.world, self.who(), self.state, first)
        those[rows] = True
        self._show(first, those, self.who()._replace(t=np.full(self.num_envs, -1)), FIRST_CLICK)    # not rewarded

    def _show(self, slate, active, who, purpose) -> Out:
        """The users in ``active`` react to ``slate [N, K]``."""
        n = self.num_envs
        out = Out(np.zeros(slate.shape, np.int8), np.zeros(n, np.float32), np.zeros(n), np.zeros(n, bool))
        self.run(step_users, slate, active, self.rules, self.world, who, purpose, self.state, out)
        return out

    def _advance(self, action, active):
        p = self.params
        slate = self.best_match(action) if p.action == "topk" else action.reshape(-1, p.slate)
        out = self._show(slate, active, self.who(), CLICK)
        return out.reward, active & (self.t + 1 >= p.horizon) & p.compat, {
            "expected_reward": out.expected, "response": out.response, "bored": out.absent}

    def best_match(self, direction) -> np.ndarray:
        """The K items of highest ⟨E_i, a⟩, best first ``[N, K]``; ValueError if a direction [N, T] is not finite."""
        direction = np.ascontiguousarray(direction, np.float64)
        if not np.isfinite(direction).all():
            raise ValueError("action holds numbers that are not finite")
        slates = np.empty((self.num_envs, self.params.slate), np.int64)
        quota = np.full((self.num_envs, self.embeddings.shape[1]), self.params.slate)
        fill_slates(direction, quota, self.by_topic, self.topic, slates)
        return slates

    def _observe(self):
        s, topics = self.state, self.embeddings.shape[1]
        if self.params.observe == "history":
            return s.past.copy()
        out = np.empty((self.num_envs, 3 * topics), np.float32)
        self.run(observe_users, self.rules, s, out)
        if self.params.observe == "ideal":
            return out
        return {"slate": s.shown.copy(), "clicks": s.clicks.copy(), "histogram": out[:, topics:2 * topics].copy()}

    def _oracle(self):
        """``short_term``: the K most relevant items, best first; it does not know that clicks bore.  ``rotation``: the
        same among items whose clicks cannot complete a boredom; the places left get what the user cares for least."""
        s, p = self.state, self.params
        felt, quota = np.empty(s.interest.shape), np.full(s.interest.shape, p.slate)
        self.run(feel_users, self.rules, s, felt)
        if p.action == "topk":
            return felt.astype(np.float32)
        if p.oracle == "rotation":
            room_for_clicks(self.rules, s, self.t, quota)
        slates = np.empty((self.num_envs, p.slate), np.int64)
        fill_slates(felt, quota, self.by_topic, self.topic, slates)
        return slates[:, 0] if p.slate == 1 else slates


@kernel
def observe_users(rules, state, out):
    """The ideal view ``out [N, 3 T]``."""
    interest, bored, count, topics = state.interest, state.bored, state.count, state.bored.shape[1]
    felt = np.empty(topics)
    for n in range(len(out)):
        feel(rules, n, interest, bored, felt)
        for k in range(topics):
            out[n, k] = felt[k]
            out[n, topics + k] = min(1.0, count[n, k] / rules.boredom_threshold)
            out[n, 2 * topics + k] = bored[n, k] / rules.boredom_steps if bored[n, k] > 0 else 1.0
