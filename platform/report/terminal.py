"""What the command says in the terminal: before a run, instead of one, and after it."""
import math
import traceback

from . import words

RLLIB_RATE = 3_000                                        # measured with quickstart.yaml, one quiet core


def list_all() -> int:
    """Experiments, environments and algorithms by name."""
    import custom_algos
    import envs

    from ..experiment.model import shipped

    print("experiments:")
    for name, path in shipped().items():
        print(f"  {name:20} {path.read_text().splitlines()[0].lstrip('# ')}")
    print("environments:", *envs.MODELS, sep="\n  ")
    print("algorithms:", *custom_algos.ALGORITHMS, sep="\n  ")
    print("RLlib baselines (rllib: NAME):\n  PPO, APPO, IMPALA, DQN, SAC")
    return 0


def introduce(console, e, trials, plan, folder) -> None:
    """What is going to be run."""
    learners = sorted({t["label"] for t in trials if t["kind"] in ("ours", "rllib")})
    console.print(f"[bold]{e.question or e.name}[/bold]")
    from ..run.workers import make_env

    runs, session = e.population.replications, e.score == "session"
    exact = hasattr(make_env(e.env.id, e.env.params, 1), "random_return")
    judge = "exactly, by dynamic programming" if exact else f"on {e.population.eval_users:,} held-out users"
    console.print(f"{len(trials)} trials: {', '.join(learners)} × {e.seeds} seeds"
                  + (f" × {runs:,} independent runs" if runs > 1 else "")
                  + (", and random, today's policy and the bounds once" if session else ""))
    console.print(f"budget: {e.budget.env_steps:,} real env steps a trial on {e.env.id}; "
                  f"{e.population.shards * e.population.users_per_shard} users at a time; "
                  + (f"scored {judge}" if session
                     else f"scored by the {'regret' if e.score == 'regret' else 'expected reward'} while learning"))
    if any(t["kind"] == "rllib" and t["name"] == "PPO" for t in trials):
        console.print(f"          set by the slowest row: RLlib's PPO makes about {RLLIB_RATE:,} env steps/s on one "
                      f"core, {e.budget.env_steps / RLLIB_RATE:.0f} s a seed")
    console.print(f"resources: {plan}\nresults: {folder}", soft_wrap=True)


def dry_run(e, trials, plan) -> int:
    """The resolved experiment and its trials, without running anything."""
    import yaml

    print(yaml.safe_dump(e.model_dump(), sort_keys=False))
    from ..experiment.model import trials as list_trials

    for trial in list_trials(e, "search"):
        print(f"search  {trial['label']:24} {e.search.trials} trials over {trial['space']}")
    for trial in trials:
        print(f"final   {trial['label']:24} seed {trial['seed_number']}  {trial['budget']:>10,} env steps  "
              f"{trial['params']}")
    print(f"resources: {plan}")
    return 0


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
        out.add_row(*_line(s, board, wide), style="" if s.row.learns else "dim" if s.row == r.bound else "cyan")
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
