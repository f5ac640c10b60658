"""Pending updates: rows whose reward is not known yet wait here until the step at which it is."""
from typing import Any

import numpy as np

from ..core import tree_map


class Pending:
    """The clock of the steps learnt from, and the rows that are due later.

    Rows are a NamedTuple of arrays ``[M, …]`` and None; those that wait keep their order among equals.
    """

    def __init__(self):
        self.clock = 0
        self.rows: Any = None                    # None: nothing waits
        self.due = np.zeros(0, np.int64)         # [M] the step at which each row's reward is known

    def release(self, rows, steps: int, delay: np.ndarray | None):
        """Let ``steps`` more steps pass; returns the rows known by now, ordered by the step at which each is, and that
        step ``[M]`` (None: every row is known at its own step, and nothing was waiting).

        ``rows``: M rows of these steps in row order t, n (and then the places of a slate); ``delay [T, N]``: after how
        many steps each is known, None: at once.
        """
        begin, self.clock = self.clock, self.clock + steps
        if delay is None and self.rows is None:
            return rows, None
        due = np.repeat(np.arange(begin, self.clock), len(rows.action) // steps)
        if delay is not None:
            due = due + np.repeat(delay.reshape(-1), len(due) // delay.size)
        if self.rows is not None:
            rows = tree_map(lambda *parts: np.concatenate(parts), self.rows, rows)
            due = np.concatenate([self.due, due])
        order = np.argsort(due, kind="stable")
        ready, later = order[due[order] < self.clock], order[due[order] >= self.clock]
        self.rows, self.due = tree_map(lambda part: part[later], rows) if len(later) else None, due[later]
        return tree_map(lambda part: part[ready], rows), due[ready]

    def state_dict(self) -> dict[str, Any]:
        """A snapshot; empty where nothing waits."""
        if self.rows is None:
            return {}
        held = {name: part for name, part in self.rows._asdict().items() if part is not None}
        return {"due": self.due.copy(), "rows": tree_map(np.array, held)}

    def load(self, clock, state: dict[str, Any], kind: type) -> None:
        """Continue at ``clock`` from a `state_dict` of rows of the NamedTuple ``kind``."""
        self.clock, self.rows, self.due = int(clock), None, np.zeros(0, np.int64)
        if state:
            nothing: dict[str, Any] = dict.fromkeys(kind._fields)            # type: ignore[attr-defined]
            self.rows = kind(**nothing | tree_map(np.array, dict(state["rows"])))
            self.due = np.array(state["due"])
