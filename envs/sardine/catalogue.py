"""SARDINE's catalogue: what items speak of, drawn by the published recipe or read from a file."""
import numpy as np


def draw_embeddings(items: int, topics: int, world_seed: int) -> np.ndarray:
    """``[A, T]`` by the published recipe: two or three random topics an item, uniform values, rows of length 1."""
    rng = np.random.default_rng([world_seed, 4])
    order = np.argsort(rng.random((items, topics)), axis=1)                                 # [A, T] a random order
    on = np.zeros((items, topics), bool)
    np.put_along_axis(on, order, np.arange(topics) < rng.integers(2, 4, items)[:, None], axis=1)
    values = np.where(on, 1.0 - rng.random((items, topics)), 0.0)                           # in (0, 1]
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def read_embeddings(path: str) -> np.ndarray:
    """``[A, T]`` float64 from a .npy file; ValueError unless two-dimensional, non-negative and without an empty row."""
    items = np.load(path, allow_pickle=False)
    if items.ndim != 2 or items.shape[1] < 3 or not np.issubdtype(items.dtype, np.number):
        raise ValueError(f"embeddings = {path!r} holds {items.dtype} {items.shape}, must be numbers [A, T ≥ 3]")
    items = items.astype(np.float64)
    if not (np.isfinite(items).all() and (items >= 0.0).all() and (items.sum(axis=1) > 0.0).all()):
        raise ValueError(f"embeddings = {path!r} must be finite, non-negative and without a row of zeros")
    return items
