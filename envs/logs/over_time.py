"""The questions about what happens over time: satiation, leaving, coming back, drift."""
import math

import pandas as pd

from . import times
from .answers import (
    CARRY_OVER,
    CARRY_OVER_ROWS,
    CARRY_OVER_SE,
    DAY,
    ENOUGH_EVENTS,
    EXPLORE,
    WEEKS,
    WORTHWHILE_LIFT,
    Answer,
    Asked,
    Z,
    visible_difference,
    visible_lift,
)
from .schema import counted


def satiation(a: Asked) -> Answer:
    name = "repeats and satiation"
    need = CARRY_OVER_ROWS * (Z * CARRY_OVER_SE / CARRY_OVER) ** 2
    record = f"the order of events (step or time) and the propensity of every item shown, and {EXPLORE} " \
             f"({a.rows(max(need, CARRY_OVER_ROWS))} show a carry-over of {Z * CARRY_OVER_SE:.3f} in log-odds)"
    if a.log.self_selected:
        return Answer(name, "no", "users chose these items: their order is the order of entry, not of a recommender.",
                      record)
    if not (a.has("time") or a.has("step")):
        return Answer(name, "no", "nothing tells the order of events.", record)
    later = a.frame["user"].duplicated()
    if not later.any():
        return Answer(name, "no", "no user has two rows.", f"a user id that lasts; {record}")
    varied = a.frame["propensity"].lt(1) if "propensity" in a.frame else pd.Series(False, index=a.frame.index)
    rows = int((later & varied).sum())
    if not rows:
        return Answer(name, "partly", "no propensities of a policy that varied: only a bracket and a sign, and only if "
                      "you declare that your system never shows less of what was just liked.", record)
    detectable = Z * CARRY_OVER_SE * math.sqrt(CARRY_OVER_ROWS / rows)
    enough = detectable <= CARRY_OVER
    return Answer(name, "yes" if enough else "partly", f"{counted(rows, 'row')} after an earlier one of the same user, "
                  f"with propensities, show a carry-over of {detectable:.3f} in log-odds or more.",
                  "" if enough else a.rows(need, " of this kind"))


def leaving(a: Asked) -> Answer:
    name = "when users leave"
    record = "session, and in its last row terminated (the user left) or truncated (only the record stops), until " \
             f"some {ENOUGH_EVENTS:.0f} sessions have ended"
    if not a.has("session"):
        return Answer(name, "no", "it names no sessions.", record)
    ends = int(a.frame["terminated"].sum())
    if not ends:
        return Answer(name, "no", "no session is known to have ended by the user's choice.", record)
    lift = visible_lift(ends, len(a.frame)) if ends < len(a.frame) else math.inf
    if math.isinf(lift):
        return Answer(name, "no", "every row ends its session: nobody could stay.", "sessions of several rows")
    enough = lift <= WORTHWHILE_LIFT
    return Answer(name, "yes" if enough else "partly", f"users end a session in {counted(ends, 'row')}: hazards that "
                  f"differ by {lift:.0%} or more show.", "" if enough else record)


def coming_back(a: Asked) -> Answer:
    name = "when users return"
    record = "time as a date, and session, for the same users until some " \
             f"{ENOUGH_EVENTS:.0f} have come back (several sessions a user)"
    if not (a.has("time") and times.dated(a.frame["time"])):
        return Answer(name, "no", "it has no dates.", record)
    if not a.has("session"):
        return Answer(name, "no", "it names no sessions.", record)
    pairs = a.frame[["user", "session"]].dropna().drop_duplicates()
    back = int(pairs["user"].duplicated().sum())
    if not back:
        return Answer(name, "no", "no user has two sessions.", record)
    lift = Z * math.sqrt(2 / back)
    enough = lift <= WORTHWHILE_LIFT
    return Answer(name, "yes" if enough else "partly", f"users come back {counted(back, 'time')}: hazards that differ "
                  f"by {lift:.0%} or more show.", "" if enough else record)


def drift(a: Asked) -> Answer:
    name = "drift"
    record = f"time as a date, for {WEEKS} weeks or more"
    if not (a.has("time") and times.dated(a.frame["time"])):
        return Answer(name, "no", "it has no dates.", record)
    days = (a.frame["time"].max() - a.frame["time"].min()) / DAY
    if days < 7 * WEEKS:
        return Answer(name, "no", f"it spans {days:.1f} days: a forecast of the week ahead needs weeks to learn from.",
                      record)
    lift = visible_difference(a.reward) * math.sqrt(days / 7)
    if math.isinf(lift):
        return Answer(name, "no", "the reward is the same in every row, or its mean is 0.", "a reward that varies")
    enough = lift <= WORTHWHILE_LIFT
    return Answer(name, "yes" if enough else "partly", f"it spans {days:,.0f} days; from one week to the next a change "
                  f"of {lift:.1%} of the mean reward shows.",
                  "" if enough else f"{7 / days * len(a.reward) * (lift / WORTHWHILE_LIFT) ** 2:,.0f} rows a week")
