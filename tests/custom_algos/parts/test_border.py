"""The gate functions on anything that may come."""
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from custom_algos.parts.border import as_mask, check_finite, check_form, form
from custom_algos.parts.draw import draw_any
from custom_algos.parts.steps import mask_of, masks_after

MANY = settings(max_examples=200, deadline=None)
BOOLS = hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 5)))
NUMBERS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(width=32))


@MANY
@given(BOOLS, st.sampled_from(["bool", "int8", "float64", "list", "rows"]))
def test_a_mask_is_read_in_any_form_or_the_user_without_an_action_is_named(mask, kind):
    rows = np.empty(len(mask), object)
    for n, row in enumerate(mask):
        rows[n] = row.astype(np.int8)
    made = {"list": mask.tolist(), "rows": rows}.get(kind, None if kind in ("list", "rows") else mask.astype(
        kind if kind not in ("list", "rows") else bool))
    empty = np.flatnonzero(~mask.any(axis=1))
    if len(empty):
        with pytest.raises(ValueError, match=f"allows no action to user {empty[0]};"):
            as_mask(made)
    else:
        read = as_mask(made)
        assert read.dtype == bool and (read == mask).all()


@MANY
@given(hnp.arrays(st.sampled_from([np.int8, np.float32, np.int64]), (3, 2), elements=st.integers(-2, 3)))
def test_other_numbers_are_no_mask(numbers):
    if np.isin(numbers, (0, 1)).all():
        return
    with pytest.raises(ValueError, match="valid are True and False, or 1 and 0"):
        as_mask(numbers)


def test_a_ragged_mask_is_refused():
    with pytest.raises(ValueError, match="same number of entries for every user"):
        as_mask([[1, 0], [1]])


@MANY
@given(NUMBERS)
def test_the_first_number_that_is_not_finite_is_found(values):
    """Also where finite numbers add up to more than a float holds."""
    bad = np.argwhere(~np.isfinite(values))
    for nested in (values, {"a": (values,)}):
        if len(bad):
            with pytest.raises(ValueError, match=f"of user {bad[0][0]} is not finite"):
                check_finite("observation", nested)
        else:
            check_finite("observation", nested)
    check_finite("sum", np.full(8, 3e38, np.float32))


STATES = st.recursive(hnp.arrays(np.int8, hnp.array_shapes(max_dims=2, max_side=3)) | st.integers(0, 3),
                      lambda part: st.dictionaries(st.sampled_from("abc"), part, max_size=3), max_leaves=6)


@MANY
@given(STATES, STATES)
def test_a_state_passes_where_keys_and_shapes_are_there(own, other):
    def contains(a, b):
        if isinstance(a, dict):
            return isinstance(b, dict) and all(key in b and contains(part, b[key]) for key, part in a.items())
        return not isinstance(b, dict) and np.shape(a) == np.shape(b)

    check_form(form(own), own, "Own")
    if contains(own, other):
        check_form(form(own), other, "Own")
    else:
        with pytest.raises(ValueError, match="Own: the state"):
            check_form(form(own), other, "Own")


@MANY
@given(BOOLS, st.data())
def test_the_mask_of_the_true_successor(mask, data):
    """Of Gymnasium's own vector environments: `final_info` where a session ended, what is seen now elsewhere."""
    mask[:, 0] = True
    n, a = mask.shape
    ends = data.draw(hnp.arrays(bool, n))
    final = data.draw(hnp.arrays(np.int8, (n, a), elements=st.integers(0, 1)))
    info = {"action_mask": mask.astype(np.int8), "final_info": {"action_mask": final}}
    now, after = masks_after(info, ends)
    assert (now == mask).all() and (after[~ends] == mask[~ends]).all()
    for user in np.flatnonzero(ends):
        assert (after[user] == (final[user] == 1 if final[user].any() else True)).all()


def test_who_gave_no_mask_may_do_anything():
    info = {"action_mask": np.array([[1, 0], [0, 0]], np.int8), "_action_mask": np.array([True, False])}
    assert mask_of(info).tolist() == [[True, False], [True, True]] and mask_of({}) is None


SPACES = st.recursive(
    st.one_of(st.builds(spaces.Discrete, st.integers(1, 5)), st.builds(spaces.MultiBinary, st.integers(1, 4)),
              st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 4), min_size=1, max_size=3)),
              st.sampled_from([spaces.Box(-1, 2, (2,)), spaces.Box(0, np.inf, (1,)), spaces.Box(-np.inf, 3, (2, 2)),
                               spaces.Box(-np.inf, np.inf, ()), spaces.Box(-3, 3, (2,), np.int16)])),
    lambda part: st.lists(part, min_size=1, max_size=3).map(lambda parts: spaces.Tuple(tuple(parts)))
    | st.dictionaries(st.sampled_from("xyz"), part, min_size=1).map(spaces.Dict), max_leaves=5)


@MANY
@given(SPACES, st.integers(0, 2**32))
def test_what_is_drawn_lies_in_the_space(space, seed):
    drawn, log_prob = draw_any(space, 3, np.random.default_rng(seed))

    def one(part, n):
        if isinstance(part, dict):
            return {key: one(p, n) for key, p in part.items()}
        return tuple(one(p, n) for p in part) if isinstance(part, tuple) else part[n]
    assert all(space.contains(one(drawn, n)) for n in range(3))
    assert log_prob.shape == (3,) and np.isfinite(log_prob).all()
