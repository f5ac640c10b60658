"""From an experiment to its rows and trials.

Search: one trial for each algorithm with a search space, on tuning seeds, scored on validation users.  Final: every
algorithm × ``seeds`` fresh seeds with frozen parameters, and the rows that do not learn (random, popularity where there
is a log, the oracle where one is known) once.
"""
import re
from collections import Counter
from dataclasses import replace
from typing import Any

from ..trial.build import Task, is_ours, stable_seed, task_of
from ..trial.trial import Role, Row, Spec, Trial
from .model import REFERENCES, Entry, Experiment
from .spaces import is_space

KNOWN = {"best-fixed": (Row("best-fixed", "best fixed ranking", Role.REFERENCE, "ranking"), "best fixed", {}),
         "bayes": (Row("bayes", "Bayes reference", Role.REFERENCE, "ranking"), "believed",
                   {"observe": "taste", "items_by": "world"})}
#        row id: (row, name among the fit's rankings, view of the environment)
BEHAVIOUR = Row("behaviour", "the log's policy", Role.BEHAVIOUR, "")       # of the policy that wrote the log


def folder_name(name: str) -> str:
    """A name as the name of a folder."""
    return re.sub(r"[^\w.,=()+-]+", "_", name)


def entry_rows(e: Experiment) -> list[tuple[Entry, Row]]:
    """The experiment's own rows, in its order."""
    met: Counter[str] = Counter()
    found = []
    for entry in e.algorithms:
        name = f"rllib-{entry.rllib}" if entry.rllib else entry.name
        met[name] += 1
        role = Role.RLLIB if entry.rllib else Role.REFERENCE if entry.name in REFERENCES else Role.LEARNER
        row_id = name if met[name] == 1 else f"{name}-{met[name]}"
        found.append((entry, Row(row_id, entry.shown, role, entry.rllib or entry.name)))
    return found


def rows(e: Experiment) -> list[Row]:
    """Every row of the tables: the experiment's own, then those that stand in every table of its kind."""
    own = [row for _, row in entry_rows(e)]
    taken = {row.id for row in own}
    return own + [row for row in _fixed_rows(e, task_of(e.env.id, e.env.params)) if row.id not in taken] \
        + ([replace(BEHAVIOUR, algorithm=e.log.name)] if e.log else [])


def _fixed_rows(e: Experiment, task: Task) -> list[Row]:
    """Random, today's policy and the bound; where what is collected on the way counts, only random collects."""
    found = [Row("random", "random", Role.REFERENCE, "random")]
    if e.score == "session":
        if task.knows.log:
            found += [Row("popularity", "popularity", Role.REFERENCE, "popularity")]
            found += [row for row, _, _ in KNOWN.values()]
        found += [Row("oracle", "oracle", Role.BOUND, "oracle")] if task.knows.oracle else []
    return found


def describe(e: Experiment) -> dict[str, Any]:
    """What a reader of the tables must know of the rows: the content of ``rows.json``."""
    found = rows(e)
    knows = task_of(e.env.id, e.env.params).knows
    by_id = {row.id: row for row in found}
    bound = next((row.id for row in found if row.role is Role.BOUND), None)
    return {"rows": [{"row": row.id, "label": row.label, "role": row.role.value, "name": row.algorithm}
                     for row in found],
            "reference": reference_id(e, found),
            "random": "random" if "random" in by_id else None, "bound": bound,
            "unit": "likes" if knows.log else "return", "live": knows.log is not None,
            "users_are_people": is_ours(e.env.id)}


def reference_id(e: Experiment, found: list[Row]) -> str | None:
    """The row that ``reference`` names, by its label or by its id; None where there is none."""
    named = [row.id for row in found if row.label == e.reference] + [row.id for row in found if row.id == e.reference]
    return named[0] if named else None


def trials(e: Experiment, stage: str) -> list[Trial]:
    """Every trial of the ``search`` or the ``final`` stage."""
    task = task_of(e.env.id, e.env.params)
    own = entry_rows(e)
    found = []
    for number in range(1 if stage == "search" else e.seeds):
        for entry, row in sorted(own, key=lambda pair: not pair[0].rllib):   # RLlib first: the longest must not be last
            if row.role.races and (stage == "final" or any(map(is_space, entry.params.values()))):
                found.append(_trial(e, entry, row, number, stage, task))
    return found + (_fixed(e, task) + _behaviour(e, task) if stage == "final" else [])


def _trial(e: Experiment, entry: Entry, row: Row, number: int, stage, task: Task) -> Trial:
    plain = {k: v for k, v in entry.params.items() if not is_space(v)} | (_replicas(e) if entry.name else {})
    # The label names the seed: a row that keeps its label keeps its numbers, wherever it stands in the file.
    spec = _spec(e, row.algorithm, plain, stable_seed(e.name, stage, row.label, number), entry.view)
    found = _common(e, row, spec, number, stage)
    return replace(found, budget=e.budget.env_steps if entry.online else 0, workers=e.resources.workers,
                   from_log=bool(entry.from_log) and not entry.rllib,
                   space={k: v for k, v in entry.params.items() if is_space(v)},
                   shows_examples=number == 0 and stage == "final" and task.knows.names is not None,
                   test_users=0 if stage == "search" else e.population.eval_users)


def _fixed(e: Experiment, task: Task) -> list[Trial]:
    """The rows that do not learn from interaction; each once, or once a seed where it collects on the way."""
    given = {row.id: (entry, row) for entry, row in entry_rows(e) if row.role is Role.REFERENCE}
    collects, found = e.score != "session", []
    for fixed in _fixed_rows(e, task):
        entry, row = given.get(fixed.id, (None, fixed))
        _, ranking, view = KNOWN.get(fixed.id, (fixed, None, {}))
        params = entry.params if entry else _replicas(e) if ranking is None else {}
        for number in range(e.seeds if collects else 1):
            seed = stable_seed(e.name, "final", fixed.id, number) if collects else 0
            trial = _common(e, row, _spec(e, fixed.algorithm, params, seed, view), number, "final")
            found.append(replace(trial, budget=e.budget.env_steps if collects else 0,
                                 from_log=fixed.id == "popularity", ranking=ranking,
                                 shows_examples=task.knows.names is not None and not collects))
    return found


def _behaviour(e: Experiment, task: Task) -> list[Trial]:
    """The policy that wrote the log of every seed."""
    if not e.log:
        return []
    row = replace(BEHAVIOUR, algorithm=e.log.name)
    return [_common(e, row, _spec(e, e.log.name, e.log.params, log_seed(e, number)), number, "final")
            for number in range(e.seeds)]


def _common(e: Experiment, row: Row, spec: Spec, number: int, stage) -> Trial:
    """What all trials of an experiment share."""
    return Trial(row, spec, number, stage, budget=0, report_every=-(-e.budget.env_steps // e.budget.reports),
                 validation_users=e.population.validation_users, test_users=e.population.eval_users, score=e.score,
                 replications=e.population.replications, learner_threads=e.resources.learner_threads,
                 step_timeout=e.resources.step_timeout,
                 estimates=tuple(e.estimates))


def _spec(e: Experiment, algorithm: str, params: dict[str, Any], seed: int, view: dict[str, str] | None = None) -> Spec:
    return Spec(e.env.id, e.env.params | (view or {}), algorithm, params, seed, e.population.shards,
                e.population.users_per_shard)


def _replicas(e: Experiment) -> dict[str, int]:
    return {"replications": e.population.replications} if e.population.replications > 1 else {}


def log_seed(e: Experiment, number: int) -> int:
    """The seed of the policy that writes the log of seed ``number``."""
    return stable_seed(e.name, "log", number)
