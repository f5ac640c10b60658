"""A user of a tabular problem: one coin a step.  The story is told in `envs.tabular.env`."""
from typing import NamedTuple

import numpy as np

from ..engine.params import kernel_type
from ..engine.rng import kernel, session_key, uniform

START, OUTCOME = 1, 2                            # purposes of the coins


@kernel_type
class World(NamedTuple):
    """The table of `TabularMDP`, its chances as shares of [0, 1)."""

    first: np.ndarray              # [S] upper ends of the shares of the first state
    ends: np.ndarray               # [S, A, K] of the outcomes
    successor: np.ndarray          # [S, A, K]
    reward: np.ndarray             # [S, A, K]
    terminal: np.ndarray           # [S] bool


@kernel_type
class State(NamedTuple):
    state: np.ndarray              # [N]


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    terminated: np.ndarray         # [N] bool


@kernel
def draw(ends, coin):
    """The outcome whose share of [0, 1) the coin lies in."""
    k = 0
    while coin >= ends[k]:
        k += 1
    return k


@kernel
def begin_users(rows, world, who, state):
    """A session starts: one coin."""
    for n in rows:
        life = session_key(who.seed, who.user[n], who.session[n])
        state.state[n] = draw(world.first, uniform(life, 0, START, 0))


@kernel
def step_users(action, active, world, who, state, out):
    """One user, one step: toss the coin, take the outcome, look whether that was the end."""
    now, user, session, t, reward, terminated = state.state, who.user, who.session, who.t, out.reward, out.terminated
    ends, successor, pay, terminal = world.ends, world.successor, world.reward, world.terminal
    for n in range(len(action)):
        if active[n]:
            s, a = now[n], action[n]
            k = draw(ends[s, a], uniform(session_key(who.seed, user[n], session[n]), t[n], OUTCOME, 0))
            reward[n] = pay[s, a, k]
            now[n] = successor[s, a, k]
            terminated[n] = terminal[now[n]]
