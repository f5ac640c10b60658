"""The interaction log: one schema, read from Parquet, CSV or a known data set, written as Parquet, checked in words.

    python -m envs.logs FILE [--columns item=movieId reward=rating] [--like 4]
"""
from .arrays import items, to_transition_arrays
from .check import check
from .known import default_movies, open_bandit
from .reading import from_frame, write
from .schema import SCHEMA, Log
from .sources import absolute, read

__all__ = ["SCHEMA", "Log", "absolute", "check", "default_movies", "from_frame", "items", "open_bandit", "read",
           "to_transition_arrays", "write"]
