"""The reading path: how much must be read to follow an algorithm from its hyper-parameters to its update?

    python benchmarks/reading_path.py

Counted are the lines of the algorithm's own file and the bodies of the project's functions that `act`, `loss` and
`learn` reach elsewhere.  Not counted: custom_algos/core.py, which is read once, and the mathematics of parts/, whose
functions are tested against numbers done by hand.

The calls are read off the source, nothing is run.  Names are resolved through imports, methods through the class and
its bases, and an attribute of self through the calls that it was assigned from: a class, or a function, which may make
any class that it calls.  A module of a network is called through its ``forward``.
"""
import ast
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER, ENTRIES, UNCOUNTED = "custom_algos", ("act", "loss", "learn"), ("custom_algos.core", "custom_algos.parts.")


class Item(NamedTuple):
    """A function or class of the project, with the class that looked it up (for self) and the one that holds it."""

    module: str
    node: ast.FunctionDef | ast.ClassDef
    holder: "Item | None" = None             # the class whose body it stands in
    actual: "Item | None" = None             # the class of self

    @property
    def key(self):
        return self.module, self.node.lineno


class Source:
    """The modules of the project below ``root``, parsed."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self.tree = lru_cache(None)(self._tree)

    def file(self, module: str) -> Path | None:
        place = self.root.joinpath(*module.split("."))
        return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)

    def _tree(self, module: str) -> tuple[dict[str, ast.AST], dict[str, str]]:
        """(functions and classes by name, imported names -> full names) of a module."""
        defined, imported = {}, {}
        path = self.file(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                up = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
                whole = ".".join([*up, *([node.module] if node.module else [])])
                imported |= {name.asname or name.name: f"{whole}.{name.name}" for name in node.names}
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined[node.name] = node
        return defined, imported

    def find(self, module: str, name: str) -> Item | str | None:
        """What ``name`` is in ``module``: an item, the name of a module, or nothing of the project."""
        defined, imported = self.tree(module)
        if name in defined:
            return Item(module, defined[name])
        full = imported.get(name, "")
        if not full.startswith(FOLDER):
            return None
        if self.file(full):
            return full
        inside, _, last = full.rpartition(".")
        return self.find(inside, last) if self.file(inside) else None

    def resolve(self, module: str, node: ast.AST) -> Item | str | None:
        """The item that an expression names: ``name`` or ``module.name``."""
        if isinstance(node, ast.Name):
            return self.find(module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(where := self.resolve(module, node.value), str):
            return self.find(where, node.attr)
        return None

    def bases(self, cls: Item) -> list[Item]:
        """The class and its bases in the project, nearest first."""
        found = [cls]
        for base in cls.node.bases:
            above = self.resolve(cls.module, base)
            if isinstance(above, Item):
                found += [item for item in self.bases(above) if item.key not in {f.key for f in found}]
        return found

    def method(self, cls: Item, name: str, after: Item | None = None) -> Item | None:
        """The method ``name`` of ``cls``; with ``after``, the next one behind that class: super()."""
        line = self.bases(cls)
        if after is not None:
            line = line[[c.key for c in line].index(after.key) + 1:]
        for holder in line:
            for node in holder.node.body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return Item(holder.module, node, holder, cls)
        return None

    def made(self, module: str, value: ast.AST, deep: int = 4) -> list[Item]:
        """Classes that an object assigned from ``value`` may have."""
        found = []
        for call in (node for node in ast.walk(value) if isinstance(node, ast.Call)):
            item = self.resolve(module, call.func)
            if isinstance(item, Item) and isinstance(item.node, ast.ClassDef):
                found.append(item)
            elif isinstance(item, Item) and deep:
                found += self.made(item.module, item.node, deep - 1)
        return found

    def attributes(self, cls: Item) -> dict[str, list[Item]]:
        """{attribute of self: classes it may have} by the assignments in all methods of ``cls``."""
        found: dict[str, list[Item]] = {}
        for holder in self.bases(cls):
            for node in ast.walk(holder.node):
                if isinstance(node, ast.Assign):
                    spread = [part for t in node.targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
                    names = [t.attr for t in spread if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"]
                    locals_ = [n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)]
                    values = [node.value, *(a.value for a in ast.walk(holder.node) if isinstance(a, ast.Assign)
                                            and any(isinstance(n, ast.Name) and n.id in locals_ for t in a.targets
                                                    for n in (t.elts if isinstance(t, ast.Tuple) else [t])))]
                    for name in names:
                        found.setdefault(name, []).extend(c for v in values for c in self.made(holder.module, v))
        return found

    def reached(self, item: Item) -> list[Item]:
        """The project's functions that the body of ``item`` may call."""
        found, cls = [], item.actual
        known = self.attributes(cls) if cls else {}
        for node in ast.walk(item.node):
            if isinstance(node, ast.Name | ast.Attribute):
                named = self.resolve(item.module, node)
                if isinstance(named, Item):
                    found += [named] if isinstance(named.node, ast.FunctionDef) else []
            if not isinstance(node, ast.Attribute) or cls is None:
                continue
            if ast.unparse(node.value) == "self":
                found.append(self.method(cls, node.attr))
                found += [self.method(c, way) for c in known.get(node.attr, ()) for way in ("forward", "__call__")]
            elif ast.unparse(node.value) == "super()":
                found.append(self.method(cls, node.attr, item.holder))
            else:
                for owner in ast.walk(node.value):                                  # self.head.sample
                    if isinstance(owner, ast.Attribute) and ast.unparse(owner.value) == "self":
                        found += [self.method(c, node.attr) for c in known.get(owner.attr, ())]
        return [one for one in found if one is not None]


class Reading(NamedTuple):
    """What has to be read for one algorithm."""

    lines: int
    files: dict[str, int]                    # module: lines


def reading_path(own: str, class_name: str, source: Source) -> Reading:
    """The lines and files of the algorithm ``class_name`` of the module ``own``."""
    cls = source.find(own, class_name)
    todo = [item for entry in ENTRIES if (item := source.method(cls, entry))]
    seen: dict[tuple, Item] = {}
    while todo:
        item = todo.pop()
        if (item.key, item.actual and item.actual.key) in seen or item.module.startswith(UNCOUNTED):
            continue
        seen[item.key, item.actual and item.actual.key] = item
        todo += source.reached(item)
    lines: dict[str, set[int]] = {own: set(range(1, 1 + len(source.file(own).read_text().splitlines())))}
    for item in seen.values():
        first = min([item.node.lineno, *(d.lineno for d in item.node.decorator_list)])
        lines.setdefault(item.module, set()).update(range(first, item.node.end_lineno + 1))
    files = {module: len(numbers) for module, numbers in lines.items()}
    return Reading(sum(files.values()), files)


def paths(root: Path = ROOT) -> dict[str, Reading]:
    """{algorithm: its reading path} of the whole registry below ``root``."""
    source = Source(root)
    tree = ast.parse(source.file(FOLDER).read_text())
    registry = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                    and n.targets[0].id == "ALGORITHMS")
    return {name: reading_path(*where.split(":"), source) for name, where in registry.items()}


if __name__ == "__main__":
    print("| algorithm | lines | files | |\n|---|---:|---:|---|")
    for algorithm, path in paths(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT).items():
        parts = ", ".join(f"{m.removeprefix(FOLDER + '.').replace('.', '/')} {n}" for m, n in path.files.items())
        print(f"| {algorithm} | {path.lines} | {len(path.files)} | {parts} |")
