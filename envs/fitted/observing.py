"""The observation of a fitted user, made from what a live system knows: what was shown, and what was liked.

The same function as in the simulator (`user.remember`), without the simulator: a server calls it.
"""
import numpy as np

from .user import remember


def observe(numbers: dict[str, np.ndarray], items: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(observation ``[2D + 1 + L·D]``, which items may be shown ``[A]``) after ``items [t]`` brought ``rewards [t]``.

    ``numbers``: ``items [A, D]`` features, ``width``, and ``impressions`` of a session.  The history is this session's;
    of a longer one its last sessions are cut where the simulator would have ended them.
    """
    features, horizon = numbers["items"], int(numbers["impressions"])
    start = len(items) // horizon * horizon
    history, allowed = np.zeros(int(numbers["width"]), np.float32), np.ones(len(features), bool)
    for t, (item, reward) in enumerate(zip(items[start:], rewards[start:], strict=True)):
        remember(history, features[item], bool(reward > 0.5), t, horizon)
        allowed[item] = False
    return history, allowed
