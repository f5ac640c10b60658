"""A log as arrays for algorithms: its catalogue, and its rows as a transition."""
import numpy as np
import pandas as pd

from .ids import as_text, natural
from .schema import Log, require, runs


def items(log: Log) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(ids ``[A]``, features ``[A, D]`` float32, names of the D features): the numeric item_* columns.

    Ids are text, in order of value where all are whole numbers, else as text.  An item's features are the first known
    value in its rows; a value that is never known becomes the items' mean.
    """
    names = [name for name in log.frame if name.startswith("item_") and pd.api.types.is_numeric_dtype(log.frame[name])]
    table = log.frame[["item", *names]].groupby("item", sort=False).first()
    table = table.loc[natural(table.index)]
    return table.index.to_numpy(object), _dense(table), names


def _dense(table: pd.DataFrame) -> np.ndarray:
    """``[rows, D]`` float32 with nulls replaced by the column's mean (0 where there is none)."""
    table = table.astype(np.float64)
    return table.fillna(table.mean()).fillna(0.0).to_numpy(np.float32)


def to_transition_arrays(log: Log, item_ids) -> dict[str, np.ndarray]:
    """The log as T = 1 step of N = rows users, named as the fields of a transition.

    action = index into ``item_ids``; numbers among these stand for their text.
    obs are the obs_* columns, nulls replaced by the column's mean, or zeros ``[1, N, 1]`` where there are none.
    next_obs is that of the session's next decision; at an end, where nobody saw it, the row's own.
    """
    frame = log.frame
    known = pd.Index(as_text(pd.Series(list(item_ids)), "item_ids", log.path))
    action = known.get_indexer(pd.Index(frame["item"]))
    require(pd.Series(action >= 0), "item", frame["item"], log.path, f"one of the {len(item_ids)} item_ids")
    require(frame["reward"].notna(), "reward", frame["reward"], log.path, "known: leave such rows out first")
    names = [name for name in frame if name.startswith("obs_")]
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise ValueError(f"{log.path}: column '{name}' is text; an observation must be numbers")
    obs = _dense(frame[names]) if names else np.zeros((len(frame), 1), np.float32)   # [N, D]
    order, decision, last = runs(frame)
    begins = np.flatnonzero(np.r_[True, np.diff(decision) > 0])                      # [decisions]
    ends = (frame["terminated"] | frame["truncated"]).to_numpy()[order]
    after = begins[np.minimum(decision + 1, len(begins) - 1)]
    next_obs = np.empty_like(obs)
    next_obs[order] = np.where((last | ends)[:, None], obs[order], obs[order][after])
    propensity = frame["propensity"] if "propensity" in frame else np.full(len(frame), np.nan)
    return {"obs": obs[None], "action": action.astype(np.int64)[None], "next_obs": next_obs[None],
            "reward": frame["reward"].to_numpy(np.float32)[None],
            "terminated": frame["terminated"].to_numpy()[None], "truncated": frame["truncated"].to_numpy()[None],
            "log_prob": np.log(np.asarray(propensity, np.float64)).astype(np.float32)[None]}
