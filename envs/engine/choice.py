"""Choice models: which of the shown items a user takes.  Kernels for one user and one slate.

Scores are what the user model makes of (user, item); how they become probabilities is the choice model's business.  A
model with at most one click fills ``shares [K]`` with the probability of each position and returns that of `NOTHING`;
`take` then draws with one coin.  So a user model knows the expected click as well as the click.

| model | P(position j) |
|---|---|
| `multinomial_logit`        | exp(s_j) / (exp(null) + Σ exp(s_i)) |
| `multinomial_proportional` | (s_j − floor) / (null − floor + Σ (s_i − floor)) |
| `cascade`                  | walk down; at j click with probability attention · g_j, stop at the first click |
| `exponential_cascade`      | the same with g_j = exp(s_j) |
| `proportional_cascade`     | the same with g_j = s_j − floor |
| `position_based`           | independent clicks with probability attraction_j · examination_j |

Sources: RecSim's choice models (Ie et al. 2019, arXiv:1909.04847); cascade: Craswell et al. 2008; position-based
model: Richardson et al. 2007; examination top-down or mixed: SARDINE (Deffayet et al. 2024).
"""
import numpy as np

from .rng import kernel, uniform

NOTHING = -1


@kernel
def multinomial_logit(scores, null_score, shares):
    """The softmax of ``scores [K]`` and ``null_score`` (−inf: something is always taken)."""
    top = null_score
    for score in scores:
        top = max(top, score)
    if top == -np.inf:                                                      # nothing has any weight
        shares[:] = 0.0
        return 1.0
    nothing = np.exp(null_score - top)
    total = nothing
    for j in range(len(scores)):
        shares[j] = np.exp(scores[j] - top)
        total += shares[j]
    for j in range(len(scores)):
        shares[j] /= total
    return nothing / total


@kernel
def multinomial_proportional(scores, null_score, floor, shares):
    """Weights ``scores - floor`` (all must be ≥ 0) against ``null_score - floor``; no weight at all: nothing."""
    nothing = null_score - floor
    total = nothing
    for j in range(len(scores)):
        shares[j] = scores[j] - floor
        total += shares[j]
    if total == 0.0:
        return 1.0
    for j in range(len(scores)):
        shares[j] /= total
    return nothing / total


@kernel
def cascade(attractions, attention, shares):
    """The first click at j: p_j Π_{i<j} (1 − p_i) with p = ``attention * attractions``, at most 1."""
    reading = 1.0
    for j in range(len(attractions)):
        click = min(1.0, attention * attractions[j])
        shares[j] = reading * click
        reading *= 1.0 - click
    return reading


@kernel
def exponential_cascade(scores, attention, shares):
    """`cascade` with attractions exp(``scores``)."""
    for j in range(len(scores)):
        shares[j] = np.exp(scores[j])
    return cascade(shares, attention, shares)


@kernel
def proportional_cascade(scores, floor, attention, shares):
    """`cascade` with attractions ``scores - floor`` (all must be ≥ 0)."""
    for j in range(len(scores)):
        shares[j] = scores[j] - floor
    return cascade(shares, attention, shares)


@kernel
def take(shares, nothing, coin):
    """The position drawn by ``coin`` from the probabilities of a model, or `NOTHING`."""
    last = NOTHING
    for j in range(len(shares)):
        coin -= shares[j]
        if coin < 0.0:
            return j
        if shares[j] > 0.0:
            last = j
    return NOTHING if nothing > 0.0 else last             # a rounding remainder belongs to the last item that can be


@kernel
def position_based(attractions, examination, key, step, purpose, clicks):
    """Independent clicks into ``clicks [K]`` (0/1): attraction times examination of the position; returns their sum."""
    total = 0
    for j in range(len(attractions)):
        clicks[j] = uniform(key, step, purpose, j) < attractions[j] * examination[j]
        total += clicks[j]
    return total


def examination(places: int, decay: float, mixed: bool = False) -> np.ndarray:
    """``[K]`` probability that a position is looked at: decay^j from the top down.

    ``mixed``: half of the users read upwards, ½ decay^j + ½ decay^(K−1−j).
    """
    down = decay ** np.arange(places, dtype=np.float64)
    return 0.5 * (down + down[::-1]) if mixed else down
