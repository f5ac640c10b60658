"""Features of JSON as keys and values: names, one-hot texts, what is left out, and published hashes."""
import datetime
import json

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_algos.parts.hashing import actions_of, features, key_of, names_of, numbered, padded


def named(given):
    """{key: value} of JSON features."""
    keys, values = features(given)
    return dict(zip(keys.tolist(), values.tolist(), strict=True))


def test_the_hash_is_murmur_3_of_128_bits_its_first_half():
    assert key_of("hello") == 0xCBD8A7B341BD9B02                             # published test vector, seed 0
    assert key_of("a", "b") == mmh3.hash64(b"a\x1fb", signed=False)[0]


def test_texts_numbers_bools_lists_and_names_that_are_left_out():
    given = {"user": {"age": 45, "town": "Bergen", "vip": True, "new": False, "none": None, "_id": "u7"},
             "_private": {"x": 1}, "tags": ["a", "b"], "position": [0.5, 0.0, -2]}
    assert named(given) == {
        key_of("user", "age"): 45.0, key_of("user", "town", "=", "Bergen"): 1.0, key_of("user", "vip"): 1.0,
        key_of("user", "none", "=", "null"): 1.0, key_of("tags", "=", "a"): 1.0, key_of("tags", "=", "b"): 1.0,
        key_of("position", 0): 0.5, key_of("position", 2): -2.0}


def test_a_list_of_objects_is_their_union_and_numbers_have_the_names_of_arrays():
    assert named([{"time": {"hour": 3}}, {"weather": "rain"}]) == named({"weather": "rain", "time": {"hour": 3}})
    assert named({"context": [5.0, 6.0]}) == dict(zip(numbered("context", 2).tolist(), [5.0, 6.0], strict=True))


def test_text_and_number_of_the_same_look_are_two_features():
    assert set(named({"a": "1"})) != set(named({"a": 1})) and set(named({"a": {"b": 1}})) != set(named({"b": {"a": 1}}))


JSON = st.recursive(st.none() | st.booleans() | st.floats(-1e6, 1e6) | st.text(max_size=4),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                    max_leaves=8)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_the_order_of_an_object_means_nothing_and_a_trip_through_json_neither(given):
    again = json.loads(json.dumps(given, sort_keys=True))
    turned = dict(reversed(given.items()))
    for other in (again, turned):
        for a, b in zip(features(given), features(other), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 10**400, 1.1e12])
def test_numbers_that_are_too_large_are_named(bad):
    with pytest.raises(ValueError, match="feature user/age must be a number between −1e\\+12 and 1e\\+12"):
        features({"user": {"age": bad}})


def test_what_is_no_json_is_named_and_arrays_of_numpy_are_numbers():
    with pytest.raises(ValueError, match="feature day is a date; valid are text"):
        features({"day": datetime.date(2026, 1, 2)})
    assert named({"a": np.float32(0.5), "b": np.array([1, 2]), "c": np.bool_(True)}) == \
        named({"a": 0.5, "b": [1, 2], "c": True})


def test_a_nest_that_is_too_deep_is_refused_and_not_followed():
    deep = lists = 1.0
    for _ in range(5000):
        deep, lists = {"x": deep}, [lists]
    for nest in (deep, {"a": lists}):
        with pytest.raises(ValueError, match="is nested more than 16 deep"):
            features(nest)


def test_names_for_a_person():
    given = {"user": {"town": "Bergen", "age": 45}, "tags": ["a"], "at": [0.5]}
    names = names_of(given)
    assert set(names) == set(named(given))
    assert sorted(names.values()) == ["at/0", "tags=a", "user/age", "user/town=Bergen"]


def test_rows_are_filled_up_with_nothing_and_shared_keys_are_found_once():
    rows = [features({"kind": "a", "price": 2.0}), features({"kind": "a"}), features({})]
    keys, values = padded(rows)
    assert keys.shape == values.shape == (3, 2) and values.tolist()[2] == [0.0, 0.0]
    shared, own = actions_of(rows, shared=True), actions_of(rows)
    assert len(shared.keys) == 2 and len(own.keys) == 3 and shared.start.tolist() == own.start.tolist() == [0, 2, 3, 3]
    np.testing.assert_array_equal(shared.keys[shared.which], own.keys[own.which])
