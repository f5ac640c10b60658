"""Hyper-parameters: a frozen dataclass whose fields carry their ranges, and the check of what was given."""
import dataclasses
import math
from numbers import Integral, Real
from typing import Any


def param(default, low=None, high=None, *, above=None, choices=None) -> Any:
    """A field of a Config with its valid range, or its valid ``choices``; of a tuple, the range of every entry.

    ``low`` and ``high`` are part of the range, ``above`` is an exclusive lower limit.  Without ``high`` any finite
    number above the lower limit is valid; ``high = inf`` allows infinity.  Without any limit every finite number is.
    """
    meta = {"low": low, "high": high, "above": above, "choices": choices}
    return dataclasses.field(default=default, metadata=meta)


def build(cls, given: dict[str, Any]):
    """A checked ``cls`` from plain values; ValueError names an unknown field, a value of the wrong type or range."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name in given:
        if name not in fields:
            raise ValueError(f"unknown parameter '{name}'; valid are: {', '.join(fields)}")
    config = cls(**{name: coerce(value, fields[name]) for name, value in given.items()})
    check(config)
    return config


def check(config) -> None:
    """ValueError names the first field of the dataclass ``config`` that has a wrong type or is out of its range."""
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), field.default
        if not _fits(value, default):
            raise ValueError(f"parameter '{field.name}' = {value!r} must be a {type(default).__name__}")
        if isinstance(value, tuple) and isinstance(default, tuple) and default:
            if not all(_fits(entry, default[0]) for entry in value):
                kind = type(default[0]).__name__
                raise ValueError(f"parameter '{field.name}' = {list(value)!r} must be a list of {kind}")
        choices = field.metadata.get("choices")
        if choices is not None and value not in choices:
            raise ValueError(f"parameter '{field.name}' = {value!r} must be one of {', '.join(map(str, choices))}")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, Real) and not isinstance(number, bool) and not _inside(number, field.metadata):
                raise ValueError(f"parameter '{field.name}' = {value!r} must {valid(field.metadata)}")


def valid(meta) -> str:
    """The range in words, e.g. "lie in (0, 1]"."""
    low, high, above = meta.get("low"), meta.get("high"), meta.get("above")
    if low is None and high is None and above is None:
        return "be finite"
    start = f"({above}" if above is not None else "(-inf" if low is None else f"[{low}"
    return f"lie in {start}, {'inf)' if high is None else f'{high}]'}"


def coerce(value, field: dataclasses.Field):
    """``value`` as the type of the field's default (YAML reads 1e-3 as a string); ValueError where it does not fit."""
    default = field.default if field.default is not dataclasses.MISSING else None
    if default is None or value is None:
        return tuple(value) if isinstance(value, list) else value
    try:
        if isinstance(default, bool) or isinstance(value, bool):
            if not (isinstance(default, bool) and isinstance(value, bool)):
                raise TypeError
            return value
        if isinstance(default, int) and float(value) == int(float(value)):
            return int(float(value))
        if isinstance(default, float):
            return float(value)
        if isinstance(default, tuple) and isinstance(value, list | tuple):
            return tuple(value)
        if isinstance(default, str) and isinstance(value, str):
            return value
        raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"parameter '{field.name}' = {value!r} must be a {type(default).__name__}") from None


def _fits(value, default) -> bool:
    """Whether ``value`` has the type of ``default``; a whole number may stand for a float.  Without a default: yes."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and (isinstance(default, bool) or default is dataclasses.MISSING)
    kind = {int: Integral, float: Real, str: str, tuple: tuple}.get(type(default), object)
    return isinstance(value, kind)


def _inside(number, meta) -> bool:
    low, high, above = meta.get("low"), meta.get("high"), meta.get("above")
    if math.isnan(number) or (high is None and number == math.inf) or (low is None and number == -math.inf):
        return False
    return (low is None or number >= low) and (high is None or number <= high) and (above is None or number > above)
