"""Parameters of environments: a frozen dataclass whose fields carry their ranges, the check of what was given, and the
numbers among them that compiled kernels read."""
import collections
import dataclasses
import difflib
import math
from typing import Any

KINDS: dict[type, str] = {dict: "mapping (key: value)"}


def param(default, low=None, high=None, choices=None, kind=None):
    """A field of a parameter dataclass with its valid range (inclusive) or its valid values.

    ``kind`` is its type where the default does not show it: None, or a mapping (None, or ``{}``)."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "choices": choices, "kind": kind})


def check_params(cls, given: dict):
    """Build the parameter dataclass ``cls`` from ``given``; ValueError names the field, the value and what is valid."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name in given:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            raise ValueError(f"unknown parameter '{name}'; valid are: {', '.join(fields)}"
                             + (f"; did you mean '{close[0]}'?" if close else ""))
    for name, value in given.items():
        meta, default = fields[name].metadata, fields[name].default
        if value is None and default is None:
            continue
        kind: type = meta.get("kind") or type(default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            given = given | {name: (value := float(value))}
        if kind in (bool, int, float, str, dict) and type(value) is not kind:
            raise ValueError(f"parameter '{name}' = {value!r} must be a {KINDS.get(kind, kind.__name__)}")
        if meta.get("choices") is not None and value not in meta["choices"]:
            raise ValueError(f"parameter '{name}' = {value!r} must be one of {', '.join(map(str, meta['choices']))}")
        low, high = meta.get("low"), meta.get("high")
        if isinstance(value, float) and not math.isfinite(value) and value not in (meta.get("low"), meta.get("high")):
            raise ValueError(f"parameter '{name}' = {value!r} must be a finite number")
        if (low is not None and value < low) or (high is not None and value > high):
            most = high if high is not None else "inf"
            raise ValueError(f"parameter '{name}' = {value!r} must lie in [{low}, {most}]")
    return cls(**given)


def kernel_type(cls):
    """A NamedTuple that kernels take whole: its name becomes ``module.Name``.

    Numba's dispatcher knows a NamedTuple by its name and its fields.  Where two models have one that looks alike, every
    call of the second would take the slow way in: 0.2 ms instead of 2 µs.
    """
    cls.__name__ = f"{cls.__module__}.{cls.__name__}"
    return cls


def rules_of(cls, **more: type) -> Any:
    """The type ``Rules`` of a model: a NamedTuple of the numbers (int, float, bool) of its parameter dataclass ``cls``.

    ``more`` names the numbers that the model derives, with their types.  Call it once, at the top of the module::

        Rules = rules_of(Params, longest=float)

    because compiled kernels know a NamedTuple by its class, and their cache finds the class by its module.
    """
    numbers = {f.name: type(f.default) for f in dataclasses.fields(cls) if type(f.default) in (int, float, bool)}
    made: Any = collections.namedtuple("Rules", [*numbers, *more], module=cls.__module__)      # type: ignore[misc]
    made.__doc__ = f"The numbers that the kernels of `{cls.__module__}` read."
    made.__annotations__ = numbers | more
    return kernel_type(made)


def rules(cls, params, **more):
    """The ``Rules`` (``cls``, of `rules_of`) of ``params``, with the derived numbers ``more``; each of its one type."""
    return cls(**{name: kind(more[name] if name in more else getattr(params, name))
                  for name, kind in cls.__annotations__.items()})
