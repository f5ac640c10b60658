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
from ..engine.rng import kernel
from ..engine.vector import VectorEnv
from .user import CLICK, FIRST_CLICK, Params, Rules, begin_users, feel, step_users


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
        self.about = np.argsort(-items, axis=1, kind="stable")[:, :(items > 0).sum(axis=1).max()].astype(np.int32)
        self.value = np.take_along_axis(items, self.about, axis=1)          # the topics an item speaks of, main first
        self.examined = examination(p.slate, p.examination, mixed=p.click_model == "mixed")     # [K]
        more = {"absent": p.boredom == "absent", "longest": float(np.sqrt((items**2).sum(axis=1)).max())}
        self.rules = Rules(*(more[name] if name in more else getattr(p, name) for name in Rules._fields))
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
        return {"interest": np.zeros((n, topics)),                          # u
                "bored": np.zeros((n, topics), np.int32),                   # steps that the topic still bores
                "count": np.zeros((n, topics), np.int32),                   # remembered clicks
                "queue": np.zeros((n, p.memory, 2), np.int32),              # their (topic, step), a ring …
                "ring": np.zeros((n, 2), np.int32),                         # … of which these are (first, length)
                "shown": np.zeros((n, places), np.int64), "clicks": np.zeros((n, places), np.int8),
                "past": np.zeros((n, steps, 2 * topics), np.float32)}       # topics shown, topics clicked, over K

    def _begin(self, rows):
        s, n = self.state, self.num_envs
        first, those = np.zeros((n, self.params.slate), np.int64), np.zeros(n, bool)
        begin_users(rows, self.rules, self.seed, self.user, self.session, len(self.embeddings), first, s["interest"],
                    s["bored"], s["count"], s["ring"], s["past"])
        those[rows] = True
        self._show(first, those, FIRST_CLICK, np.full(n, -1))                   # not rewarded

    def _show(self, slate, active, purpose, t):
        """The users in ``active`` react to ``slate [N, K]``: (reward, truths)."""
        n = self.num_envs
        response, reward = np.zeros(slate.shape, np.int8), np.zeros(n, np.float32)
        expected, bored = np.zeros(n), np.zeros(n, bool)
        step_users(slate, active, self.rules, purpose, self.seed, self.user, self.session, t, self.about,
                   self.value, self.examined, *self.state.values(), response, reward, expected, bored)
        return reward, {"expected_reward": expected, "response": response, "bored": bored}

    def _advance(self, action, active):
        p = self.params
        slate = self.best_match(action) if p.action == "topk" else action.reshape(-1, p.slate)
        reward, truths = self._show(slate, active, CLICK, self.t)
        return reward, active & (self.t + 1 >= p.horizon) & p.compat, truths

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
            return s["past"].copy()
        out = np.empty((self.num_envs, 3 * topics), np.float32)
        observe_users(self.rules, s["interest"], s["bored"], s["count"], out)
        if self.params.observe == "ideal":
            return out
        return {"slate": s["shown"].copy(), "clicks": s["clicks"].copy(), "histogram": out[:, topics:2 * topics].copy()}

    def _oracle(self):
        """``short_term``: the K most relevant items, best first; it does not know that clicks bore.  ``rotation``: the
        same among items whose clicks cannot complete a boredom; the places left get what the user cares for least."""
        s, p = self.state, self.params
        felt, quota = np.empty(s["interest"].shape), np.full(s["interest"].shape, p.slate)
        feel_users(self.rules, s["interest"], s["bored"], felt)
        if p.action == "topk":
            return felt.astype(np.float32)
        if p.oracle == "rotation":
            room_for_clicks(self.rules, self.t, s["count"], s["queue"], s["ring"], quota)
        slates = np.empty((self.num_envs, p.slate), np.int64)
        fill_slates(felt, quota, self.by_topic, self.topic, slates)
        return slates[:, 0] if p.slate == 1 else slates


def draw_embeddings(items: int, topics: int, world_seed: int) -> np.ndarray:
    """``[A, T]`` by the published recipe: two or three random topics an item, uniform values, rows of length 1."""
    rng = np.random.default_rng([world_seed, 4])
    order = np.argsort(rng.random((items, topics)), axis=1)                                 # [A, T] a random order
    on = np.zeros((items, topics), bool)
    np.put_along_axis(on, order, np.arange(topics) < rng.integers(2, 4, items)[:, None], axis=1)
    values = np.where(on, 1.0 - rng.random((items, topics)), 0.0)                           # in (0, 1]
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def read_embeddings(path: str) -> np.ndarray:
    """``[A, T]`` float64 from a .npy file; ValueError unless two-dimensional, non-negative and without an empty row."""
    items = np.load(path, allow_pickle=False)
    if items.ndim != 2 or items.shape[1] < 3 or not np.issubdtype(items.dtype, np.number):
        raise ValueError(f"embeddings = {path!r} holds {items.dtype} {items.shape}, must be numbers [A, T ≥ 3]")
    items = items.astype(np.float64)
    if not (np.isfinite(items).all() and (items >= 0.0).all() and (items.sum(axis=1) > 0.0).all()):
        raise ValueError(f"embeddings = {path!r} must be finite, non-negative and without a row of zeros")
    return items


@kernel
def observe_users(r, interest, bored, count, out):
    """The ideal view ``out [N, 3 T]``."""
    topics = interest.shape[1]
    felt = np.empty(topics)
    for n in range(len(out)):
        feel(r, n, interest, bored, felt)
        for k in range(topics):
            out[n, k] = felt[k]
            out[n, topics + k] = min(1.0, count[n, k] / r.boredom_threshold)
            out[n, 2 * topics + k] = bored[n, k] / r.boredom_steps if bored[n, k] > 0 else 1.0


@kernel
def feel_users(r, interest, bored, felt):
    """ũ of every user into ``felt [N, T]``."""
    row = np.empty(felt.shape[1])
    for n in range(len(felt)):
        feel(r, n, interest, bored, row)
        felt[n] = row


@kernel
def room_for_clicks(r, t, count, queue, ring, quota):
    """``quota [N, T]``: the clicks that each topic can take in this step without boring, whatever else is clicked."""
    for n in range(len(quota)):
        for k in range(quota.shape[1]):
            quota[n, k] = r.boredom_threshold - 1 - count[n, k]
        for i in range(ring[n, 1]):
            place = (ring[n, 0] + i) % queue.shape[1]
            if queue[n, place, 1] < t[n] + 1 - r.boredom_steps:              # forgotten at the end of this step
                quota[n, queue[n, place, 0]] += 1


@kernel
def fill_slates(direction, quota, by_topic, topic, slates):
    """Best ⟨E_i, direction⟩ first (the later of equals, as in the released oracle) among items whose main topic has
    quota left; the worst matches into the places left over."""
    score, taken = np.empty(by_topic.shape[1]), np.empty(by_topic.shape[1], np.bool_)
    for n in range(len(slates)):
        score[:], taken[:] = 0.0, False
        for k in range(len(by_topic)):
            if direction[n, k] != 0.0:
                for i in range(len(score)):
                    score[i] += direction[n, k] * by_topic[k, i]
        for j in range(slates.shape[1]):
            best, worst = -1, -1
            for i in range(len(score)):
                if not taken[i]:
                    if quota[n, topic[i]] > 0 and (best < 0 or score[i] >= score[best]):
                        best = i
                    if worst < 0 or score[i] < score[worst]:
                        worst = i
            if worst < 0:                                                    # more places than items: start again
                taken[:], best = False, slates[n, j % len(score)]
            if best >= 0:
                quota[n, topic[best]] -= 1
            slates[n, j] = best if best >= 0 else worst
            taken[slates[n, j]] = True
