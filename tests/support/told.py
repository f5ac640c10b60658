"""What a results folder tells: its standings by label, and its answer."""
from platform.report.answer import answer
from platform.report.leaderboard import Board
from platform.report.results import Results


def told(folder):
    """({label: standing}, the sentence) of a finished run."""
    r = Results(folder)
    board = Board(r)
    return {s.row.label: s for s in board.standings}, answer(r, board).text
