"""Everything about an experiment that can be refused before Ray starts; `check` raises `Problem` or returns nothing."""
import dataclasses
import os

from ..trial.build import Task, is_ours, make_algorithm, task_of
from ..trial.trial import Role, Spec
from .foreign import first_task
from .model import Entry, Experiment, Problem
from .names import among, hint
from .plan import KNOWN, folder_name, reference_id, rows
from .spaces import check_space, examples

VIEWS = ("observe", "action")                             # parameters of an environment that leave its users alone
INVERSE = ("ips", "snips", "doubly_robust")               # estimators that divide by a propensity


def check(e: Experiment, path: str) -> None:
    """Raises `Problem`, whose message names file, key, value and what is valid."""
    task = first_task(e, path)
    _check_score(e, task, path)
    for i, entry in enumerate(e.algorithms):
        _check_entry(e, entry, task, f"{path}: algorithms.{i}")
    _check_rows(e, path)
    if e.log:
        try:
            if not _one_item(task) or task.knows.log:
                raise ValueError(f"{e.env.id} needs no log of its own, or shows more than one item a step")
            _check_ours(Entry(name=e.log.name, params=e.log.params), task)
        except ValueError as error:
            raise Problem(f"{path}: log ({e.log.name}): {error}") from None
    _check_budget(e, path)
    _check_estimates(e, task, path)


def _one_item(task: Task) -> bool:
    import gymnasium as gym

    return isinstance(task.spaces[1], gym.spaces.Discrete)


def _check_rows(e: Experiment, path: str) -> None:
    """Labels are for eyes, and eyes must tell rows apart; ``reference`` names one of them."""
    found = rows(e)
    for row in found:
        if sum(folder_name(other.label) == folder_name(row.label) for other in found) > 1:
            raise Problem(f"{path}: algorithms: two rows are called '{row.label}' (as names of folders; random, "
                          "popularity, best fixed ranking, Bayes reference and oracle are rows of the table's own); "
                          "give them different labels (label: …)")
    valid = [row for row in found if row.role is not Role.BOUND]
    if e.reference and reference_id(e, valid) is None:
        if e.reference in ("popularity", *(row.label for row, _, _ in KNOWN.values())):
            raise Problem(f"{path}: reference = '{e.reference}' needs an environment fitted to a log; {e.env.id} has "
                          "none")
        raise Problem(f"{path}: reference = '{e.reference}' is no row; "
                      + among(e.reference, [row.label for row in valid]))


def _check_entry(e: Experiment, entry: Entry, task: Task, where: str) -> None:
    if bool(entry.name) == bool(entry.rllib):
        given = "both" if entry.name else "neither"
        raise Problem(f"{where}: give either name: (ours) or rllib: (a baseline), not {given}")
    for key, value in entry.params.items():
        check_space(f"{where}.params.{key}", value)
    try:
        seen = _view(e, entry) if entry.view else task
        if entry.rllib:
            _check_rllib(entry, seen)
        else:
            _check_ours(entry, seen, e.population.replications, e.log is not None)
    except ValueError as error:
        raise Problem(f"{where} ({entry.shown}): {error}") from None


def warnings(e: Experiment) -> list[str]:
    """What can run and will disappoint, one sentence each."""
    found = []
    for entry in e.algorithms:
        if entry.name:
            task = _view(e, entry) if entry.view else task_of(e.env.id, e.env.params)
            params = next(iter(examples(entry.params)))
            if make_algorithm(Spec("", algorithm=entry.name, params=params), task).blind:
                found.append(f"{entry.shown} cannot tell items apart and will choose as random does: the items have no "
                             "features, or all the same; give them some (item_… columns of a log), or say model: "
                             "disjoint")
    return found


def _view(e: Experiment, entry: Entry) -> Task:
    """The task as this row sees it and speaks to it; the users are the same."""
    if other := [key for key in entry.view if key not in VIEWS]:
        raise ValueError(f"view.{other[0]} = {entry.view[other[0]]!r}: a view changes what is seen and said, not the "
                         f"users; {among(other[0], VIEWS)}")
    if not is_ours(e.env.id):
        raise ValueError(f"view = {entry.view!r}: {e.env.id} has no views; only recloop/… has")
    return task_of(e.env.id, e.env.params | entry.view)


def _check_ours(entry: Entry, task: Task, replications: int = 1, log: bool = False) -> None:
    from custom_algos import find_algorithm

    found = find_algorithm(entry.name)
    fields = {f.name for f in dataclasses.fields(found.Config)}
    for key in entry.params:
        if key not in fields:
            raise ValueError(f"unknown parameter 'params.{key}' = {entry.params[key]!r}; valid are: "
                             f"{', '.join(sorted(fields))}{hint(key, fields)}")
    if replications > 1 and "replications" not in fields:
        raise ValueError(f"population.replications = {replications}: {entry.name} has no replications; use seeds: …")
    if "replications" in entry.params:
        raise ValueError("params.replications: say it once for all rows, as population.replications")
    for params in examples(entry.params | ({"replications": replications} if replications > 1 else {})):
        make_algorithm(Spec("", algorithm=entry.name, params=params), task)
    if entry.from_log and found.tasks == "sequences":
        raise ValueError(f"from_log = true: {entry.name} learns from its own actions only, it cannot learn from a log")
    if entry.from_log and not (log or task.knows.log):
        raise ValueError("from_log = true needs a log: an environment fitted to one (recloop/Logged-v0), or the key "
                         "log: (a policy that writes one)")
    if not entry.online and not entry.from_log:
        raise ValueError("online = false: a row that meets no users must learn from a log (from_log: true)")


def _check_rllib(entry: Entry, task: Task) -> None:
    from ..run.rllib import check_params

    check_params(entry.rllib, entry.params)
    if "action_mask" in task.env.reset(seed=0)[1] and entry.rllib != "PPO":
        raise ValueError(f"rllib = '{entry.rllib}' knows no action masks, and this environment has them; valid is: PPO")


def _check_score(e: Experiment, task: Task, path: str) -> None:
    """What is collected while learning can be a score only for those who collect, and regret must be known."""
    runs, users = e.population.replications, e.population.users
    if runs > 1 and (e.population.shards > 1 or users % runs):
        raise Problem(f"{path}: population.replications = {runs} must divide the {users} users of one shard "
                      f"(shards = {e.population.shards})")
    if e.score == "session":
        if runs > 1:
            raise Problem(f"{path}: population.replications = {runs} are for what is collected while learning: set "
                          "score: regret or score: collected")
        return
    rllib = next((entry.shown for entry in e.algorithms if entry.rllib), None)
    if rllib:
        raise Problem(f"{path}: score = '{e.score}' is what is collected while learning, which RLlib does not tell: "
                      f"leave out {rllib}, or set score: session")
    if e.score == "regret" and not task.knows.regret:
        raise Problem(f"{path}: score = 'regret': {e.env.id} knows no regret; valid here: session, collected")


def _check_budget(e: Experiment, path: str) -> None:
    users, workers = e.population.users, e.resources.workers
    if e.budget.env_steps < users:
        raise Problem(f"{path}: budget.env_steps = {e.budget.env_steps} is less than one step of the {users} users "
                      f"(population.shards × users_per_shard)")
    if workers and users % workers and any(entry.rllib for entry in e.algorithms):
        raise Problem(f"{path}: resources.workers = {workers} must divide the {users} users at a time, "
                      f"because each of RLlib's runners takes an equal share")
    if e.resources.step_timeout and not workers:
        raise Problem(f"{path}: resources.step_timeout = {e.resources.step_timeout:g} needs resources.workers = 1 or "
                      "more: only a process of its own can be stopped in the middle of a step")
    if workers > users:
        raise Problem(f"{path}: resources.workers = {workers} is more than the {users} users at a time; "
                      f"valid is 0 to {users}")


def _check_estimates(e: Experiment, task: Task, path: str) -> None:
    if not e.estimates:
        return
    if ("fitted_q" in e.estimates) != (e.log is not None) or (e.log and len(e.estimates) > 1):
        raise Problem(f"{path}: estimates = {e.estimates}: fitted_q goes with the key log:, and nothing else does")
    if e.log:
        return
    if not task.knows.log:
        raise Problem(f"{path}: estimates = {e.estimates} need an environment fitted to a log; {e.env.id} has none")
    world = task.knows.log.world
    wanted = [name for name in e.estimates if name in INVERSE]
    if wanted and not world.has_propensities:
        raise Problem(f"{path}: estimates = {wanted}: the log {world.source} has no propensities, so nothing can "
                      f"be weighted by their inverse; valid here is: direct_method")


def check_resources(e: Experiment, path: str, available: float) -> str:
    """The resource plan in words; `Problem` when one trial does not fit into ``available`` CPUs."""
    learner, workers = max(1, e.resources.learner_threads), e.resources.workers
    need = learner + workers
    plan = f"{need} CPUs a trial: {learner} learner + {workers} simulator workers × 1; there are {available:g}"
    if need > available:
        raise Problem(f"{path}: resources.workers = {workers}, learner_threads = {learner}: needs {plan}; "
                      f"valid is workers ≤ {max(0, int(available) - learner)}")
    return plan


def cpus(e: Experiment) -> int:
    """CPUs of this machine that the run may use."""
    return e.resources.cpus or len(os.sched_getaffinity(0))

