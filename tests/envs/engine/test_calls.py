"""Calls with the types of the first call: the same results, and whatever may change its type is looked at."""
import pickle
from typing import NamedTuple

import numpy as np

from envs.bandits.arms import ArmBandit
from envs.control.pendulum import Pendulum
from envs.engine.calls import Calls
from envs.engine.params import kernel_type
from envs.engine.rng import kernel


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


def test_results_are_those_of_the_kernel_whatever_comes_first():
    calls, pair = Calls(), Pair(np.arange(3.0), np.arange(3.0) ** 2 + 1)
    whole, half = np.array([1, 2, 3]), np.array([0.5, 1.5, 2.5], np.float32)
    for action in (whole, half, np.arange(6.0)[::2], whole[::-1].copy()):
        for _ in range(3):
            assert calls(spread, action, pair) == spread(action, pair) == action @ (pair.high - pair.low)
    assert len(calls) == 3                                 # int64, float32, and float64 that is not contiguous


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
