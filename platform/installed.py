"""What is installed here: the version, the project's own commit, and whether our folders are really ours.

Nothing is imported but the standard library, so that the command may ask before it loads anything else.
"""
import importlib.util
import os
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]                 # the folder that holds envs/, custom_algos/ and platform/
LEAVES = ("envs", "custom_algos")


def version() -> str | None:
    """The version of the installed distribution (it stands in pyproject.toml); None where none is installed."""
    try:
        return metadata.version("recloop")
    except metadata.PackageNotFoundError:
        return None


def foreign_packages(root: Path = ROOT) -> list[str]:
    """One sentence for each of our packages that Python would take from somewhere else; empty where all are ours."""
    sentences = []
    for name in LEAVES:
        spec, ours = importlib.util.find_spec(name), root / name
        places = [] if spec is None else [*(spec.submodule_search_locations or [spec.origin or name])]
        found = [Path(place).resolve() for place in places]
        if not found:
            sentences.append(f"the package '{name}' is missing: it must lie in {ours}")
        elif ours not in found:
            sentences.append(f"'import {name}' finds {found[0]}, which belongs to another project, instead of {ours}: "
                             f"start in another folder, or take {found[0].parent} off PYTHONPATH")
    return sentences


def own_commit(root: Path = ROOT) -> str | None:
    """The commit of this project's own repository; None in an installation, wherever that may lie."""
    if _project(root / "pyproject.toml") != "recloop":
        return None
    top = _git("rev-parse", "--show-toplevel", folder=root)
    return _git("rev-parse", "HEAD", folder=root) if top and Path(top).resolve() == root else None


def _project(file: Path) -> str | None:
    try:
        return tomllib.loads(file.read_text()).get("project", {}).get("name")
    except (OSError, tomllib.TOMLDecodeError):
        return None


def _git(*arguments: str, folder: Path) -> str | None:
    """What git prints; None where it fails or is not there.  GIT_DIR and the like (set in hooks) do not count."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=folder, env=environment,
                              check=False)
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
