"""Many draws from Beta distributions, fast: the odds θ / (1 − θ) are a ratio of two gamma variables."""
import numba
import numpy as np


def fast(rng: np.random.Generator) -> np.random.Generator:
    """The fastest bit generator there is, seeded by ``rng``."""
    return np.random.Generator(np.random.SFC64(rng.integers(2**63)))


@numba.njit(cache=True, error_model="numpy")
def beta_odds(rng, success, failure, share, out):
    """``out [N, A]``: odds of Beta(success, failure), the ratio of two gamma variables (Marsaglia & Tsang 2000)."""
    for n in range(out.shape[0]):
        for a in range(out.shape[1]):
            above = below = -1.0
            p, q = success[n // share, a], failure[n // share, a]
            while above < 0.0:
                above = gamma(p, rng.standard_normal(), rng.random())
            while below < 0.0:
                below = gamma(q, rng.standard_normal(), rng.random())
            if p < 1.0:                                           # Γ_p = Γ_{p+1} U^(1/p)
                above *= rng.random() ** (1.0 / p)
            if q < 1.0:
                below *= (1.0 - rng.random()) ** (1.0 / q)
            out[n, a] = above / below


@numba.njit(cache=True, error_model="numpy")
def gamma(shape, x, u):
    """A gamma variable of this shape (below 1: of shape + 1) from a normal x and a uniform u, or −1: draw again."""
    d = shape - 1.0 / 3.0 if shape >= 1.0 else shape + 2.0 / 3.0
    v = 1.0 + x / np.sqrt(9.0 * d)
    if v <= 0.0:
        return -1.0
    v = v * v * v
    if u < 1.0 - 0.0331 * (x * x) * (x * x) or np.log(u) < 0.5 * x * x + d * (1.0 - v + np.log(v)):
        return d * v
    return -1.0
