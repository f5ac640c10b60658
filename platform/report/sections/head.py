"""The head of the page: the question, the answer, and the few numbers that stand behind it."""
from typing import NamedTuple

from ..answer import Answer, answer
from ..leaderboard import Board
from ..results import Results
from ..words import percent, whole


class Tile(NamedTuple):
    number: str
    text: str


class Head(NamedTuple):
    name: str
    question: str
    finished: str                  # when; empty where it is not known
    answer: Answer
    tiles: list[Tile]


def content(r: Results, board: Board) -> Head:
    name, found = r.experiment["name"], answer(r, board)
    finished = str((r.json("machine.json") or {}).get("finished", ""))[:16].replace("T", " ")
    return Head(name, r.experiment.get("question") or name, finished, found,
                [] if found.word == "unranked" else tiles(r, board))


def tiles(r: Results, board: Board) -> list[Tile]:
    """The best learner, what it is compared with, how far it came, and who judged."""
    best, reference = board.best, board.of(r.reference)
    if best is None:
        return []
    found = [Tile(board.show(best.score.mean), f"{r.unit} {r.per} with the best learner, {best.row.label}")]
    if reference:
        policy = ("today's policy, " if r.today else "") + reference.row.label
        found.append(Tile(board.show(reference.score.mean), f"{r.unit} {r.per} with {policy}"))
    if r.bound and r.random:
        top = r.bound.label + ("" if board.passed else ", the best possible,")
        found.append(Tile(percent(best.share), f"of the way from {r.random.label} to {top} covered by "
                                               f"{best.row.label}"))
    if r.measure != "session":
        return [*found, Tile(whole(best.runs), f"independent {r.run_word} of every learner")]
    if r.exact:
        return [*found, Tile("exact", "returns of every policy, by dynamic programming")]
    length = session_length(r)
    each = f", one session of {length} steps each" if length else ""
    return [*found, Tile(whole(r.users.sum()), f"held-out users judged every policy{each}")]


def session_length(r: Results) -> str:
    """The mean length of a session in steps, as text; empty where it is not known."""
    if "length_mean" not in r.scores or r.scores.length_mean.isna().all():
        return ""
    low, high = r.scores.length_mean.min(), r.scores.length_mean.max()
    return f"{low:.0f}" if high - low < 0.5 else f"{low:.0f} to {high:.0f}"
