"""The log of a live loop as any other log: its records, joined to a row for every item that was shown.

An outcome that came after its event was closed is left out, as the policy left it out; a slot without one has the
reward that its version learnt (the default), or none while it may still come.
"""
import json
from pathlib import Path
from typing import Any

import pandas as pd

from .segments import frames, scan, segments


def is_served(path) -> bool:
    """Whether ``path`` is a folder of segments."""
    return Path(path).is_dir() and bool(segments(Path(path)))


def table(folder) -> tuple[pd.DataFrame, list[str]]:
    """(rows in the columns of the schema, notes) of the records in ``folder``; ValueError where none is a decision."""
    decisions: dict[str, dict] = {}
    rewards: dict[tuple[str, int], float] = {}
    candidates: dict[str, list[str]] = {}
    notes: list[str] = []
    for path in segments(Path(folder)):
        if torn := scan(path).torn:
            notes.append(f"{path.name}: its last {torn:,} bytes are no whole record (a server that writes, or that was "
                         "killed): left out")
        for each in frames(path):
            record = json.loads(each.payload)
            if record["kind"] == "features":
                candidates[record["digest"]] = [one["id"] if isinstance(one, dict) else one for one in record["value"]]
            elif record["kind"] == "decision":
                decisions[record["id"]] = record
            elif record["kind"] == "outcome" and not record["late"]:
                rewards.setdefault((record["id"], record["slot"]), record["reward"])
            elif record["kind"] == "publish":
                for event, learnt in record["events"]:
                    for slot, reward in enumerate(learnt):
                        rewards.setdefault((event, slot), reward)
    if not decisions:
        raise ValueError(f"{folder}: no decision is in these segments")
    rows: list[dict[str, Any]] = []
    for event, record in decisions.items():
        user = record["user"]
        who = user.get("id") if isinstance(user, dict) else user
        for slot, item in enumerate(record["items"]):
            rows.append({"time": record["at"], "user": event if who is None else str(who), "request": event,
                         "position": slot, "item": item["id"], "candidates": candidates.get(record["candidates"]),
                         "propensity": item["propensity"], "policy": f"version {record['version']}",
                         "reward": rewards.get((event, slot))})
    if any(record["user"] is None for record in decisions.values()):
        notes.append("requests without a user: each is a user of its own")
    frame = pd.DataFrame(rows)
    return frame if frame["candidates"].notna().any() else frame.drop(columns="candidates"), notes
