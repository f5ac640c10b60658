"""SquareCB, softmax and ε-greedy over the hashed linear model: chances done by hand, the same bits alone and
together."""
import numpy as np
import pytest
from gymnasium import spaces

from custom_algos import find_algorithm
from custom_algos.bandits.hashed_linear import REQUEST
from custom_algos.core import Transition, make_config
from custom_algos.rollout import make_rng

NAMES = ["squarecb", "linear_softmax", "linear_epsilon_greedy"]


def build(name, actions=3, seen=None, items=None, **params):
    cls = find_algorithm(name)
    return cls(seen or spaces.Box(-1, 1, (2,)), spaces.Discrete(actions), make_config(cls, params), items=items)


def after(algorithm, rows, low=0.0, high=1.0):
    """An algorithm that has learnt from ``rows`` rows whose rewards lay in [low, high]."""
    algorithm.totals[:] = [rows, 1.0]
    algorithm.reward_range[:] = [low, high]
    return algorithm


def test_squarecb_by_hand():
    """K = 4, γ = 10 √4 √4 = 40, gaps 0.1, 0, 0.4, 0.9: p = 1/(4 + 4), the rest, 1/(4 + 16) and 1/(4 + 36)."""
    algorithm, scores = after(build("squarecb", 5), 4), np.array([[0.9, 1.0, 0.6, 0.1, 9.0]])
    mask = np.array([[True, True, True, True, False]])
    prob = algorithm.probabilities(scores, True, mask)
    np.testing.assert_allclose(prob, [[0.125, 0.8, 0.05, 0.025, 0.0]], rtol=1e-14)
    after(algorithm, 4, -1.0, 3.0)                                           # a range of 4: gaps are a quarter
    prob = algorithm.probabilities(scores, True, mask)
    np.testing.assert_allclose(prob[0, [0, 2, 3]], [1 / 5, 1 / 8, 1 / 13])
    everywhere = algorithm.probabilities(scores)                             # nothing forbidden: K = 5
    assert everywhere[0, 0] == pytest.approx(1 / (5 + 20 * np.sqrt(5) * 8.1 / 4)) and everywhere.argmax() == 4


def test_softmax_by_hand():
    """τ = 0.5, gaps 0, ½ ln 2, ½ ln 4: weights 1, ½, ¼."""
    algorithm = after(build("linear_softmax", temperature=0.5), 4)
    scores = 1.0 - 0.5 * np.log([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(algorithm.probabilities(scores), [[4 / 7, 2 / 7, 1 / 7]], rtol=1e-14)


def test_epsilon_greedy_by_hand():
    algorithm = after(build("linear_epsilon_greedy", epsilon=0.3), 4)
    np.testing.assert_allclose(algorithm.probabilities(np.array([[1.0, 0.0, 1.0]])), [[0.45, 0.1, 0.45]], rtol=1e-14)
    np.testing.assert_allclose(algorithm.probabilities(np.array([[1.0, 0.0, 0.5]])), [[0.8, 0.1, 0.1]], rtol=1e-14)
    assert algorithm.probabilities(np.array([[1.0, 0.0, 1.0]]), explore=False).tolist() == [[0.5, 0.0, 0.5]]


@pytest.mark.parametrize("name", NAMES)
def test_the_floor_holds_and_chances_add_up(name):
    algorithm, rng = after(build(name, 7, epsilon=0.07), 10_000), make_rng(1)
    scores, mask = rng.normal(size=(500, 7)), rng.random((500, 7)) < 0.6
    mask[:, 0] = True
    prob = algorithm.probabilities(scores, True, mask)
    np.testing.assert_allclose(prob.sum(axis=1), 1.0, rtol=1e-14)
    assert (prob[~mask] == 0.0).all()
    assert (prob >= np.where(mask, 0.07 / mask.sum(axis=1, keepdims=True), 0.0) - 1e-16).all()


def taught(name, seed=1, **params):
    """200 rows of a world of two features."""
    algorithm, rng = build(name, **params), make_rng(seed)
    for _ in range(10):
        obs = rng.uniform(-1, 1, (20, 2)).astype(np.float32)
        action, log_prob = algorithm.act(obs, rng)
        reward = (rng.random(20) < np.where(action == 1, 0.8, 0.2)).astype(np.float32)
        ends = np.ones((1, 20), bool)
        algorithm.learn(Transition(obs[None], action[None], reward[None], obs[None], ends, ~ends, log_prob[None]))
    return algorithm


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_has_the_bits_of_its_row(name):
    algorithm, obs = taught(name), make_rng(2).uniform(-1, 1, (50, 2)).astype(np.float32)
    together = algorithm.scores(obs)
    chances = algorithm.probabilities(together)
    for n in range(50):
        alone = algorithm.scores(obs[n:n + 1])
        np.testing.assert_array_equal(alone[0], together[n])
        np.testing.assert_array_equal(algorithm.probabilities(alone)[0], chances[n])


@pytest.mark.parametrize("name", NAMES)
def test_rows_learnt_together_or_one_by_one_give_the_same_bits(name):
    rng, ends = make_rng(3), np.ones((1, 30), bool)
    obs, action = rng.uniform(-1, 1, (1, 30, 2)).astype(np.float32), rng.integers(3, size=(1, 30))
    batch = Transition(obs, action, rng.random((1, 30), np.float32), obs, ends, ~ends,
                       np.log(np.full((1, 30), 0.3, np.float32)))
    whole, single = build(name, weighting="inverse"), build(name, weighting="inverse")
    whole.learn(batch)
    for n in range(30):
        single.learn(Transition(*(part if part is None else part[:, n:n + 1] for part in batch)))
    for key, part in whole.state_dict().items():
        if isinstance(part, np.ndarray):
            np.testing.assert_array_equal(part, single.state_dict()[key], key)


def test_a_request_means_the_same_however_far_it_is_filled_up():
    """REQUEST observations of different width: zeros at the end of a row change no bit."""
    algorithm, rng = build("squarecb", 1, REQUEST), make_rng(4)
    algorithm.weights[:] = rng.normal(size=algorithm.weights.shape)
    obs = {"context_keys": rng.integers(2**63, size=(1, 4)).astype(np.uint64),
           "context_values": rng.normal(size=(1, 4)),
           "action_keys": rng.integers(2**63, size=(1, 5, 3)).astype(np.uint64),
           "action_values": rng.normal(size=(1, 5, 3))}
    wide = {name: np.concatenate([part, np.zeros_like(part)], axis=-1) for name, part in obs.items()}
    np.testing.assert_array_equal(algorithm.scores(obs), algorithm.scores(wide))


@pytest.mark.parametrize("kind", ["catalogue", "by step", "candidates", "ids"])
def test_actions_may_come_in_four_ways(kind):
    """The best of three actions is the one whose feature is 1; where ids are hidden, only the feature can say so."""
    rng, items = make_rng(5), np.array([[0.0], [1.0], [0.0], [0.0]])
    seen = {"catalogue": spaces.Box(-1, 1, (1,)), "by step": spaces.Box(0, 1, (3, 1)),
            "candidates": spaces.Dict({"candidates": spaces.Box(0, 1, (3, 1)), "user": spaces.Box(-1, 1, (1,))}),
            "ids": spaces.Dict({"candidates": spaces.MultiDiscrete([4] * 3), "user": spaces.Box(-1, 1, (1,))})}[kind]
    algorithm = build("squarecb", 4 if kind == "catalogue" else 3, seen, items, use_ids=False)
    for _ in range(60):
        ids = np.array([rng.permutation(4)[:3] for _ in range(10)])
        user = np.zeros((10, 1), np.float32)
        obs = {"catalogue": user, "by step": items[ids], "candidates": {"candidates": items[ids], "user": user},
               "ids": {"candidates": ids, "user": user}}[kind]
        action, log_prob = algorithm.act(obs, rng)
        shown = action if kind == "catalogue" else ids[np.arange(10), action]
        reward, ends = (shown == 1).astype(np.float32)[None], np.ones((1, 10), bool)
        whole = {key: part[None] for key, part in obs.items()} if isinstance(obs, dict) else obs[None]
        algorithm.learn(Transition(whole, action[None], reward, whole, ends, ~ends, log_prob[None]))
    best, _ = algorithm.act(obs, rng, explore=False)
    right = (items[ids, 0] == 1.0)
    there = right.any(axis=1) | (kind == "catalogue")
    assert (best[there] == (1 if kind == "catalogue" else right.argmax(axis=1)[there])).all() and there.any()
