"""What a log can answer: its figures, and in plain words what it can and cannot tell."""
import math
from dataclasses import dataclass

import pandas as pd

from .schema import Log, counted

FEW_ROWS = 20                                                    # below this an item's own rate says little
WORTHWHILE_LIFT = 0.2                                            # few changes of a recommender are worth more
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Check:
    """The figures of a log, and in words what it can and cannot answer."""

    rows: int
    users: int
    items: int
    base_rate: tuple[float, float, float]        # mean reward and its 95 % interval (Wilson for 0/1, else normal)
    positives: int | None                        # rows with reward 1; None where rewards are not 0/1
    positions: dict[int, int]                    # rows a position
    nulls: dict[str, int]                        # null cells a column, columns with any
    facts: list[str]
    can: list[str]
    cannot: list[str]

    def __str__(self):
        parts = (("What is in it", self.facts), ("It can", self.can), ("It cannot", self.cannot))
        return "\n".join(f"{title}\n" + "\n".join(f"  - {line}" for line in lines) for title, lines in parts if lines)


def wilson(positives: float, rows: float) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927): right for rare clicks and for a rate of 0, unlike p ± 2 s."""
    p, z2 = positives / rows, Z95 * Z95
    middle, spread = p + z2 / (2 * rows), Z95 * math.sqrt(p * (1 - p) / rows + z2 / (4 * rows * rows))
    low, high = (middle - spread) / (1 + z2 / rows), (middle + spread) / (1 + z2 / rows)
    return (0.0 if positives == 0 else low), (1.0 if positives == rows else high)


def visible_lift(positives: float, rows: float) -> float:
    """The relative difference of rates that two groups of this size show with 95 % confidence and 80 % power."""
    return (Z95 + 0.8416) * math.sqrt(2 * (1 - positives / rows) / positives) if positives else math.inf


def check(log: Log) -> Check:
    """Count ``log`` and say in words which questions it can and cannot answer."""
    frame = log.frame
    can: list[str] = []
    cannot: list[str] = []
    rewards = frame["reward"].dropna()
    binary = bool(rewards.isin([0, 1]).all())
    positives = int(rewards.sum()) if binary else None
    if binary:
        low, high = wilson(rewards.sum(), len(rewards))
    else:
        low, high = (rewards.mean() + side * Z95 * rewards.std() / math.sqrt(len(rewards)) for side in (-1, 1))
    base = (float(rewards.mean()), float(low), float(high))
    per_item = frame["item"].value_counts()
    facts = _facts(log, base, positives, per_item)
    _ask_ranking(frame, rewards, positives, can, cannot)
    _ask_propensities(frame, can, cannot)
    _ask_support(frame, per_item, cannot)
    _ask_sessions(log, can, cannot)
    positions = frame["position"].dropna().value_counts().sort_index() if "position" in frame else pd.Series(dtype=int)
    nulls = {name: int(count) for name, count in frame.isna().sum().items() if count}
    return Check(len(frame), frame["user"].nunique(), len(per_item), base, positives,
                 {int(place): int(count) for place, count in positions.items()}, nulls, facts, can, cannot)


def _facts(log, base, positives, per_item) -> list[str]:
    frame = log.frame
    when = ""
    if "time" in frame and frame["time"].notna().any():
        first, final = (pd.Timestamp(t, unit="s").date() for t in (frame["time"].min(), frame["time"].max()))
        when = f", {first} to {final}"
    facts = [f"{log.path}: {counted(len(frame), 'row')} of {counted(frame['user'].nunique(), 'user')} and "
             f"{counted(len(per_item), 'item')}{when}."]
    if positives is None:
        facts.append(f"Mean reward {base[0]:.4g}, 95% interval {base[1]:.4g} to {base[2]:.4g}.")
    else:
        facts.append(f"Base rate {base[0]:.2%} ({counted(positives, 'positive')}), 95% interval "
                     f"{base[1]:.2%} to {base[2]:.2%}.")
    facts.append(f"Rows an item: {per_item.min():,} to {per_item.max():,}, half of the items have "
                 f"{per_item.median():,.0f} or fewer; {counted(int((per_item >= 50).sum()), 'item')} with 50 or more.")
    if "position" in frame and frame["position"].notna().any():
        by = frame.groupby("position")["reward"].agg(["size", "mean"])
        facts.append("Positions: " + "; ".join(f"{place:g}: {counted(int(size), 'row')}, mean reward {mean:.4g}"
                                               for place, size, mean in by.itertuples()) + ".")
    nulls = frame.isna().sum()
    if nulls.any():
        facts.append("Nulls: " + ", ".join(f"{name} {count:,}" for name, count in nulls.items() if count) + ".")
    return facts + [f"Note: {note}." for note in log.notes]


def _ask_ranking(frame, rewards, positives, can, cannot) -> None:
    if rewards.nunique() == 1:
        cannot.append(f"teach anything: the reward is {rewards.iloc[0]:g} in every row.")
    elif positives is not None:
        lift = visible_lift(positives, len(rewards))
        have = f"{counted(positives, 'positive')} in {counted(len(rewards), 'row')}"
        if lift > WORTHWHILE_LIFT:
            cannot.append(f"rank two policies: too few clicks. {have} show a difference of two rates only from "
                          f"{lift:.0%} on (95% confidence, 80% power).")
        else:
            can.append(f"resolve rates that differ by {lift:.1%} or more: {have} (95% confidence, 80% power).")
    if "policy" in frame and frame["policy"].nunique() > 1 and positives is not None:
        for name, part in frame.dropna(subset=["reward"]).groupby("policy")["reward"]:
            low, high = wilson(part.sum(), len(part))
            can.append(f"say what policy {name} earned: {part.mean():.2%}, 95% interval {low:.2%} to {high:.2%} "
                       f"({counted(int(part.sum()), 'positive')} in {counted(len(part), 'row')}).")


def _ask_propensities(frame, can, cannot) -> None:
    known = frame["propensity"].dropna() if "propensity" in frame else pd.Series(dtype=float)
    if known.empty:
        cannot.append("give inverse-propensity or doubly robust estimates: no row has a propensity. The direct method "
                      "(a fitted reward model) alone can be reported, and nothing here shows how wrong it is.")
        return
    share = "every row" if len(known) == len(frame) else f"{len(known):,} of {len(frame):,} rows, and on these alone"
    can.append(f"value other policies by inverse propensity and doubly robust estimates: propensities are known in "
               f"{share}. The smallest is {known.min():.2g}: such a row can weigh {1 / known.min():,.0f} times.")
    if known.nunique() == 1 and known.iloc[0] == 1.0:
        cannot.append("say what another choice would have earned: every propensity is 1, the policy never varied.")


def _ask_support(frame, per_item, cannot) -> None:
    few = int((per_item < FEW_ROWS).sum())
    if few:
        cannot.append(f"say much about {few:,} of {counted(len(per_item), 'item')} by their own rates: fewer than "
                      f"{FEW_ROWS} rows each.")
    if "candidates" in frame and frame["candidates"].notna().any():
        named = frame[frame["candidates"].notna()]
        outside = sum(item not in allowed for item, allowed in zip(named["item"], named["candidates"], strict=True))
        if outside:
            cannot.append(f"be trusted in {counted(outside, 'row')}: the item shown is not among the row's candidates.")
        never = set().union(*named["candidates"]) - set(per_item.index)
        if never:
            some = ", ".join(map(str, sorted(never, key=str)[:5])) + (", …" if len(never) > 5 else "")
            cannot.append(f"value a policy that shows one of {counted(len(never), 'candidate')} never shown here: "
                          f"{some}.")
    else:
        cannot.append("say which items could have been shown and were not: it names no candidates, so a policy that "
                      "shows other items than these rows is beyond it.")
    if "policy" in frame and frame["policy"].nunique() > 1:
        shown = frame.groupby("item")["policy"].nunique()
        alone = int((shown < frame["policy"].nunique()).sum())
        if alone:
            cannot.append(f"compare its policies on {counted(alone, 'item')} that not all of them have shown.")


def _ask_sessions(log, can, cannot) -> None:
    frame = log.frame
    if "position" not in frame or frame["position"].isna().all():
        cannot.append("separate taste from the place on the page: positions are unknown.")
    if "session" not in frame:
        cannot.append("say what a recommendation does to the rest of a session: it names no sessions.")
    elif frame["terminated"].any():
        can.append(f"show when users leave: they end a session in {counted(int(frame['terminated'].sum()), 'row')}.")
    else:
        cannot.append("show when users leave: no session is known to have ended by the user's choice.")
