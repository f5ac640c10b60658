"""Rewards that arrive late, step by step."""
from typing import Any, NamedTuple

import numpy as np
from support.states import assert_same

from custom_algos.parts.pending import Pending


class Rows(NamedTuple):
    action: np.ndarray
    mask: Any = None


def give(pending, actions, delay=None):
    """A block ``[T, N]`` of numbered actions; what is known after it, as (numbers, steps)."""
    actions = np.array(actions)
    rows, due = pending.release(Rows(actions.reshape(-1)), len(actions), None if delay is None else np.array(delay))
    return rows.action.tolist(), None if due is None else due.tolist()


def test_two_users_by_hand():
    """Steps 0 and 1 are one block.  Row 1 is known two steps later, at step 2, row 2 one later, at 2 as well."""
    pending = Pending()
    assert give(pending, [[0, 1], [2, 3]], [[0, 2], [1, 0]]) == ([0, 3], [0, 1])
    assert give(pending, [[4, 5]], [[0, 1]]) == ([1, 2, 4], [2, 2, 2])       # the older ones first
    assert give(pending, [[6, 7]]) == ([5, 6, 7], [3, 3, 3])
    assert give(pending, [[8, 9]]) == ([8, 9], None) and pending.clock == 5


def test_a_slate_waits_as_a_whole():
    pending = Pending()
    assert give(pending, [[[0, 1, 2], [3, 4, 5]]], [[1, 0]]) == ([3, 4, 5], [0, 0, 0])
    assert give(pending, [[[6, 7, 8], [9, 10, 11]]])[0] == [0, 1, 2, 6, 7, 8, 9, 10, 11]


def test_what_waits_survives_a_state():
    pending, twin = Pending(), Pending()
    give(pending, [[0, 1]], [[3, 1]])
    state = pending.state_dict()
    twin.load(pending.clock, state, Rows)
    assert_same(twin.state_dict(), state)
    for _ in range(3):
        assert give(pending, [[2, 3]]) == give(twin, [[2, 3]])
    assert pending.state_dict() == {}
    twin.load(7, {}, Rows)
    assert (twin.clock, twin.rows) == (7, None)
