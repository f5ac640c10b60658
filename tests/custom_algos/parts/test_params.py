"""Ranges of hyper-parameters: what is refused, and in which words."""
from dataclasses import dataclass

import pytest

from custom_algos.parts.params import build, check, param

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Config:
    share: float = param(0.5, 0, 1)
    rate: float = param(0.1, above=0)
    knee: float = param(1.0, 0, INF)
    shift: float = param(0.0)
    rows: int = param(8, 1)
    widths: tuple = param((4, 4), 1)
    way: str = param("up", choices=("up", "down"))
    double: bool = False


@pytest.mark.parametrize("given", [{"share": 0}, {"share": 1.0}, {"rate": 1e9}, {"knee": INF}, {"shift": -1e9},
                                   {"rows": 1}, {"widths": ()}, {"widths": (1, 7)}, {"way": "down"}, {"double": True}])
def test_both_ends_of_a_range_are_valid(given):
    check(Config(**given))
    (name, value), = given.items()
    assert getattr(build(Config, given), name) == value


@pytest.mark.parametrize(("name", "value", "words"), [
    ("share", 1.01, "'share' = 1.01 must lie in [0, 1]"), ("share", NAN, "'share' = nan must lie in [0, 1]"),
    ("share", -INF, "'share' = -inf must lie in [0, 1]"), ("rate", 0.0, "'rate' = 0.0 must lie in (0, inf)"),
    ("rate", INF, "'rate' = inf must lie in (0, inf)"), ("knee", -1.0, "'knee' = -1.0 must lie in [0, inf]"),
    ("knee", NAN, "'knee' = nan"), ("shift", NAN, "'shift' = nan must be finite"), ("shift", INF, "must be finite"),
    ("rows", 0, "'rows' = 0 must lie in [1, inf)"), ("rows", 2.5, "'rows' = 2.5 must be a int"),
    ("rows", True, "'rows' = True must be a int"), ("share", "much", "'share' = 'much' must be a float"),
    ("widths", (4, 0), "'widths' = (4, 0) must lie in [1, inf)"), ("widths", 4, "'widths' = 4 must be a tuple"),
    ("widths", (4, "8"), "'widths' = [4, '8'] must be a list of int"),
    ("widths", (4.5,), "'widths' = [4.5] must be a list of int"),
    ("way", "left", "'way' = 'left' must be one of up, down"), ("double", 1, "'double' = 1 must be a bool")])
def test_what_is_out_of_range_is_named(name, value, words):
    for make in (lambda: build(Config, {name: value}), lambda: check(Config(**{name: value}))):
        with pytest.raises(ValueError) as caught:
            make()
        assert words in str(caught.value)


def test_text_of_yaml_becomes_the_fields_type():
    """YAML 1.1 reads 1e-3 as text, and lists where tuples are meant."""
    assert build(Config, {"rate": "1e-3", "rows": "16", "widths": [3]}) == Config(rate=1e-3, rows=16, widths=(3,))
    with pytest.raises(ValueError, match="unknown parameter 'ratio'; valid are: share, rate"):
        build(Config, {"ratio": 1})
