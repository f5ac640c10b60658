"""Long-term satisfaction: clickbait is clicked on, kale is good for you.

A user consumes what is shown first.  Chocolate (clickbait 1) engages more than kale (clickbait 0), but eats into the
satisfaction that all engagement depends on.  RecSim's ``long_term_satisfaction`` (Ie et al. 2019, arXiv:1909.04847).

| | |
|---|---|
| observation | ``user``: time left [1], under ``full`` [3] satisfaction, NPE (1 − β), time left; ``history`` [h, 2]: |
|             | the last (clickbait, log engagement), newest last; slates: ``candidates`` [m, 1], their clickbait |
| action      | ``slate``: k of m candidates, the first is consumed; or the clickbait itself: ``level``: Discrete(21), |
|             | a / 20; ``control``: Box [1], cut to [0, 1] |
| reward      | the engagement (``expected_reward`` in info: its mean exp(loc + sd² / 2)) |
| end         | ``terminated``: the budget of clicks is used up |
| info        | hidden ``satisfaction`` (when consuming), ``sensitivity`` ``[N]``; ``response`` [N, K] for slates |

s = σ(η NPE);  log engagement ~ N((c μ_choc + (1 − c) μ_kale) s, c σ_choc + (1 − c) σ_kale);
NPE ← β NPE − 2 (c − ½) + N(0, 0.05),  NPE₀ uniform on ±½ / (1 − β).
"""
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from ..engine.params import rules
from ..engine.vector import VectorEnv
from .planner import Planner
from .user import LEVELS, Out, Params, Rules, State, begin_users, step_users


class LongTermSatisfaction(VectorEnv):
    """Attribute: ``planner``, the dynamic programme of the oracle."""

    Params = Params

    def _build(self):
        self.rules = rules(Rules, self.params)
        self.planner = Planner(self.rules, self.params.candidates * (self.params.action == "slate"))

    def _spaces(self):
        p = self.params
        action = {"slate": MultiDiscrete([p.candidates] * p.slate), "level": Discrete(LEVELS),
                  "control": Box(0.0, 1.0, (1,))}[p.action]
        full = Box(np.array([0.0, -np.inf, 0.0], np.float32), np.array([1.0, np.inf, 1.0], np.float32))
        parts: dict = {"user": full if p.observe == "full" else Box(0.0, 1.0, (1,))}
        if p.observe == "history":
            parts["history"] = Box(-np.inf, np.inf, (p.window, 2))
        if p.action == "slate":
            parts["candidates"] = Box(0.0, 1.0, (p.candidates, 1))
        return Dict(parts) if len(parts) > 1 else parts["user"], action                      # one part alone: a Box

    def _allocate(self):
        p, n = self.params, self.num_envs
        shown, window = p.candidates * (p.action == "slate"), p.window * (p.observe == "history")
        return State(sensitivity=np.zeros(n), npe=np.zeros(n), satisfaction=np.zeros(n),
                     candidates=np.zeros((n, shown), np.float32), history=np.zeros((n, window, 2), np.float32))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _clickbait(self, action) -> np.ndarray:
        """What is consumed, ``[N]`` float64 in [0, 1]."""
        if self.params.action == "level":
            return action / (LEVELS - 1)
        if self.params.action == "slate":
            return self.state.candidates[np.arange(self.num_envs), action[:, 0]].astype(np.float64)
        if np.isnan(action).any():
            raise ValueError("action nan must be a clickbait value in [0, 1]")
        return np.clip(action[:, 0], 0.0, 1.0).astype(np.float64)

    def _advance(self, action, active):
        n, places = self.num_envs, self.params.slate * (self.params.action == "slate")
        out = Out(np.zeros((n, places), np.int8), np.zeros(n, np.float32), np.zeros(n), np.zeros(n, bool))
        info = {"expected_reward": out.expected, **({"response": out.response} if places else {}),
                "satisfaction": self.state.satisfaction.copy(), "sensitivity": self.state.sensitivity.copy()}
        self.run(step_users, self._clickbait(action), active, self.rules, self.who(), self.state, out)
        return out.reward, out.terminated, info

    def _observe(self):
        p, s = self.params, self.state
        user = np.empty((self.num_envs, 3 if p.observe == "full" else 1), np.float32)
        user[:, -1] = 1.0 - self.t / p.budget
        if p.observe == "full":
            user[:, 0], user[:, 1] = s.satisfaction, s.npe * (1.0 - p.memory)
        more = {"history": s.history.copy()} if p.observe == "history" else {}
        if p.action == "slate":
            more["candidates"] = s.candidates[:, :, None].copy()
        return {"user": user, **more} if more else user

    def _oracle(self):
        s, p = self.state, self.params
        choices = s.candidates if p.action == "slate" else None
        best = self.planner.score(s, self.t, choices).argmax(axis=1)
        control = (best[:, None] / (LEVELS - 1)).astype(np.float32)
        return {"slate": np.tile(best[:, None], p.slate), "level": best, "control": control}[p.action]
