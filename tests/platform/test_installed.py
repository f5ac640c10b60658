"""Which copy of the project runs: its version, its own commit, and foreign packages of our names."""
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from platform import installed

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments, folder):
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
           "GIT_COMMITTER_EMAIL": "a@example.org"}
    return subprocess.run(["git", *arguments], cwd=folder, env=os.environ | who, check=True, capture_output=True,
                          text=True).stdout.strip()


def repository(folder: Path, project: str | None) -> str:
    """A repository with one commit; returns the commit."""
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text("a")
    if project:
        (folder / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    git("init", "-q", folder=folder)
    git("add", ".", folder=folder)
    git("commit", "-q", "-m", "a", folder=folder)
    return git("rev-parse", "HEAD", folder=folder)


def test_the_commit_is_the_projects_own(tmp_path):
    commit = repository(tmp_path / "clone", "recloop")
    assert installed.own_commit(tmp_path / "clone") == commit


@pytest.mark.parametrize("project", [None, "another"])
def test_a_repository_around_an_installation_is_not_ours(tmp_path, project):
    repository(tmp_path / "outer", project)
    inside = tmp_path / "outer" / "lib"
    inside.mkdir()
    assert installed.own_commit(tmp_path / "outer") is None and installed.own_commit(inside) is None
    (inside / "pyproject.toml").write_text('[project]\nname = "recloop"\n')      # an unpacked source distribution
    assert installed.own_commit(inside) is None


def test_the_variables_of_a_git_hook_do_not_count(tmp_path, monkeypatch):
    repository(tmp_path / "other", None)
    commit = repository(tmp_path / "clone", "recloop")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert installed.own_commit(tmp_path / "clone") == commit


def test_no_git_is_no_commit(tmp_path, monkeypatch):
    repository(tmp_path / "clone", "recloop")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed.own_commit(tmp_path / "clone") is None


def test_our_own_packages_are_not_foreign():
    assert installed.foreign_packages() == []


@pytest.mark.parametrize("regular", [True, False], ids=["package", "folder"])
def test_a_foreign_package_of_our_name_is_named_in_one_sentence(tmp_path, regular):
    other, ours = tmp_path / "elsewhere", tmp_path / "ours"
    for folder in (other / "envs", ours / "platform", ours / "custom_algos"):
        folder.mkdir(parents=True)
    if regular:
        (other / "envs" / "__init__.py").write_text("raise RuntimeError('nothing may be imported to find out')")
    shutil.copy(ROOT / "platform" / "installed.py", ours / "platform")
    probe = ("import sys, runpy\n"
             f"sys.path[:0] = [{str(other)!r}, {str(ours)!r}]\n"
             f"print(*runpy.run_path({str(ours / 'platform' / 'installed.py')!r})['foreign_packages'](), sep='\\n')")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True,
                          cwd=tmp_path)
    sentence, = done.stdout.strip().splitlines()
    assert f"'import envs' finds {other / 'envs'}" in sentence and str(ours / "envs") in sentence


def test_the_version_stands_in_one_place():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert installed.version() == stated
    assert f"\nversion: {stated}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{stated}]" in (ROOT / "CHANGELOG.md").read_text()
    code = [path for folder in ("envs", "custom_algos", "platform") for path in (ROOT / folder).rglob("*.py")]
    assert not [path for path in code if "__version__ =" in path.read_text()]
