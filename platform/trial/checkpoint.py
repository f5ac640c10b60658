"""States on disk: arrays as safetensors, everything else as JSON.  Loading one never executes code.

The JSON is written last and holds the digest of the arrays: a pair that does not belong together is no checkpoint.

Lists and tuples come back as lists, NumPy scalars as plain numbers; keys are text.
"""
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes


class Broken(ValueError):
    """A file of a checkpoint is missing, cut short or not ours."""


def save(folder: str | Path, state: dict[str, Any], name: str = "state") -> None:
    """Write a nested dict of arrays and plain values; each file appears whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    content = _split(state, "", arrays)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    packed = to_bytes({k: np.ascontiguousarray(v).reshape(v.shape) for k, v in arrays.items()})
    plain = json.dumps({"sha256": hashlib.sha256(packed).hexdigest(), "state": content})
    _write(folder / f"{name}.safetensors", packed)
    _write(folder / f"{name}.json", plain.encode())


def load(folder: str | Path, name: str = "state") -> dict[str, Any]:
    """The reverse of `save`; `Broken` names a file that is missing or broken."""
    path = Path(folder) / f"{name}.json"
    try:
        plain = json.loads(path.read_text())
        path = path.with_suffix(".safetensors")
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != plain["sha256"]:
            raise ValueError("its bytes are not those that were written")
        return _join(plain["state"], from_bytes(packed))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise Broken(f"{path}: not a checkpoint of this project ({type(error).__name__}: {error})") from error


def _split(tree, prefix, arrays):
    """``tree`` as JSON, its arrays put aside under the path that leads to them (``~`` and ``/`` of a key escaped)."""
    if isinstance(tree, dict):
        for key in tree:
            if not isinstance(key, str):
                raise TypeError(f"checkpoint: key {key!r} below '{prefix}' must be text")
        return {"dict": {k: _split(v, f"{prefix}/{k.replace('~', '~0').replace('/', '~1')}", arrays)
                         for k, v in tree.items()}}
    if isinstance(tree, list | tuple):
        return {"list": [_split(v, f"{prefix}/{i}", arrays) for i, v in enumerate(tree)]}
    if isinstance(tree, np.ndarray):
        if tree.dtype.kind not in "biuf":
            raise TypeError(f"checkpoint: '{prefix}' is an array of {tree.dtype}; valid are bool, int, uint and float")
        arrays[prefix] = tree
        return {"array": prefix}
    return {"value": tree.item() if isinstance(tree, np.generic) else tree}


def _join(node, arrays):
    (kind, content), = node.items()
    if kind == "dict":
        return {key: _join(value, arrays) for key, value in content.items()}
    if kind == "list":
        return [_join(value, arrays) for value in content]
    return arrays[content] if kind == "array" else content


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)
