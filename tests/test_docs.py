"""The documents: generated parts agree with the code, links lead somewhere, and the examples run."""
import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from platform.experiment.model import Experiment

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "envs/data/NOTICE.md")] \
    + sorted((ROOT / "docs").glob("*.md"))
LAID_OUT = (ROOT / "platform" / "commands").is_dir()        # the pages name the files of that layout
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def generate():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_what_the_code_says(generate):
    old = [name(page) for page, text in generate.pages().items() if page.read_text() != text]
    assert not old, f"run `make reference`: {', '.join(old)}"


def test_a_page_that_is_behind_would_be_found(generate, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- keys -->\nold\n<!-- end -->\nafter\n")
    assert generate.filled(page, {"keys": "new"}) == "before\n<!-- keys -->\nnew\n<!-- end -->\nafter\n"
    with pytest.raises(KeyError, match="<!-- other -->"):
        generate.filled(page, {"other": "new"})


def test_every_key_of_an_experiment_has_a_sentence(generate):
    silent = [f"{title}: {key}" for title, model in generate.models(Experiment, "", "top")
              for key, field in model.model_fields.items() if not (field.description or "").endswith(".")]
    assert not silent


def anchor(title: str) -> str:
    """A heading as GitHub names it in addresses."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, part = link.partition("#")
        if file.startswith(("http://", "https://")) or (file.startswith("platform/") and not LAID_OUT):
            continue
        target = (page.parent / file).resolve() if file else page
        heads = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if part and target.is_file() else []
        if not target.exists() or (part and part not in map(anchor, heads)):
            lost.append(link)
    assert not lost


@pytest.mark.skipif(not LAID_OUT, reason="the pages name the files of the layout with platform/commands/")
@pytest.mark.parametrize("page", [page for page in PAGES if not page.name.startswith("new-")], ids=name)
def test_every_file_that_is_named_exists(page):
    folders = "envs|custom_algos|platform|tests|docs|benchmarks|tune_configs"
    named = re.findall(rf"`((?:{folders})/[\w/.-]*\.\w+)", page.read_text())
    assert not [file for file in named if not (ROOT / file).exists()]


def texts() -> list[str]:
    """Every text of the code, what is filled in later as '…'."""
    found = []
    for path in (path for folder in ("envs", "custom_algos", "platform") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_the_messages_of_troubleshooting_are_those_of_the_code():
    code, foreign = texts(), ("No module named", "python3.11")
    rows = re.findall(r"^\| (?:the report says )?`(.*?)`.*? \|", (ROOT / "docs/troubleshooting.md").read_text(), re.M)
    assert len(rows) > 30
    assert not [message for message in rows if not message.startswith(foreign)
                and not any(all(part in text for part in message.split("…")) for text in code)]


def blocks(page: str, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall((ROOT / page).read_text()) if kind == language]


@pytest.mark.parametrize("text", blocks("docs/experiment-files.md", "yaml"), ids=lambda text: text.split("\n")[1])
def test_the_example_experiments_are_valid(text, tmp_path):
    from platform import tune

    file = tmp_path / "example.yaml"
    file.write_text(text)
    assert tune.main([str(file), "--dry-run"]) == 0


def test_the_examples_of_your_log_run_and_find_the_truth(tmp_path):
    """The two Python blocks are one session."""
    code = "\n".join(blocks("docs/your-log.md", "python"))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tmp_path,
                          check=False, env={"PYTHONPATH": str(ROOT), "HOME": str(Path.home())})
    assert done.returncode == 0, done.stderr
    low, high = map(float, re.search(r"^doubly_robust .*\[(.*), (.*)\]", done.stdout, re.M).groups())
    assert low <= 0.071 <= high and (tmp_path / "shop.parquet").exists()


def test_the_examples_of_serving_run_and_learn(tmp_path):
    code = "\n".join(blocks("docs/serving.md", "python"))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tmp_path,
                          check=False, env={"PYTHONPATH": str(ROOT), "HOME": str(Path.home())})
    assert done.returncode == 0, done.stderr
    assert 0.5 < float(done.stdout.split()[0]) < 0.62
    assert "{'decisions': 200, 'versions': 10, 'outcomes': 200}" in done.stdout and "propensity" in done.stdout


@pytest.mark.slow
def test_the_example_of_the_readme_runs(tmp_path):
    code, = blocks("README.md", "python")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tmp_path,
                          check=False, env={"PYTHONPATH": str(ROOT), "HOME": str(Path.home())})
    assert done.returncode == 0, done.stderr
    assert 36 < float(done.stdout.split()[0]) < 42


# places ---------------------------------------------------------------------------------------------------------------
TEXTS = [*PAGES, *(ROOT / file for file in ("Makefile", "pyproject.toml", "constraints.txt", "CITATION.cff", ".ci/run",
                                            ".pre-commit-config.yaml", "docs/generate.py"))]


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_no_text_names_a_registry_or_a_folder_of_one_machine(page):
    hosts = r"pypi\.org|pythonhosted|download\.pytorch|anaconda\.(?:org|com)"
    assert re.findall(rf"{hosts}|(?<![\w.~])/(?:work|home|Users|root|mnt|tmp|opt)/\w+", page.read_text()) == []


# plain numbers --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", [p for p in PAGES if p.parent != ROOT / "docs" or p.name in (
    "architecture.md", "protocol.md", "your-log.md", "experiment-files.md", "reading-the-report.md", "glossary.md",
    "troubleshooting.md")], ids=name)
def test_numbers_have_leading_zeros(page):
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page.read_text(), flags=re.S)
    assert re.findall(r"(?<![\w.…])[+−±-]?\.\d+", text) == []
