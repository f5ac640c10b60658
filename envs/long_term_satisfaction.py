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
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from .core import VectorEnv, param
from .rng import kernel, normal_pair, session_key, uniform

SENSITIVITY, START, CLICKBAIT, NOISE = range(1, 5)                           # purposes of the coins
LEVELS = 21                                      # clickbait 0, 0.05, …, 1 of the level view


@dataclass(frozen=True)
class Params:
    action: str = param("slate", choices=("slate", "level", "control"))
    """How the agent chooses a clickbait value."""
    observe: str = param("full", choices=("full", "time", "history"))
    """What the agent sees of the user."""
    sensitivity: float = param(0.01, 0.0)
    """η. With the published value clickbait is optimal; 0.05 with memory 0.9 (or η ≥ 0.1) makes it a trap."""
    sensitivity_spread: float = param(1.0, 1.0)
    """f: half of the users have sensitivity η f, half η / f (``full`` gives it away: satisfaction and NPE)."""
    memory: float = param(0.7, 0.0, 0.99)
    """β: what is left of the net positive exposure (NPE) after a step."""
    innovation_sd: float = param(0.05, 0.0)
    """Standard deviation of the noise of NPE."""
    choc_mean: float = param(5.0)
    """μ_choc."""
    choc_sd: float = param(1.0, 0.0)
    """σ_choc."""
    kale_mean: float = param(4.0)
    """μ_kale."""
    kale_sd: float = param(1.0, 0.0)
    """σ_kale."""
    budget: int = param(60, 1)
    """Clicks of a session."""
    candidates: int = param(20, 1)
    """m, with clickbait uniform on [0, 1], fresh every step (slates only)."""
    slate: int = param(2, 1)
    """k; repeats are legal, only the first position matters."""
    window: int = param(10, 1)
    """h, rows of an observed history."""
    world_seed: int = param(0, 0)
    """Seed of who the users are."""


Rules = namedtuple("Rules", "sensitivity sensitivity_spread memory innovation_sd choc_mean choc_sd kale_mean kale_sd "
                            "budget")            # what the kernels read of `Params`


@kernel
def satisfaction_of(sensitivity, npe):
    """σ(η NPE)."""
    return 1.0 / (1.0 + np.exp(-sensitivity * npe))


@kernel
def engagement(r, clickbait, satisfaction):
    """(mean, standard deviation) of the logarithm of the engagement."""
    return ((clickbait * r.choc_mean + (1.0 - clickbait) * r.kale_mean) * satisfaction,
            clickbait * r.choc_sd + (1.0 - clickbait) * r.kale_sd)


@kernel
def drift(r, clickbait, npe):
    """NPE after a step, without its noise."""
    return r.memory * npe - 2.0 * (clickbait - 0.5)


@kernel
def draw_candidates(life, t, candidates):
    """Clickbait ``[m]`` of a step's candidates."""
    for j in range(len(candidates)):
        candidates[j] = uniform(life, t, CLICKBAIT, j)


@kernel
def begin_users(rows, r, world_seed, seed, user, session, sensitivity, npe, satisfaction, candidates, history):
    """A session starts: how sensitive the user is, the world says; the mood is the session's."""
    for n in rows:
        who, life = session_key(world_seed, user[n], 0), session_key(seed, user[n], session[n])
        strong, f = uniform(who, 0, SENSITIVITY, 0) < 0.5, r.sensitivity_spread
        sensitivity[n] = r.sensitivity * f if strong else r.sensitivity / f
        npe[n] = (uniform(life, 0, START, 0) - 0.5) / (1.0 - r.memory)
        satisfaction[n], history[n] = satisfaction_of(sensitivity[n], npe[n]), 0.0
        draw_candidates(life, 0, candidates[n])


@kernel
def step_users(clickbait, active, r, seed, user, session, t, sensitivity, npe, satisfaction, candidates, history,
               response, reward, expected, terminated):
    """One user consumes one thing: engage, be more or less satisfied; then new candidates."""
    for n in range(len(clickbait)):
        if not active[n]:
            continue
        life, c = session_key(seed, user[n], session[n]), clickbait[n]
        mean, sd = engagement(r, c, satisfaction[n])
        mood, news = normal_pair(life, t[n], NOISE, 0)
        logarithm = mean + sd * mood
        reward[n], expected[n] = np.exp(logarithm), np.exp(mean + 0.5 * sd * sd)
        npe[n] = drift(r, c, npe[n]) + r.innovation_sd * news
        satisfaction[n] = satisfaction_of(sensitivity[n], npe[n])
        terminated[n] = t[n] + 1 >= r.budget
        for i in range(history.shape[1]):                                    # the newest is the last
            last = i == history.shape[1] - 1
            history[n, i, 0] = c if last else history[n, i + 1, 0]
            history[n, i, 1] = logarithm if last else history[n, i + 1, 1]
        response[n, :1] = 1
    for n in range(len(active) if candidates.size else 0):                   # in a loop of its own: twice as fast
        if active[n]:
            draw_candidates(session_key(seed, user[n], session[n]), t[n] + 1, candidates[n])


class LongTermSatisfaction(VectorEnv):
    """Attribute: ``planner``, the dynamic programme of the oracle, once it was asked."""

    Params = Params

    def _build(self):
        self.rules, self.planner = Rules(*(getattr(self.params, name) for name in Rules._fields)), None

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
        return {"sensitivity": np.zeros(n), "npe": np.zeros(n), "satisfaction": np.zeros(n),
                "candidates": np.zeros((n, shown), np.float32), "history": np.zeros((n, window, 2), np.float32)}

    def _begin(self, rows):
        begin_users(rows, self.rules, self.params.world_seed, self.seed, self.user, self.session, *self.state.values())

    def _clickbait(self, action) -> np.ndarray:
        """What is consumed, ``[N]`` float64 in [0, 1]."""
        if self.params.action == "level":
            return action / (LEVELS - 1)
        if self.params.action == "slate":
            return self.state["candidates"][np.arange(self.num_envs), action[:, 0]].astype(np.float64)
        if np.isnan(action).any():
            raise ValueError("action nan must be a clickbait value in [0, 1]")
        return np.clip(action[:, 0], 0.0, 1.0).astype(np.float64)

    def _advance(self, action, active):
        n, places = self.num_envs, self.params.slate * (self.params.action == "slate")
        reward, expected, terminated = np.zeros(n, np.float32), np.zeros(n), np.zeros(n, bool)
        response = np.zeros((n, places), np.int8)
        info = {"expected_reward": expected, **({"response": response} if places else {}),
                **{name: self.state[name].copy() for name in ("satisfaction", "sensitivity")}}
        step_users(self._clickbait(action), active, self.rules, self.seed, self.user, self.session, self.t,
                   *self.state.values(), response, reward, expected, terminated)
        return reward, terminated, info

    def _observe(self):
        p, s = self.params, self.state
        user = np.empty((self.num_envs, 3 if p.observe == "full" else 1), np.float32)
        user[:, -1] = 1.0 - self.t / p.budget
        if p.observe == "full":
            user[:, 0], user[:, 1] = s["satisfaction"], s["npe"] * (1.0 - p.memory)
        more = {"history": s["history"].copy()} if p.observe == "history" else {}
        if p.action == "slate":
            more["candidates"] = s["candidates"][:, :, None].copy()
        return {"user": user, **more} if more else user

    def _oracle(self):
        from .satisfaction_oracle import Planner
        s, p = self.state, self.params
        self.planner = self.planner or Planner(self.rules, s["candidates"].shape[1])
        choices = s["candidates"] if p.action == "slate" else None
        best = self.planner.score(s["sensitivity"], s["npe"], self.t, choices).argmax(axis=1)
        control = (best[:, None] / (LEVELS - 1)).astype(np.float32)
        return {"slate": np.tile(best[:, None], p.slate), "level": best, "control": control}[p.action]
