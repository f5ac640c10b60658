"""What is read off a Gymnasium space: flat observations, this step's candidates, slates.  NumPy only."""
import numpy as np
from gymnasium import spaces

FLAT = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary


def batch_size(obs) -> int:
    """N, of an observation ``[N, …]`` or a dict or tuple of them."""
    while isinstance(obs, dict | tuple):
        obs = next(iter(obs.values())) if isinstance(obs, dict) else obs[0]
    return len(obs)


def flat_size(space) -> int:
    """D: numbers in one flattened observation; ValueError where `flat_obs` cannot flatten them."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return sum(flat_size(part) for part in (space.values() if isinstance(space, spaces.Dict) else space))
    if not isinstance(space, FLAT):
        raise unsupported(space)
    return spaces.flatdim(space)


def unsupported(space) -> ValueError:
    return ValueError(f"observation space {space} is not supported; valid are Box, Discrete, MultiDiscrete, "
                      "MultiBinary, and Dict or Tuple of these")


def flat_obs(obs, space) -> np.ndarray:
    """Observations ``[N, …]`` of ``space`` as float32 ``[N, D]``: boxes flat, discrete values one-hot, the parts of
    dicts and tuples joined."""
    if isinstance(space, spaces.Dict):
        return np.concatenate([flat_obs(obs[key], part) for key, part in space.items()], axis=-1)
    if isinstance(space, spaces.Tuple):
        return np.concatenate([flat_obs(part, one) for part, one in zip(obs, space, strict=True)], axis=-1)
    obs = np.asarray(obs)
    if isinstance(space, spaces.Discrete):
        one_hot = np.zeros((len(obs), int(space.n)), np.float32)
        one_hot[np.arange(len(obs)), obs - int(space.start)] = 1.0
        return one_hot
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return obs.reshape(len(obs), -1).astype(np.float32, copy=False)
    if not isinstance(space, spaces.MultiDiscrete):
        raise unsupported(space)
    whole, sizes = obs.reshape(len(obs), -1) - space.start.reshape(-1), space.nvec.reshape(-1)
    return np.concatenate([np.eye(n, dtype=np.float32)[whole[:, i]] for i, n in enumerate(sizes)], axis=1)


def place_of(space: spaces.Dict, key: str) -> slice:
    """Where the part ``key`` of an observation stands in the flat one."""
    keys = list(space.spaces)
    start = sum(flat_size(space[before]) for before in keys[:keys.index(key)])
    return slice(start, start + flat_size(space[key]))


def candidates_of(space) -> tuple[int, int]:
    """(m, F) of the features of the candidates in observations of ``space``; (0, 0) where there are none."""
    part = space.spaces.get("candidates") if isinstance(space, spaces.Dict) else None
    return part.shape if isinstance(part, spaces.Box) and len(part.shape) == 2 else (0, 0)


def slate_of(space) -> tuple[int, int]:
    """(A, K): items to choose from and items shown; ValueError where actions are no slates."""
    if isinstance(space, spaces.Discrete):
        return int(space.n), 1
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and len(set(space.nvec)) == 1 \
            and len(space.nvec) <= space.nvec[0]:
        return int(space.nvec[0]), len(space.nvec)
    raise ValueError(f"action space {space} is no slate; valid are Discrete and MultiDiscrete with equal sizes, "
                     "of at most as many places as items")


def features_of(embedding: str, items: np.ndarray | None, outputs: int) -> np.ndarray | None:
    """``items [A, F]`` where ``embedding`` is features, else None; ValueError where such items are missing."""
    if embedding != "features":
        return None
    if items is None or len(items) != outputs:
        raise ValueError("embedding = 'features' needs actions that are items with features; valid here is none")
    return items
