"""The generated parts of the reference pages, made from the code: `make reference`; `tests/test_docs.py` compares.

A page is written by hand but for what stands between ``<!-- NAME -->`` and ``<!-- end -->``.
"""
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))                              # this checkout's code, whatever is installed

INTERFACE = {                                              # the rooms of docs/api.md, by title
    "Environments: `envs`": ["envs/__init__.py", "envs/engine/*.py", "envs/logs/*.py"],
    "Algorithms: `custom_algos`": ["custom_algos/*.py", "custom_algos/parts/*.py", "custom_algos/offline/*.py"],
    "Entry points: `platform`": ["platform/*.py", "platform/commands/*.py", "platform/experiment/*.py",
                                 "platform/trial/*.py", "platform/judge/verdict.py", "platform/serving/*.py"],
}


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should be."""
    parts = {"docs/experiment-files.md": {"keys": experiment_keys()},
             "docs/api.md": {"environments": environments(), "algorithms": algorithms(), "interface": interface()}}
    if (ROOT / "platform" / "commands" / "verbs.py").exists():
        from platform.commands import verbs

        parts["README.md"] = {"verbs": verbs.table()}
    return {ROOT / name: filled(ROOT / name, found) for name, found in parts.items()}


def filled(page: Path, parts: dict[str, str]) -> str:
    """The page's text with its generated parts; KeyError where it has no place for one."""
    text = page.read_text()
    for name, content in parts.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        if not place.search(text):
            raise KeyError(f"{page}: has no <!-- {name} --> … <!-- end -->")
        text = place.sub(lambda found, content=content: f"{found[1]}{content}\n{found[2]}", text)
    return text


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    columns = head.split(" | ")
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# experiment files -----------------------------------------------------------------------------------------------------
def experiment_keys() -> str:
    """One table for the top of the file, then one for every key that holds further keys."""
    from platform.experiment.model import Experiment

    found = models(Experiment, "", "The top of the file")
    return "\n\n".join(f"### {title}\n\n{keys(model)}" for title, model in found)


def models(model, prefix: str, title: str) -> Iterator[tuple[str, type]]:
    """(title, model) of ``model`` and of everything that its fields hold."""
    yield title, model
    for name, field in model.model_fields.items():
        if inner := inner_model(field.annotation):
            many = "[]" if getattr(field.annotation, "__origin__", None) is list else ""
            key = f"{prefix}{name}{many}"
            yield from models(inner, f"{key}.", f"`{key}`: {sentence(inner.__doc__).rstrip('.')}")


def inner_model(kind):
    from pydantic import BaseModel

    return next((k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, BaseModel)), None)


def keys(model) -> str:
    """The fields of one model as a table."""
    return table("key | value | default | meaning", ((f"`{name}`", value_of(field), default_of(field),
                                                      " ".join((field.description or "").split()))
                                                     for name, field in model.model_fields.items()))


def value_of(field) -> str:
    """What may stand there, in words."""
    least = next((f" ≥ {m.ge}" for m in field.metadata if hasattr(m, "ge")), "")
    return words(field.annotation) + least


def words(kind) -> str:
    if inner_model(kind) is kind:
        return "mapping"
    origin, inside = getattr(kind, "__origin__", None), get_args(kind)
    if origin is list:
        return f"list of {words(inside[0]).replace('mapping', 'mappings')}"
    if origin is dict:
        return "mapping"
    if inside and all(isinstance(value, str) for value in inside):
        return ", ".join(f"`{value}`" for value in inside)
    if inside:
        return " or ".join(words(part) for part in inside if part is not type(None))
    return {str: "text", int: "whole number", bool: "true or false", float: "number"}[kind]


def default_of(field) -> str:
    if field.is_required():
        return "required"
    if inner_model(type(field.default)):
        return "see below"
    if field.default in (None, "", [], {}):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


# the public interface -------------------------------------------------------------------------------------------------
def environments() -> str:
    """One row for every model: several ids may be one model with other parameters."""
    import envs

    ids: dict[str, list[str]] = {}
    for name, (model, _) in envs.MODELS.items():
        ids.setdefault(path_of(model), []).append(f"`{name}`")
    return table("file | what it is | ids", ((f"[`{file}`](../{file})", sentence(docstring(file)), " ".join(names))
                                             for file, names in ids.items()))


def algorithms() -> str:
    import custom_algos

    shared = Counter(path_of(place) for place in custom_algos.ALGORITHMS.values())
    rows = []
    for name, place in custom_algos.ALGORITHMS.items():
        file, cls = path_of(place), place.partition(":")[2]
        rows.append((f"`{name}`", f"[`{file}`](../{file})", sentence(docstring(file, cls if shared[file] > 1 else ""))))
    return table("name | file | what it is", rows)


def path_of(place: str) -> str:
    """``package.module:Class`` as the path of its file."""
    return place.partition(":")[0].replace(".", "/") + ".py"


def docstring(file: str, cls: str = "") -> str | None:
    """The docstring of a file, or of one of its classes."""
    tree = ast.parse((ROOT / file).read_text())
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls]
    return ast.get_docstring(found[0] if found else tree)


def interface() -> str:
    """Modules with their public classes and functions; a file without any is left out."""
    return "\n\n".join(f"### {title}\n\n" + "\n\n".join(filter(None, map(module, files(patterns))))
                       for title, patterns in INTERFACE.items())


def files(patterns: list[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def module(path: Path) -> str:
    """One module: its first sentence, and a table of what it offers."""
    tree, name = ast.parse(path.read_text()), path.relative_to(ROOT).as_posix()
    dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
              and not node.name.startswith("_") and ast.get_docstring(node)]
    if not public and name.endswith("__init__.py"):
        return ""
    head = f"**[`{dotted}`](../{name})** {sentence(ast.get_docstring(tree))}"
    rows = ((f"`{signature(node)}`", sentence(ast.get_docstring(node))) for node in public)
    return f"{head}\n\n{table('name | what it is', rows)}" if public else head


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """``name(a, b, c)`` of a function, without types and defaults; the name of a class."""
    if isinstance(node, ast.ClassDef):
        return node.name
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names += [f"*{node.args.vararg.arg}"] if node.args.vararg else []
    names += [a.arg for a in node.args.kwonlyargs] + ([f"**{node.args.kwarg.arg}"] if node.args.kwarg else [])
    return f"{node.name}({', '.join(names)})"


def sentence(text: str | None) -> str:
    """The first sentence of a docstring (to the first full stop that ends one), as Markdown in one line."""
    first = " ".join((text or "").split("\n\n")[0].split())
    first = re.split(r"(?<=[.?!])\s+(?=[A-Z`])", first)[0]
    return first.replace("``", "`")


def main() -> None:
    """Write every page that is not what it should be."""
    for page, text in pages().items():
        if text != page.read_text():
            page.write_text(text)
            print(f"written: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
