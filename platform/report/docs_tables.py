"""The figures and the leaderboard of a run for the documentation: SVG files, a Markdown file, and tables in pages."""
import math
import re
from pathlib import Path

from markupsafe import Markup

from .answer import answer
from .drawing import standalone
from .leaderboard import Board
from .results import Results
from .sections import calibration, learning, regret, shown, values
from .words import span


def write_figures(r: Results, board: Board, target: str | Path) -> list[Path]:
    """Write the figures as SVG files and the leaderboard as Markdown into ``target``; returns their paths.

    Pages (Markdown) beside ``target`` that mark a place for this table, from ``<!-- table NAME -->`` to
    ``<!-- end -->``, get the new one.
    """
    target, name = Path(target), r.experiment["name"]
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, picture in figures(r, board).items():
        paths.append(target / f"{name}-{kind}.svg")
        paths[-1].write_text(standalone(picture))
    table = "\n".join(markdown(r, board)) + "\n"
    paths.append(target / f"{name}.md")
    paths[-1].write_text(f"# {r.experiment.get('question') or name}\n\n{answer(r, board).text}\n\n{table}\n"
                         f"Printed by `python -m platform.tune {name}`, {r.steps:,} steps a trial on "
                         f"`{r.experiment['env']['id']}`.\n")
    return paths + put(table, name, target.resolve().parent)


def figures(r: Results, board: Board) -> dict[str, Markup]:
    """The figures of the page by the names of their files; the leaderboard's is left out, the table says it."""
    found: dict[str, Markup | None] = {}
    if curves := learning.content(r, board):
        found["learning"] = curves.figure
    if cost := regret.content(r, board):
        found["regret"] = cost.figure
    if share := shown.content(r, board):
        found["shown"] = share.figure
    if right := values.content(r, board):
        found |= {"gaps": right.error, "maps": right.maps}
    if trust := calibration.content(r, board):
        found["reliability"] = trust.figure
    return {kind: picture for kind, picture in found.items() if picture}


def markdown(r: Results, board: Board) -> list[str]:
    """The leaderboard as lines of Markdown."""
    versus = f"difference to {r.reference.label if r.reference else '–'} | its interval"
    table = [f"| algorithm | {r.unit} {r.per} | 95 % interval | {versus} | {r.run_word} |", "|---|---|---|---|---|---|"]
    for s in board.standings:
        gap = s.difference
        between = "–" if math.isnan(gap.mean) else span(gap.low, gap.high, board.signed)
        own = f"{board.show(s.score.mean)} | {span(s.score.low, s.score.high, board.show)}"
        table.append(f"| {s.row.label} | {own} | {board.signed(gap.mean)} | {between} | {s.runs:,} |")
    return table


def put(table: str, name: str, folder: Path) -> list[Path]:
    """Put the table where the pages of ``folder`` mark a place for it; returns the pages that changed."""
    place = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.S)
    changed = []
    for page in sorted(folder.glob("*.md")):
        old = page.read_text()
        new = place.sub(lambda found: found[1] + table + found[2], old)
        if new != old:
            page.write_text(new)
            changed.append(page)
    return changed
