"""exp and ln that give the same bits on every processor: additions, multiplications and powers of two alone.

The libraries' own choose a kernel by the processor at hand, and those differ in the last place.  Both here are within
two units of it.
"""
import numpy as np

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10             # their sum is ln 2 beyond double precision
FACTORIALS = np.cumprod(np.arange(1.0, 14.0))                               # 1! … 13!


def exp(x: np.ndarray) -> np.ndarray:
    """``[…]`` float64 -> e^x = 2^k e^r with |r| ≤ ln 2 / 2, e^r by Taylor's series to r¹³; 0 below −700, x ≤ 700."""
    x = np.asarray(x, np.float64)
    k = np.rint(np.clip(x, -700.0, 700.0) * LOG2_E)
    r = (np.clip(x, -700.0, 700.0) - k * LN2_HIGH) - k * LN2_LOW
    total = np.full_like(r, 1.0 / FACTORIALS[-1])
    for factorial in FACTORIALS[-2::-1]:
        total = total * r + 1.0 / factorial
    return np.where(x < -700.0, 0.0, np.ldexp(total * r + 1.0, k.astype(np.int32)))


def log(x: np.ndarray) -> np.ndarray:
    """``[…]`` float64 > 0 -> ln x = k ln 2 + 2 artanh s, s = (m − 1) / (m + 1), m in [√½, √2); −inf at 0."""
    x = np.asarray(x, np.float64)
    m, k = np.frexp(np.where(x > 0.0, x, 1.0))
    small = m < 0.7071067811865476
    m, k = np.where(small, 2.0 * m, m), k - small
    s = (m - 1.0) / (m + 1.0)
    square, total = s * s, np.full_like(s, 1.0 / 23.0)
    for odd in range(21, 0, -2):                                            # s²ⁿ / (2n + 1), |s| ≤ 0.172
        total = total * square + 1.0 / odd
    return np.where(x > 0.0, k * LN2_HIGH + (2.0 * s * total + k * LN2_LOW), -np.inf)
