"""Retention: what a click is worth when the user must want to come back.

A user visits the shop, reads slates and clicks (a cascade with limited patience: Kempe & Mahdian 2008).  What was
clicked pleases or disappoints, nothing worth a click annoys; satisfaction stays with the user when the visit ends and
decides on which day the next one begins, if any.  Visits last about equally long whatever is shown: who chases the
click gets more of it in every visit, and fewer visits.  Several sessions a user with a return day after each is the
structure of KuaiSim's cross-session task (Zhao et al. 2023), here with one sigmoid and a satisfaction that remembers.

| | |
|---|---|
| observation | ``full``: Box [G + 3], type one-hot, day, step of the visit, satisfaction |
|             | ``partial``: Box [G + 4], the last days away and the clicks of this visit instead of satisfaction |
|             | ``history``: Dict of ``user``, the partial view, and ``history`` Box [h, 3], newest first: clicked or |
|             | not, the quality of what was clicked, days away after the step / patience_days |
| action      | MultiDiscrete, K item ids; an item that stands twice is passed over the second time |
| reward      | click_weight · click, and when a visit ends return_weight · (1 − (d − 1) / patience_days), never: 0 |
| end         | ``terminated``: never returns; ``truncated``: the next visit would lie beyond the calendar |
| info        | ``expected_reward`` [N], ``response`` [N, K] clicks, ``left`` [N] the visit ended, ``days_away`` [N] |
|             | after the step (0: the visit goes on; patience_days: never); hidden ``satisfaction`` [N] |

    a_i = appeal_i · affinity(type, topic_i),    P(click at j) = a_j · Π_{i<j} patience (1 - a_i)
    s ← s + 1 with probability q, s - 1 with probability -q after a click on quality q; s - 1 with probability
        annoyance after no click; 0 ≤ s ≤ S
    P(the visit ends) = leave_low + (leave_high - leave_low)(1 - s/S), and at the latest after visit_steps
    P(away d days) = p (1 - p)^(d - 1),  p = σ(return_base[type] + return_slope · s/S);  d > patience_days: never
"""
import numpy as np
from gymnasium.spaces import Box, Dict, MultiDiscrete

from ..engine.vector import VectorEnv
from .planner import Planner
from .user import Params, Rules, begin_users, observe_users, step_users


class Retention(VectorEnv):
    """Attributes of the catalogue: ``topic``, ``appeal``, ``quality`` ``[A]`` (A = topics × items a topic) and what the
    agent may see of it, ``items [A, T + 1]``: topic one-hot and quality."""

    Params = Params

    def _build(self):
        p = self.params
        per_topic = len(p.appeal)
        if not per_topic or len(p.quality) != per_topic or min(p.appeal) <= 0 or max(p.appeal) > 1 \
                or max(map(abs, p.quality)) > 1:
            raise ValueError(f"parameters 'appeal' = {p.appeal} in (0, 1] and 'quality' = {p.quality} in [-1, 1] must "
                             "have one entry for each item of a topic")
        if not p.return_base:
            raise ValueError("parameter 'return_base' = () must have one entry for each type of user")
        if p.slate > p.topics * per_topic:
            raise ValueError(f"parameter 'slate' = {p.slate} must be at most the {p.topics * per_topic} items")
        rng = np.random.default_rng([p.world_seed, 5])
        order = np.concatenate([rng.permutation(per_topic) for _ in range(p.topics)])       # [A]
        self.appeal, self.quality = np.array(p.appeal, np.float64)[order], np.array(p.quality, np.float64)[order]
        self.topic = np.repeat(np.arange(p.topics), per_topic)
        self.items = np.column_stack([np.eye(p.topics)[self.topic], self.quality]).astype(np.float32)
        self.bases = np.array(p.return_base, np.float64)                                    # [G]
        self.rules = Rules(len(self.bases), *(getattr(p, name) for name in Rules._fields[1:]))
        self.horizon = p.calendar * p.visit_steps                                           # steps at most
        self.planner: Planner | None = None

    def _spaces(self):
        p, g = self.params, len(self.bases)
        seen = Box(0.0, 1.0, (g + 3 if p.observe == "full" else g + 4,))
        past = Box(np.tile(np.array([0, -1, 0], np.float32), (p.history, 1)), np.float32(1.0))
        return (Dict({"user": seen, "history": past}) if p.observe == "history" else seen,
                MultiDiscrete([len(self.topic)] * p.slate))

    def _allocate(self):
        rows = self.params.history if self.params.observe == "history" else 0
        whole = {name: np.zeros(self.num_envs, np.int64)
                 for name in ("kind", "day", "step", "satisfaction", "away", "clicks")}
        return {**whole, "past": np.zeros((self.num_envs, rows, 3), np.float32)}

    def _begin(self, rows):
        begin_users(rows, self.rules, self.user, *self.state.values())

    def _advance(self, action, active):
        n, days = self.num_envs, self.state["day"].copy()
        response, reward, expected = np.zeros(action.shape, np.int8), np.zeros(n, np.float32), np.zeros(n)
        terminated, left = np.zeros(n, bool), np.zeros(n, bool)
        step_users(action, active, self.rules, self.bases, self.seed, self.user, self.session, self.t, self.topic,
                   self.appeal, self.quality, *self.state.values(), response, reward, expected, terminated, left)
        return reward, terminated, {"expected_reward": expected, "response": response, "left": left,
                                    "days_away": self.state["day"] - days,
                                    "satisfaction": self.state["satisfaction"].copy()}

    def _clock(self):
        return self.state["day"], self.params.calendar

    def _observe(self):
        full, s = self.params.observe == "full", self.state
        out = np.zeros((self.num_envs, len(self.bases) + (3 if full else 4)), np.float32)
        observe_users(self.rules, full, *(s[name] for name in s if name != "past"), out)
        return {"user": out, "history": s["past"].copy()} if self.params.observe == "history" else out

    def plan(self) -> Planner:
        """The exact dynamic programme (solved when it is first asked for)."""
        if self.planner is None:
            self.planner = Planner(self.rules, self.bases, self.topic, self.appeal, self.quality, self.params.slate)
        return self.planner

    def _oracle(self):
        s = self.state
        return self.plan().act(s["kind"], s["day"], s["step"], s["satisfaction"])
