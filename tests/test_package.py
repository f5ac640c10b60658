"""The distribution: what it says of itself, what it carries, and what its leaves need."""
import email
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from envs import logs
from platform import tune

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RESEARCH_ONLY = "movielens"                               # in the names of the files whose terms forbid commercial use

LEAVES = """
import sys

class Blocker:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not here")

BLOCKED = {"ray", "torch", "pandas", "pyarrow", "scipy", "pydantic", "yaml", "rich", "matplotlib", "optuna", "pytest"}
sys.meta_path.insert(0, Blocker)
import gymnasium as gym
import envs, envs.engine.vector, envs.bandits.arms
import custom_algos.core, custom_algos.parts.returns, custom_algos.offline.estimators
from custom_algos import find_algorithm
from custom_algos.rollout import train

for env_id, name in (("recloop/BernoulliBandit-v0", "ucb"), ("recloop/Cliff-v0", "q_learning")):
    env = gym.make_vec(env_id, 4, vectorization_mode="vector_entry_point", autoreset="same_step")
    learner = find_algorithm(name)(env.single_observation_space, env.single_action_space)
    train(env, learner, env_steps=64)
    print(name, "learns")
"""


def test_the_leaves_work_where_ray_and_torch_are_not_installed():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LEAVES], capture_output=True, text=True, cwd=ROOT,
                          check=False)
    assert done.stdout.split("\n")[:2] == ["ucb learns", "q_learning learns"], done.stderr


# what is said ---------------------------------------------------------------------------------------------------------
def test_tests_are_no_dependency_and_every_extra_is_pinned():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    named = {bare(line) for line in pins if "==" in line}
    needs = {part: {bare(n) for n in listed} for part, listed in PROJECT["optional-dependencies"].items()}
    base = {bare(need) for need in PROJECT["dependencies"]}
    assert {"ray", "torch", "gymnasium", "numpy", "pandas"} <= base and not base & {"pytest", "ruff", "mypy"}
    assert set(needs) == {"serve", "docs", "bench", "dash", "dev"} and "pytest" in needs["dev"]
    assert base.union(*needs.values()) <= named


def bare(need: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else " " for c in need).split()[0].lower().replace("_", "-")


def test_the_citation_file_is_complete():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["license"] == PROJECT["license"] == "Apache-2.0"
    assert any(author.get("alias") == "norhum" for work in cited["references"] for author in work["authors"])


# what is carried ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the source distribution and the wheel that is made of it."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    source, = folder.glob("recloop-*.tar.gz")
    run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(folder), str(source),
        cwd=folder)
    return folder


def run(*arguments, cwd) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_distributed_may_be_used_commercially(built):
    wheel, = built.glob("*.whl")
    source, = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(source) as sources:
        carried, packed = archive.namelist(), sources.getnames()
    data = [name for name in carried if name.startswith("envs/data/")]
    assert sorted(data) == ["envs/data/NOTICE.md", "envs/data/obd_small.LICENSE.txt", "envs/data/obd_small.parquet"]
    assert not [name for name in carried + packed if RESEARCH_ONLY in name]
    assert list((ROOT / "envs" / "data").glob("*movielens*"))                    # and the repository has it
    assert {f"{folder}/py.typed" for folder in ("envs", "custom_algos", "platform")} <= set(carried)


def test_the_metadata_names_licence_and_version(built):
    wheel, = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        said = email.message_from_bytes(archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))))
    assert said["License-Expression"] == "Apache-2.0" and said["Version"] == PROJECT["version"]
    assert said.get_all("License-File") == PROJECT["license-files"]
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "Apache License" in (ROOT / "LICENSE").read_text()


# where the file is missing --------------------------------------------------------------------------------------------
def test_without_the_movies_one_sentence_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[logs.default_movies.__module__], "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"MovieLens.*ladder-bandits") as error:
        logs.default_movies()
    assert "\n" not in str(error.value)
    new_world = "env.params.world_seed=4711"              # worlds that were read before are kept by the process
    assert tune.main(["quickstart", "--dry-run", "--set", new_world]) == 2
    said = capsys.readouterr().err
    assert str(error.value) in said and said.startswith("error: ") and len(said.strip().splitlines()) == 1
    assert tune.main(["ladder-bandits", "--dry-run"]) == 0
