"""One plain sentence: does the best learner beat the policy it is compared with?"""
import math
from typing import NamedTuple

from ..judge import verdict
from ..trial.trial import Row
from .leaderboard import Board, Standing
from .results import Results
from .words import percent, span


class Answer(NamedTuple):
    word: str                      # win, loss, unclear, unranked or open (nothing to compare with)
    text: str


def answer(r: Results, board: Board) -> Answer:
    """The answer.  The best of k learners was picked by the scores it is judged by: its level is 1 − 0.05/k."""
    learners = [s for s in board.learners if s.row != r.reference]
    if not r.teaches:
        why = str((r.calibration or {}).get("why", "")).rstrip(".")
        return Answer("unranked", "This log teaches nothing about who likes what, so nobody is ranked"
                                  + (f": {why}." if why else "."))
    if not learners:
        return Answer("open", "No learner has finished, so the question stays open.")
    if r.reference is None or not len(r.runs(r.reference)):
        return Answer("open", _alone(r, board, learners[0]))
    return _against(r, board, r.reference, learners[0], len(learners))


def _alone(r: Results, board: Board, best: Standing) -> str:
    way = f", {percent(best.share)} of the way from {r.random.label} to {r.bound.label}" if r.bound and r.random else ""
    return (f"There is no policy of today to compare with: the best learner is {best.row.label} with "
            f"{board.show(best.score.mean)} {r.unit} {r.per} (95 % interval "
            f"{span(best.score.low, best.score.high, board.show)}){way}.")


def _against(r: Results, board: Board, reference: Row, best: Standing, k: int) -> Answer:
    """The best of ``k`` learners against the reference."""
    gap = verdict.difference(r.runs(best.row), r.runs(reference), r.users.to_numpy(), 1 - 0.05 / k)
    shown, name = r.facing(gap), best.row.label
    scores = f"{board.show(best.score.mean)} against {board.show(best.score.mean - shown.mean)} {r.unit} {r.per}"
    sample = ", ".join(filter(None, (f"{best.runs:,} {r.run_word}", r.judge)))
    sure = (f"95 % interval of the difference {span(shown.low, shown.high, board.signed)}"
            + (f", allowing for the choice among {k} learners" if k > 1 else "") + f"; {sample}")
    policy = f"today's policy ({reference.label})" if r.today else reference.label
    way = "" if r.random is None or math.isnan(best.share_reference) or best.share_reference >= 1 else \
        f"; it covers {percent(best.share_reference)} of the way from {r.random.label} to {reference.label}"
    if best.runs < 2:
        return Answer("unclear", f"It cannot be told from one seed whether the best learner, {name}, beats {policy}: "
                                 f"{scores}{way}.")
    if gap.low > 0:
        return Answer("win", f"Yes, {name} beats {policy}: {scores} ({sure}).")
    if gap.high < 0:
        return Answer("loss", f"No, even the best learner, {name}, loses to {policy}: {scores} ({sure}){way}.")
    return Answer("unclear", f"It cannot be told yet whether the best learner, {name}, beats {policy}: {scores}, and "
                             f"the interval contains zero ({sure}){way}.")
