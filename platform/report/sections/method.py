"""How it was measured: who judged, on whom, with what luck, and what the intervals speak of."""
from typing import NamedTuple

from ..leaderboard import Board
from ..results import Results


class Method(NamedTuple):
    kind: str                      # exact, collected (what counts is earned while learning) or sampled
    people: bool
    live: bool
    steps: int
    users: float
    blocks: int
    reference: str                 # its label, or what stands for one


def content(r: Results, board: Board) -> Method:
    kind = "exact" if r.exact else "sampled" if r.measure == "session" else "collected"
    return Method(kind, r.users_are_people, r.live, r.steps, float(r.users.sum()), len(r.users),
                  r.reference.label if r.reference else "a reference")
