"""What all figures share: inline SVG without outside references, and how a row of the leaderboard looks.

Everything is drawn with Matplotlib's object interface; no state is shared between figures or with the caller.  A
figure takes the page's own colours and font; an algorithm has one colour in every figure of every report.
"""
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from custom_algos import ALGORITHMS

from ..experiment.model import REFERENCES
from ..trial.trial import Role, Row
from .leaderboard import Board
from .results import Results

# the first eight after Okabe & Ito, then each as far as can be (in OKLab) from those before it; with a
# contrast above 2 : 1 against a white page and against a dark one
PALETTE = ("#1f83c9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#a6761d",
           "#007000", "#b02848", "#60c040", "#306090", "#e888f8", "#8838b0", "#805810", "#9080f8",
           "#d04080", "#008078", "#f89090", "#388800", "#a89800", "#f87030", "#00b8a0", "#3860d8",
           "#0098f8", "#b098e0", "#b05850", "#b860d0", "#50a818", "#885078", "#e85868", "#a8b068",
           "#305840", "#980078", "#6098a8", "#5040a8", "#c09078", "#903008", "#8058e0", "#f868c0")
RLLIB = ("PPO", "APPO", "IMPALA", "DQN", "SAC")
PLACES = {name: i for i, name in enumerate([*((Role.RLLIB, name) for name in RLLIB),
                                            *((Role.LEARNER, name) for name in ALGORITHMS if name not in REFERENCES)])}
MARKERS = "osD^vPX*<>hd"                                    # tell lines apart where colours cannot
GREY = "#8b929c"                                            # what does not learn
INK, LINE = "#010203", "#040506"                            # stand-ins: the page puts its own colours in their place
STYLE = {"font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": LINE,
         "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": LINE,
         "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
         "legend.frameon": False, "svg.fonttype": "none", "lines.solid_capstyle": "round"}


class Look(NamedTuple):
    """How a row is drawn in every figure."""

    colour: str
    dash: str                      # RLlib's lines are dashed
    marker: str                    # another one for every learner of a report


def colour(role: Role, name: str, number: int = 0) -> str:
    """The colour of an algorithm; its later rows in one report (``number`` 1, 2, …) are darker and lighter in turn."""
    if role not in (Role.LEARNER, Role.RLLIB):
        return GREY
    place = PLACES.get((role, name), zlib.crc32(name.encode()))
    aim, weight = (0.0 if number % 2 else 1.0), 0.2 * ((number + 1) // 2)
    red, green, blue = ((1 - weight) * part + weight * aim for part in to_rgb(PALETTE[place % len(PALETTE)]))
    return to_hex((red, green, blue))


def looks(rows: Iterable[Row]) -> dict[str, Look]:
    """How every row of a report is drawn, by its id."""
    found: dict[str, Look] = {}
    seen: Counter[tuple[Role, str]] = Counter()
    for row in rows:
        marker = MARKERS[sum(seen.values()) % len(MARKERS)]
        found[row.id] = Look(colour(row.role, row.algorithm, seen[row.role, row.algorithm]),
                             "--" if row.role == Role.RLLIB else "-", marker if row.role.races else "")
        seen.update([(row.role, row.algorithm)] if row.role.races else [])
    return found


def draw(name: str, alt: str, width: float, height: float, paint: Callable[[Figure], None]) -> Markup:
    """An inline SVG, in inches, of what ``paint(figure)`` draws: ids of its own, the page's colours."""
    settings: Any = STYLE | {"svg.hashsalt": name}
    with matplotlib.rc_context(settings), io.StringIO() as out:
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.S)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    head = rf'<svg \1 role="img" aria-label="{escape(alt)}">'
    text = re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', head, text, count=1)
    text = text.replace(INK, "currentColor").replace(LINE, "var(--line)")
    return Markup(re.sub(r"\n\s*", "\n", text))


def standalone(picture: str) -> str:
    """An inline picture as a file of its own, in inks that are legible on white and on black."""
    text = str(picture).replace("currentColor", "#6f7782").replace("var(--line)", "#c3cad2")
    return text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)


# lines and legends --------------------------------------------------------------------------------------------------
def trace(axes: Axes, x: Sequence[float], y: Sequence[float], look: Look, label: str) -> Line2D:
    """The line of a row, with its marker where the line is long enough to need one."""
    line, = axes.plot(x, y, color=look.colour, linewidth=1.8, linestyle=look.dash, label=label, marker=look.marker,
                      markersize=4, markevery=0.15 if len(x) > 1 else None)
    return line


def special_lines(r: Results, board: Board, along: Callable[..., Line2D]) -> list[Line2D]:
    """Random dotted, the reference dashed, the bound solid, each at its score; ``along`` is axvline or axhline."""
    drawn: list[Line2D] = []
    dashes = {row: dash for row, dash in ((r.reference, "--"), (r.random, ":"), (r.bound, "-")) if row}
    for row, dash in dashes.items():
        if standing := board.of(row):
            text = f"{row.label}, in the leaderboard" if row.role.races else row.label
            drawn.append(along(standing.score.mean, color=GREY, linestyle=dash, linewidth=1.2, zorder=1, label=text))
    return drawn


def shaded(text: str = "95 % interval") -> Patch:
    """The legend's entry for a band or a bar."""
    return Patch(color=GREY, alpha=0.35, linewidth=0, label=text)


def stroke(text: str, **style: Any) -> Line2D:
    """The legend's entry for a kind of line or point that every row has."""
    return Line2D([], [], **({"color": GREY, "label": text} | style))


def explain(figure: Figure, handles: Sequence[Artist]) -> None:
    """The legend below the panels, in as many columns as its texts leave room for."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = int(figure.get_figwidth() / (0.6 + 0.07 * longest))         # inches of a handle, and of a letter
    figure.legend(handles=handles, loc="outside lower center", ncols=min(max(columns, 1), len(handles)))
