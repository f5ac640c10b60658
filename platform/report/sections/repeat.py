"""Machine, versions, and how to repeat the run."""
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from ..leaderboard import Board
from ..results import Results


class Repeat(NamedTuple):
    facts: list[tuple[str, str]]
    commit: str                    # empty where it is not known
    name: str
    experiment: str                # the resolved YAML


def content(r: Results, board: Board) -> Repeat:
    machine = r.json("machine.json") or {}
    return Repeat([(name.replace("_", " "), words(value)) for name, value in machine.items()],
                  str(machine.get("commit") or "")[:12], r.experiment["name"],
                  yaml.safe_dump(r.experiment, sort_keys=False, allow_unicode=True))


def words(value: Any) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)
