"""Which state is this?  Observations numbered 0 … S − 1.

| space of the observation | its discrete factors |
|---|---|
| Discrete(S)              | one of S values |
| MultiDiscrete, MultiBinary | one factor an entry |
| Tuple, Dict              | those of its parts, in the order of the space |
| Box ``[S]`` in [0, 1]    | a one-hot vector, one of S values: every row must have a single 1 and zeros |
| Box with finite bounds, ``bins`` = b ≥ 2 | one factor a number, in which of b equal bins it lies (outside: the next) |

A state is the factors read as one number, the first factor being the slowest.  A discrete value may also come as
floats and with a last axis of length 1, as the obs_* columns of a log do.
"""
import numpy as np
from gymnasium import spaces

ACCEPTED = "Discrete, MultiDiscrete, MultiBinary, a one-hot Box [S] in [0, 1], a bounded Box with bins >= 2, or a " \
           "Tuple or Dict of these"


class States:
    """``states(obs, rows)`` numbers M = ``rows`` observations, whatever their leading axes: ``[M]`` int64."""

    def __init__(self, space, bins: int = 0):
        if bins < 0 or bins == 1:
            raise ValueError(f"bins = {bins} must be 0, or at least 2 bins a number")
        self.space, self.bins = space, bins
        self.sizes = np.array(self._sizes(space))                            # [F]
        self.count = int(np.prod(self.sizes, dtype=object))                  # S, of any length: 2^100 is no overflow

    def __call__(self, obs, rows: int) -> np.ndarray:
        """ValueError where an observation is not one of the states."""
        parts = self._factors(obs, self.space, rows)
        factors = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)         # [M, F]
        if rows and ((factors < 0) | (factors >= self.sizes)).any():
            bad = factors[((factors < 0) | (factors >= self.sizes)).any(axis=1)][0]
            raise ValueError(f"observation {bad.tolist()} is outside the sizes {self.sizes.tolist()} of {self.space}")
        state = factors[:, 0]
        for k in range(1, len(self.sizes)):
            state = state * self.sizes[k] + factors[:, k]
        return state

    def _sizes(self, space) -> list[int]:
        if isinstance(space, spaces.Dict | spaces.Tuple):
            return [size for part in _parts(space) for size in self._sizes(part)]
        if isinstance(space, spaces.Discrete):
            return [int(space.n)]
        if isinstance(space, spaces.MultiDiscrete):
            return [int(n) for n in space.nvec.reshape(-1)]
        if isinstance(space, spaces.MultiBinary):
            return [2] * int(np.prod(space.shape))
        if isinstance(space, spaces.Box):
            if self.bins and np.isfinite(space.low).all() and np.isfinite(space.high).all():
                return [self.bins] * int(np.prod(space.shape))
            if not self.bins and len(space.shape) == 1 and (space.low == 0).all() and (space.high == 1).all():
                return [int(space.shape[0])]
        raise ValueError(f"observation space {space} (bins = {self.bins}) cannot be numbered; valid are {ACCEPTED}")

    def _factors(self, obs, space, rows: int) -> list[np.ndarray]:
        """The factors of ``obs``, each ``[M, F]`` int64."""
        if isinstance(space, spaces.Dict | spaces.Tuple):
            keys = space.keys() if isinstance(space, spaces.Dict) else range(len(space))
            return [f for k, part in zip(keys, _parts(space), strict=True) for f in self._factors(obs[k], part, rows)]
        obs = np.asarray(obs).reshape(rows, -1)
        if isinstance(space, spaces.Box):
            if self.bins:
                low, high = space.low.reshape(-1), space.high.reshape(-1)
                place = np.floor((obs - low) / (high - low) * self.bins)
                return [np.clip(place, 0, self.bins - 1).astype(np.int64)]
            if not ((obs == 0) | (obs == 1)).all() or (obs.sum(axis=1) != 1).any():
                raise ValueError(f"an observation of {space} is not one-hot; bins >= 2 would cut each number into bins")
            return [obs.argmax(axis=1)[:, None]]
        whole = obs if obs.dtype == np.int64 else obs.astype(np.int64)
        if obs.dtype.kind == "f" and (whole != obs).any():
            raise ValueError(f"observation {obs[(whole != obs).any(axis=1)][0].tolist()} of {space} is no whole number")
        start = np.asarray(getattr(space, "start", 0)).reshape(-1)
        return [whole - start if start.any() else whole]


def _parts(space) -> list:
    return list(space.values() if isinstance(space, spaces.Dict) else space)
