"""What clicks leave behind in a user of SARDINE: boredom, a changed interest, and the history that a view shows."""
import numpy as np

from ..engine.rng import kernel


@kernel
def remember(n, slate, clicks, about, t, count, queue, ring):
    """The clicks of step ``t`` enter the ring of user n."""
    places, first, length = queue.shape[1], ring[n, 0], ring[n, 1]
    for j in range(slate.shape[1]):
        if clicks[n, j]:
            if length == places:                                             # full: the oldest click makes room
                count[n, queue[n, first, 0]] -= 1
                first, length = (first + 1) % places, length - 1
            place, main = (first + length) % places, about[slate[n, j], 0]
            queue[n, place, 0], queue[n, place, 1] = main, t
            count[n, main] += 1
            length += 1
    ring[n, 0], ring[n, 1] = first, length


@kernel
def get_bored(r, n, t, bored, count, queue, ring):
    """User n forgets the clicks that are W steps old, and a boredom counts down or starts."""
    places, first, length = queue.shape[1], ring[n, 0], ring[n, 1]
    while length > 0 and queue[n, first, 1] < t + 1 - r.boredom_steps:
        count[n, queue[n, first, 0]] -= 1
        first, length = (first + 1) % places, length - 1
    ring[n, 0], ring[n, 1] = first, length
    for k in range(count.shape[1]):
        left = max(0, bored[n, k] - 1)
        bored[n, k] = r.boredom_steps if left == 0 and count[n, k] >= r.boredom_threshold else left


@kernel
def be_influenced(r, n, slate, clicks, total, about, value, interest):
    """Interest moves towards the mean embedding of the ``total`` items that were clicked."""
    topics = interest.shape[1]
    v, length = np.zeros(topics), 0.0
    for j in range(slate.shape[1]):
        if clicks[n, j]:
            for k in range(about.shape[1]):
                v[about[slate[n, j], k]] += value[slate[n, j], k] / total
    if r.compat:
        v[:] = v.mean()
    for k in range(topics):
        interest[n, k] = r.interest_kept * interest[n, k] + (1.0 - r.interest_kept) * v[k]
        length += interest[n, k] ** 2
    for k in range(topics):
        interest[n, k] /= np.sqrt(length)


@kernel
def recall(n, slate, clicks, about, past):
    """The topics shown and clicked become the newest row of the history ``past [N, h, 2 T]``."""
    places, topics = slate.shape[1], past.shape[2] // 2
    for row in range(past.shape[1] - 1, 0, -1):
        past[n, row] = past[n, row - 1]
    past[n, 0] = 0.0
    for j in range(places):
        past[n, 0, about[slate[n, j], 0]] += np.float32(1.0 / places)
        past[n, 0, topics + about[slate[n, j], 0]] += np.float32(clicks[n, j] / places)
