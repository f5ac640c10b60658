"""Calls with the types of the first call: the same results; what comes from outside has one type by then."""
import pickle
from typing import NamedTuple

import numpy as np
import pytest

from envs.bandits.arms import ArmBandit
from envs.control.pendulum import Pendulum
from envs.engine.calls import Calls
from envs.engine.params import kernel_type
from envs.engine.rng import kernel
from envs.ladder.env import Ladder


@kernel_type
class Pair(NamedTuple):
    low: np.ndarray
    high: np.ndarray


@kernel
def spread(action, pair):
    total = 0.0
    for n in range(len(action)):
        total += action[n] * (pair.high[n] - pair.low[n])
    return total


def test_results_are_those_of_the_kernel():
    calls, pair = Calls(), Pair(np.arange(3.0), np.arange(3.0) ** 2 + 1)
    for action in (np.array([1, 2, 3]), np.array([3, 5, -2])):
        for _ in range(3):
            assert calls(spread, action, pair) == spread(action, pair) == action @ (pair.high - pair.low)
    assert len(calls) == 1
    with pytest.raises(TypeError, match="different type"):               # numbers of another size: no wrong result
        calls(spread, np.ones(3, np.float32), pair)


def test_a_choice_may_come_in_any_type():
    """What a step gives is that of contiguous int64: with other whole numbers, with strides, as a list."""
    wide = np.arange(12).reshape(4, 3)
    expected = None
    for action in (wide[:, 1].copy(), wide[:, 1], wide[:, 1].astype(np.int32), wide[:, 1].tolist(),
                   np.asfortranarray(wide)[:, 1].astype(np.uint8)):
        env = Ladder(4)
        env.reset(seed=3)
        for _ in range(3):                                               # types are looked up once a batch
            env.step(wide[:, 0])
            found = env.step(action)[:2]
        expected = found if expected is None else expected
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_a_copy_makes_its_own():
    calls = Calls()
    calls(spread, np.ones(1), Pair(np.zeros(1), np.ones(1)))
    assert len(calls) == 1 and len(pickle.loads(pickle.dumps(calls))) == 0


def test_a_control_may_come_in_any_type():
    found = []
    for kind in (np.float32, np.float64):
        env = Pendulum(3, autoreset="disabled")
        env.reset(seed=1)
        wide = np.full((3, 2), 0.5, kind)
        found += [env.step(wide[:, :1])[0], env.step(np.ascontiguousarray(wide[:, :1]))[0]]
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


def test_seeds_of_64_bits():
    env = ArmBandit(4)
    for seed in (1, 2**63 + 5, 1, 2**64 - 1, 3):
        env.reset(seed=seed)
        first = [env.step(np.zeros(4, np.int64))[1] for _ in range(5)]
        twin = ArmBandit(4)
        twin.reset(seed=seed)
        assert all((a == twin.step(np.zeros(4, np.int64))[1]).all() for a in first)
