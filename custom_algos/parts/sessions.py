"""Whole sessions out of blocks: steps wait here until their session has ended.

A block ``[T, N]`` cuts sessions anywhere.  Column n of the next block continues column n of this one, so what has not
ended yet is kept and put in front of the next block.  Throwing the unfinished ones away instead would keep more of the
short sessions than of the long ones.
"""
import numpy as np

from ..core import Transition, tree_map


class Sessions:
    """State: ``held``, the steps ``[T', N]`` that begin with the oldest one waiting, and ``waiting [T', N]``."""

    def __init__(self):
        self.held: Transition | None = None
        self.waiting = np.zeros((0, 0), bool)

    def add(self, batch: Transition, wait: bool = True) -> tuple[Transition, np.ndarray]:
        """Put ``batch`` behind what is held; returns all of it ``[T' + T, N]`` and which of the waiting steps ``[T' +
        T, N]`` belong to an ended session (all of them where nobody has to ``wait``)."""
        batch = batch._replace(response=None, next_mask=None, delay=None)
        if self.held is not None and self.held.reward.shape[1] != batch.reward.shape[1]:
            raise ValueError(f"a block of {batch.reward.shape[1]} users cannot continue the unfinished sessions of "
                             f"{self.held.reward.shape[1]}; with gamma = 0 nothing is unfinished")
        fresh = np.ones(batch.reward.shape, bool)
        self.waiting = fresh if self.held is None else np.concatenate([self.waiting, fresh])
        self.held = batch if self.held is None else tree_map(lambda *parts: np.concatenate(parts), self.held, batch)
        before_an_end = np.logical_or.accumulate(self.held.ends[::-1])[::-1]                # [T' + T, N]
        return self.held, self.waiting & (before_an_end | (not wait))

    def drop(self, learnt: np.ndarray) -> None:
        """Forget the steps ``learnt`` of what `add` returned."""
        self.waiting = self.waiting & ~learnt
        rows = np.flatnonzero(self.waiting.any(axis=1))
        if not len(rows):
            self.held, self.waiting = None, self.waiting[:0]
        else:
            self.held = tree_map(lambda part: part[rows[0]:].copy(), self.held)
            self.waiting = self.waiting[rows[0]:]

    def state_dict(self):
        held = {} if self.held is None else {k: v for k, v in self.held._asdict().items() if v is not None}
        return {"held": tree_map(np.copy, held), "waiting": self.waiting.copy()}

    def load_state_dict(self, state):
        self.held = Transition(**tree_map(np.array, state["held"])) if state["held"] else None
        self.waiting = np.array(state["waiting"])
