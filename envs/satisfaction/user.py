"""A user of chocolate and kale: engagement, and what a diet does to it.  Told in `envs.satisfaction.env`."""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import kernel, normal_pair, session_key, uniform

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


Rules = rules_of(Params)


@kernel_type
class State(NamedTuple):
    """What changes of a user, and how sensitive it is."""

    sensitivity: np.ndarray        # [N]
    npe: np.ndarray                # [N] net positive exposure
    satisfaction: np.ndarray       # [N] in (0, 1)
    candidates: np.ndarray         # [N, m] float32 clickbait of this step's candidates (slates only)
    history: np.ndarray            # [N, h, 2] float32 (clickbait, log engagement), newest last


@kernel_type
class Out(NamedTuple):
    """What a step tells."""

    response: np.ndarray           # [N, K] int8 what was consumed (slates only)
    reward: np.ndarray             # [N] float32 the engagement
    expected: np.ndarray           # [N] its mean
    terminated: np.ndarray         # [N] bool


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
def begin_users(rows, rules, who, state):
    """A session starts: how sensitive the user is, the world says; the mood is the session's."""
    for n in rows:
        nature, life = session_key(rules.world_seed, who.user[n], 0), session_key(who.seed, who.user[n], who.session[n])
        strong, f = uniform(nature, 0, SENSITIVITY, 0) < 0.5, rules.sensitivity_spread
        eta = rules.sensitivity * f if strong else rules.sensitivity / f
        npe = (uniform(life, 0, START, 0) - 0.5) / (1.0 - rules.memory)
        state.sensitivity[n], state.npe[n], state.satisfaction[n] = eta, npe, satisfaction_of(eta, npe)
        state.history[n] = 0.0
        draw_candidates(life, 0, state.candidates[n])


@kernel
def step_users(clickbait, active, rules, who, state, out):
    """One user consumes one thing: engage, be more or less satisfied; then new candidates."""
    user, session, candidates, history = who.user, who.session, state.candidates, state.history
    for n in range(len(clickbait)):
        if not active[n]:
            continue
        life, t, c = session_key(who.seed, user[n], session[n]), who.t[n], clickbait[n]
        mean, sd = engagement(rules, c, state.satisfaction[n])
        mood, news = normal_pair(life, t, NOISE, 0)
        logarithm = mean + sd * mood
        out.reward[n], out.expected[n] = np.exp(logarithm), np.exp(mean + 0.5 * sd * sd)
        state.npe[n] = drift(rules, c, state.npe[n]) + rules.innovation_sd * news
        state.satisfaction[n] = satisfaction_of(state.sensitivity[n], state.npe[n])
        out.terminated[n] = t + 1 >= rules.budget
        for i in range(history.shape[1]):                                    # the newest is the last
            last = i == history.shape[1] - 1
            history[n, i, 0] = c if last else history[n, i + 1, 0]
            history[n, i, 1] = logarithm if last else history[n, i + 1, 1]
        out.response[n, :1] = 1
    for n in range(len(active) if candidates.size else 0):                   # in a loop of its own: twice as fast
        if active[n]:
            draw_candidates(session_key(who.seed, user[n], session[n]), who.t[n] + 1, candidates[n])
