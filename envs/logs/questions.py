"""Question by question: what a log can answer, how small an effect it shows, and what to record where it cannot.

| question | it takes |
|---|---|
| rank two policies | enough rewarded rows |
| value another policy off-line | propensities, from a policy that varied |
| position effect | positions, some pages in random order |
| repeats and satiation | order, several rows a user, propensities |
| when users leave | sessions that end by the user's choice |
| when users return | dates, several sessions a user |
| drift | three weeks or more |
| time and money | dwell, or an amount as reward |
| personalise | several rows a user, or features of users |

"Detectable" is a difference that is found with 95 % confidence and 80 % power, rows taken as independent.
"""
import math

import numpy as np
import pandas as pd

from . import over_time, times
from .answers import (
    CARRY_OVER_ROWS,
    DAY,
    EXPLORE,
    EXPLORED,
    FEW_ROWS_A_USER,
    WORTHWHILE_LIFT,
    Answer,
    Asked,
    Z,
    visible_difference,
)
from .schema import FEATURES, Log, counted


def ask(log: Log) -> list[Answer]:
    """Every question's answer, always in the same order."""
    frame, pace = log.frame, None
    if "time" in frame and times.dated(frame["time"]):
        days = (frame["time"].max() - frame["time"].min()) / DAY
        pace = len(frame) / days if days >= 1 else None
    known = frame["propensity"].dropna() if "propensity" in frame else pd.Series(dtype=float)
    asked = Asked(log, frame, frame["reward"].dropna(), known, pace)
    return [question(asked) for question in (
        _rank, _value, _position, over_time.satiation, over_time.leaving, over_time.coming_back, over_time.drift,
        _amounts, _personalise)]


def _rank(a: Asked) -> Answer:
    name = "rank two policies"
    if a.reward.nunique() == 1:
        return Answer(name, "no", f"it cannot teach anything: the reward is {a.reward.iloc[0]:g} in every row.",
                      "rows of both kinds, also what was shown and not taken")
    if not a.reward.mean():
        return Answer(name, "no", "the mean reward is 0, so no difference can be told relative to it.",
                      "a reward whose mean is not 0 (a part of it, or counted from another zero)")
    lift, binary = visible_difference(a.reward), a.log.family == "binary"
    have = f"{counted(int(a.reward.sum()), 'positive')} in {counted(len(a.reward), 'row')}" if binary else \
        counted(len(a.reward), "row")
    what = "rates" if binary else "mean rewards"
    if lift > WORTHWHILE_LIFT:
        need = len(a.reward) * (lift / WORTHWHILE_LIFT) ** 2
        return Answer(name, "no", f"too few {'clicks' if binary else 'rows'}. {have} show a difference of two {what} "
                      f"only from {lift:.0%} on (95% confidence, 80% power).",
                      a.rows(need, " in all"))
    return Answer(name, "yes", f"{what} that differ by {lift:.1%} or more: {have} (95% confidence, 80% power).")


def _value(a: Asked) -> Answer:
    name = "value another policy off-line"
    lift = visible_difference(a.reward)
    need = len(a.reward) * (lift / WORTHWHILE_LIFT) ** 2 / EXPLORED
    how_long = f" ({a.rows(need)})" if math.isfinite(need) else ""
    record = f"the propensity of every item shown, and {EXPLORE}{how_long}"
    if a.log.self_selected:
        return Answer(name, "no", "no recommending policy is behind these rows. The direct method (a fitted reward "
                      "model) alone can be reported, as if users had chosen at random.",
                      f"every item shown, taken or not; {record}")
    if a.known.empty:
        return Answer(name, "no", "inverse-propensity and doubly robust estimates: no row has a propensity. The direct "
                      "method (a fitted reward model) alone can be reported, and nothing here shows how wrong it is.",
                      record)
    if (a.known == 1.0).all():
        return Answer(name, "no", "every propensity is 1, the policy never varied.", f"{EXPLORE}{how_long}")
    every = len(a.known) == len(a.frame)
    share = "every row" if every else f"{len(a.known):,} of {len(a.frame):,} rows, and on these alone"
    return Answer(name, "yes" if every else "partly", "by inverse propensity and doubly robust estimates: propensities "
                  f"are known in {share}. The smallest is {a.known.min():.2g}: such a row can weigh "
                  f"{1 / a.known.min():,.0f} times.", "" if every else "the propensity in every row")


def _position(a: Asked) -> Answer:
    name = "position effect"
    record = f"position in every row, and a random order in 15-20 % of the pages ({a.rows(_rows_for_rate(a))})"
    if not a.has("position"):
        return Answer(name, "no", "positions are unknown: taste and the place on the page stay mixed.", record)
    places = a.frame["position"].nunique()
    if places == 1:
        return Answer(name, "no", "every row has the same position: there is nothing to compare.", record)
    drawn = a.frame[_at_random(a.frame)].dropna(subset=["reward", "position"])
    sizes = drawn.groupby("position").size()
    if len(sizes) < 2:
        return Answer(name, "partly", f"{places:,} positions are known, but no rows are known to have had a random "
                      "order: what stands first is also what is liked most.", record)
    lift = visible_difference(drawn["reward"]) * math.sqrt(len(drawn) / sizes.min())
    if math.isinf(lift):
        return Answer(name, "no", "where the order was random the reward is the same in every row, or its mean is 0.",
                      "a reward that varies")
    enough = lift <= WORTHWHILE_LIFT
    return Answer(name, "yes" if enough else "partly", f"{counted(len(drawn), 'row')} with a random order, "
                  f"{sizes.min():,} or more at each of {len(sizes):,} positions, show differences between two "
                  f"positions from {lift:.0%} on.", "" if enough else
                  f"{len(drawn) * (lift / WORTHWHILE_LIFT) ** 2:,.0f} rows with a random order in all")


def _at_random(frame: pd.DataFrame) -> pd.Series:
    """Rows ``[rows]`` that were drawn at random: their policy is called so, or all candidates were as probable."""
    drawn = pd.Series(False, index=frame.index)
    if "policy" in frame:
        drawn |= frame["policy"].str.lower().str.contains("random|uniform").fillna(False).astype(bool)
    if "propensity" in frame and "candidates" in frame:
        sizes = frame["candidates"].map(lambda c: len(c) if c else np.nan).astype(float)
        drawn |= (frame["propensity"] * sizes - 1).abs() < 1e-6
    return drawn


def _rows_for_rate(a: Asked) -> float:
    """Rows that show a worthwhile difference of two halves of the explored share."""
    lift = visible_difference(a.reward)
    return (len(a.reward) * (lift / WORTHWHILE_LIFT) ** 2 if math.isfinite(lift) else CARRY_OVER_ROWS) / EXPLORED


def _amounts(a: Asked) -> Answer:
    name = "time and money"
    column = "reward" if a.log.family == "amount" else "dwell"
    if not a.has(column):
        return Answer(name, "no", "neither dwell nor an amount as reward is recorded.",
                      "dwell (seconds) of every item shown, or what was paid as reward, 0 where nothing was")
    values = a.frame[column].dropna()
    more = np.log(values[values > 0])
    if len(more) < 2:
        return Answer(name, "no", f"{column} is never above 0.", f"{column} above 0")
    show = Z * more.std() * math.sqrt(2 / len(more))
    enough = math.expm1(show) <= WORTHWHILE_LIFT
    return Answer(name, "yes" if enough else "partly", f"{column} is above 0 in {len(more) / len(values):.1%} of "
                  f"{counted(len(values), 'row')}; there, values that differ by {math.expm1(show):.1%} or more show.",
                  "" if enough else a.rows(len(a.frame) * (show / math.log1p(WORTHWHILE_LIFT)) ** 2, " in all"))


def _personalise(a: Asked) -> Answer:
    name = "personalise"
    counts = a.frame["user"].value_counts()
    share = counts[counts >= FEW_ROWS_A_USER].sum() / len(a.frame)
    seen = [column for column in a.frame if column.startswith(FEATURES[:2])]
    if share >= 0.5:
        return Answer(name, "yes", f"from what a user did: {share:.0%} of the rows are of users with {FEW_ROWS_A_USER} "
                      f"or more, half of the users have {counts.median():,.0f} or fewer.")
    if seen:
        return Answer(name, "partly", f"from {counted(len(seen), 'feature')} of users and situations alone: "
                      f"{share:.0%} of the rows are of users with {FEW_ROWS_A_USER} or more.",
                      "a user id that lasts over sessions")
    return Answer(name, "no", f"{share:.0%} of the rows are of users with {FEW_ROWS_A_USER} or more, and nothing is "
                  "known of users beside their id.", "a user id that lasts over sessions, or features (user_…, obs_…)")
