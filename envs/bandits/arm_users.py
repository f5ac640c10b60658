"""Users of the arms: what an arm is worth at this moment, and what the user answers.

The story is told in `envs.bandits.arms`.  Means and types are the world's, answers and delays are coins of a session.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type, param, rules_of
from ..engine.rng import integer, kernel, normal, session_key, uniform

REWARD, DELAY, TYPE = 1, 2, 3                    # purposes of the coins
DELAYS = ("none", "fixed", "geometric", "exponential")
_TWO_PI = 2.0 * np.pi


@dataclass(frozen=True)
class Params:
    reward: str = param("bernoulli", choices=("bernoulli", "gaussian"))
    """What an arm pays: a click, or its mean plus normal noise."""
    arms: int = param(10, 1)
    """A, when ``means`` does not say it."""
    means: tuple = ()
    """Mean rewards ``[A]``, ``[segments, A]``, ``[types, A]`` or ``[segments, types, A]``; empty: drawn."""
    prior_a: float = param(1.0, 0.0)
    """a: drawn Bernoulli means are Beta(a, b); drawn Gaussian means are N(0, 1)."""
    prior_b: float = param(1.0, 0.0)
    """b."""
    own_arms: bool = param(False)
    """Each slot draws its own means (a replication is one problem from the prior); otherwise all slots share one."""
    noise: float = param(1.0, 0.0)
    """Standard deviation of a Gaussian reward."""
    changes: tuple = ()
    """Clocks at which the next segment of ``means`` begins, increasing."""
    amplitude: float = param(0.0, 0.0)
    """Size of the slow drift: amplitude · sin(2π (clock / period + a / A)) is added to the mean of arm a."""
    period: float = param(5000.0, 1.0)
    """Steps of one full turn of the drift."""
    types: int = param(1, 1)
    """G, user types; a user's type is uniform and a function of (world_seed, user id)."""
    observe: str = param("nothing", choices=("nothing", "one_hot", "id"))
    """What the agent sees of the type."""
    cycle: int = param(0, 0)
    """Steps after which an arm's presence repeats; 0: every arm is always on offer."""
    stay: int = param(1, 1)
    """Steps of each cycle in which an arm is on offer; the arms take turns, arm a begins a · cycle / A earlier."""
    delay: str = param("none", choices=DELAYS)
    """Law of the steps after which a reward becomes known (exponential: rounded to whole steps)."""
    delay_mean: float = param(100.0, 0.0)
    """Mean of the delay in steps (before rounding)."""
    world_seed: int = param(0, 0)
    """Seed of drawn means and of who has which type."""


Rules = rules_of(Params, gaussian=bool, law=int)            # kind of the reward; place in DELAYS


@kernel_type
class World(NamedTuple):
    """Within a segment the best arm stays the best, unless means drift or arms come and go."""

    table: np.ndarray              # [1 or N, segments, types, A] means
    top: np.ndarray                # [1 or N, segments, types] their maxima
    changes: np.ndarray            # [segments - 1] clocks at which the next segment begins


@kernel_type
class State(NamedTuple):
    clock: np.ndarray              # [N] users that the slot has served
    type: np.ndarray               # [N] of the user


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N]
    regret: np.ndarray             # [N]
    delay: np.ndarray              # [N] int64, [0] where nothing is late


@kernel
def on_offer(rules, clock, arm):
    """Whether ``arm`` can be shown at this moment."""
    return rules.cycle == 0 or (clock + arm * rules.cycle // rules.arms) % rules.cycle < rules.stay


@kernel
def draw_delay(law, mean, coin):
    """Steps until the reward is known: fixed, geometric on 0, 1, … with this mean, or a rounded exponential."""
    if law == 1:
        return np.int64(np.rint(mean))
    if law == 2:
        return np.int64(np.log1p(-coin) / np.log(mean / (1.0 + mean)))
    return np.int64(np.rint(-mean * np.log1p(-coin)))


@kernel
def begin_users(rows, rules, who, visits, state):
    """A user arrives: who is it, and has the world just begun?"""
    for n in rows:
        if rules.types > 1:
            state.type[n] = integer(session_key(rules.world_seed, who.user[n], 0), 0, TYPE, 0, rules.types)
        if visits[n] == 0:
            state.clock[n] = 0


@kernel
def look(rules, row, now, action):
    """(mean of ``action``, best mean on offer) at this moment, where the means ``row [A]`` drift or come and go."""
    arms, mine, best = len(row), 0.0, -np.inf
    for arm in range(arms):
        if on_offer(rules, now, arm):
            mean = row[arm]
            if rules.amplitude > 0.0:
                mean += rules.amplitude * np.sin(_TWO_PI * (now / rules.period + arm / arms))
            best = max(best, mean)
            if arm == action:
                mine = mean
    return mine, best


@kernel
def step_users(action, active, rules, world, who, state, out):
    """One user, one arm: its mean at this moment and what the best would have paid more, the answer and its delay."""
    table, top, changes, types, clock = world.table, world.top, world.changes, state.type, state.clock
    reward, expected, regret, delay = out.reward, out.expected, out.regret, out.delay      # names: a lookup is a count
    user, session = who.user, who.session                                                  # of references in the loop
    moving, own = rules.amplitude > 0.0 or rules.cycle > 0, len(table) > 1
    for n in range(len(action)):
        if not active[n]:
            continue
        segment, shop, kind, now = 0, n if own else 0, types[n], clock[n]
        for change in changes:
            segment += now >= change
        if moving:
            mine, best = look(rules, table[shop, segment, kind], now, action[n])
        else:
            mine, best = table[shop, segment, kind, action[n]], top[shop, segment, kind]
        expected[n], regret[n] = mine, best - mine
        life = session_key(who.seed, user[n], session[n])
        if not rules.gaussian:
            reward[n] = uniform(life, 0, REWARD, 0) < mine
        elif on_offer(rules, now, action[n]):
            reward[n] = mine + rules.noise * normal(life, 0, REWARD, 0)
        if rules.law > 0:
            delay[n] = draw_delay(rules.law, rules.delay_mean, uniform(life, 0, DELAY, 0))
        clock[n] += 1
