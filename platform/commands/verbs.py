"""The verbs of ``recloop VERB``: one table for the command, its help and the README.  A verb is one file."""
from typing import NamedTuple


class Verb(NamedTuple):
    """``module`` has ``main(arguments) -> exit status``."""

    does: str
    example: str
    module: str


VERBS = {
    "tune": Verb("run an experiment: search, race, report", "recloop tune movies --set seeds=3",
                 "platform.commands.tune"),
    "check": Verb("check an experiment, or say what a log can answer, without running anything",
                  "recloop check my.yaml; recloop check --data my_log.csv", "platform.commands.check"),
    "list": Verb("list the experiments, environments and algorithms that come with the project", "recloop list",
                 "platform.commands.list"),
    "export": Verb("write the winner of a race as a folder that serves anywhere",
                   "recloop export results/quickstart/TIME", "platform.commands.export"),
    "audit": Verb("recompute every decision and every policy version of a served log", "recloop audit LOGDIR",
                  "platform.commands.audit"),
}


def table() -> str:
    """The verbs as a Markdown table."""
    rows = [f"| `recloop {name}` | {verb.does} | `{verb.example}` |" for name, verb in VERBS.items()]
    return "\n".join(["| command | what it does | for example |", "|---|---|---|", *rows])
