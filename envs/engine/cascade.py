"""A slate that is read from the top: which item is clicked, how often, and which slate is best.

A user reads the positions in order, clicks at most one, and reads on after an item without a click with probability
``patience`` (cascade with limited patience: Craswell et al. 2008, Kempe & Mahdian 2008).  With a_i the probability
that item i is clicked when it is read and gain_i what a click on it is worth over no click, a slate gains

    Σ_j a_j gain_j Π_{i<j} c_i,    c_i = patience (1 - a_i)

Any K items are best ordered by a gain / (1 - c) (swap two neighbours to see it), and which K follows from the recursion
over the sorted items

    F(i, k) = max(F(i + 1, k), a_i gain_i + c_i F(i + 1, k - 1))

(Aggarwal, Feldman, Muthukrishnan & Pál 2008; Kempe & Mahdian 2008): exact, without enumerating slates.
"""
from typing import NamedTuple

import numpy as np

from .params import kernel_type
from .rng import kernel, uniform


@kernel_type
class Out(NamedTuple):
    """What a step tells of users who read a slate."""

    response: np.ndarray           # [N, K] int8 clicks
    reward: np.ndarray             # [N] float32
    expected: np.ndarray           # [N] E[reward]
    terminated: np.ndarray         # [N] bool
    left: np.ndarray               # [N] bool, a visit ended


def nothing_yet(slate) -> Out:
    """`Out` of a step that shows ``slate [N, K]``, before anything happened."""
    n = len(slate)
    return Out(np.zeros(slate.shape, np.int8), np.zeros(n, np.float32), np.zeros(n), np.zeros(n, bool),
               np.zeros(n, bool))


@kernel
def pass_over_repeats(n, slate, pulls):
    """An item that stands twice in the slate of user n is passed over the second time: its ``pulls [K]`` become 0."""
    for j in range(len(pulls)):
        for i in range(j):
            if slate[n, i] == slate[n, j]:
                pulls[j] = 0.0


@kernel
def read_slate(pulls, patience, life, t, purpose):
    """Walk down the slate with one coin a position: the clicked position, or K when there is no click."""
    for j in range(len(pulls)):
        coin = uniform(life, t, purpose, j)
        if coin < pulls[j]:
            return j
        if coin >= pulls[j] + (1.0 - pulls[j]) * patience:
            break
    return len(pulls)


@kernel
def click_probability(pulls, patience):
    """P(any click) of `read_slate`: Σ_j a_j · Π_{i<j} patience (1 - a_i)."""
    reading, total = 1.0, 0.0
    for pull in pulls:
        total += reading * pull
        reading *= patience * (1.0 - pull)
    return total


@kernel
def slate_gain(slate, a, gain, patience):
    """What ``slate [K]`` adds to no click, from ``a [A]`` and ``gain [A]`` of every item."""
    reading, total = 1.0, 0.0
    for i in slate:
        total += reading * a[i] * gain[i]
        reading *= patience * (1.0 - a[i])
    return total


@kernel
def best_slate(a, gain, patience, slate):
    """The best slate of distinct items into ``slate [K]`` and its gain.

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
    """The same where only the rows of ``shelves [M, K]`` may be shown."""
    top = -np.inf
    for shelf in shelves:
        total = slate_gain(shelf, a, gain, patience)
        if total > top:
            top = total
            slate[:] = shelf
    return top
