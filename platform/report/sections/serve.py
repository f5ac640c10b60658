"""How to serve the best policy of the run: the bundle beside the results."""
from typing import NamedTuple

from ..leaderboard import Board
from ..results import Results


class Serve(NamedTuple):
    folder: str
    label: str
    algorithm: str
    items: int
    learns: bool                   # whether it goes on learning from single events
    rivals: list[str]              # rows that stand above it and cannot be exported


def content(r: Results, board: Board) -> Serve | None:
    bundle = r.json("bundle/bundle.json")
    if bundle is None:
        return None
    standings = [s.row for s in board.learners]
    above = [row.label for row in standings[:next((i for i, row in enumerate(standings)
                                                   if row.id == bundle["provenance"]["row"]), 0)]]
    return Serve(str(r.folder / "bundle"), bundle["provenance"]["label"], bundle["algorithm"], len(bundle["ids"]),
                 bool(bundle["whole"]), above)
