"""Which folder may know which, and the other promises that can be read off the source."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from custom_algos import ALGORITHMS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("envs", "custom_algos", "platform")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PUBLIC = [*FILES, ROOT / "_platform_startup.py"]
OURS = {path.stem for path in (ROOT / "platform").iterdir()} - {"__pycache__"}
ENVS_MAY = {"numpy", "numba", "gymnasium"}
LOGS_MAY = ENVS_MAY | {"pandas", "pyarrow"}
DEEP = re.compile(r"custom_algos/((deep|networks)/.*|offline/fqe_network|bandits/neural.*)\.py$")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module, path: Path, lazy: bool = True):
    """(module's full name, line) of every import; ``lazy=False`` leaves out those inside functions."""
    def walk(node):
        for child in ast.iter_child_nodes(node):
            if lazy or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield child
                yield from walk(child)
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[:len(package) - node.level + 1] if node.level else ()
            whole = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:                      # `from platform.run import workers`: the file, not the folder
                inner = f"{whole}.{alias.name}"
                yield inner if whole.split(".")[0] in FOLDERS and file_of(inner) else whole, node.lineno


def file_of(module: str) -> Path | None:
    """The file of one of our modules; None where there is none."""
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def forbidden(path: Path, module: str) -> bool:
    """Whether ``module`` may not be imported in ``path`` at all."""
    folder, top = path.relative_to(ROOT).parts[0], module.split(".")[0]
    ours = top in FOLDERS
    if top == "platform" and module.partition(".")[2].split(".")[0] not in OURS:
        ours, top = False, "standard"                     # the standard module itself
    if folder == "envs":
        allowed = LOGS_MAY if path.parent.name in ("logs", "fitted") else ENVS_MAY
        return (ours and top != "envs") or not (ours or top == "standard" or top in allowed | sys.stdlib_module_names)
    if folder == "custom_algos":
        return top in ("ray", "envs", "pandas", "pydantic", "yaml") or (ours and top == "platform") \
            or (top in ("torch", "safetensors") and not DEEP.search(name(path)))
    return False


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_arrow_points_the_right_way(path):
    tree = ast.parse(path.read_text())
    wrong = [f"{name(path)}:{line} imports {module}" for module, line in imports(tree, path) if forbidden(path, module)]
    heavy = {"torch", "ray"} if name(path).startswith("platform/") else set()
    if name(path) in ("platform/run/rllib.py", "platform/run/trainable.py"):
        heavy -= {"torch", "ray"} if path.name == "rllib.py" else {"ray"}
    if name(path) == "platform/run/progress.py":
        heavy -= {"ray"}                                  # a Tune callback; imported when Ray is
    wrong += [f"{name(path)}:{line} imports {module} when it is imported; do it inside the function"
              for module, line in imports(tree, path, lazy=False) if module.split(".")[0] in heavy]
    assert not wrong


@pytest.mark.parametrize("source, where, caught", [
    ("import custom_algos", "envs/engine/vector.py", True),
    ("from platform.run import workers", "envs/engine/vector.py", True),
    ("import platform", "envs/engine/vector.py", False),
    ("import pandas", "envs/engine/vector.py", True),
    ("import pandas", "envs/logs/__init__.py", False),
    ("import scipy", "envs/logs/__init__.py", True),
    ("from .rng import key", "envs/engine/vector.py", False),
    ("def f():\n    import ray", "custom_algos/rollout.py", True),
    ("from envs.engine.vector import VectorEnv", "custom_algos/core.py", True),
    ("import torch", "custom_algos/parts/explore.py", True),
    ("import torch", "custom_algos/deep/a2c.py", False),
    ("from ..networks import layers", "custom_algos/deep/a2c.py", False),
    ("import platform.run.workers", "custom_algos/core.py", True),
    ("from torch import nn", "custom_algos/bandits/neural_ucb.py", False),
    ("import torch", "custom_algos/bandits/ucb.py", True)])
def test_the_rule_itself(source, where, caught):
    found = [module for module, _ in imports(ast.parse(source), ROOT / where)]
    assert found and any(forbidden(ROOT / where, module) for module in found) is caught


def arrows() -> dict[Path, set[Path]]:
    """file -> the files of the project that it imports, anywhere in it; a package's ``__init__`` only where it is
    named itself."""
    return {path: {found for module, _ in imports(ast.parse(path.read_text()), path)
                   if module.split(".")[0] in FOLDERS and (found := file_of(module)) and found != path}
            for path in FILES}


def circle(graph: dict[Path, set[Path]]) -> list[str]:
    """The names of the files of one circle of imports; empty where there is none."""
    done, trail = set(), []

    def visit(path):
        if path in trail:
            return [name(p) for p in trail[trail.index(path):]]
        if path in done:
            return []
        trail.append(path)
        found = next(filter(None, map(visit, sorted(graph.get(path, ())))), [])
        trail.pop()
        done.add(path)
        return found
    return next(filter(None, map(visit, graph)), [])


def test_no_files_import_each_other_in_a_circle():
    assert circle(arrows()) == []


def test_a_circle_would_be_found():
    a, b, c = (ROOT / f"envs/{letter}.py" for letter in "abc")
    assert circle({a: {b}, b: {c}, c: {b}}) == ["envs/b.py", "envs/c.py"] and circle({a: {b, c}, b: {c}}) == []


def test_the_leaves_load_without_ray_and_torch():
    probe = ("import sys, envs, envs.engine.vector, envs.bandits.arms, envs.fitted.env, custom_algos.rollout\n"
             "import custom_algos.offline.estimators\nfrom custom_algos import find_algorithm\n"
             "find_algorithm('lin_ucb')\n"
             "from platform.experiment import model\nfrom platform.judge import evaluation\n"
             "print(sorted({'torch', 'ray'} & {name.split('.')[0] for name in sys.modules}))")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True, check=True,
                          cwd=ROOT)
    assert done.stdout.strip() == ("[]" if "ray" not in evaluation_imports() else "['ray']")


def evaluation_imports() -> set[str]:
    path = ROOT / "platform" / "judge" / "evaluation.py"
    return {module.split(".")[0] for module, _ in imports(ast.parse(path.read_text()), path, lazy=False)}


SAFE_RANDOM = {"default_rng", "Generator", "Philox", "SeedSequence", "PCG64", "SFC64", "BitGenerator"}


def global_randomness(tree: ast.Module) -> list[str]:
    """Uses of a generator that is shared by the whole process."""
    forked = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.With)
              and any("fork_rng" in ast.unparse(item.context_expr) for item in node.items) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if re.fullmatch(r"(np|numpy)\.random\.\w+", text) and node.attr not in SAFE_RANDOM:
                found.append(f"{node.lineno}: {text}")
            if text in ("torch.manual_seed", "torch.seed", "torch.random.manual_seed", "torch.set_rng_state",
                        "torch.cuda.manual_seed", "torch.cuda.manual_seed_all") and id(node) not in forked:
                found.append(f"{node.lineno}: {text}")
        if isinstance(node, ast.Call):
            text, keywords = ast.unparse(node.func), {keyword.arg for keyword in node.keywords}
            if (re.fullmatch(r"torch\.(rand|randn|randint|randperm|bernoulli|multinomial|normal)",
                             text) and "generator" not in keywords) \
                    or (re.search(r"\.(default_rng|SeedSequence)$", text) and not node.args and not node.keywords):
                found.append(f"{node.lineno}: {text}() without a generator or seed")
        if (isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names)) \
                or (isinstance(node, ast.ImportFrom) and node.module == "random" and not node.level):
            found.append(f"{node.lineno}: the module random")
    return found


@pytest.mark.parametrize("path", PUBLIC, ids=name)
def test_no_global_random_generator(path):
    assert global_randomness(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("source",
                         ["np.random.seed(1)", "x = np.random.rand(3)", "torch.manual_seed(0)", "import random",
                                    "torch.randn(3)", "np.random.default_rng()", "from random import choice"])
def test_global_generators_would_be_found(source):
    assert global_randomness(ast.parse(source))


def test_forked_and_seeded_generators_are_fine():
    assert not global_randomness(ast.parse("with torch.random.fork_rng():\n    torch.manual_seed(1)\n"
                                           "rng = np.random.default_rng(3)\ntorch.randn(3, generator=g)"))


TEXTS = [path for path in (*PUBLIC, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"),
                           *(ROOT / "docs").rglob("*.md"),
                           *(ROOT / "tune_configs").glob("*.yaml"),
                           *(ROOT / n for n in ("README.md", "Makefile", "cluster.yaml",
                                                                                         "pyproject.toml",
                                                "constraints.txt")))
         if path.exists()]


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_path_of_a_machine(path):
    """No file names a folder that exists on one machine only (the cluster's own login is what its nodes have)."""
    found = re.findall(r"(?<![\w.~])/(?:work|home|Users|root|mnt|scratch)/[\w.-]+", path.read_text())
    assert [f for f in found if not (path.name == "cluster.yaml" and f == "/home/" + "ubuntu")] == []


def functions(tree: ast.Module):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node) -> int:
    return node.end_lineno - node.lineno + 1


# Lines of a file: an algorithm of the registry has less room than what several share.
MOST = 200
OF_AN_ALGORITHM = {"bandits": 80, "tabular": 80, "deep": 150}
EXCUSED = {"custom_algos/deep/dqn.py", "custom_algos/deep/slateq.py",        # one learner each, with its loss by hand
           "platform/judge/verdict.py",                                      # the whole of the statistics in one place
           "platform/run/rllib.py"}                                          # the only file that knows RLlib
OWN_FILES = {path.partition(":")[0].replace(".", "/") + ".py" for path in ALGORITHMS.values()}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_stay_short(path):
    lines, tree = len(path.read_text().splitlines()), ast.parse(path.read_text())
    most = OF_AN_ALGORITHM.get(path.parent.name, MOST) if name(path) in OWN_FILES else MOST
    assert lines <= most or name(path) in EXCUSED, f"{name(path)} has {lines} lines"
    too_long = [f"{name(path)}:{f.lineno} {f.name} has {length(f)} lines" for f in functions(tree) if length(f) > 50]
    assert not too_long


def test_the_excuses_are_few_and_needed():
    assert len(EXCUSED) <= 5
    for file in EXCUSED:
        most = 150 if file in OWN_FILES else MOST
        assert len((ROOT / file).read_text().splitlines()) > most, f"{file} needs no excuse"


def test_the_first_file_to_read_is_short():
    assert len((ROOT / "custom_algos" / "core.py").read_text().splitlines()) <= 150
    assert len((ROOT / "platform" / "tune.py").read_text().splitlines()) <= 150


@pytest.mark.parametrize("path", PUBLIC, ids=name)
def test_every_file_says_what_it_is_for(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert not any(word in path.stem.split("_") for word in ("utils", "helpers", "base", "manager", "factory"))
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert not [c for c in classes if c.endswith(("Manager", "Factory", "Helper"))]


@pytest.mark.parametrize("path", PUBLIC, ids=name)
def test_errors_are_not_swallowed(path):
    """No bare ``except`` and no ``except Exception`` that goes on as if nothing had happened."""
    broad = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)
             and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
             and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))]
    assert not broad


MODELS = [path for path in FILES if name(path).startswith("envs/")]


def long_calls(tree: ast.Module) -> list[str]:
    """Compiled functions with more than eight arguments."""
    return [f"{f.lineno} {f.name}" for f in functions(tree) if "kernel" in map(ast.unparse, f.decorator_list)
            and len(f.args.args) > 8]


@pytest.mark.parametrize("path", MODELS, ids=name)
def test_kernels_take_named_tuples_whole(path):
    """What belongs together is handed over together, by name: no long lists of arrays, no order of a dict."""
    text = path.read_text()
    assert not long_calls(ast.parse(text)) and "self.state[" not in text
    assert not re.search(r"\*self\.state(\.values\(\))?\s*[,)]", text)


def test_a_kernel_of_many_arguments_would_be_found():
    assert long_calls(ast.parse("@kernel\ndef f(a, b, c, d, e, f, g, h, i):\n    pass")) == ["2 f"]
    assert not long_calls(ast.parse("def f(a, b, c, d, e, f, g, h, i):\n    pass"))


def test_no_model_imports_another_model():
    """What two user models share is a file of the engine; users are fitted to logs, a small slate is a table too."""
    folder = {path: path.parent.name for path in FILES if path.parent.parent == ROOT / "envs"}
    crossed = {(folder[path], folder[to]) for path, found in arrows().items() for to in found
               if path in folder and to in folder and folder[path] != folder[to] and folder[to] != "engine"}
    assert crossed <= {("fitted", "logs"), ("small_slate", "tabular")}


def test_nothing_acts_on_import_except_the_registration():
    """No file of the leaves calls anything at module level but definitions (and envs registers its ids)."""
    found = {}
    for path in (p for p in FILES if not name(p).startswith("platform/")):
        calls = [ast.unparse(node.value) for node in ast.parse(path.read_text()).body
                 if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
        if calls:
            found[name(path)] = calls
    assert found == {"envs/__init__.py": ["register_all()"]}


# promises of platform/ ------------------------------------------------------------------------------------------------
PLATFORM = [path for path in FILES if name(path).startswith("platform/")]
# A person may name a row by its label, and two rows must not look alike: the only places that compare labels.
COMPARES_LABELS = {("platform/experiment/plan.py", "reference_id"), ("platform/experiment/checks.py", "_check_rows")}


def label_comparisons(tree: ast.Module) -> set[str]:
    """Names of the functions in which a label is compared with something, or rows are grouped by it."""
    found = set()
    for function in functions(tree):
        for node in ast.walk(function):
            text = ast.unparse(node) if isinstance(node, ast.Compare | ast.Call | ast.Match) else ""
            by_label = re.search(r"\.label\b|\.shown\b|\[['\"]label['\"]\]", text) and not isinstance(node, ast.Call)
            if by_label or re.match(r".*\.groupby\(\[?['\"]algorithm['\"]", text, re.S):
                found.add(function.name)
    return found


@pytest.mark.parametrize("path", PLATFORM, ids=name)
def test_nothing_branches_on_a_label(path):
    found = label_comparisons(ast.parse(path.read_text()))
    assert found <= {function for file, function in COMPARES_LABELS if file == name(path)}


def test_a_branch_on_a_label_would_be_found():
    assert label_comparisons(ast.parse("def f(row):\n    return row.label == 'random'")) == {"f"}
    assert label_comparisons(ast.parse("def f(t):\n    return t.groupby('algorithm').x.mean()")) == {"f"}
    assert label_comparisons(ast.parse("def f(row):\n    return row.role == 'bound'")) == set()


@pytest.mark.parametrize("path", PLATFORM, ids=name)
def test_nobody_probes_what_an_object_can_do(path):
    """What models and algorithms can tell is declared (`envs.engine.knows`), so nothing asks `hasattr`."""
    probes = [node.lineno for node in ast.walk(ast.parse(path.read_text()))
              if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr"]
    assert not probes
