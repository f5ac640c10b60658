"""What the command says in the terminal after a run: the leaderboard, the answer, where the report lies."""
import math
import traceback

from . import words


def conclude(console, folder, verbose, target=None) -> int:
    """Leaderboard, answer, estimates, report; returns the exit status."""
    from . import docs_tables, page
    from .answer import answer
    from .leaderboard import Board
    from .results import Results
    from .sections import estimates

    try:
        r = Results(folder)
        board = Board(r)
        print_leaderboard(console, r, board)
        console.print(f"\n[bold]{answer(r, board).text}[/bold]")
        for line in estimates.lines(r):
            console.print(line, soft_wrap=True)
        console.print(f"report: {page.write_report(r, board)}", soft_wrap=True)
        if target:
            docs_tables.write_figures(r, board, target)
    except (OSError, ValueError, KeyError) as error:
        if verbose:
            traceback.print_exc()
        console.print(f"[red]no report[/red]: {error} (folder {folder})")
        return 1
    return 0


def print_leaderboard(console, r, board) -> None:
    """The leaderboard as a table; a narrow terminal leaves out the seeds and the second interval."""
    from rich.table import Table

    title = ", ".join(filter(None, (f"{r.unit} {r.per}", r.judge, "95 % intervals")))
    title += "" if r.teaches else " (no ranking: the log teaches nothing)"
    out = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left", header_style="bold")
    other, wide = "to today's" if r.live else "difference", console.width >= 100
    for name in ["algorithm", r.unit, "interval", "way", other, *(["its interval", r.run_word] if wide else []),
                 "steps/s", "time"]:
        out.add_column(name, justify="left" if name in ("algorithm", "interval", "its interval") else "right",
                       no_wrap=name != "algorithm", min_width=12 if name == "algorithm" else None)
    for s in board.standings:
        out.add_row(*_line(s, board, wide), style="" if s.row.role.races else "dim" if s.row == r.bound else "cyan")
    console.print(out)
    notes = [f"way: from {r.random.label} (0 %) to {r.top} (100 %)"] if r.random and r.top else []
    paired = ", paired over users" if r.measure == "session" and not r.exact else ""
    notes += [f"{other}: to {r.reference.label}{paired}"] if r.reference else []
    console.print("; ".join(notes), style="dim")


def _line(s, board, wide) -> list[str]:
    """The cells of one row."""
    gap, show = s.difference, board.show
    compared = not math.isnan(gap.mean)
    more = [words.span(gap.low, gap.high, board.signed) if compared else "", str(s.runs)] if wide else []
    return [s.row.label, show(s.score.mean), words.span(s.score.low, s.score.high, show), words.percent(s.share),
            board.signed(gap.mean) if compared else "", *more, words.rate(s.env_steps_per_s), words.duration(s.wall_s)]
