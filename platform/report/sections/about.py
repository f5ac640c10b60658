"""What the page is about: who is simulated, what the learners did, and who the fixed rows are."""
from typing import NamedTuple

from ...trial.trial import Row
from ..leaderboard import Board
from ..results import Results


class Log(NamedTuple):
    name: str
    rows: int
    users: int
    items: int


class About(NamedTuple):
    env: str
    live: bool                     # users are fitted to a log
    log: Log | None                # where it is known
    measure: str
    exact: bool
    steps: int                     # environment steps of a trial
    at_a_time: int                 # users; 0 where it is not known
    interactions: int              # steps of one run
    runs: int                      # of the best learner
    users: float                   # held out
    people: bool                   # users nobody met in training, not only other seeds
    random: Row | None
    reference: Row | None
    bound: Row | None
    passed: bool                   # the bound is none
    notices: list[str]             # what happened on the way: workers lost, checkpoints passed over


def content(r: Results, board: Board) -> About:
    log, people = r.calibration or {}, r.experiment.get("population") or {}
    return About(r.experiment["env"]["id"], r.live,
                 Log(log["log"], log["rows"], log["users"], log["items"]) if "rows" in log else None,
                 r.measure, r.exact, r.steps, people.get("shards", 1) * people.get("users_per_shard", 0),
                 r.steps // r.runs_each, board.best.runs if board.best else 0, float(r.users.sum()),
                 r.users_are_people, r.random, r.reference, r.bound, board.passed,
                 (r.json("machine.json") or {}).get("notices", []))
