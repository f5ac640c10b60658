"""The schema of an interaction log: its columns, what they may hold, and how rows make sessions.

A row is one item shown to one user.  Only `user`, `item` and one of `click` and `reward` are required; what a log lacks
is null or absent.  Ids (user, session, request, item, policy, the entries of candidates) are text, as written.
"""
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

NUMBERS = ("time", "step", "position", "propensity", "click", "dwell", "reward")
FLAGS = ("terminated", "truncated")
IDS = ("user", "session", "request", "item", "policy")
LISTS = ("candidates", "mask")                                   # ids that could have been shown; which were allowed
SCHEMA = ("time", "user", "session", "request", "step", "position", "item", "candidates", "mask", "propensity",
          "policy", "click", "dwell", "reward", "terminated", "truncated")
FEATURES = ("obs_", "user_", "item_")                            # any column that begins like this is a feature


@dataclass(frozen=True, eq=False)
class Log:
    """Rows of an interaction log in the schema's form, and what had to be assumed to bring them there."""

    frame: pd.DataFrame
    path: str
    notes: list[str] = field(default_factory=list)
    family: str = "binary"
    """what kind of number the reward is: binary, amount or real (`envs.logs.rewards`)"""
    self_selected: bool = False
    """whether users chose these items themselves, so that no recommender is behind the rows"""


def in_schema(name) -> bool:
    """Whether ``name`` is a column of the schema or a feature."""
    return name in SCHEMA or str(name).startswith(FEATURES)


def require(good: pd.Series, name, column, path, valid):
    """ValueError names the first cell of ``column`` that is not ``good [rows]``, and what is ``valid``."""
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        value = column.iloc[row]
        value = value.item() if isinstance(value, np.generic) else value
        raise ValueError(f"{path}: column '{name}' = {value!r} in row {row + 1} must be {valid}")


def check_ranges(frame: pd.DataFrame, path) -> None:
    """Every number where the schema allows it; ValueError names file, column, value and row."""
    def within(name: str, valid: str, test: Callable):
        if name in frame:
            require(frame[name].isna() | test(frame[name]), name, frame[name], path, valid)

    within("propensity", "in (0, 1]", lambda p: (p > 0) & (p <= 1))
    within("click", "0 or 1 (ratings and amounts belong in reward)", lambda c: c.isin([0, 1]))
    for name in ("step", "position"):
        within(name, "a whole number, 0 or more", lambda n: (n >= 0) & (n % 1 == 0))
    within("dwell", "0 or more", lambda d: d >= 0)
    for name in FLAGS:
        within(name, "true or false", lambda flag: flag.isin([0, 1]))
    if frame["reward"].isna().all():
        raise ValueError(f"{path}: column 'reward' (or 'click') is null in every row, must be known in at least one")
    if "mask" in frame:
        if "candidates" not in frame:
            raise ValueError(f"{path}: column 'mask' needs a column 'candidates' of equally long lists")
        fits = [m is None or (c is not None and len(m) == len(c))
                for m, c in zip(frame["mask"], frame["candidates"], strict=True)]
        require(pd.Series(fits), "mask", frame["mask"], path, "as long as the row's candidates")


def runs(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in the order of their sessions: (order, decision, last), each ``[N]``, the latter two in that order.

    A decision is a request, or one row where requests are unknown; ``last`` marks the session's last decision.
    Without sessions a user's whole record is one.  In a session `step` decides, else `time`, else the file's order.
    """
    rows = np.arange(len(frame))
    keys = ["user", *(["session"] if "session" in frame else [])]
    session = frame.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    clock = next((name for name in ("step", "time") if name in frame and frame[name].notna().all()), None)
    moment = rows if clock is None else frame[clock].to_numpy()
    named = "request" in frame and bool(frame["request"].notna().all())
    request = pd.factorize(frame["request"])[0] if named else rows
    order = np.lexsort((rows, request, moment, session))
    session, request = session[order], request[order]
    begins = np.r_[True, (session[1:] != session[:-1]) | (request[1:] != request[:-1])]
    decision = np.cumsum(begins) - 1
    final = pd.Series(decision).groupby(session).transform("max").to_numpy()
    return order, decision, decision == final


def fill_ends(frame: pd.DataFrame, notes: list[str]) -> None:
    """Fill `terminated` and `truncated`: an unknown end of a session is a truncation at its last decision."""
    for name in FLAGS:
        frame[name] = frame[name].fillna(0.0).astype(bool) if name in frame else False
    order, decision, last = runs(frame)
    ended = (frame["terminated"] | frame["truncated"]).to_numpy()[order]
    known = np.bincount(decision, ended) > 0                                          # [decisions]
    unknown = last & ~known[decision]
    truncated = frame["truncated"].to_numpy().copy()
    truncated[order[unknown]] = True
    frame["truncated"] = truncated
    if unknown.any():
        count, of = len(np.unique(decision[unknown])), len(np.unique(decision[last]))
        what = "sessions" if "session" in frame else "users' records (no sessions are named: a user's rows are one)"
        notes.append(f"the end is unknown in {count:,} of {of:,} {what}: counted as truncated at the last row")
    if (ended & ~last).any():
        notes.append(f"{counted(int((ended & ~last).sum()), 'row')} said to end a session that goes on in later rows")


def note_duplicates(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """``frame`` without rows that cannot be there twice; all other identical rows are kept, and both kinds are noted.

    A place on a page (request, or time, with position) holds one item, so the same row again is the same event
    exported twice: counted twice, it would make every interval too narrow.
    """
    def plain(part: pd.DataFrame) -> pd.DataFrame:                                        # lists cannot be compared
        lists = [name for name in part if part[name].dtype == object]
        return part.assign(**{name: part[name].map(lambda cell: repr(_listed(cell))) for name in lists})

    alike = plain(frame[[name for name in frame if name in SCHEMA]]).duplicated(keep=False)  # features cost much more
    again = pd.Series(False, index=frame.index)
    again[alike] = plain(frame[alike]).duplicated()
    if not again.any():
        return frame
    placed = pd.Series(False, index=frame.index)
    if "position" in frame:
        for name in ("request", "time"):
            if name in frame:
                placed |= frame[name].notna() & frame["position"].notna()
    gone, kept = int((again & placed).sum()), int((again & ~placed).sum())
    if gone:
        notes.append(f"{counted(gone, 'duplicate row')} left out: identical to an earlier row, down to the place on "
                     "the page, so the same event written twice")
    if kept:
        notes.append(f"{counted(kept, 'duplicate row')} kept: identical to an earlier row in every column, and "
                     "nothing tells an event that happened again from one written twice (request, or time, with "
                     "position would); if written twice, all intervals are too narrow")
    return frame[~(again & placed)].reset_index(drop=True)


def _listed(cell):
    """An array as a list: its text is shortened, a list's is not."""
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def counted(count: int, noun: str) -> str:
    """1 row, 2,000 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
