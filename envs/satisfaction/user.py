"""A user of chocolate and kale: engagement, and what a diet does to it.  Told in `envs.satisfaction.env`."""
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from ..engine.params import param
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
