"""The observation of a fitted user, made from what a live system knows: what was shown, and what was liked.

The same function as in the simulator (`user.remember`), without the simulator: a server calls it.
"""
import numpy as np

from .belief import Model, believe
from .user import VIEWS, remember


def observe(numbers: dict[str, np.ndarray], items: np.ndarray,
            rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(observation, which items may be shown ``[A]``) after ``items [t]`` brought ``rewards [t]``.

    ``numbers``: ``items [A, D]`` features, ``width`` of a history, ``impressions`` of a session, the number of the
    view, and where taste is observed the parts of a `belief.Model`.  The history is this session's; of a longer one its
    last sessions are cut where the simulator would have ended them.
    """
    features, horizon = numbers["items"], int(numbers["impressions"])
    start = len(items) // horizon * horizon
    history, allowed = np.zeros(int(numbers["width"]), np.float32), np.ones(len(features), bool)
    model = model_in(numbers)
    mean, cov = (model.mean.copy(), model.cov.copy()) if model else (np.zeros(0), np.zeros((0, 0)))
    for t, (item, reward) in enumerate(zip(items[start:], rewards[start:], strict=True)):
        remember(history, features[item], bool(reward > 0.5), t, horizon)
        if model and allowed[item]:
            believe(mean, cov, model, item, bool(reward > 0.5))
        allowed[item] = False
    return together(VIEWS[int(numbers["observe"])], history, mean, (len(items) - start) / horizon), allowed


def together(observe: str, history: np.ndarray, mean: np.ndarray, over) -> np.ndarray:
    """An observation from its parts: ``history [… , H]``, believed ``mean [… , 1 + d]``, share of the session over."""
    if observe == "history":
        return history
    first = [history] if observe == "all" else [np.broadcast_to(over, mean.shape[:-1])[..., None]]
    return np.concatenate([*first, mean], axis=-1).astype(np.float32)


def model_in(numbers: dict[str, np.ndarray]) -> Model | None:
    """The belief's model among the numbers of an `Observer`; None where taste is not observed."""
    if VIEWS[int(numbers["observe"])] == "history":
        return None
    return Model(float(numbers["mu"]), *(np.array(numbers[name], np.float64) for name in ("item", "mean", "cov")))
