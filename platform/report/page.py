"""The page of a run: one file, no script, nothing from outside; its sections in their order.

A section is a module of ``sections/``: ``content`` makes a small typed value of the results (None: nothing to say),
and the template of the same name beside it prints that value as ``s``.
"""
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

from ..trial.trial import Role
from . import words
from .leaderboard import Board
from .results import Results
from .sections import (
    about,
    calibration,
    compare,
    estimates,
    examples,
    head,
    leaderboard,
    learning,
    method,
    regret,
    repeat,
    serve,
    shown,
    trials,
    values,
)


class Section(Protocol):
    """What a module of ``sections/`` offers."""

    __name__: str

    def content(self, r: Results, board: Board) -> Any: ...


SECTIONS: tuple[Section, ...] = (
    head, about, leaderboard, serve, learning, regret, values, shown, compare, estimates, examples, calibration,
    method, trials, repeat)


def write_report(r: Results, board: Board) -> Path:
    """Write ``report.html`` into the folder, whole or not at all; returns its path."""
    source = templates(board)
    page = source.get_template("page.html.j2").render(
        title=r.experiment.get("question") or r.experiment["name"], sections=list(rendered(source, r, board)))
    target = r.folder / "report.html"
    part = target.with_name("report.html.part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, target)
    return target


def rendered(source: jinja2.Environment, r: Results, board: Board) -> Iterator[Markup]:
    """Every section that has something to say."""
    for section in SECTIONS:
        value = section.content(r, board)
        if value is not None:
            name = section.__name__.rpartition(".")[2]
            yield Markup(source.get_template(f"sections/{name}.html.j2").render(s=value))


def templates(board: Board) -> jinja2.Environment:
    """The templates, with the numbers as words that they may use."""
    def badge(role: Role) -> Markup:
        return Markup('<span class="badge {}">{}</span>').format(role, board.badge(role))

    def estimate(value: float, session: bool) -> str:
        return words.fixed(value, 1 if session else 4)
    source = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
                                trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    source.filters |= {"show": board.show, "signed": board.signed, "badge": badge, "estimate": estimate,
                       "percent": words.percent, "rate": words.rate, "whole": words.whole, "plus": words.plus,
                       "duration": words.duration, "fixed": words.fixed}
    return source
