"""The exact optimum of the ladder, by dynamic programming over (boredom per topic, satisfaction, step).

It knows what no agent sees, tastes and satisfaction, so its value is an upper bound for every agent.  In one state,
an item i is clicked with probability a_i when it is read and is then worth v_i; no click is worth v_0.  A slate is
worth v_0 plus what `envs.engine.cascade` computes from a and the gains v - v_0, which also finds the best slate.

A user's class is the type and the tastes: G · 2^T dynamic programmes, each solved when such a user is first met.
"""
import itertools
from typing import NamedTuple

import numpy as np

from ..engine.cascade import best_shelf, best_slate
from ..engine.params import kernel_type
from ..engine.rng import kernel
from .user import attraction, end_of_visit


@kernel_type
class User(NamedTuple):
    """One user in one state."""

    kind: int
    likes_it: np.ndarray           # [T] bool
    bored: np.ndarray              # [T]
    satisfaction: int


@kernel
def choose(r, world, shelves, user, ahead, slate):
    """The optimal slate of one user now, from ``ahead [codes, S + 1]``, the value of going on; returns its value."""
    base = r.levels + 1
    rest = 0                                                                 # the code when every topic cools
    for k in range(r.topics):
        rest += max(0, user.bored[k] - 1) * base**k
    s, down = user.satisfaction, max(0, user.satisfaction - 1)
    up = min(r.satisfactions, user.satisfaction + 1)
    nothing = r.annoyance * ahead[rest, down] + (1.0 - r.annoyance) * ahead[rest, s]
    a, gain = np.empty(len(world.topic)), np.empty(len(world.topic))
    for i in range(len(a)):
        k, q = world.topic[i], world.quality[i]
        bored = user.bored[k]
        code = rest + (min(r.levels, bored + 2) - max(0, bored - 1)) * base**k
        a[i] = attraction(r, world.appeal[i], user.kind, k, user.likes_it[k], bored)
        moved = ahead[code, up] if q > 0.0 else ahead[code, down]
        gain[i] = 1.0 + abs(q) * moved + (1.0 - abs(q)) * ahead[code, s] - nothing
    if len(shelves):
        return nothing + best_shelf(a, gain, r.patience, shelves, slate)
    return nothing + best_slate(a, gain, r.patience, slate)


@kernel
def solve(r, world, shelves, kind, likes_it):
    """``ahead [H, codes, S + 1]``: what is still to come after step t, before it is known whether the user leaves.

    Also returns the value of the start ``V(rested, half satisfied)``.
    """
    base = r.levels + 1
    codes, levels = base**r.topics, r.satisfactions + 1
    ahead = np.zeros((r.horizon, codes, levels))
    value = np.zeros((codes, levels))
    bored, slate = np.zeros(r.topics, np.int64), np.zeros(shelves.shape[1], np.int64)
    for t in range(r.horizon - 1, -1, -1):
        if t < r.horizon - 1:
            for s in range(levels):
                leave, comeback = end_of_visit(r, s)
                for code in range(codes):
                    ahead[t, code, s] = (1.0 - leave) * value[code, s] + leave * comeback * value[0, s]
        for code in range(codes):
            for k in range(r.topics):
                bored[k] = code // base**k % base
            for s in range(levels):
                value[code, s] = choose(r, world, shelves, User(kind, likes_it, bored, s), ahead[t], slate)
    return ahead, value[0, r.satisfactions // 2]


@kernel
def choose_rows(rows, r, world, shelves, state, t, ahead, slates):
    """The optimal slates ``[N, K]`` of the users ``rows``, all of one class."""
    for n in rows:
        user = User(state.kind[n], state.likes_it[n], state.bored[n], state.satisfaction[n])
        choose(r, world, shelves, user, ahead[min(t[n], r.horizon - 1)], slates[n])


class Planner:
    """Optimal play in the shop with ``rules`` and the catalogue ``world``; a class of users is solved when it is first
    met.  With ``shelves [A, K]`` only these slates may be shown (the item view).
    """

    def __init__(self, rules, world, places: int, shelves=None):
        self.rules, self.world = rules, world
        self.shelves = np.zeros((0, places), np.int64) if shelves is None else shelves
        self.plans: dict = {}

    def plan(self, kind: int, likes_it: tuple):
        """(ahead ``[H, codes, S + 1]``, value of a session) of users of this type and these tastes."""
        if (kind, likes_it) not in self.plans:
            self.plans[kind, likes_it] = solve(self.rules, self.world, self.shelves, kind, np.array(likes_it))
        return self.plans[kind, likes_it]

    def value(self) -> float:
        """The expected return of a session, types and tastes being fair dice: the upper bound of every agent."""
        tastes = list(itertools.product((False, True), repeat=self.rules.topics))
        return float(np.mean([self.plan(kind, likes_it)[1] for kind in range(self.rules.types) for likes_it in tastes]))

    def act(self, state, t) -> np.ndarray:
        """The optimal slates ``[N, K]`` of users in ``state`` (`envs.ladder.user.State`) at the steps ``t [N]``."""
        slates = np.zeros((len(t), self.shelves.shape[1]), np.int64)
        classes, member = np.unique(np.column_stack([state.kind, state.likes_it]), axis=0, return_inverse=True)
        for c, (kind, *tastes) in enumerate(classes.tolist()):
            ahead = self.plan(kind, tuple(map(bool, tastes)))[0]
            choose_rows(np.flatnonzero(member == c), self.rules, self.world, self.shelves, state, t, ahead, slates)
        return slates
