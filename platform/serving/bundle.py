"""A bundle: a policy as a folder that opens without Ray, without a simulator and without running foreign code.

| file | holds |
|---|---|
| ``bundle.json`` | algorithm and hyper-parameters, both spaces, ids, where it comes from, what it scored, calibration |
| ``state.safetensors``, ``state.json`` | the policy, and of bandits the learner too |
| ``items.safetensors``, ``items.json`` | features of the catalogue, fitted numbers of the observation function |
| ``CARD.md`` | the same for a person |
| ``SHA256SUMS`` | the digest of every file (``sha256sum -c SHA256SUMS``) |
"""
import hashlib
import json
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

import platform as standard
from custom_algos import ALGORITHMS, find_algorithm
from custom_algos.bandits.hashed_linear import HashedLinear
from custom_algos.core import make_config

from ..installed import version
from ..trial import checkpoint
from .decision import Refused
from .fixed import FixedPolicy
from .hashed import HashedPolicy
from .policy import Policy
from .spaces import finite, space_of

FORMAT = 1
NAMES = ("CARD.md", "bundle.json", "items.json", "items.safetensors", "state.json", "state.safetensors")
SUMS = "SHA256SUMS"


def save_bundle(folder: str | Path, manifest: dict[str, Any], state: dict[str, Any], items: dict[str, Any],
                card: str) -> Path:
    """Write a bundle; it appears whole, and takes the place of one that was there."""
    folder = Path(folder)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    checkpoint.save(part, state, "state")
    checkpoint.save(part, items, "items")
    (part / "bundle.json").write_text(json.dumps({"format": FORMAT} | finite(manifest), indent=1, allow_nan=False))
    (part / "CARD.md").write_text(card)
    (part / SUMS).write_text(_sums(part))
    if folder.exists():
        if any(folder.iterdir()) and not (folder / SUMS).exists():
            shutil.rmtree(part)
            raise Refused(f"{folder}: is not empty and no bundle; name another folder")
        shutil.rmtree(folder)
    part.rename(folder)
    return folder


def load_policy(folder: str | Path, allow: Collection[str] = ()) -> Policy:
    """The policy of a bundle; `Refused` says what is wrong with it.

    ``allow``: algorithms ``my_package:MyAlgorithm`` of your own that it may name; only the project's are otherwise
    imported.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    name = str(manifest.get("algorithm"))
    if name not in ALGORITHMS and name not in allow:
        raise Refused(f"{folder}: its algorithm is {name!r}, which is not one of the project; to import and run that, "
                      f"say load_policy(…, allow=[{name!r}])")
    try:
        found = find_algorithm(name)
        held, state = checkpoint.load(folder, "items"), checkpoint.load(folder, "state")
        algorithm = found(space_of(manifest["observation_space"]), space_of(manifest["action_space"]),
                          make_config(found, manifest["params"]), manifest["seed"], held.get("features"))
        kind = HashedPolicy if isinstance(algorithm, HashedLinear) else FixedPolicy
        policy = kind(algorithm, manifest["ids"], manifest | {"numbers": held.get("numbers")}, manifest["whole"])
        policy.load_state(state)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Refused(f"{folder}: cannot be opened ({type(error).__name__}: {error})") from error
    policy.notes += _notes(manifest.get("versions", {}))
    return policy


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """What ``bundle.json`` says, once every file is the one that was written."""
    folder = Path(folder)
    if not (folder / SUMS).is_file():
        raise Refused(f"{folder}: is no bundle (it has no {SUMS}); `recloop export RUN` makes one")
    if missing := [name for name in NAMES if not (folder / name).is_file()]:
        raise Refused(f"{folder}: {missing[0]} is missing")
    given, right = (folder / SUMS).read_bytes(), _sums(folder).encode()
    if given != right:
        known = {name: digest for digest, name in re.findall(rb"^([0-9a-f]{64})  (\S+)$", given, re.M)}
        changed = [name for name in NAMES if known.get(name.encode()) != _digest(folder / name).encode()]
        raise Refused(f"{folder}: {', '.join(changed) or SUMS} was changed after the bundle was written (its SHA-256 "
                      "is another); copy the bundle again, or export it anew")
    try:
        manifest = json.loads((folder / "bundle.json").read_text())
    except (ValueError, RecursionError) as error:
        raise Refused(f"{folder}: bundle.json is not JSON ({type(error).__name__})") from error
    if _format(manifest) != FORMAT:
        raise Refused(f"{folder}: has format {_format(manifest)!r}; this version of recloop reads format {FORMAT}")
    return manifest


def _format(manifest) -> Any:
    return manifest.get("format") if isinstance(manifest, dict) else None


def versions() -> dict[str, str]:
    """What the bits of a decision may depend on."""
    return {"python": standard.python_version(), "processor": standard.machine(), "numpy": np.__version__,
            "recloop": version() or "not installed"}


def _notes(made: dict[str, str]) -> list[str]:
    """A sentence for each version that differs from the one a bundle was written with."""
    here = {"numpy": np.__version__, "python": standard.python_version()}
    return [f"written with {name} {made[name]}, opened with {now}: numbers agree, their last bits need not"
            for name, now in here.items() if name in made and made[name].split(".")[:2] != now.split(".")[:2]]


def _sums(folder: Path) -> str:
    return "".join(f"{_digest(folder / name)}  {name}\n" for name in NAMES)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
