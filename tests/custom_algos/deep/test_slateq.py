"""SlateQ and its parts: slates against enumeration, targets by hand, the choice model, worlds to learn."""
import itertools

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from support.states import assert_same

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.networks.encoders import Scores
from custom_algos.networks.layers import generator_of
from custom_algos.parts.slates import OPTIMISERS, explore_slates, slate_value
from custom_algos.parts.spaces import flat_obs
from custom_algos.rollout import make_rng, train
from envs.engine.solver import action_values
from envs.interest_evolution.env import InterestEvolution
from envs.small_slate.env import SmallSlate
from platform.trial import checkpoint

SlateQ = find_algorithm("slateq")


def build(states, items, places, seed=1, **params):
    return SlateQ(spaces.Discrete(states), spaces.MultiDiscrete([items] * places), make_config(SlateQ, params), seed)


def fill(net, table):
    """A network without hidden layers answers ``table [S, A + 1]``."""
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(np.asarray(table, np.float32).T))
        net[0].bias.zero_()


# slates ---------------------------------------------------------------------------------------------------------------
def instance(seed, items, users=4):
    rng = np.random.default_rng(seed)
    weight, worth = rng.exponential(size=(users, items)), rng.normal(3, 2, (users, items))
    return rng, weight, worth, rng.normal(3, 2, users)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 4), st.booleans())
def test_the_exact_slate_is_the_best_of_all_and_no_other_is_better(seed, items, places, some):
    (rng, weight, worth, nothing), places = instance(seed, items), min(items, places)
    mask = np.zeros((4, items), bool)
    for row in mask:
        row[rng.permutation(items)[:rng.integers(places, items + 1)]] = True
    mask = mask if some else None
    every = np.array(list(itertools.combinations(range(items), places)))
    values = np.stack([slate_value(weight, worth, nothing, np.tile(row, (4, 1))) for row in every], axis=1)
    if some:
        values[~mask[:, every].all(axis=2)] = -np.inf
    found = {name: slate_value(weight, worth, nothing, slate) for name, slate in
             ((name, best(weight, worth, nothing, places, mask)) for name, best in OPTIMISERS.items())}
    np.testing.assert_allclose(found["exact"], values.max(axis=1), atol=1e-10)
    for name, best in OPTIMISERS.items():
        slate = best(weight, worth, nothing, places, mask)
        assert (found[name] <= found["exact"] + 1e-12).all() and all(len(set(row)) == places for row in slate)
        assert mask is None or np.take_along_axis(mask, slate, axis=1).all()


def test_two_heuristics_by_hand():
    """q_0 = 0; w = 1, 10, 10 and q = 5, 2, 1.8: w q = 5, 20, 18.  The numerator's best two are items 1 and 2, worth
    38 / 21; greedy begins with 5 / 2 and goes on to 25 / 12, the optimum."""
    weight, worth, nothing = np.array([[1.0, 10.0, 10.0]]), np.array([[5.0, 2.0, 1.8]]), np.zeros(1)
    slates = {name: best(weight, worth, nothing, 2)[0].tolist() for name, best in OPTIMISERS.items()}
    assert slates == {"top_k": [1, 2], "greedy": [0, 1], "exact": [0, 1]}
    assert slate_value(weight, worth, nothing, np.array([[1, 2]]))[0] == pytest.approx(38 / 21)
    assert slate_value(weight, worth, nothing, np.array([[0, 1]]))[0] == pytest.approx(25 / 12)


def test_a_slate_s_value_by_hand():
    """(6 + ½ · 4 + 2 · 9) / (1 + ½ + 2) = 26 / 3.5."""
    value = slate_value(np.array([[0.5, 7.0, 2.0]]), np.array([[4.0, 1.0, 9.0]]), np.array([6.0]), np.array([[2, 0]]))
    assert value[0] == pytest.approx(26 / 3.5)


@pytest.mark.parametrize("some", [False, True])
def test_the_propensity_of_every_ranking_is_its_frequency(some):
    n, epsilon = 60_000, 0.4
    mask = np.tile([True, True, False, True], (n, 1)) if some else None
    slate, log_prob = explore_slates(np.tile([3, 1], (n, 1)), 4, epsilon, make_rng(1), mask)
    rankings = 6 if some else 12
    for ranking in itertools.permutations([0, 1, 3] if some else range(4), 2):
        shown = (slate == ranking).all(axis=1)
        p = epsilon / rankings + (1 - epsilon) * (ranking == (3, 1))
        np.testing.assert_allclose(np.exp(log_prob[shown]), p, rtol=1e-5)
        assert abs(shown.mean() - p) < 4.5 * np.sqrt(p * (1 - p) / n)
    assert (slate[:, 0] != slate[:, 1]).all() and not (some and (slate == 2).any())


def test_too_few_items_for_a_slate_are_refused():
    with pytest.raises(ValueError, match="a slate of 2 needs as many allowed items of every user, not 1"):
        explore_slates(np.zeros((1, 2), int), 3, 0.5, make_rng(1), np.array([[True, False, False]]))


# targets and losses by hand -------------------------------------------------------------------------------------------
def table(**params):
    """Two states, three items, two places.  Target: Q̄(0, ·) = 1, 2, 3, ⊥ 4; Q̄(1, ·) = 10, 20, 30, ⊥ 8.  Weights: in
    state 0 all 1, in state 1 w = 1, 2, 1 against 1.  The online network says 0.

    Q(1, {1, 2}) = (8 + 2 · 20 + 30) / 4 = 19.5 is the best of state 1 ({0, 2}: 48 / 3 = 16; {0, 1}: 58 / 4 = 14.5)."""
    algorithm = build(2, 3, 2, hidden=(), gamma=0.5, **params)
    fill(algorithm.policy["worth"], np.zeros((2, 4)))
    fill(algorithm.policy["choice"], [[5, 5, 5, 5], np.log([1, 2, 1, 1])])
    fill(algorithm.target, [[1, 2, 3, 4], [10, 20, 30, 8]])
    return algorithm


def five_steps():
    """State 0, slate (2, 0).  Step by step: item 0 taken; nothing taken, reward −1; item 2 taken and the user left;
    item 2 taken and the clock ended the session; item 0 taken and the user stays in state 0."""
    response = np.array([[0, 1], [0, 0], [1, 0], [1, 0], [0, 1]], np.int8)[:, None]
    return Transition(np.zeros((5, 1), int), np.tile([2, 0], (5, 1, 1)), np.array([[1], [-1], [1], [1], [1]], "f4"),
                      np.array([[1], [1], [1], [1], [0]]), np.array([[0], [0], [1], [0], [0]], bool),
                      np.array([[0], [0], [0], [1], [0]], bool), np.zeros((5, 1), np.float32), response)


def test_targets_by_hand():
    """r + ½ · 19.5 with the next state and the worth of nothing in it; state 0's own best slate has items 1 and 2 and
    is worth (4 + 2 + 3) / 3 = 3."""
    algorithm = table()
    rows = algorithm.rows(five_steps())
    assert rows.taken.tolist() == [1, 2, 0, 0, 1]
    np.testing.assert_allclose(algorithm.targets(rows, make_rng(1)), [10.75, 8.75, 1.0, 10.75, 2.5], rtol=1e-6)
    algorithm = table(reward_scale=0.1)
    np.testing.assert_allclose(algorithm.targets(rows, make_rng(1)), [9.85, 9.65, 0.1, 9.85, 1.6], rtol=1e-6)
    forbidden = rows._replace(next_mask=np.tile([True, False, True], (5, 1)))             # 48 / 3 = 16, (4 + 4) / 3
    np.testing.assert_allclose(table().targets(forbidden, make_rng(1)), [9, 7, 1, 9, 1 + 4 / 3], rtol=1e-6)


def test_the_next_slate_of_the_policy_explores():
    """SARSA under ε = 1: a random slate, on average (19.5 + 16 + 14.5) / 3; without exploration the best one."""
    many = Transition(*(np.repeat(x, 4000, axis=1) if x is not None else None for x in five_steps()))
    algorithm = table(target="sarsa")
    value = algorithm.targets(algorithm.rows(many), make_rng(1)).reshape(5, 4000)
    assert {round(v, 4) for v in value[0].tolist()} == {1 + 0.5 * v for v in (19.5, 16.0, 14.5)}
    assert value[0].mean() == pytest.approx(1 + 0.5 * 50 / 3, abs=0.05) and (value[2] == 1.0).all()
    algorithm = table(target="sarsa", epsilon=0.0, epsilon_end=0.0)
    np.testing.assert_allclose(algorithm.targets(algorithm.rows(many), make_rng(1)).reshape(5, 4000)[:, 7],
                               [10.75, 8.75, 1.0, 10.75, 2.5], rtol=1e-6)


def test_losses_by_hand():
    """Online worths 0: half the mean square of the targets.  In state 0 all four weights are equal: every outcome of
    (2, 0, nothing) has P = 1/3."""
    algorithm = table()
    value, choice = algorithm.loss(algorithm.rows(five_steps()), make_rng(1))
    assert value.item() == pytest.approx(0.5 * np.mean(np.square([10.75, 8.75, 1.0, 10.75, 2.5])), rel=1e-5)
    assert choice.item() == pytest.approx(np.log(3), rel=1e-5)


def test_only_the_outcome_that_happened_is_moved():
    algorithm = table()
    row = algorithm.rows(five_steps())
    one = type(row)(*(None if x is None else x[1:2] for x in row))                          # nothing was taken
    algorithm.loss(one, make_rng(1))[0].backward()
    slope = algorithm.policy["worth"][0].weight.grad.numpy().T                              # [S, A + 1]
    assert slope[0, 3] == pytest.approx(-8.75) and np.count_nonzero(slope) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no 'response'"):
        table().learn(five_steps()._replace(response=None))
    with pytest.raises(ValueError, match="Box"):
        SlateQ(spaces.Discrete(2), spaces.Box(0, 1, (2,)))
    with pytest.raises(ValueError, match="embedding = 'features' needs"):
        build(2, 3, 2, embedding="features")
    for wrong in ({"slates": "best"}, {"target": "double"}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' = .* must be one of"):
            build(2, 3, 2, **wrong)


# the decomposition ----------------------------------------------------------------------------------------------------
def solved():
    """A small shop, its Q [28, 15] with a slate an action, and the true log w [27, 7] and Q̄ [27, 7]."""
    env = SmallSlate(64, items=6, slate=2, observe="one_hot", autoreset="same_step")
    mdp = env.table(env.slates[None])
    value = action_values(mdp, np.zeros(28))
    for _ in range(400):
        value = action_values(mdp, value.max(axis=1))
    v, level = value.max(axis=1)[:27], env.interest[:, env.world.topic]                           # [27], [27, 6]
    to = [np.arange(27)[:, None] + (np.clip(level + d, 0, 2) - level) * 3**env.world.topic for d in (1, -1)]
    rise, stay = env.world.rise[env.world.topic], env.world.stay[env.world.topic]
    worth = 1 + stay * (rise * v[to[0]] + (1 - rise) * v[to[1]])
    return env, value, np.column_stack([np.log(env.world.weight), np.zeros(27)]), np.column_stack([worth, 0.7 * v])


def test_true_item_values_make_the_enumerated_q_the_optimal_policy_and_fixed_targets():
    env, q, log_weight, worth = solved()
    np.testing.assert_allclose(slate_value(np.exp(log_weight[0:27, :-1]).repeat(15, 0), worth[:, :-1].repeat(15, 0),
                                           worth[:, -1].repeat(15), np.tile(env.slates, (27, 1))).reshape(27, 15),
                               q[:27], atol=1e-9)
    algorithm = SlateQ(env.single_observation_space, env.single_action_space,
                       make_config(SlateQ, {"hidden": (), "gamma": 1.0}))
    for net, numbers in ((algorithm.policy["worth"], worth), (algorithm.target, worth),
                         (algorithm.policy["choice"], log_weight)):
        fill(net, numbers)
    assert env.exact_return(lambda obs: algorithm.act(obs, make_rng(1), False)[0]) == pytest.approx(
        env.optimal_return(), abs=1e-6)
    batch = steps_of(env, algorithm, 200)
    rows = algorithm.rows(batch)
    state = rows.obs.argmax(axis=1)
    outcome = np.column_stack([rows.action, np.full(len(state), 6)])[np.arange(len(state)), rows.taken]
    error = algorithm.targets(rows, make_rng(1)) - worth[state, outcome]                    # mean 0 at the fixed point
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error)) < 0.1
    nothing = outcome == 6
    assert abs(error[nothing].mean()) < 4 * error[nothing].std() / np.sqrt(nothing.sum())


def steps_of(env, algorithm, steps):
    from custom_algos.rollout import begin, collect
    return collect(env, algorithm, begin(env, 3), steps, make_rng(4))[0]


def test_the_choice_model_recovers_the_weights():
    """Random slates in a shop with two topics (9 states): the probabilities of the model, for every state and item."""
    env = SmallSlate(500, items=4, slate=2, observe="one_hot", autoreset="same_step", appeal=(2.0, 1.0),
                     rise=(0.5, 0.5), stay=(0.9, 0.9), pull=(0.3, 1.0, 3.0))
    algorithm = SlateQ(env.single_observation_space, env.single_action_space,
                       make_config(SlateQ, {"hidden": (), "learning_rate": 0.02, "anneal_steps": 100_000,
                                            "batch_size": 500, "replay_ratio": 5.0, "buffer_size": 100_000,
                                            "epsilon_end": 1.0, "rollout_steps": 4}))
    train(env, algorithm, 100_000, seed=1)
    weight, _, _ = algorithm.scores(torch.eye(9), algorithm.policy["worth"])
    share, true = weight / (1 + weight), env.world.weight / (1 + env.world.weight)
    np.testing.assert_allclose(share, true, atol=0.05)
    assert abs(share - true).mean() < 0.015


@pytest.mark.parametrize("features", [False, True])
def test_it_learns_a_small_shop(features):
    """Six items, slates of two: random 2.46 clicks a session, the optimum 4.68."""
    env = SmallSlate(50, items=6, slate=2, observe="one_hot", autoreset="same_step")
    params = {"gamma": 1.0, "epsilon_steps": 15_000, "rollout_steps": 4, "batch_size": 256, "anneal_steps": 40_000,
              "embedding": ("none", "features")[features], "hidden": (32,), "learning_rate": 3e-3,
              "target_update_every": 30}
    algorithm = SlateQ(env.single_observation_space, env.single_action_space, make_config(SlateQ, params), 1, env.items)
    train(env, algorithm, 40_000, seed=1)
    share = env.exact_return(lambda obs: algorithm.act(obs, make_rng(1), False)[0]) / env.optimal_return()
    assert share > 0.96 and env.random_return() / env.optimal_return() < 0.55


# candidates -----------------------------------------------------------------------------------------------------------
SEEN = spaces.Dict({"candidates": spaces.Box(-1, 1, (5, 2)), "user": spaces.Box(-1, 1, (2,))})


def on_offer(rng, users):
    return {"candidates": rng.uniform(-1, 1, (users, 5, 2)).astype(np.float32),
            "user": rng.uniform(-1, 1, (users, 2)).astype(np.float32)}


def for_candidates(name, seed=1, **params):
    cls = find_algorithm(name)
    return cls(SEEN, spaces.MultiDiscrete([5, 5]), make_config(cls, params), seed)


def day(algorithm, rng, users=256):
    """One step: the user takes item i of the slate by w_i = exp(3 ⟨u, i⟩) against 1, and is gone."""
    obs = on_offer(rng, users)
    action, log_prob = algorithm.act(obs, rng)
    score = np.take_along_axis(np.einsum("nmf,nf->nm", obs["candidates"], obs["user"]), action, axis=1)
    weight = np.exp(3 * np.column_stack([score, np.zeros(users)]))                          # [N, K + 1]
    coin = rng.random(users)[:, None] * weight.sum(axis=1, keepdims=True)
    place = (weight.cumsum(axis=1) > coin).argmax(axis=1)
    response = (place[:, None] == np.arange(2)).astype(np.int8)
    gone = np.ones(users, bool)
    row = Transition(obs, action, response.sum(axis=1).astype(np.float32), on_offer(rng, users), gone, ~gone, log_prob,
                     response)
    return Transition(*(({k: v[None] for k, v in x.items()} if isinstance(x, dict) else None if x is None else x[None])
                        for x in row))


LESSONS = {"slateq": {"batch_size": 256, "replay_ratio": 2.0, "epsilon_steps": 30_000, "learning_rate": 3e-3},
           "reinforce": {"rollout_steps": 1, "learning_rate": 0.004},
           "a2c": {"rollout_steps": 1, "learning_rate": 0.004}}


@pytest.mark.parametrize("name", LESSONS)
def test_candidates_are_told_apart_by_their_features(name):
    """Which of this step's candidates please this user: learnt, whatever their places, and of users never met."""
    algorithm, rng = for_candidates(name, **LESSONS[name]), make_rng(2)
    for _ in range(150 if name == "slateq" else 300):
        algorithm.learn(day(algorithm, rng))
    obs = on_offer(make_rng(3), 2000)
    weight = np.exp(3 * np.einsum("nmf,nf->nm", obs["candidates"], obs["user"]))
    action, _ = algorithm.act(obs, make_rng(4), False)
    shown, best = np.take_along_axis(weight, action, axis=1).sum(axis=1), np.sort(weight, axis=1)[:, -2:].sum(axis=1)
    anything = weight[:, :2].sum(axis=1)
    shown, best, anything = ((w / (1 + w)).mean() for w in (shown, best, anything))         # P(click)
    assert (shown - anything) / (best - anything) > 0.9
    order = make_rng(5).permutation(5)
    moved, _ = algorithm.act(obs | {"candidates": obs["candidates"][:, order]}, make_rng(4), False)
    np.testing.assert_array_equal(order[moved], action)


@pytest.mark.parametrize("name", LESSONS)
def test_learners_of_candidates_continue_bit_for_bit(name, tmp_path):
    algorithm, twin = for_candidates(name, **LESSONS[name]), for_candidates(name, seed=9, **LESSONS[name])
    for seed in range(3):
        algorithm.learn(day(algorithm, make_rng(seed)))
    checkpoint.save(tmp_path, algorithm.state_dict())
    twin.load_state_dict(checkpoint.load(tmp_path))
    if name == "slateq":
        twin.seed = algorithm.seed                                                          # of the draws from memory
    for seed in range(3, 6):
        left, right = day(algorithm, make_rng(seed)), day(twin, make_rng(seed))
        np.testing.assert_array_equal(left.action, right.action)
        assert_same(algorithm.learn(left), twin.learn(right))


def test_scores_by_hand():
    """A linear network over (user, candidate, sign of nothing): 2 u + 3 c_0 − c_1, and 2 u + 7 for nothing."""
    space = spaces.Dict({"candidates": spaces.Box(-9, 9, (2, 2)), "user": spaces.Box(-9, 9, (1,))})
    generator = generator_of(0)
    for items in (None, np.array([[1.0, 0.0], [2.0, 5.0]])):
        net = Scores(space if items is None else space["user"], (), generator, items=items, nothing=True)
        with torch.no_grad():
            net.net[0].weight.copy_(torch.tensor([[2.0, 3.0, -1.0, 7.0]]))
        obs = flat_obs({"candidates": np.array([[[1.0, 0.0], [2.0, 5.0]]]), "user": np.array([[10.0]])}, space)
        seen = torch.from_numpy(obs if items is None else obs[:, -1:])
        assert net(seen).tolist() == [[23.0, 21.0, 27.0]]


def test_interest_evolution_is_played_by_all_three():
    env = InterestEvolution(8, autoreset="same_step")
    for name, params in LESSONS.items():
        cls = find_algorithm(name)
        algorithm = cls(env.single_observation_space, env.single_action_space, make_config(cls, params), 1)
        history = train(env, algorithm, 800, seed=1)
        assert np.isfinite(list(history[-1].values())).all()
    with pytest.raises(ValueError, match="shared = False"):
        find_algorithm("a2c")(env.single_observation_space, env.single_action_space,
                              make_config(find_algorithm("a2c"), {"shared": True}))
