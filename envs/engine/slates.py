"""How an agent names a slate of k of this step's m candidates: position by position, or as one number.

| action | space | a slate is |
|---|---|---|
| ``slate``   | MultiDiscrete([m] · k) | the numbers of the candidates from the first position on; repeats are legal |
| ``flat``    | Discrete(C(m, k))      | a set of candidates: a row of all combinations in lexicographic order |
| ``ordered`` | Discrete(m! / (m−k)!)  | a ranking: a row of all permutations in lexicographic order |
"""
import itertools
import math

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete

VIEWS = ("slate", "flat", "ordered")
MOST = 1_000_000                                 # rows of an enumerated view


class SlateView:
    """``space``, the action space of one user; ``table [A, K]``, every slate of an enumerated view."""

    def __init__(self, view: str, candidates: int, places: int):
        if places > candidates:
            raise ValueError(f"parameter 'slate' = {places} must lie in [1, {candidates}], the number of candidates")
        self.view, self.table = view, np.zeros((0, places), np.int64)
        if view == "slate":
            self.space: Discrete | MultiDiscrete = MultiDiscrete([candidates] * places)
            return
        flat = view == "flat"
        count = (math.comb if flat else math.perm)(candidates, places)
        if count > MOST:
            raise ValueError(f"parameter 'action' = '{view}' has {count} slates of {places} of {candidates} candidates,"
                             f" at most {MOST} are enumerated; valid is slate")
        every = (itertools.combinations if flat else itertools.permutations)(range(candidates), places)
        self.table = np.array(list(every), np.int64)
        self.space = Discrete(count)

    def slates(self, action) -> np.ndarray:
        """The slates ``[N, K]`` that valid actions ``[N, …]`` name."""
        return action if self.view == "slate" else self.table[action]

    def actions(self, slates) -> np.ndarray:
        """The actions ``[N, …]`` that name slates ``[N, K]`` of different candidates."""
        if self.view == "slate":
            return slates
        number = {row: i for i, row in enumerate(map(tuple, self.table.tolist()))}
        rows = np.sort(slates, axis=1) if self.view == "flat" else slates
        return np.array([number[row] for row in map(tuple, rows.tolist())], np.int64)

    def best(self, scores) -> np.ndarray:
        """The actions that show the k candidates with the highest ``scores [N, m]``, best first."""
        return self.actions(np.argsort(-scores, axis=1, kind="stable")[:, :self.table.shape[1]])
