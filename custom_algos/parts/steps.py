"""What an environment's step says, as the loop needs it: finite numbers, masks of bools, the true successor.

Any Gymnasium vector environment in SAME_STEP mode will do; ours say some things more directly.
"""
import numpy as np

from ..core import tree_map
from .border import as_mask, check_finite


def true_successor(after, info, ends):
    """The observation before any reset: dense from our environments, per finished row from Gymnasium's own."""
    if "final_obs" not in info:
        return after
    final = info["final_obs"]
    if isinstance(final, dict) or final.dtype != object:
        return final
    rows = np.flatnonzero(ends)                                      # final [N] holds one observation a finished user

    def put(part, *last):
        part = np.array(part)
        part[rows] = np.stack(last)
        return part
    return tree_map(put, after, *final[rows]) if len(rows) else after


def mask_of(info) -> np.ndarray | None:
    """``[N, A]`` bool: what the agent may do now, from what an environment says; None: everything."""
    mask = info.get("action_mask")
    if mask is None:
        return None
    said = info.get("_action_mask")                                  # Gymnasium's: whose environment gave one
    if said is not None and not np.all(said):
        mask = np.array([m if known else np.ones_like(mask[np.argmax(said)]) for m, known in zip(mask, said,
                                                                                                 strict=True)])
    return as_mask(mask)


def masks_after(info, ends) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(what the agent may do now, what it might have done in the true successor) after a step, each ``[N, A]``.

    Our environments say both.  Of Gymnasium's own, the successor of a session that goes on is what is seen now, and
    that of one that ended stands in ``final_info``.
    """
    mask = mask_of(info)
    if "final_mask" in info or mask is None:
        return mask, info.get("final_mask")
    final = info.get("final_info", {}).get("action_mask") if ends.any() else None
    if final is None:
        return mask, mask
    after = mask.copy()
    for n in np.flatnonzero(ends):
        after[n] = np.asarray(final[n]) == 1
    after[ends & ~after.any(axis=1)] = True                          # gone, and nothing left to choose
    return mask, after


def first_action(env) -> np.ndarray | None:
    """What the environment calls action 0 (its ``Discrete(A, start=…)``); None where that is 0, or nothing counted."""
    start = np.asarray(getattr(env.single_action_space, "start", 0))
    return start if start.any() else None


def outside(action, start: np.ndarray | None):
    """The action as the environment counts it."""
    return action if start is None else action + start


def checked(obs, reward) -> np.ndarray:
    """The rewards of one step as float32 ``[N]``; ValueError names what is not finite among them and in ``obs``."""
    reward = np.asarray(reward, np.float32)
    check_finite("reward", reward)
    check_finite("observation", obs)
    return reward


def found(env, when: str, error: ValueError) -> ValueError:
    """The fault, with the environment and the moment in which it was found."""
    return ValueError(f"{_name(env)}, {when}: {error}")


def crashed(env, t: int, error: Exception) -> Exception:
    """What to raise where the environment's step t of a block raised ``error``: the same, with the place named."""
    if isinstance(error, ValueError):
        return ValueError(f"{_name(env)}, step {t}: {error}")
    return RuntimeError(f"{_name(env)}, step {t}: it raised {type(error).__name__}: {error}")


def _name(env) -> str:
    return env.spec.id if getattr(env, "spec", None) else type(env).__name__
