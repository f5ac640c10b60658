"""Who comes next and when a session ends: the two loops that every step of every model runs."""
from typing import NamedTuple

import numpy as np

from .params import kernel_type
from .rng import kernel

LARGEST = 2**31                    # ids of users lie below


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


def places(slots: np.ndarray, stride: int, first_user: int, population: int) -> Places:
    """`Places` of users that exist; ValueError where an id would be none, or counted in a wrong split."""
    if not 0 <= first_user < LARGEST:
        raise ValueError(f"first_user = {first_user} must lie in [0, {LARGEST})")
    if not 1 <= population <= LARGEST - first_user:
        raise ValueError(f"population = {population} must lie in [1, {LARGEST - first_user}]: ids end at {LARGEST}")
    if stride < 1 or slots[0] < 0:
        raise ValueError(f"slot0 = {slots[0]} must be at least 0 and stride = {stride} at least 1")
    return Places(slots, int(stride), int(first_user), int(population))


def chosen_users(users, n: int) -> np.ndarray:
    """``users [n]`` as int64; ValueError where they are more or fewer, or no user's id."""
    users = np.asarray(users, np.int64)
    if users.shape != (n,):
        raise ValueError(f"options['users'] has shape {users.shape}, must be ({n},)")
    if not ((users >= 0) & (users < LARGEST)).all():
        raise ValueError(f"options['users'] = {users[(users < 0) | (users >= LARGEST)][0]} must lie in [0, {LARGEST})")
    return users


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
