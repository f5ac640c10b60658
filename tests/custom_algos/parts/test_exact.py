"""exp and ln of our own against the textbook's values and mpmath-like references."""
import math
from decimal import Decimal, localcontext

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from custom_algos.parts.exact import exp, log


def off(found: float, right: Decimal) -> float:
    """The error in units of the last place."""
    return abs(float((Decimal(found) - right) / Decimal(math.ulp(float(right)))))


@given(st.floats(-700.0, 700.0))
def test_exp_is_within_two_units_of_the_last_place(x):
    with localcontext() as context:
        context.prec = 40
        assert off(float(exp(np.array(x))), Decimal(x).exp()) < 2.0


@given(st.floats(1e-300, 1e300))
def test_ln_is_within_two_units_of_the_last_place(x):
    with localcontext() as context:
        context.prec = 40
        right = Decimal(x).ln()
        assert float(log(np.array(x))) == 0.0 if x == 1.0 else off(float(log(np.array(x))), right) < 2.0


def test_values_that_are_known():
    np.testing.assert_array_equal(exp(np.array([0.0, -np.inf, -701.0])), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(log(np.array([1.0, 0.0])), [0.0, -np.inf])
    np.testing.assert_allclose(exp(np.array([1.0, -1.0, 0.5])), [math.e, 0.36787944117144233, 1.6487212707001282],
                               4e-16)
    np.testing.assert_allclose(log(np.array([2.0, 0.5, 10.0])), [0.6931471805599453, -0.6931471805599453,
                                                                 2.302585092994046], 4e-16)
