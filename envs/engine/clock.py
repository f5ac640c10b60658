"""Who comes next and when a session ends: the two loops that every step of every model runs."""
from .rng import kernel


@kernel
def arrive(rows, slots, stride, first_user, population, visits, user, session, t, done):
    """Slots ``rows`` serve their next user: ``first_user + (slot + visits · stride) mod population``."""
    for n in rows:
        visits[n] += 1
        place = slots[n] + visits[n] * stride
        turn = place // population if place >= population else 0         # whole population served: sessions before
        user[n], session[n] = first_user + place - turn * population, turn
        t[n], done[n] = 0, False


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
