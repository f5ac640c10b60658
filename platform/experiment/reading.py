"""From a YAML file to an `Experiment`: defaults and overrides; what is wrong is named with file, key and value."""
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from .checks import check
from .model import Budget, Experiment, Problem
from .names import among, hint, short
from .yaml_text import load

HERE = Path(__file__).resolve().parents[2] / "tune_configs"


def shipped() -> dict[str, Path]:
    """The experiments that come with the project, by name."""
    return {path.stem: path for path in sorted(HERE.rglob("*.yaml"))}


def of_chapter(number: int) -> list[str]:
    """The shipped experiments of one chapter of the path, in the order of their files' names; `Problem` if none."""
    chapters = {name: (load(path.read_text()) or {}).get("chapter", 0) for name, path in shipped().items()}
    found = [name for name, chapter in chapters.items() if chapter == number]
    if not found:
        raise Problem(f"--chapter {number}: has no experiments; valid are: "
                      f"{', '.join(map(str, sorted(set(chapters.values()) - {0})))}")
    return found


def read(file: str | Path, overrides: Sequence[str] = (), log: Mapping[str, Any] | None = None,
         smoke: bool = False) -> Experiment:
    """Load, override (``a.b=c``), and check everything that can be checked without Ray; raises `Problem`.

    ``log``: parameters of the environment that say which log users are fitted to (path) and how it is read."""
    path = shipped().get(str(file), Path(file))
    raw = _load(path)
    for override in overrides:
        _override(raw, override, path)
    for name, value in (log or {}).items():
        _override(raw, f"env.params.{name}=", path, value if name != "path" else _absolute(value))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        raise Problem("\n".join(_explain(path, raw, e) for e in error.errors())) from None
    given = experiment.env.params.get("path")             # trials run in other folders: make a relative path absolute
    if isinstance(given, str) and given and not os.path.isabs(given):
        experiment.env.params["path"] = _absolute(given, Path.cwd(), path.parent)
    if smoke:
        experiment = _smoke(experiment)
    check(experiment, str(path))
    return experiment


def _absolute(source: str, *folders: Path) -> str:
    from envs.logs import absolute

    try:
        return absolute(source, *folders)
    except ValueError as error:
        raise Problem(f"env.params.path: {error}") from None


def _load(path: Path) -> dict:
    """The file as a mapping; its first comment is the question."""
    try:
        text = path.read_text()
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); shipped experiments: {', '.join(shipped())}"
                      + hint(str(path), shipped())) from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: cannot be read (not a text file); shipped experiments: "
                      + ", ".join(shipped())) from None
    try:
        raw = load(text)
    except yaml.YAMLError as error:
        raise Problem(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise Problem(f"{path}: an experiment is a mapping with the keys {', '.join(Experiment.model_fields)}")
    first = text.lstrip().splitlines()[0]
    raw.setdefault("question", first.lstrip("# ").strip() if first.startswith("#") else "")
    return raw


def _smoke(e: Experiment) -> Experiment:
    return e.model_copy(update={
        "seeds": 1, "budget": Budget(env_steps=min(e.budget.env_steps, 8 * e.population.users), reports=1),
        "population": e.population.model_copy(update={"eval_users": 20, "validation_users": 10}),
        "search": e.search.model_copy(update={"trials": 1})})


def _override(raw: dict, override: str, path, given: Any = None) -> None:
    """Set one key of the raw mapping, from ``a.b=c`` (or to the value ``given`` as it stands)."""
    row, key = _row(raw, override, path) if override.startswith("algorithms.") else (None, override)
    key, equals, value = key.partition("=")
    if not equals:
        raise Problem(f"--set {short(override)}: write --set key.subkey=value")
    try:
        value = given if given is not None else load(value)
    except yaml.YAMLError:
        raise Problem(f"--set {short(override)}: {short(repr(value))} is not valid YAML") from None
    node: Any = raw if row is None else row
    parts = key.split(".")
    if row is not None and parts[0] != "params":          # algorithms.a2c.gamma: a parameter
        parts = ["params", *parts]
    for part in parts[:-1]:
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, dict):
            raise Problem(f"--set {short(override)}: '{part}' in {path} has no sub-keys")
    node[parts[-1]] = value


def _row(raw: dict, override: str, path) -> tuple[dict | None, str]:
    """(the row that ``algorithms.LABEL.key=value`` names, ``key=value``).

    A label may have dots and equal signs, and may stand in quotes.  No row: the override as it is."""
    rest = override.removeprefix("algorithms.")
    rows = [row for row in raw.get("algorithms") or [] if isinstance(row, dict)] \
        if isinstance(raw.get("algorithms"), list) else []
    named = [(form, row) for row in rows for name in label_options(row) for form in (name, f'"{name}"', f"'{name}'")
             if rest.startswith(form + ".")]
    if named:
        longest = max(len(form) for form, _ in named)
        return next(row for form, row in named if len(form) == longest), rest[longest + 1:]
    if "." not in rest.partition("=")[0]:
        return None, override
    given = rest.partition("=")[0].partition(".")[0].strip("\"'")
    valid = among(given, [label_options(row)[0] for row in rows])
    raise Problem(f"--set {short(override)}: no algorithm '{short(given)}' in {path}; {valid} (write "
                  "algorithms.LABEL.parameter=value, the label in quotes where it has odd characters)")


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
        return f"{path}: unknown key '{key}' = {short(repr(error['input']))}; {among(str(where[-1]), valid)}"
    if error["type"] == "missing":
        return f"{path}: key '{key}' is missing"
    if error["type"] in ("model_type", "dict_type", "list_type"):
        valid_form = "a list" if error["type"] == "list_type" else "a mapping (key: value)"
        return f"{path}: {key} = {short(repr(error['input']))}: must be {valid_form}"
    return f"{path}: {key} = {short(repr(error['input']))}: {error['msg']}"


