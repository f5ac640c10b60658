"""One YAML file, one question: the experiment as typed models, the search words, and every check before Ray starts.

`read` turns a file into an `Experiment` or raises `Problem`, whose message names file, key, value and what is valid.
"""
import dataclasses
import difflib
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

HERE = Path(__file__).resolve().parents[2] / "tune_configs"
REFERENCES = ("random", "popularity")                     # rows that do not learn from interaction
VIEWS = ("observe", "action")                             # parameters of an environment that leave its users alone
BEHAVIOUR = "the log's policy"                            # the row of the policy that wrote the experiment's log
SEARCH_WORDS = {"uniform": 2, "loguniform": 2, "quniform": 3, "randint": 2, "lograndint": 2, "choice": None,
                "grid": None}
INVERSE = ("ips", "snips", "doubly_robust")               # estimators that divide by a propensity


class Problem(ValueError):
    """Something about an experiment that must be mended before it can run."""


class Model(BaseModel):
    """Unknown keys are refused; the sentence under a field is its description (docs/experiment-files.md)."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Env(Model):
    """Whom the recommenders meet."""

    id: str
    """The environment: one of `recloop list`, or any Gymnasium id (`my_package:MyEnv-v0` imports `my_package`)."""
    params: dict[str, Any] = {}
    """Parameters of the environment; its file lists them with unit, range and source."""


class Population(Model):
    """How many users there are, and for what."""

    shards: int = Field(1, ge=1)
    """Parts into which the users in flight are cut; a shard is the piece of work that a worker gets."""
    users_per_shard: int = Field(64, ge=1)
    """Users of one shard; `shards × users_per_shard` users are in flight at a time."""
    eval_users: int = Field(1000, ge=1)
    """Test users: each plays one session with the final policy of every row."""
    validation_users: int = Field(200, ge=1)
    """Validation users: they score the reports of a run, and the trials of a search."""
    replications: int = Field(1, ge=1)
    """Independent learners in one array program, for `score: regret` and `collected`; they share the users equally."""


class Budget(Model):
    """What a learner may spend."""

    env_steps: int = Field(ge=1)
    """Real environment steps of one trial, all its users and replications together; a reset is no step."""
    reports: int = Field(10, ge=1)
    """Points of the learning curve: validation scores and checkpoints are made so often."""


class Entry(Model):
    """One row of the table: an algorithm with its parameters.  It has either `name` or `rllib`."""

    name: str = ""
    """An algorithm of ours (`recloop list`), `random`, `popularity`, or yours as `my_package:MyAlgorithm`."""
    rllib: str = ""
    """A baseline of RLlib: PPO, APPO, IMPALA, DQN or SAC."""
    label: str = ""
    """What the row is called in tables; needed where an algorithm stands in two rows."""
    params: dict[str, Any] = {}
    """Hyper-parameters; a value may be a search space.  RLlib's are the arguments of its `training()`."""
    view: dict[str, str] = {}
    """Another view of the same users: `observe` or `action` of the environment's parameters, for this row alone."""
    from_log: bool | None = None
    """Whether the row learns from the log first: that of the environment, or the one that `log:` has written."""
    online: bool = True
    """Whether the row meets users at all; false goes with `from_log: true`."""


class Log(Model):
    """A log of simulated users for every seed: the policy ``name`` learns for ``env_steps``, then shows ``rows``."""

    name: str
    """The algorithm that chooses what is shown; it becomes the row "the log's policy"."""
    params: dict[str, Any] = {}
    """Its hyper-parameters."""
    env_steps: int = Field(0, ge=0)
    """Steps that it learns before the log begins; 0: it is as it was made."""
    rows: int = Field(ge=1)
    """Rows of the log, one recommendation each."""


class Search(Model):
    """How parameters with a search space get their values, on tuning seeds and validation users."""

    trials: int = Field(8, ge=1)
    """Configurations that are tried for each algorithm with a search space (times the values of its grids)."""
    scheduler: Literal["asha", "fifo"] = "asha"
    """`asha` stops bad trials early; `fifo` lets all of them run to the end."""
    searcher: Literal["random", "optuna"] = "optuna"
    """`optuna` learns where to look (TPE); `random` draws; where a space is a `grid` it is always `random`."""
    metric: Literal["eval/return_mean"] = "eval/return_mean"
    """What is to be maximised: the mean return of a session of the validation users."""
    mode: Literal["max"] = "max"
    """More is better."""


class Resources(Model):
    """What one trial takes of the machine."""

    workers: int = Field(0, ge=0)
    """Simulator processes of a trial; 0: it simulates in its own process.  Numbers do not depend on it."""
    learner_threads: int = Field(1, ge=1)
    """Threads of `learn`."""
    cpus: int | None = Field(None, ge=1)
    """CPUs that the whole run may use; none: all that this process may run on.  A cluster decides for itself."""


class Experiment(Model):
    """The resolved experiment; `question` is the comment in the file's first line."""

    question: str = ""
    """The question that the file answers: its first line, where that is a comment."""
    chapter: int = Field(0, ge=0)
    """The chapter of the path whose figures the experiment draws; 0: none."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the results folder, `results/NAME/TIME`, and part of every seed: another name is other luck."""
    env: Env
    """Whom the recommenders meet."""
    population: Population = Population()
    """How many users there are, and for what."""
    budget: Budget
    """What a learner may spend."""
    seeds: int = Field(1, ge=1)
    """Runs of every row with other luck; a verdict against RLlib needs 10."""
    score: Literal["session", "collected", "regret"] = "session"
    """What counts: `session` is the final policy on test users, the others what happens while learning."""
    algorithms: list[Entry] = Field(min_length=1)
    """The rows; random, popularity (where there is a log) and the oracle (where one is known) come by themselves."""
    reference: str = ""
    """The row that the others are compared with: today's policy, by its label."""
    search: Search = Search()
    """How parameters with a search space get their values."""
    resources: Resources = Resources()
    """What one trial takes of the machine."""
    log: Log | None = None
    """A log that a policy writes first, for every seed; rows with `from_log: true` learn from it."""
    estimates: list[Literal["direct_method", "ips", "snips", "doubly_robust", "fitted_q"]] = []
    """Off-policy estimators that value every final policy on a log; `fitted_q` goes with `log:`, alone."""


class Loader(yaml.SafeLoader):
    """YAML as people write it: 1e-3 is a number, and a key that is there twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1 and key != "<<"), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"key '{twice}' is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver("tag:yaml.org,2002:float",
                             re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)[eE][-+]?[0-9]+$"),
                             list("-+.0123456789"))


def shipped() -> dict[str, Path]:
    """The experiments that come with the project, by name."""
    return {path.stem: path for path in sorted(HERE.glob("*.yaml"))}


def of_chapter(number: int) -> list[str]:
    """The shipped experiments of one chapter of the path, in the order of their files' names; `Problem` if none."""
    chapters = {name: (yaml.load(path.read_text(), Loader) or {}).get("chapter", 0) for name, path in shipped().items()}
    found = [name for name, chapter in chapters.items() if chapter == number]
    if not found:
        raise Problem(f"--chapter {number}: has no experiments; valid are: "
                      f"{', '.join(map(str, sorted(set(chapters.values()) - {0})))}")
    return found


def read(file: str | Path, overrides: Sequence[str] = (), data: str | None = None, smoke: bool = False) -> Experiment:
    """Load, override (``a.b=c``), and check everything that can be checked without Ray; raises `Problem`."""
    path = shipped().get(str(file), Path(file))
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        raise Problem(f"{path}: cannot be read ({why}); shipped experiments: {', '.join(shipped())}") from None
    try:
        raw = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise Problem(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise Problem(f"{path}: an experiment is a mapping with the keys {', '.join(Experiment.model_fields)}")
    first = text.lstrip().splitlines()[0]
    raw.setdefault("question", first.lstrip("# ").strip() if first.startswith("#") else "")
    for override in overrides:
        _override(raw, override, path)
    if data:
        _override(raw, "env.params.path=", path, str(Path(data).resolve()))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        raise Problem("\n".join(_explain(path, raw, e) for e in error.errors())) from None
    given = experiment.env.params.get("path")             # trials run in other folders: make a relative path absolute
    if isinstance(given, str) and given and not os.path.isabs(given):
        beside = [Path.cwd() / given, path.parent / given]
        experiment.env.params["path"] = str(next((p for p in beside if p.exists()), beside[0]).resolve())
    if smoke:
        experiment = _smoke(experiment)
    _check(experiment, str(path))
    return experiment


def _smoke(e: Experiment) -> Experiment:
    users = e.population.shards * e.population.users_per_shard
    return e.model_copy(update={
        "seeds": 1, "budget": Budget(env_steps=min(e.budget.env_steps, 8 * users), reports=1),
        "population": e.population.model_copy(update={"eval_users": 20, "validation_users": 10}),
        "search": e.search.model_copy(update={"trials": 1})})


def _override(raw: dict, override: str, path, text: str | None = None) -> None:
    """Set one key of the raw mapping, from ``a.b=c`` (or to ``text`` as it stands)."""
    key, equals, value = override.partition("=")
    if not equals:
        raise Problem(f"--set {override}: write --set key.subkey=value")
    try:
        value = text if text is not None else yaml.load(value, Loader)
    except yaml.YAMLError:
        raise Problem(f"--set {override}: {value!r} is not valid YAML") from None
    node: Any = raw
    parts = key.split(".")
    if parts[0] == "algorithms" and len(parts) > 2:       # algorithms.a2c.gamma: by label or name
        listed = raw.get("algorithms")
        rows = listed if isinstance(listed, list) else []
        node = next((row for row in rows if isinstance(row, dict) and parts[1] in label_options(row)), None)
        if node is None:
            names = [label_options(row)[0] for row in rows if isinstance(row, dict)]
            raise Problem(f"--set {override}: no algorithm '{parts[1]}' in {path}; valid are: {', '.join(names)}")
        parts = (["params"] if parts[2] != "params" else []) + parts[2:]
    for part in parts[:-1]:
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, dict):
            raise Problem(f"--set {override}: '{part}' in {path} has no sub-keys")
    node[parts[-1]] = value


def label_options(row: dict) -> list[str]:
    """The names by which an algorithm's row can be called."""
    return [str(row[key]) for key in ("label", "name", "rllib") if row.get(key)] or ["?"]


def _explain(path, raw, error) -> str:
    """One line for one of pydantic's complaints: file, key, value, what is valid."""
    where, key = error["loc"], ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        model: type[BaseModel] = Experiment
        for part in where[:-1]:
            if isinstance(part, str):
                kind = model.model_fields[part].annotation
                model = next((a for a in (kind, *getattr(kind, "__args__", ())) if isinstance(a, type)
                              and issubclass(a, BaseModel)), model)
        valid = list(model.model_fields)
        close = difflib.get_close_matches(str(where[-1]), valid, 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"{path}: unknown key '{key}' = {error['input']!r}; valid are: {', '.join(valid)}{hint}"
    if error["type"] == "missing":
        return f"{path}: key '{key}' is missing"
    if error["type"] in ("model_type", "dict_type", "list_type"):
        valid_form = "a list" if error["type"] == "list_type" else "a mapping (key: value)"
        return f"{path}: {key} = {error['input']!r}: must be {valid_form}"
    return f"{path}: {key} = {error['input']!r}: {error['msg']}"


def label(entry: Entry) -> str:
    """What an algorithm is called in tables."""
    return entry.label or (f"RLlib {entry.rllib}" if entry.rllib else entry.name)


def folder_name(name: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"[^\w.,=()+-]+", "_", name)


def is_space(value: Any) -> bool:
    """A search space is a mapping with one of the search words as its only key."""
    return isinstance(value, dict) and len(value) == 1


def _check(e: Experiment, path: str) -> None:
    env = _check_env(e, path)
    labels = [label(entry) for entry in e.algorithms]
    for name in labels:
        if [folder_name(other) for other in labels].count(folder_name(name)) > 1:
            raise Problem(f"{path}: algorithms: two rows are called '{name}' (as names of folders); give them "
                          "different labels (label: …)")
    users = e.population.shards * e.population.users_per_shard
    _check_score(e, env, users, path)
    for i, entry in enumerate(e.algorithms):
        where = f"{path}: algorithms.{i}"
        if bool(entry.name) == bool(entry.rllib):
            given = "both" if entry.name else "neither"
            raise Problem(f"{where}: give either name: (ours) or rllib: (a baseline), not {given}")
        for key, value in entry.params.items():
            _check_space(f"{where}.params.{key}", value)
        try:
            seen = _view(e, entry) if entry.view else env
            if entry.rllib:
                _check_rllib(entry, seen)
            else:
                _check_ours(entry, seen, e.population.replications, e.log is not None)
        except ValueError as error:
            raise Problem(f"{where} ({label(entry)}): {error}") from None
    valid = [*labels, *REFERENCES, *([BEHAVIOUR] if e.log else [])]
    if e.reference and e.reference not in valid:
        raise Problem(f"{path}: reference = '{e.reference}' is no row; valid are: {', '.join(valid)}")
    if e.log:
        try:
            if not hasattr(env.single_action_space, "n") or hasattr(env, "log_batch"):
                raise ValueError(f"{e.env.id} needs no log of its own, or shows more than one item a step")
            _check_ours(Entry(name=e.log.name, params=e.log.params), env)
        except ValueError as error:
            raise Problem(f"{path}: log ({e.log.name}): {error}") from None
    if e.reference == "popularity" and not hasattr(env, "log_batch"):
        raise Problem(f"{path}: reference = 'popularity' needs an environment fitted to a log; {e.env.id} has none")
    if e.budget.env_steps < users:
        raise Problem(f"{path}: budget.env_steps = {e.budget.env_steps} is less than one step of the {users} users "
                      f"(population.shards × users_per_shard)")
    if e.resources.workers and users % e.resources.workers and any(entry.rllib for entry in e.algorithms):
        raise Problem(f"{path}: resources.workers = {e.resources.workers} must divide the {users} users at a time, "
                      f"because each of RLlib's runners takes an equal share")
    if e.resources.workers > users:
        raise Problem(f"{path}: resources.workers = {e.resources.workers} is more than the {users} users at a time; "
                      f"valid is 0 to {users}")
    _check_estimates(e, env, path)


def _check_score(e: Experiment, env, users: int, path: str) -> None:
    """What is collected while learning can be a score only for those who collect, and regret must be known."""
    runs = e.population.replications
    if runs > 1 and (e.population.shards > 1 or users % runs):
        raise Problem(f"{path}: population.replications = {runs} must divide the {users} users of one shard "
                      f"(shards = {e.population.shards})")
    if e.score == "session":
        if runs > 1:
            raise Problem(f"{path}: population.replications = {runs} are for what is collected while learning: set "
                          "score: regret or score: collected")
        return
    rllib = next((label(entry) for entry in e.algorithms if entry.rllib), None)
    if rllib:
        raise Problem(f"{path}: score = '{e.score}' is what is collected while learning, which RLlib does not tell: "
                      f"leave out {rllib}, or set score: session")
    if e.score == "regret":
        env.reset(seed=0)
        info = env.step(env.action_space.sample() * 0)[-1]
        if "regret" not in info:
            raise Problem(f"{path}: score = 'regret': {e.env.id} knows no regret; valid here: session, collected")


def _check_env(e: Experiment, path: str):
    import gymnasium as gym

    from ..run.workers import is_ours, make_env

    try:
        if not is_ours(e.env.id):
            gym.spec(e.env.id)
        return make_env(e.env.id, e.env.params, 1)
    except gym.error.Error as error:
        import envs

        close = difflib.get_close_matches(e.env.id, [*envs.MODELS, *gym.registry], 3)
        raise Problem(f"{path}: env.id = '{e.env.id}': {error}; ours are: {', '.join(envs.MODELS)}"
                      + (f"; close: {', '.join(close)}" if close else "")) from None
    except (ValueError, TypeError, ImportError) as error:
        raise Problem(f"{path}: env ({e.env.id}): {error}") from None


def _view(e: Experiment, entry: Entry):
    """The environment as this row sees it and speaks to it; the users are the same."""
    from ..run.workers import is_ours, make_env

    if other := [key for key in entry.view if key not in VIEWS]:
        raise ValueError(f"view.{other[0]} = {entry.view[other[0]]!r}: a view changes what is seen and said, not the "
                         f"users; valid are: {', '.join(VIEWS)}")
    if not is_ours(e.env.id):
        raise ValueError(f"view = {entry.view!r}: {e.env.id} has no views; only recloop/… has")
    return make_env(e.env.id, e.env.params | entry.view, 1)


def _check_ours(entry: Entry, env, replications: int = 1, log: bool = False) -> None:
    from custom_algos import find_algorithm
    from custom_algos.core import make_config

    found = find_algorithm(entry.name)
    fields = {f.name for f in dataclasses.fields(found.Config)}
    for key in entry.params:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, 1)
            raise ValueError(f"unknown parameter 'params.{key}' = {entry.params[key]!r}; valid are: "
                             + ', '.join(sorted(fields))
                             + (f"; did you mean '{close[0]}'?" if close else ""))
    if replications > 1 and "replications" not in fields:
        raise ValueError(f"population.replications = {replications}: {entry.name} has no replications; use seeds: …")
    if "replications" in entry.params:
        raise ValueError("params.replications: say it once for all rows, as population.replications")
    for params in examples(entry.params | ({"replications": replications} if replications > 1 else {})):
        found(env.single_observation_space, env.single_action_space, make_config(found, params), 0,
              getattr(env, "items", None))
    if entry.from_log and found.tasks == "sequences":
        raise ValueError(f"from_log = true: {entry.name} learns from its own actions only, it cannot learn from a log")
    if entry.from_log and not (log or hasattr(env, "log_batch")):
        raise ValueError("from_log = true needs a log: an environment fitted to one (recloop/Logged-v0), or the key "
                         "log: (a policy that writes one)")
    if not entry.online and not entry.from_log:
        raise ValueError("online = false: a row that meets no users must learn from a log (from_log: true)")


def examples(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters as a search could draw them: every choice, or both ends of a range and a point between."""
    spaces = {key: _examples(value) for key, value in params.items() if is_space(value)}
    plain = params | {key: drawn[0] for key, drawn in spaces.items()}
    return [plain, *(plain | {key: value} for key, drawn in spaces.items() for value in drawn[1:])]


def _examples(space) -> list[Any]:
    (word, given), = space.items()
    if SEARCH_WORDS[word] is None:
        return given
    low, high = given[:2]
    if "rand" in word:
        return [low, high - 1]
    return [low, high] if word == "quniform" else [low, high, low + 0.381966 * (high - low)]


def _check_rllib(entry: Entry, env) -> None:
    from ..run.rllib import check_params

    check_params(entry.rllib, entry.params)
    if "action_mask" in env.reset(seed=0)[1] and entry.rllib != "PPO":
        raise ValueError(f"rllib = '{entry.rllib}' knows no action masks, and this environment has them; valid is: PPO")


def _check_space(where: str, value: Any) -> None:
    if not is_space(value):
        return
    (word, given), = value.items()
    if word not in SEARCH_WORDS:
        raise Problem(f"{where} = {value!r}: unknown search word '{word}'; valid are: {', '.join(SEARCH_WORDS)}")
    if not isinstance(given, list) or not given:
        raise Problem(f"{where} = {value!r}: {word} takes a list")
    count = SEARCH_WORDS[word]
    if count is None:
        return
    whole = "rand" in word
    if not all(type(v) in (int, float) and math.isfinite(v) and (not whole or v == int(v)) for v in given):
        raise Problem(f"{where} = {value!r}: {word} takes {'whole ' if whole else ''}numbers")
    given[:] = [int(v) if whole else float(v) for v in given]
    if len(given) != count or given[0] >= given[1] or (word.startswith("log") and given[0] <= 0):
        raise Problem(f"{where} = {value!r}: {word} takes [low, high{', step' if count == 3 else ''}] with "
                      f"{'0 < ' if word.startswith('log') else ''}low < high")


def _check_estimates(e: Experiment, env, path: str) -> None:
    if not e.estimates:
        return
    if ("fitted_q" in e.estimates) != (e.log is not None) or (e.log and len(e.estimates) > 1):
        raise Problem(f"{path}: estimates = {e.estimates}: fitted_q goes with the key log:, and nothing else does")
    if e.log:
        return
    if not hasattr(env, "log_batch"):
        raise Problem(f"{path}: estimates = {e.estimates} need an environment fitted to a log; {e.env.id} has none")
    wanted = [name for name in e.estimates if name in INVERSE]
    if wanted and not env.world.has_propensities:
        raise Problem(f"{path}: estimates = {wanted}: the log {env.world.source} has no propensities, so nothing can "
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


def trials(e: Experiment, stage: str) -> list[dict[str, Any]]:
    """Every trial of the ``search`` or the ``final`` stage as a plain dict.

    Search: one row for each algorithm with a search space, on tuning seeds, scored on validation users.  Final: every
    algorithm × ``seeds`` fresh seeds with frozen parameters, and the rows that do not learn (random, popularity where
    there is a log, the oracle where one is known) once.
    """
    from ..run.workers import make_env, stable_seed

    env = make_env(e.env.id, e.env.params, 1)
    common = {"env_id": e.env.id, "env_params": e.env.params, "shards": e.population.shards,
              "users_per_shard": e.population.users_per_shard, "workers": e.resources.workers,
              "learner_threads": e.resources.learner_threads, "budget": e.budget.env_steps,
              "report_every": -(-e.budget.env_steps // e.budget.reports),
              "estimates": list(e.estimates), "validation_users": e.population.validation_users,
              "test_users": e.population.eval_users, "score": e.score, "replications": e.population.replications}
    many = {"replications": e.population.replications} if e.population.replications > 1 else {}
    rows = []
    seeds = 1 if stage == "search" else e.seeds
    for number in range(seeds):                           # RLlib first: the longest trials must not come last
        for entry in sorted(e.algorithms, key=lambda entry: not entry.rllib):
            space = {k: v for k, v in entry.params.items() if is_space(v)}
            if (stage == "search" and not space) or entry.name in REFERENCES:
                continue
            plain = {k: v for k, v in entry.params.items() if not is_space(v)} | (many if entry.name else {})
            kind, from_log = ("rllib", False) if entry.rllib else ("ours", bool(entry.from_log))
            rows.append({**common, "label": label(entry), "kind": kind, "name": entry.rllib or entry.name,
                         "budget": e.budget.env_steps if entry.online else 0,
                         "env_params": e.env.params | entry.view,
                         "params": plain, "from_log": from_log, "seed_number": number, "stage": stage, "space": space,
                         "tell_story": number == 0 and hasattr(env, "item_names") and stage == "final",
                         "seed": stable_seed(e.name, stage, label(entry), number)})
            if stage == "search":
                rows[-1]["test_users"] = 0
    return rows + (_fixed(e, env, common) if stage == "final" else [])


def _fixed(e: Experiment, env, common) -> list[dict[str, Any]]:
    """The rows that do not learn from interaction: bounds and today's policy (on the way, only random collects)."""
    from ..run.workers import stable_seed

    names, on_the_way = ["random"], e.score != "session"
    if hasattr(env, "log_batch") and not on_the_way:
        names.append("popularity")
    if getattr(env, "oracle", lambda: None)() is not None and not on_the_way:
        names.append("oracle")
    given = {entry.name: entry for entry in e.algorithms if entry.name in REFERENCES}
    many = {"replications": e.population.replications} if e.population.replications > 1 else {}
    return [{**common, "label": label(given[name]) if name in given else name,
             "kind": "bound" if name == "oracle" else "reference", "name": name,
             "params": given[name].params if name in given else many, "from_log": name == "popularity",
             "budget": e.budget.env_steps if on_the_way else 0, "workers": 0, "seed_number": number, "stage": "final",
             "space": {}, "seed": stable_seed(e.name, "final", name, number) if on_the_way else 0,
             "tell_story": hasattr(env, "item_names") and not on_the_way}
            for name in names for number in range(e.seeds if on_the_way else 1)] + _behaviour(e, common)


def _behaviour(e: Experiment, common) -> list[dict[str, Any]]:
    """The policy that wrote the log of every seed."""
    return [{**common, "label": BEHAVIOUR, "kind": "reference", "name": e.log.name, "params": e.log.params,
             "from_log": False, "budget": 0, "workers": 0, "seed_number": number, "stage": "final", "space": {},
             "seed": log_seed(e, number), "tell_story": False} for number in range(e.seeds)] if e.log else []


def log_seed(e: Experiment, number: int) -> int:
    """The seed of the policy that writes the log of seed ``number``."""
    from ..run.workers import stable_seed

    return stable_seed(e.name, "log", number)
