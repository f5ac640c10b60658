"""The exact optimum of the ladder, by dynamic programming over (boredom per topic, satisfaction, step).

It knows what no agent sees, tastes and satisfaction, so its value is an upper bound for every agent.  In one state,
an item i is clicked with probability a_i when it is read and is then worth v_i; no click is worth v_0.  A slate is
worth v_0 + Σ_j a_j (v_j - v_0) Π_{i<j} c_i with c_i = patience (1 - a_i).  Any K items are best ordered by
a (v - v_0) / (1 - c) (swap two neighbours to see it), and which K follows from the recursion over the sorted items

    F(i, k) = max(F(i + 1, k), a_i (v_i - v_0) + c_i F(i + 1, k - 1))

(Aggarwal, Feldman, Muthukrishnan & Pál 2008; Kempe & Mahdian 2008): exact, without enumerating slates.

A user's class is the type and the tastes: G · 2^T dynamic programmes, each solved when such a user is first met.
"""
import itertools

import numpy as np

from ..engine.rng import kernel
from .user import attraction, end_of_visit


@kernel
def best_slate(a, gain, patience, slate):
    """The best slate of distinct items into ``slate [K]`` and its gain Σ_j a_j gain_j Π_{i<j} patience (1 - a_i).

    Positions without a worthwhile item repeat the item above (which is passed over).
    """
    places, count = len(slate), 0
    order = np.empty(len(a), np.int64)
    ratio = np.empty(len(a))
    for i in range(len(a)):                                                  # insertion sort of what is worth it
        if gain[i] > 0.0:
            key, j = a[i] * gain[i] / (1.0 - patience * (1.0 - a[i])), count
            while j > 0 and ratio[j - 1] < key:
                ratio[j], order[j] = ratio[j - 1], order[j - 1]
                j -= 1
            ratio[j], order[j], count = key, i, count + 1
    best = np.zeros((count + 1, places + 1))
    for i in range(count - 1, -1, -1):
        item = order[i]
        for k in range(1, places + 1):
            take = a[item] * gain[item] + patience * (1.0 - a[item]) * best[i + 1, k - 1]
            best[i, k] = max(best[i + 1, k], take)
    j = 0
    for i in range(count):
        if j < places and best[i, places - j] > best[i + 1, places - j]:
            slate[j] = order[i]
            j += 1
    if j == 0:
        slate[0], j = np.argmin(a), 1
    for k in range(j, places):
        slate[k] = slate[j - 1]
    return best[0, places]


@kernel
def best_shelf(a, gain, patience, shelves, slate):
    """The same for the item view: the best row of ``shelves [A, K]``."""
    top = -np.inf
    for item in range(len(shelves)):
        reading, total = 1.0, 0.0
        for i in shelves[item]:
            total += reading * a[i] * gain[i]
            reading *= patience * (1.0 - a[i])
        if total > top:
            top = total
            slate[:] = shelves[item]
    return top


@kernel
def choose(r, bored, satisfaction, kind, likes_it, topic, appeal, quality, ahead, shelves, slate):
    """The optimal slate of one user now, from ``ahead [codes, S + 1]``, the value of going on; returns its value."""
    base = r.levels + 1
    rest = 0                                                                 # the code when every topic cools
    for k in range(r.topics):
        rest += max(0, bored[k] - 1) * base**k
    s, down = satisfaction, max(0, satisfaction - 1)
    up = min(r.satisfactions, satisfaction + 1)
    nothing = r.annoyance * ahead[rest, down] + (1.0 - r.annoyance) * ahead[rest, s]
    a, gain = np.empty(len(topic)), np.empty(len(topic))
    for i in range(len(topic)):
        k, q = topic[i], quality[i]
        code = rest + (min(r.levels, bored[k] + 2) - max(0, bored[k] - 1)) * base**k
        a[i] = attraction(r, appeal[i], kind, k, likes_it[k], bored[k])
        moved = ahead[code, up] if q > 0.0 else ahead[code, down]
        gain[i] = 1.0 + abs(q) * moved + (1.0 - abs(q)) * ahead[code, s] - nothing
    if len(shelves):
        return nothing + best_shelf(a, gain, r.patience, shelves, slate)
    return nothing + best_slate(a, gain, r.patience, slate)


@kernel
def solve(r, kind, likes_it, topic, appeal, quality, shelves, places):
    """``ahead [H, codes, S + 1]``: what is still to come after step t, before it is known whether the user leaves.

    Also returns the value of the start ``V(rested, half satisfied)``.
    """
    base = r.levels + 1
    codes, levels = base**r.topics, r.satisfactions + 1
    ahead = np.zeros((r.horizon, codes, levels))
    value = np.zeros((codes, levels))
    bored, slate = np.zeros(r.topics, np.int64), np.zeros(places, np.int64)
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
                value[code, s] = choose(r, bored, s, kind, likes_it, topic, appeal, quality, ahead[t], shelves, slate)
    return ahead, value[0, r.satisfactions // 2]


@kernel
def choose_rows(rows, r, kind, likes_it, ahead, bored, satisfaction, t, topic, appeal, quality, shelves, slates):
    """The optimal slates ``[N, K]`` of the users ``rows``, all of one class."""
    for n in rows:
        choose(r, bored[n], satisfaction[n], kind, likes_it, topic, appeal, quality,
               ahead[min(t[n], r.horizon - 1)], shelves, slates[n])


class Planner:
    """Optimal play in the shop with ``rules`` and this catalogue; a class of users is solved when it is first met.

    With ``shelves [A, K]`` only these slates may be shown (the item view).
    """

    def __init__(self, rules, topic, appeal, quality, places: int, shelves=None):
        self.rules, self.places, self.catalogue = rules, places, (topic, appeal, quality)
        self.shelves = np.zeros((0, places), np.int64) if shelves is None else shelves
        self.plans: dict = {}

    def plan(self, kind: int, likes_it: tuple):
        """(ahead ``[H, codes, S + 1]``, value of a session) of users of this type and these tastes."""
        if (kind, likes_it) not in self.plans:
            self.plans[kind, likes_it] = solve(self.rules, kind, np.array(likes_it), *self.catalogue, self.shelves,
                                               self.places)
        return self.plans[kind, likes_it]

    def value(self) -> float:
        """The expected return of a session, types and tastes being fair dice: the upper bound of every agent."""
        tastes = list(itertools.product((False, True), repeat=self.rules.topics))
        return float(np.mean([self.plan(kind, likes_it)[1] for kind in range(self.rules.types) for likes_it in tastes]))

    def act(self, kind, likes_it, bored, satisfaction, t) -> np.ndarray:
        """The optimal slates ``[N, K]`` now."""
        slates = np.zeros((len(kind), self.places), np.int64)
        classes, member = np.unique(np.column_stack([kind, likes_it]), axis=0, return_inverse=True)
        for c, (g, *tastes) in enumerate(classes.tolist()):
            likes = tuple(map(bool, tastes))
            choose_rows(np.flatnonzero(member == c), self.rules, g, np.array(likes), self.plan(g, likes)[0], bored,
                        satisfaction, t, *self.catalogue, self.shelves, slates)
        return slates
