"""The interaction log: one schema, read from Parquet or CSV, written as Parquet, checked in plain words.

    python -m envs.logs FILE [--columns item=movieId click=liked]
"""
from .arrays import items, to_transition_arrays
from .check import check
from .known import default_movies, open_bandit
from .reading import from_frame, read, write
from .schema import SCHEMA, Log

__all__ = ["SCHEMA", "Log", "check", "default_movies", "from_frame", "items", "open_bandit", "read",
           "to_transition_arrays", "write"]
