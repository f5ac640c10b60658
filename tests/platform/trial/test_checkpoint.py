"""States on disk: what goes in comes out, nothing is executed, a broken file is named."""
import ast
import json
import math
import pickle
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform.trial import checkpoint

DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
          "float64"]
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
plain = (st.none() | st.booleans() | st.integers(-2**63, 2**63) | st.floats() | st.text(max_size=8))
trees = st.dictionaries(st.text(alphabet="ab/~.0", max_size=4), st.recursive(
    arrays | plain, lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(alphabet="ab/~.0é", max_size=4), inner, max_size=3), max_leaves=8), max_size=4)


def same(a, b) -> bool:
    """Equal in value, type, dtype and shape, NaN equal to NaN, −0 different from 0."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is type(b) and a == b


@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees)
def test_what_goes_in_comes_out(tmp_path, tree):
    checkpoint.save(tmp_path, tree)
    assert same(tree, checkpoint.load(tmp_path))


def test_keys_with_the_separator_do_not_collide(tmp_path):
    tree = {"state": {"taste": np.array([1.0])}, "state/taste": np.array([2.0]), "state~1taste": np.array([3.0]),
            "list": [np.array([4.0])], "list/0": np.array([5.0])}
    checkpoint.save(tmp_path, tree)
    assert same(tree, checkpoint.load(tmp_path))


def test_the_extremes_and_the_layouts(tmp_path):
    strided = np.arange(24.0).reshape(4, 6)
    tree = {"inf": math.inf, "minus": -math.inf, "big": 2**63, "small": -2**63, "zero_d": np.array(7, np.int8),
            "empty": np.zeros((0, 3), np.float32), "columns": np.asfortranarray(strided), "strided": strided[::2, ::3],
            "nan": np.array([np.nan, np.inf]), "nothing": None, "none_of_it": {}, "no_rows": []}
    checkpoint.save(tmp_path, tree)
    found = checkpoint.load(tmp_path)
    assert same(tree, found)
    found["strided"][:] = 0                               # a loaded array is one's own and can be written
    assert strided[2, 3] == 15.0


def test_scalars_and_tuples_come_back_plain(tmp_path):
    checkpoint.save(tmp_path, {"a": np.float64(0.1), "b": np.bool_(True), "c": np.int64(2**62), "d": (1, 2)})
    assert same(checkpoint.load(tmp_path), {"a": 0.1, "b": True, "c": 2**62, "d": [1, 2]})


@pytest.mark.parametrize("state, words",
                         [({"a": {1: 2}}, "key 1 below '/a'"), ({"a": np.array(["x"])}, "'/a' is an array of"),
                                          ({"a": np.array([None])}, "array of object"), ({"a": {1, 2}}, "set")])
def test_what_cannot_be_saved_is_refused_and_leaves_no_file(tmp_path, state, words):
    with pytest.raises(TypeError, match=words):
        checkpoint.save(tmp_path, state)
    assert list(tmp_path.iterdir()) == []


def broken(kind: str, folder: Path) -> Path:
    """Break one file of a good checkpoint; returns the file that the message must name."""
    text, data = folder / "state.json", folder / "state.safetensors"
    match kind:
        case "no json":
            text.unlink()
        case "half a json":
            text.write_bytes(text.read_bytes()[:-3])
        case "other json":
            text.write_text("[1, 2]")
        case "binary json":
            text.write_bytes(b"\xff\xfe\x00")
        case "no arrays":
            data.unlink()
        case "half the arrays":
            data.write_bytes(data.read_bytes()[:-3])
        case "junk arrays":
            data.write_bytes(b"junk")
        case "other arrays":
            data.write_bytes(checkpoint.to_bytes({"b": np.zeros(1)}))
        case "a pickle":
            data.write_bytes(pickle.dumps({"/a": np.zeros(3)}))
    return text if kind in ("no json", "half a json", "binary json") else data


@pytest.mark.parametrize("kind", ["no json", "half a json", "other json", "binary json", "no arrays", "half the arrays",
                                  "junk arrays", "other arrays", "a pickle"])
def test_a_broken_file_is_named(tmp_path, kind):
    checkpoint.save(tmp_path, {"a": np.arange(3.0), "n": 1})
    guilty = broken(kind, tmp_path)
    with pytest.raises(ValueError, match="not a checkpoint of this project") as caught:
        checkpoint.load(tmp_path)
    assert str(guilty if kind != "other json" else tmp_path) in str(caught.value)


def test_two_files_and_no_half_written_ones(tmp_path):
    checkpoint.save(tmp_path, {"a": np.arange(3)}, "learner")
    checkpoint.save(tmp_path, {"a": np.arange(4)}, "learner")             # replaces the older one whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["learner.json", "learner.safetensors"]
    assert json.loads((tmp_path / "learner.json").read_text())["state"] == {"dict": {"a": {"array": "/a"}}}
    arrays = (tmp_path / "learner.safetensors").read_bytes()
    (tmp_path / "learner.safetensors").write_bytes(arrays[:-1] + bytes([arrays[-1] ^ 1]))      # as long, one bit other
    with pytest.raises(checkpoint.Broken, match="not those that were written"):
        checkpoint.load(tmp_path, "learner")
    (tmp_path / "learner.safetensors").write_bytes(arrays)
    assert len(checkpoint.load(tmp_path, "learner")["a"]) == 4


def test_loading_executes_no_code():
    source = Path(checkpoint.__file__).read_text()
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert not names & {"eval", "exec", "pickle", "torch", "np_load", "__import__"}
    assert "pickle" not in source and "np.load" not in source
