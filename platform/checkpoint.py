"""States on disk: arrays as safetensors, everything else as JSON.  Loading one never executes code."""
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes


def save(folder: str | Path, state: dict[str, Any], name: str = "state") -> None:
    """Write a nested dict of arrays and plain values; each file appears whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    plain = _split(state, "", arrays)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{name}.safetensors", to_bytes({k: np.ascontiguousarray(v).reshape(v.shape) for k, v in arrays.items()}))
    _write(folder / f"{name}.json", json.dumps(plain).encode())


def load(folder: str | Path, name: str = "state") -> dict[str, Any]:
    """The reverse of `save`; ValueError names a file that is missing or broken."""
    path = Path(folder) / f"{name}.json"
    try:
        plain = json.loads(path.read_text())
        arrays = load_file(path.with_suffix(".safetensors"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint of this project ({error})") from error
    return _join(plain, "", arrays)


_ARRAY = {"array": True}


def _split(tree, prefix, arrays):
    if isinstance(tree, dict):
        return {"dict": {str(k): _split(v, f"{prefix}{k}/", arrays) for k, v in tree.items()}}
    if isinstance(tree, list | tuple):
        return {"list": [_split(v, f"{prefix}{i}/", arrays) for i, v in enumerate(tree)]}
    if isinstance(tree, np.ndarray):
        arrays[prefix] = tree
        return _ARRAY
    return {"value": tree.item() if isinstance(tree, np.generic) else tree}


def _join(node, prefix, arrays):
    if "dict" in node:
        return {k: _join(v, f"{prefix}{k}/", arrays) for k, v in node["dict"].items()}
    if "list" in node:
        return [_join(v, f"{prefix}{i}/", arrays) for i, v in enumerate(node["list"])]
    return arrays[prefix] if node == _ARRAY else node["value"]


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)
