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

from ..engine.cascade import nothing_yet
from ..engine.params import rules
from ..engine.rng import kernel
from ..engine.vector import VectorEnv
from .planner import Planner
from .user import Params, Rules, State, World, begin_users, step_users


class Retention(VectorEnv):
    """Attributes: ``world``, the catalogue (A = topics × items a topic), and what the agent may see of it, ``items
    [A, T + 1]``: topic one-hot and quality."""

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
        topic = np.repeat(np.arange(p.topics), per_topic)
        self.world = World(topic, np.array(p.appeal, np.float64)[order], np.array(p.quality, np.float64)[order],
                           np.array(p.return_base, np.float64))
        self.items = np.column_stack([np.eye(p.topics)[topic], self.world.quality]).astype(np.float32)
        self.rules = rules(Rules, p, types=len(p.return_base))
        self.horizon = p.calendar * p.visit_steps                                           # steps at most
        self.planner: Planner | None = None

    def _spaces(self):
        p, g = self.params, self.rules.types
        seen = Box(0.0, 1.0, (g + 3 if p.observe == "full" else g + 4,))
        past = Box(np.tile(np.array([0, -1, 0], np.float32), (p.history, 1)), np.float32(1.0))
        return (Dict({"user": seen, "history": past}) if p.observe == "history" else seen,
                MultiDiscrete([len(self.world.topic)] * p.slate))

    def _allocate(self):
        n, rows = self.num_envs, self.params.history * (self.params.observe == "history")
        kind, day, step, satisfaction, away, clicks = np.zeros((6, n), np.int64)
        return State(kind, day, step, satisfaction, away, clicks, np.zeros((n, rows, 3), np.float32))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _advance(self, action, active):
        days, out = self.state.day.copy(), nothing_yet(action)
        self.run(step_users, action, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, out.terminated, {
            "expected_reward": out.expected, "response": out.response, "left": out.left,
            "days_away": self.state.day - days, "satisfaction": self.state.satisfaction.copy()}

    def _clock(self):
        return self.state.day, self.params.calendar

    def _observe(self):
        full = self.params.observe == "full"
        out = np.zeros((self.num_envs, self.rules.types + (3 if full else 4)), np.float32)
        self.run(observe_users, self.rules, self.state, full, out)
        return {"user": out, "history": self.state.past.copy()} if self.params.observe == "history" else out

    def plan(self) -> Planner:
        """The exact dynamic programme (solved when it is first asked for)."""
        if self.planner is None:
            self.planner = Planner(self.rules, self.world, self.params.slate)
        return self.planner

    def _oracle(self):
        return self.plan().act(self.state)


@kernel
def observe_users(rules, state, full, out):
    """The ``full`` view ``[N, G + 3]`` or the ``partial`` one ``[N, G + 4]``."""
    g = rules.types
    for n in range(len(out)):
        out[n, state.kind[n]] = 1.0
        out[n, g], out[n, g + 1] = min(1.0, state.day[n] / rules.calendar), state.step[n] / rules.visit_steps
        if full:
            out[n, g + 2] = state.satisfaction[n] / rules.satisfactions
        else:
            out[n, g + 2] = state.away[n] / rules.patience_days
            out[n, g + 3] = state.clicks[n] / rules.visit_steps
