"""Parameters of environments: a frozen dataclass whose fields carry their ranges, and the check of what was given."""
import dataclasses


def param(default, low=None, high=None, choices=None):
    """A field of a parameter dataclass with its valid range (inclusive) or its valid values."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "choices": choices})


def check_params(cls, given: dict):
    """Build the parameter dataclass ``cls`` from ``given``; ValueError names the field, the value and what is valid."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name in given:
        if name not in fields:
            raise ValueError(f"unknown parameter '{name}'; valid are: {', '.join(fields)}")
    for name, value in given.items():
        meta, default = fields[name].metadata, fields[name].default
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            given = given | {name: (value := float(value))}
        if type(default) in (bool, int, float, str) and type(value) is not type(default):
            raise ValueError(f"parameter '{name}' = {value!r} must be a {type(default).__name__}")
        if meta.get("choices") is not None and value not in meta["choices"]:
            raise ValueError(f"parameter '{name}' = {value!r} must be one of {', '.join(map(str, meta['choices']))}")
        low, high = meta.get("low"), meta.get("high")
        if (low is not None and value < low) or (high is not None and value > high):
            most = high if high is not None else "inf"
            raise ValueError(f"parameter '{name}' = {value!r} must lie in [{low}, {most}]")
    return cls(**given)
