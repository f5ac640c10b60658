"""What kind of number the reward is: a like, an amount, a value, or a rating that must not be taken for one.

| family | what it is | for example |
|---|---|---|
| binary | 0 or 1 | click, purchase |
| amount | never negative | seconds watched, cents, counts; often many zeros |
| real | some are negative | profit, change of a score |

A rating is none of these: five stars are not five times as good as one, and most people rate only what they liked.
What counts as a success is the caller's decision, so ratings are refused until it is said.
"""
import numpy as np
import pandas as pd

from .schema import counted

TOPS = (4, 5, 7, 10)                                             # the highest rating of common scales
MOST_LEVELS = 21                                                 # 0 to 10 in half steps
FEW_ZEROS = 0.05


def family_of(reward: pd.Series) -> str:
    """binary, amount or real, of the known rewards ``[rows]``."""
    known = reward.dropna()
    if known.isin([0, 1]).all():
        return "binary"
    return "real" if (known < 0).any() else "amount"


def like_ratings(reward: pd.Series) -> bool:
    """Whether rewards look like ratings: few levels in whole or half steps up to a usual top, and hardly a zero.

    Counts of what was bought look alike (1, 2, 3, 5), but most of them are 1 and the more, the rarer.
    """
    counts = reward.value_counts().sort_index()                  # NaN is not counted
    levels, rows = counts.index.to_numpy(), counts.to_numpy()
    if not 3 <= len(levels) <= MOST_LEVELS or levels[0] < 0 or levels[-1] not in TOPS or (levels * 2 % 1).any():
        return False
    if levels[0] == 0 and rows[0] > FEW_ZEROS * rows.sum():
        return False
    return not (rows[0] >= 0.5 * rows.sum() and (np.diff(rows) <= 0).all())


def decided(frame: pd.DataFrame, like: float | None, as_values: bool, path, notes: list[str]) -> bool:
    """Apply what the caller says of the rewards of ``frame``, in place; returns whether they were ratings.

    ``like`` makes the reward 1 where it is at least that, else 0; ``as_values`` takes ratings as amounts.  ValueError
    where neither is said and the rewards look like ratings, or where ``like`` divides nothing.
    """
    reward = frame["reward"]
    known, rated = reward.dropna(), like_ratings(reward)
    if like is not None and as_values:
        raise ValueError(f"{path}: like = {like:g} and as_values exclude each other: give one of them")
    if like is not None:
        share = (known >= like).mean()
        if share in (0.0, 1.0):
            raise ValueError(f"{path}: like = {like:g} divides nothing: the rewards lie between {known.min():g} and "
                             f"{known.max():g}; it must be above the smallest and at most the largest")
        frame["reward"] = (reward >= like).astype(np.float64).where(reward.notna())
        notes.append(f"a reward of {like:g} or more counts as a like (1), any other as 0: {share:.1%} are likes")
    elif rated and not as_values:
        levels = np.sort(known.unique())
        example = levels[int(0.7 * len(levels))]
        raise ValueError(f"{path}: column 'reward' looks like ratings ({counted(len(levels), 'level')} from "
                         f"{levels[0]:g} to {levels[-1]:g}, mean {known.mean():.3g}): say which count as a success, "
                         f"e.g. like = {example:g} (--like {example:g}), or take them as amounts "
                         "with as_values = true (--as-values)")
    return rated
