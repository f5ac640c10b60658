"""Choice models: which of the shown items a user takes.  Kernels for one user and one slate.

Each returns the *position* of the chosen item in ``scores`` or ``NOTHING``.  Scores are what the user model makes of
(user, item); how they become probabilities is the choice model's business.

| model | P(position j) |
|---|---|
| `multinomial_logit`        | exp(s_j) / (exp(null) + Σ exp(s_i)) |
| `multinomial_proportional` | (s_j − floor) / (null − floor + Σ (s_i − floor)) |
| `cascade`                  | walk down; at j click with probability attention · g_j, stop at the first click |
| `position_based`           | independent clicks with probability attraction_j · examination_j |

Sources: RecSim's choice models (Ie et al. 2019, arXiv:1909.04847); cascade: Craswell et al. 2008; position-based
model: Richardson et al. 2007.
"""
import numpy as np

from .rng import kernel, uniform

NOTHING = -1


@kernel
def multinomial_logit(scores, null_score, coin):
    """The position drawn from the softmax of ``scores [K]`` and ``null_score`` (−inf: something is always taken)."""
    top = null_score
    for score in scores:
        top = max(top, score)
    total = np.exp(null_score - top)
    for score in scores:
        total += np.exp(score - top)
    left = coin * total
    for j in range(len(scores)):
        left -= np.exp(scores[j] - top)
        if left < 0.0:
            return j
    return NOTHING if null_score > -np.inf else len(scores) - 1     # a rounding remainder belongs to the last item


@kernel
def multinomial_proportional(scores, null_score, floor, coin):
    """The position drawn with weights ``scores - floor`` (all must be ≥ 0) against ``null_score - floor``."""
    null = null_score - floor
    total = null
    for score in scores:
        total += score - floor
    left = coin * total
    for j in range(len(scores)):
        left -= scores[j] - floor
        if left < 0.0:
            return j
    return NOTHING if null > 0.0 else len(scores) - 1


@kernel
def cascade(attractions, attention, key, step, purpose):
    """The first position j whose own coin falls below ``attention * attractions[j]`` (at most 1)."""
    for j in range(len(attractions)):
        if uniform(key, step, purpose, j) < attention * attractions[j]:
            return j
    return NOTHING


@kernel
def position_based(attractions, examination, key, step, purpose, clicks):
    """Independent clicks into ``clicks [K]`` (0/1): attraction times examination of the position; returns their sum."""
    total = 0
    for j in range(len(attractions)):
        clicks[j] = uniform(key, step, purpose, j) < attractions[j] * examination[j]
        total += clicks[j]
    return total
