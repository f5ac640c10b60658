"""A user of the retention shop: clicks, what they leave behind, coming back.  Told in `envs.retention.env`."""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.cascade import pass_over_repeats, read_slate
from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import integer, kernel, session_key, uniform

TYPE, CLICK, PLEASED, LEAVE, RETURN = 1, 3, 4, 5, 6                          # purposes of the coins


@dataclass(frozen=True)
class Params:
    observe: str = param("full", choices=("full", "partial", "history"))
    """What the agent sees; the users are the same."""
    history: int = param(20, 1)
    """h, steps of the ``history`` view."""
    topics: int = param(3, 1)
    """T; type g likes topic g mod T best."""
    appeal: tuple = (0.9, 0.7, 0.5, 0.3)
    """Attraction of a topic's items to who likes the topic best, in (0, 1]; its length: items a topic."""
    quality: tuple = (-0.8, -0.3, 0.2, 0.6)
    """In [-1, 1], item by item beside ``appeal``: how surely a click pleases (> 0) or disappoints (< 0)."""
    slate: int = param(3, 1)
    """K, positions."""
    patience: float = param(0.7, 0.0, 1.0)
    """Probability of reading on after an item that was not clicked."""
    other: float = param(0.6, 0.0, 1.0)
    """Affinity of a type for the topics that are not its best (whose affinity is 1)."""
    satisfactions: int = param(10, 1)
    """S; a user starts at S / 2, rounded down."""
    annoyance: float = param(0.3, 0.0, 1.0)
    """Probability that a slate without a click costs one level of satisfaction."""
    leave_low: float = param(0.22, 0.0, 1.0)
    """Probability that the visit ends after a step at full satisfaction."""
    leave_high: float = param(0.25, 0.0, 1.0)
    """The same at satisfaction 0; linear between them."""
    visit_steps: int = param(10, 1)
    """Steps of a visit at most."""
    return_base: tuple = (-2.5, -2.0, -1.5)
    """Log-odds of coming back on a day at satisfaction 0, type by type; its length is G, the number of types."""
    return_slope: float = param(3.5)
    """What full satisfaction adds to them."""
    patience_days: int = param(10, 1)
    """Days after which a user who has not come back never will."""
    calendar: int = param(60, 1)
    """D, days; the first visit is on day 0."""
    click_weight: float = param(1.0)
    """Reward of a click."""
    return_weight: float = param(0.0)
    """Reward of coming back the next day; it falls linearly to 0 for never (KuaiSim's task: click_weight 0, this 1)."""
    world_seed: int = param(0, 0)
    """Seed of the order of the catalogue and of who the users are."""


Rules = rules_of(Params, types=int)


@kernel_type
class World(NamedTuple):
    """The catalogue, and how readily the types come back."""

    topic: np.ndarray              # [A]
    appeal: np.ndarray             # [A]
    quality: np.ndarray            # [A]
    bases: np.ndarray              # [G] `Params.return_base`


@kernel_type
class State(NamedTuple):
    """What changes of a user, and its type."""

    kind: np.ndarray               # [N] type
    day: np.ndarray                # [N] of the calendar
    step: np.ndarray               # [N] of the visit
    satisfaction: np.ndarray       # [N] 0 … satisfactions
    away: np.ndarray               # [N] days away before this visit
    clicks: np.ndarray             # [N] of this visit
    past: np.ndarray               # [N, h, 3] float32, the ``history`` view


@kernel
def attraction(r, kind, topic, appeal):
    """P(click | read) of an item."""
    return appeal if topic == kind % r.topics else appeal * r.other


@kernel
def leave_probability(r, satisfaction, step):
    """P(the visit ends after this step of it, counted from 0)."""
    if step + 1 >= r.visit_steps:
        return 1.0
    return r.leave_low + (r.leave_high - r.leave_low) * (1.0 - satisfaction / r.satisfactions)


@kernel
def return_probability(r, base, satisfaction):
    """P(coming back on a day)."""
    return 1.0 / (1.0 + np.exp(-base - r.return_slope * satisfaction / r.satisfactions))


@kernel
def bonus(r, days):
    """What coming back after ``days`` is worth, 1 for the next day; 0 days means never."""
    return 1.0 - (days - 1) / r.patience_days if days > 0 else 0.0


@kernel
def mean_bonus(r, p):
    """E[bonus] = 1 - E[min(d - 1, patience_days)] / patience_days, with Σ_k P(d > k) = Σ_k (1 - p)^k, k = 1 … days."""
    return 1.0 - (1.0 - p) * (1.0 - (1.0 - p) ** r.patience_days) / (p * r.patience_days)


@kernel
def days_until_return(r, p, coin):
    """1 … patience_days by the inverse of the geometric distribution, or 0: never."""
    stay_away = 1.0
    for day in range(1, r.patience_days + 1):
        stay_away *= 1.0 - p
        if coin >= stay_away:
            return day
    return 0


@kernel
def expected_reward(r, base, pulls, quality, slate, satisfaction, step):
    """E[reward] of a slate of attractions ``pulls [K]``: exact, over clicks, satisfaction and days."""
    back, reading = np.zeros(3), 1.0                                         # bonus expected at s - 1, s, s + 1
    if r.return_weight != 0.0:
        for move in range(3):
            after = min(r.satisfactions, max(0, satisfaction + move - 1))
            leave = leave_probability(r, after, step)
            back[move] = r.return_weight * leave * mean_bonus(r, return_probability(r, base, after))
    nothing = r.annoyance * back[0] + (1.0 - r.annoyance) * back[1]
    total = nothing
    for j in range(len(slate)):
        q = quality[slate[j]]
        total += reading * pulls[j] * (r.click_weight + abs(q) * back[2 if q > 0 else 0] + (1.0 - abs(q)) * back[1]
                                       - nothing)
        reading *= r.patience * (1.0 - pulls[j])
    return total


@kernel
def step_users(slate, active, rules, world, who, state, out):
    """One user, one slate: read and click, be pleased or annoyed, stay or leave, and come back or not."""
    places = slate.shape[1]
    pulls = np.empty(places)
    for n in range(len(slate)):
        if not active[n]:
            continue
        life, t = session_key(who.seed, who.user[n], who.session[n]), who.t[n]
        base, s, step = world.bases[state.kind[n]], state.satisfaction[n], state.step[n]
        for j in range(places):
            pulls[j] = attraction(rules, state.kind[n], world.topic[slate[n, j]], world.appeal[slate[n, j]])
        pass_over_repeats(n, slate, pulls)
        out.expected[n] = expected_reward(rules, base, pulls, world.quality, slate[n], s, step)
        place, coin, liked = read_slate(pulls, rules.patience, life, t, CLICK), uniform(life, t, PLEASED, 0), 0.0
        if place < places:
            liked = world.quality[slate[n, place]]
            out.response[n, place], out.reward[n] = 1, rules.click_weight
            s = min(rules.satisfactions, max(0, s + int(coin < liked) - int(coin < -liked)))
            state.clicks[n] += 1
        elif coin < rules.annoyance:
            s = max(0, s - 1)
        state.satisfaction[n], gone = s, 0
        if uniform(life, t, LEAVE, 0) < leave_probability(rules, s, step):
            p = return_probability(rules, base, s)
            gone = days_until_return(rules, p, uniform(life, t, RETURN, 0))
            out.left[n], out.terminated[n] = True, gone == 0
            out.reward[n] += rules.return_weight * bonus(rules, gone)
            gone = gone if gone > 0 else rules.patience_days
            state.day[n], state.step[n], state.away[n], state.clicks[n] = state.day[n] + gone, 0, gone, 0
        else:
            state.step[n] += 1
        if state.past.shape[1] > 0:
            remember(state.past[n], place < places, liked, gone / rules.patience_days)


@kernel
def remember(past, clicked, liked, away):
    """The newest row of one user's history ``past [h, 3]``."""
    for row in range(len(past) - 1, 0, -1):
        past[row] = past[row - 1]
    past[0, 0], past[0, 1], past[0, 2] = clicked, liked, away


@kernel
def begin_users(rows, rules, who, state):
    """The first visit: day 0, half satisfied, nothing known."""
    for n in rows:
        state.kind[n] = integer(session_key(rules.world_seed, who.user[n], 0), 0, TYPE, 0, rules.types)
        state.satisfaction[n] = rules.satisfactions // 2
        state.day[n] = state.step[n] = state.away[n] = state.clicks[n] = 0
        state.past[n] = 0.0
