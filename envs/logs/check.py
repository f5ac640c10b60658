"""What a log can answer: its figures, and in plain words what it can and cannot tell."""
import math
from dataclasses import dataclass

import pandas as pd

from . import times
from .answers import Answer
from .questions import ask
from .schema import Log, counted

FEW_ROWS = 20                                                    # below this an item's own rate says little
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
    answers: list[Answer]                        # question by question
    limits: list[str]                            # items and rows that the answers do not reach

    @property
    def can(self) -> list[str]:
        """What it answers, at least in part."""
        return [f"{answer.question}: {answer.why}" for answer in self.answers if answer.verdict != "no"]

    @property
    def cannot(self) -> list[str]:
        """What it does not answer."""
        never = [f"{answer.question}: {answer.why}" for answer in self.answers if answer.verdict == "no"]
        return never + self.limits

    def __str__(self):
        parts = (("What is in it", self.facts), ("What it can answer", self.answers), ("It cannot", self.limits))
        return "\n".join(f"{title}\n" + "\n".join(f"  - {line}" for line in lines) for title, lines in parts if lines)


def wilson(positives: float, rows: float) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927): right for rare clicks and for a rate of 0, unlike p ± 2 s."""
    p, z2 = positives / rows, Z95 * Z95
    middle, spread = p + z2 / (2 * rows), Z95 * math.sqrt(p * (1 - p) / rows + z2 / (4 * rows * rows))
    low, high = (middle - spread) / (1 + z2 / rows), (middle + spread) / (1 + z2 / rows)
    return (0.0 if positives == 0 else low), (1.0 if positives == rows else high)


def check(log: Log) -> Check:
    """Count ``log`` and say question by question what it can and cannot answer."""
    frame, rewards = log.frame, log.frame["reward"].dropna()
    positives = int(rewards.sum()) if log.family == "binary" else None
    if positives is not None:
        low, high = wilson(rewards.sum(), len(rewards))
    else:
        low, high = (rewards.mean() + side * Z95 * rewards.std() / math.sqrt(len(rewards)) for side in (-1, 1))
    base = (float(rewards.mean()), float(low), float(high))
    per_item = frame["item"].value_counts()
    positions = frame["position"].dropna().value_counts().sort_index() if "position" in frame else pd.Series(dtype=int)
    nulls = {name: int(count) for name, count in frame.isna().sum().items() if count}
    return Check(len(frame), frame["user"].nunique(), len(per_item), base, positives,
                 {int(place): int(count) for place, count in positions.items()}, nulls,
                 _facts(log, base, positives, per_item), ask(log), _limits(frame, per_item))


def _facts(log, base, positives, per_item) -> list[str]:
    frame = log.frame
    when = ""
    if "time" in frame and times.dated(frame["time"]):
        when = f", {times.span(frame['time'])}"
    facts = [f"{log.path}: {counted(len(frame), 'row')} of {counted(frame['user'].nunique(), 'user')} and "
             f"{counted(len(per_item), 'item')}{when}."]
    if log.self_selected:
        facts.append("The log has no recommending policy: users chose these items themselves (ratings or purchases, no "
                     "impressions). There is no policy of today to compare with, and what the order of events does is "
                     "not asked. Had a system of yours shown them, its name (policy), position or request would tell.")
    if positives is None:
        facts.append(_kind(log.frame["reward"].dropna(), log.family))
        facts.append(f"Mean reward {base[0]:.4g}, {_interval(base[1], base[2])}.")
    else:
        facts.append(f"Base rate {base[0]:.2%} ({counted(positives, 'positive')}), 95% interval "
                     f"{base[1]:.2%} to {base[2]:.2%}.")
    facts.append(f"Rows an item: {per_item.min():,} to {per_item.max():,}, half of the items have "
                 f"{per_item.median():,.0f} or fewer; {counted(int((per_item >= 50).sum()), 'item')} with 50 or more.")
    if "position" in frame and frame["position"].notna().any():
        by = frame.groupby("position")["reward"].agg(["size", "mean"])
        facts.append("Positions: " + "; ".join(f"{place:g}: {counted(int(size), 'row')}, mean reward "
                                               f"{'unknown' if math.isnan(mean) else format(mean, '.4g')}"
                                               for place, size, mean in by.itertuples()) + ".")
    if "policy" in frame and frame["policy"].nunique() > 1:
        facts.extend(_earned(frame, positives is not None))
    nulls = frame.isna().sum()
    if nulls.any():
        facts.append("Nulls: " + ", ".join(f"{name} {count:,}" for name, count in nulls.items() if count) + ".")
    return facts + [f"Note: {note}." for note in log.notes]


def _kind(rewards: pd.Series, family: str) -> str:
    """The family of rewards that are no likes, in a sentence."""
    span = f"{rewards.min():g} to {rewards.max():g}"
    if family == "amount":
        return f"The reward is an amount (counts, time or money): {span}, {(rewards == 0).mean():.1%} are zero."
    return f"The reward is a real number: {span}, {(rewards < 0).mean():.1%} are negative."


def _earned(frame: pd.DataFrame, binary: bool) -> list[str]:
    """What every policy of the log earned, a sentence each."""
    facts = []
    for name, part in frame.dropna(subset=["reward"]).groupby("policy")["reward"]:
        if binary:
            low, high = wilson(part.sum(), len(part))
            facts.append(f"Policy {name} earned {part.mean():.2%}, 95% interval {low:.2%} to {high:.2%} "
                         f"({counted(int(part.sum()), 'positive')} in {counted(len(part), 'row')}).")
        else:
            half = Z95 * part.std() / math.sqrt(len(part))
            facts.append(f"Policy {name} earned {part.mean():.4g} a row, "
                         f"{_interval(part.mean() - half, part.mean() + half)} ({counted(len(part), 'row')}).")
    return facts


def _interval(low: float, high: float) -> str:
    """The interval of a mean in words; one row alone has none."""
    return "one row has no interval" if math.isnan(low) else f"95% interval {low:.4g} to {high:.4g}"


def _limits(frame, per_item) -> list[str]:
    """Which items and rows the answers do not reach."""
    cannot = []
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
    return cannot
