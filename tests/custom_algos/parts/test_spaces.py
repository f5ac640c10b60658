"""What is read off a space, by hand."""
import numpy as np
import pytest
from gymnasium import spaces

from custom_algos.parts.schedules import EpsilonConfig, inverse, linear
from custom_algos.parts.spaces import batch_size, candidates_of, features_of, flat_obs, flat_size, place_of, slate_of

SEEN = spaces.Dict(candidates=spaces.Box(-9, 9, (2, 3)), user=spaces.Discrete(3, start=1), word=spaces.MultiBinary(2))


def test_flat_observations_by_hand():
    obs = {"candidates": np.arange(6).reshape(1, 2, 3), "user": np.array([3]), "word": np.array([[1, 0]])}
    flat = flat_obs(obs, SEEN)
    assert flat.tolist() == [[0, 1, 2, 3, 4, 5, 0, 0, 1, 1, 0]] and flat.dtype == np.float32
    assert flat_size(SEEN) == 11 and batch_size(obs) == 1 and batch_size((obs, obs)) == 1
    assert flat[0, place_of(SEEN, "user")].tolist() == [0, 0, 1]
    assert flat_obs(np.array([[2, 1]]), spaces.MultiDiscrete([3, 2])).tolist() == [[0, 0, 1, 0, 1]]
    with pytest.raises(ValueError, match=r"Text.*is not supported; valid are Box"):
        flat_obs(np.array(["a"]), spaces.Text(3))


def test_candidates_slates_and_features():
    assert candidates_of(SEEN) == (2, 3) and candidates_of(spaces.Discrete(3)) == (0, 0)
    assert slate_of(spaces.Discrete(4)) == (4, 1) and slate_of(spaces.MultiDiscrete([4, 4])) == (4, 2)
    for wrong in (spaces.MultiDiscrete([2, 2, 2]), spaces.MultiDiscrete([3, 4]), spaces.MultiBinary(3)):
        with pytest.raises(ValueError, match="is no slate"):
            slate_of(wrong)
    items = np.ones((4, 2))
    assert features_of("none", None, 4) is None and features_of("features", items, 4) is items
    for given in (None, items[:3]):
        with pytest.raises(ValueError, match="embedding = 'features' needs"):
            features_of("features", given, 4)


def test_schedules_by_hand():
    assert [linear(1.0, 0.2, at) for at in (-1.0, 0.0, 0.25, 1.0, 9.0)] == pytest.approx([1, 1, 0.8, 0.2, 0.2])
    assert [inverse(0.5, 10.0, t) for t in (0, 20, 100)] == [0.5, 0.5, 0.1]
    assert EpsilonConfig(0.9, 0.1, 100).epsilon_after(50) == pytest.approx(0.5)
    assert EpsilonConfig(0.9, 0.1, 0).epsilon_after(1) == pytest.approx(0.1)
