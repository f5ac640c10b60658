"""The two oracles of SARDINE: the most relevant items, and the same among those that cannot bore (no exact optimum)."""
import numpy as np

from ..engine.rng import kernel
from .user import feel


@kernel
def feel_users(rules, state, felt):
    """ũ of every user into ``felt [N, T]``."""
    interest, bored, row = state.interest, state.bored, np.empty(felt.shape[1])
    for n in range(len(felt)):
        feel(rules, n, interest, bored, row)
        felt[n] = row


@kernel
def room_for_clicks(rules, state, t, quota):
    """``quota [N, T]``: the clicks that each topic can take in this step without boring, whatever else is clicked."""
    count, queue, ring = state.count, state.queue, state.ring
    for n in range(len(quota)):
        for k in range(quota.shape[1]):
            quota[n, k] = rules.boredom_threshold - 1 - count[n, k]
        for i in range(ring[n, 1]):
            place = (ring[n, 0] + i) % queue.shape[1]
            if queue[n, place, 1] < t[n] + 1 - rules.boredom_steps:              # forgotten at the end of this step
                quota[n, queue[n, place, 0]] += 1


@kernel
def fill_slates(direction, quota, by_topic, topic, slates):
    """Best ⟨E_i, direction⟩ first (the later of equals, as in the released oracle) among items whose main topic has
    quota left; the worst matches into the places left over."""
    score, taken = np.empty(by_topic.shape[1]), np.empty(by_topic.shape[1], np.bool_)
    for n in range(len(slates)):
        score[:], taken[:] = 0.0, False
        for k in range(len(by_topic)):
            if direction[n, k] != 0.0:
                for i in range(len(score)):
                    score[i] += direction[n, k] * by_topic[k, i]
        for j in range(slates.shape[1]):
            best, worst = -1, -1
            for i in range(len(score)):
                if not taken[i]:
                    if quota[n, topic[i]] > 0 and (best < 0 or score[i] >= score[best]):
                        best = i
                    if worst < 0 or score[i] < score[worst]:
                        worst = i
            if worst < 0:                                                    # more places than items: start again
                taken[:], best = False, slates[n, j % len(score)]
            if best >= 0:
                quota[n, topic[best]] -= 1
            slates[n, j] = best if best >= 0 else worst
            taken[slates[n, j]] = True
