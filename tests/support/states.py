"""Are two states the same, array by array?"""
import numpy as np


def assert_same(left, right):
    """Equal bit for bit, NaN equal to NaN, through dicts and lists."""
    assert type(left) is type(right) or (isinstance(left, np.generic | float) and isinstance(right, np.generic | float))
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    else:
        np.testing.assert_equal(left, right)
