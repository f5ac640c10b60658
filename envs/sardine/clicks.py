"""What a user of SARDINE clicks: the relevance of every place, and the coins."""
import numpy as np

from ..engine.rng import kernel, uniform

CERTAIN = 37.0                                   # σ(±37) is 1 or below the finest coin (2^-53) in double precision


@kernel
def relevance(r, match):
    """Relevance in [0, 1] of an item with this ``match`` x."""
    if r.relevant_above >= 0.0:
        return 1.0 if match > r.relevant_above else 0.0
    z = r.slope * (match - r.offset)
    if abs(z) > CERTAIN:
        return 1.0 if z > 0.0 else 0.0
    return 1.0 / (1.0 + np.exp(-z))


@kernel
def strength(r, n, slate, about, boring):
    """What every relevance is multiplied by: α, weakened for a dull slate and a bored user."""
    worth = r.attraction
    for _ in range(boring):
        worth *= r.bored_relevance
    if r.diversity_penalty > 1.0:
        for j in range(slate.shape[1]):
            alike = 0
            for i in range(slate.shape[1]):
                alike += about[slate[n, i], 0] == about[slate[n, j], 0]
            if alike >= r.diversity_threshold:
                return worth / r.diversity_penalty
    return worth


@kernel
def score(r, world, n, slate, felt, boring, chance):
    """The click probability of every place into ``chance [K]``; returns their sum, the expected number of clicks."""
    about, value, examined = world.about, world.value, world.examined
    expected, worth = 0.0, strength(r, n, slate, about, boring)
    for j in range(len(chance)):
        match, item = 0.0, slate[n, j]
        for k in range(about.shape[1]):
            match += value[item, k] * felt[about[item, k]]
        chance[j] = worth * relevance(r, match / r.longest) * examined[j]
        expected += chance[j]
    return expected


@kernel
def click(chance, life, t, purpose, n, clicks):
    """Independent clicks of user n into ``clicks [N, K]`` (0/1); returns how many."""
    total = 0
    for j in range(len(chance)):
        clicks[n, j] = chance[j] > 0.0 and uniform(life, t, purpose, j) < chance[j]
        total += clicks[n, j]
    return total
