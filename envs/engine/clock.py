"""Who comes next and when a session ends: the two loops that every step of every model runs."""
from typing import NamedTuple

import numpy as np

from .params import kernel_type
from .rng import kernel


@kernel_type
class Who(NamedTuple):
    """Whose step it is: what the coins of a kernel are hashed from."""

    seed: int | None               # of the reset
    user: np.ndarray               # [N] user ids
    session: np.ndarray            # [N] number of the session
    t: np.ndarray                  # [N] step of the session


@kernel_type
class Places(NamedTuple):
    """Where this batch stands in the population."""

    slots: np.ndarray              # [N]
    stride: int
    first_user: int
    population: int


@kernel
def arrive(rows, places, visits, who, done):
    """Slots ``rows`` serve their next user: ``first_user + (slot + visits · stride) mod population``."""
    for n in rows:
        visits[n] += 1
        place = places.slots[n] + visits[n] * places.stride
        turn = place // places.population if place >= places.population else 0         # whole population served before
        who.user[n], who.session[n] = places.first_user + place - turn * places.population, turn
        who.t[n], done[n] = 0, False


@kernel
def tick(active, terminated, clock, limit, rests, t, truncated, done):
    """The clock after a step: who is ``truncated`` and who is ``done``; returns how many sessions ended.

    A session is over when ``clock`` (the steps ``t`` themselves, or a model's own time) reaches ``limit``; 0: never.
    ``rests``: a user who was done already (not ``active``) stays done.
    """
    ended = 0
    for n in range(len(t)):
        t[n] += active[n]
        over = active[n] & (limit > 0) & (clock[n] >= limit)
        truncated[n] = over & (not terminated[n])
        done[n] = over | terminated[n] | (rests & (not active[n]))
        ended += over | terminated[n]
    return ended
