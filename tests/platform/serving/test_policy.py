"""Policies outside the simulator: answers by hand, refusals in words, learning, and state."""
import hashlib
from functools import lru_cache

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_algos import find_algorithm
from custom_algos.core import make_config
from platform.serving import Event, Refused, fresh_policy
from platform.serving.decision import uniform, walk
from platform.serving.fixed import FixedPolicy
from platform.serving.hashed import HashedPolicy
from platform.trial import checkpoint

KEY = bytes(range(32))
FRUIT = [{"id": "apple", "features": {"colour": "red", "price": 1.0}},
         {"id": "lemon", "features": [{"colour": "yellow"}, {"price": 2.0}]}, {"id": "plum", "features": {}}]
MORNING = {"time": "morning", "temperature": 12.5}


def events(n, seed=1, item="lemon"):
    """In the morning people want lemons."""
    rng = np.random.default_rng(seed)
    shown = [FRUIT[i] for i in rng.integers(3, size=n)]
    return [Event("u", MORNING, FRUIT, one["id"], float(one["id"] == item), 1 / 3) for one in shown]


# coins ----------------------------------------------------------------------------------------------------------------
def test_the_coin_is_blake2b_of_key_and_slot():
    digest = hashlib.blake2b(KEY, digest_size=8, salt=b"\0" * 15 + b"\2").digest()
    assert uniform(KEY, 2) == (int.from_bytes(digest, "big") >> 11) / 2**53
    coins = np.array([uniform(i.to_bytes(4, "big"), 0) for i in range(4000)])
    assert 0.0 <= coins.min() and coins.max() < 1.0 and abs(coins.mean() - 0.5) < 0.02


def test_the_walk_by_hand():
    prob = np.array([0.0, 0.25, 0.0, 0.75, 0.0])
    assert [walk(prob, coin) for coin in (0.0, 0.2499, 0.25, 0.9999999999999999)] == [1, 1, 3, 3]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30).filter(any), st.floats(0, 1, exclude_max=True))
def test_the_walk_never_ends_where_there_is_no_chance(weights, coin):
    prob = np.array(weights) / sum(weights)
    if prob.any():
        assert prob[walk(prob, coin)] > 0.0


# deciding -------------------------------------------------------------------------------------------------------------
def test_a_fresh_policy_is_fair_and_says_so():
    policy = fresh_policy()
    found = policy.recommend("u", MORNING, FRUIT, key=KEY)
    np.testing.assert_allclose(found.probabilities, 1 / 3)
    assert found.items[0].propensity == pytest.approx(1 / 3) and found.explored is False
    assert found.candidates == ["apple", "lemon", "plum"]


def test_the_same_key_gives_the_same_answer_and_shares_are_propensities():
    policy = fresh_policy(gamma_scale=1.0)
    policy.learn(events(30))
    first = policy.recommend("u", MORNING, FRUIT, k=2, key=KEY)
    again = policy.recommend("u", dict(reversed(MORNING.items())), FRUIT, k=2, key=KEY)
    assert first.items == again.items and first.propensity == first.items[0].propensity * first.items[1].propensity
    shown = [policy.recommend("u", MORNING, FRUIT, key=i.to_bytes(4, "big")).items[0].id for i in range(3000)]
    share = np.array([shown.count(item["id"]) for item in FRUIT]) / 3000
    assert (abs(share - first.probabilities) < 4.5 * np.sqrt(0.25 / 3000)).all()
    assert first.probabilities.argmax() == 1 and first.probabilities[1] > 0.5


def test_the_second_slot_is_a_decision_among_the_others():
    policy = fresh_policy(gamma_scale=1.0)
    policy.learn(events(30))
    found = policy.recommend("u", MORNING, FRUIT, k=3, key=KEY)
    assert sorted(item.id for item in found.items) == ["apple", "lemon", "plum"] and found.items[2].propensity == 1.0
    others = [item for item in FRUIT if item["id"] != found.items[0].id]
    alone = policy.recommend("u", MORNING, others, key=KEY)
    assert found.items[1].propensity == alone.probabilities[alone.candidates.index(found.items[1].id)]


def test_excluded_items_keep_their_place_with_no_chance():
    found = fresh_policy().recommend("u", MORNING, FRUIT, excluded=["apple"], key=KEY)
    assert found.candidates[0] == "apple" and found.probabilities.tolist() == [0.0, 0.5, 0.5]


def test_best_first_without_exploring():
    policy = fresh_policy()
    policy.learn(events(60))
    found = policy.recommend("u", MORNING, FRUIT, k=3, key=KEY, explore=False)
    assert found.items[0].id == "lemon" and found.propensity == 1.0 and not found.explored
    order = [found.candidates.index(item.id) for item in found.items]
    assert (np.diff(found.scores[order]) <= 0).all()


def test_names_of_a_user_and_the_history_are_no_features():
    policy = fresh_policy()
    policy.learn(events(60))
    plain = policy.recommend("anyone", MORNING, FRUIT, key=KEY)
    known = policy.recommend({"id": "x", "history": [{"item": "plum", "reward": 1}]}, MORNING, FRUIT, key=KEY)
    assert plain.scores.tolist() == known.scores.tolist()
    other = policy.recommend({"id": "x", "age": 50}, MORNING, FRUIT, key=KEY)
    policy.learn([Event({"age": 50}, MORNING, FRUIT, "plum", 1.0)])
    assert other.scores.tolist() != policy.recommend({"id": "x", "age": 50}, MORNING, FRUIT, key=KEY).scores.tolist()


@pytest.mark.parametrize(("request_", "says"), [
    ({"candidates": []}, "not empty"),
    ({"candidates": "apple"}, "must be a list of ids"),
    ({"candidates": [{"features": {}}]}, "its id must be a text"),
    ({"candidates": ["a", "a"]}, "'a' is there twice"),
    ({"candidates": None}, "no items of its own"),
    ({"candidates": ["a"], "k": 2}, "k = 2 are asked for"),
    ({"candidates": ["a"], "k": True}, "k = True must be a whole number"),
    ({"candidates": ["a"], "excluded": "a"}, "must be a list of ids"),
    ({"candidates": ["a", "b"], "excluded": ["a", "b"]}, "0 candidates are left of 2"),
    ({"candidates": ["a"], "context": {"x": float("nan")}}, "feature context/x must be a number between"),
    ({"candidates": ["a"], "user": 7}, "user = 7 must be a text or an object")])
def test_bad_requests_are_refused_in_words(request_, says):
    with pytest.raises(Refused, match=says):
        fresh_policy().recommend(**{"user": "u", "context": {}, **request_})


def test_fresh_policies_are_of_the_hashed_kind():
    with pytest.raises(Refused, match=r"'thompson' needs an environment; valid .* squarecb, linear_softmax"):
        fresh_policy("thompson")
    assert fresh_policy("linear_epsilon_greedy", epsilon=0.5).recommend(
        "u", {}, FRUIT, key=KEY).probabilities == pytest.approx(1 / 3)


# items ----------------------------------------------------------------------------------------------------------------
def test_items_come_start_from_their_features_and_go():
    policy = fresh_policy(use_ids=False)
    policy.add_items(FRUIT)
    policy.learn([event._replace(candidates=None) for event in events(60)])
    assert policy.items == ["apple", "lemon", "plum"]
    before = policy.recommend("u", MORNING, key=KEY).scores
    policy.add_items([{"id": "banana", "features": {"colour": "yellow", "price": 2.0}}])
    found = policy.recommend("u", MORNING, key=KEY)
    assert found.scores.tolist() == [*before, before[1]]                     # like the lemon, at once
    policy.remove_items(["apple"])
    assert policy.recommend("u", MORNING, key=KEY).candidates == ["lemon", "plum", "banana"]
    with pytest.raises(Refused, match="'apple' is not in the catalogue"):
        policy.recommend("u", MORNING, ["apple"])
    with pytest.raises(Refused, match="'apple' is not in the catalogue"):
        policy.remove_items(["apple"])


def test_the_whole_catalogue_and_a_list_of_it_give_the_same_bits():
    policy = fresh_policy()
    policy.add_items(FRUIT)
    policy.learn(events(20))
    whole, listed = policy.recommend("u", MORNING, key=KEY), policy.recommend("u", MORNING, policy.items, key=KEY)
    assert whole.scores.tobytes() == listed.scores.tobytes() and whole.items == listed.items
    own = policy.recommend("u", MORNING, FRUIT, key=KEY)
    assert own.scores.tobytes() == whole.scores.tobytes()


# learning and state ---------------------------------------------------------------------------------------------------
def test_one_by_one_or_together_and_only_the_chosen_candidate_counts():
    single, together, lean = fresh_policy(), fresh_policy(), fresh_policy()
    told = events(25)
    told[3] = told[3]._replace(user={"age": 3.0, "tags": ["a", "b", "c"]})   # rows of different width
    together.learn(told)
    for event in told:
        single.learn([event])
        lean.learn(lean.batch([event._replace(candidates=[c for c in FRUIT if c["id"] == event.action])]))
    assert single.digest() == together.digest() == lean.digest() != fresh_policy().digest()


def test_a_state_goes_to_disk_and_goes_on_bit_for_bit(tmp_path):
    policy = fresh_policy(weighting="inverse")
    policy.add_items(FRUIT)
    policy.learn(events(10))
    checkpoint.save(tmp_path, policy.state())
    twin = fresh_policy(weighting="inverse")
    twin.load_state(checkpoint.load(tmp_path))
    assert twin.digest() == policy.digest() and twin.items == policy.items
    for one in (policy, twin):
        one.learn(events(10, seed=2))
    assert twin.digest() == policy.digest()
    assert twin.recommend("u", MORNING, key=KEY).items == policy.recommend("u", MORNING, key=KEY).items


def test_events_that_cannot_be():
    policy = fresh_policy()
    with pytest.raises(Refused, match="'pear' was not among the candidates"):
        policy.learn([Event("u", {}, FRUIT, "pear", 1.0)])
    with pytest.raises(ValueError, match="reward nan"):
        policy.learn([Event("u", {}, FRUIT, "plum", float("nan"))])
    assert policy.learn([]) == {} and policy.digest() == fresh_policy().digest()


# policies that were raced ---------------------------------------------------------------------------------------------
def raced(name, obs_space, action_space, items=None, ids=("a", "b", "c"), **params):
    cls = find_algorithm(name)
    algorithm = cls(obs_space, action_space, make_config(cls, params), 3, items)
    return (HashedPolicy if name == "squarecb" else FixedPolicy)(algorithm, ids)


def test_a_counting_policy_answers_learns_and_respects_lists():
    policy = raced("epsilon_greedy", spaces.Discrete(1), spaces.Discrete(3))
    policy.learn([Event("u", 0, None, "b", 1.0), Event("u", 0, None, "a", 0.0), Event("u", 0, None, "c", 0.0)])
    found = policy.recommend("u", 0, key=KEY, explore=False, k=2)
    assert found.items[0] == ("b", 1.0) and found.items[1].propensity == pytest.approx(0.5)
    assert policy.recommend("u", 0, ["a", "c"], key=KEY).items[0].id in "ac"
    with pytest.raises(Refused, match="'x' is not among the 3 items"):
        policy.recommend("u", 0, ["x"])
    with pytest.raises(Refused, match="context = 5 must be a whole number from 0 to 0"):
        policy.recommend("u", 5)
    with pytest.raises(Refused, match="context is missing: this policy observes a whole number"):
        policy.recommend("u")
    with pytest.raises(Refused, match="fixed number of items"):
        policy.add_items([{"id": "d"}])


def test_a_slate_is_filled_whole_and_its_propensity_is_that_of_the_slate():
    policy = raced("random", spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([3, 3]))
    found = policy.recommend("u", [0.0, 1.0], key=KEY, k=2)
    assert found.propensity == pytest.approx(1 / 6) and len({item.id for item in found.items}) == 2
    assert policy.recommend("u", [0.0, 1.0], key=KEY, k=1).propensity is None
    for bad in ([0.0], [0.0, float("nan")], {"x": 1}, "ab"):
        with pytest.raises(Refused, match="must be 2 numbers"):
            policy.recommend("u", bad)
    with pytest.raises(Refused, match="k = 3"):
        policy.recommend("u", [0.0, 1.0], k=3)


def test_candidates_with_features_are_what_actions_point_at():
    seen = spaces.Dict({"candidates": spaces.Box(-1, 1, (2, 1)), "user": spaces.Box(-1, 1, (1,))})
    policy = raced("lin_ucb", seen, spaces.Discrete(2), ids=())
    good, bad = {"id": "good", "features": [[1.0]][0]}, {"id": "bad", "features": [-1.0]}
    policy.learn([Event("u", {"user": [0.0]}, [good, bad], "good", 1.0), Event("u", {"user": [0.0]}, [bad, good], "bad",
                                                                             0.0)] * 20)
    assert policy.recommend("u", {"user": [0.0]}, [bad, good], key=KEY, explore=False).items[0].id == "good"
    with pytest.raises(Refused, match="raced with 2"):
        policy.recommend("u", {"user": [0.0]}, [good])


def test_a_raced_linear_policy_sees_its_observation_and_takes_new_items():
    items = np.array([[0.0], [1.0], [0.5]], np.float32)
    policy = raced("squarecb", spaces.Box(-1, 1, (2,)), spaces.Discrete(3), items)
    policy.learn([Event(None, [0.5, -1.0], None, item, reward) for item, reward in
                  [("a", 0.0), ("b", 1.0), ("c", 0.0)] * 30])
    scores = policy.algorithm.scores(np.array([[0.5, -1.0]], np.float32))
    found = policy.recommend(None, [0.5, -1.0], key=KEY)
    assert found.scores.tobytes() == scores[0].tobytes() and found.candidates[found.scores.argmax()] == "b"
    policy.add_items([{"id": "d", "features": [1.0]}])
    assert policy.recommend(None, [0.5, -1.0], key=KEY).scores[3] > found.scores[0]


def test_a_network_that_needs_whole_sessions_does_not_learn_from_events():
    policy = raced("q_learning", spaces.Discrete(2), spaces.Discrete(3))
    assert not policy.learns and policy.recommend("u", 1, key=KEY).items[0].id in "abc"
    with pytest.raises(Refused, match="cannot learn from single events"):
        policy.learn([Event("u", 1, None, "a", 1.0)])


def test_an_explanation_adds_up_to_the_score_and_names_what_counts():
    policy = fresh_policy(use_ids=False)
    policy.learn(events(60))
    found = policy.explain({"age": 0}, MORNING, FRUIT[1], most=100)
    score = policy.recommend({"age": 0}, MORNING, FRUIT, key=KEY).scores[1]
    assert sum(part for _, part in found) == pytest.approx(score, rel=1e-12)
    assert {"constant", "context/time=morning^action/colour=yellow", "context/temperature^action/price"} <= \
        {name for name, _ in found}
    parts = [abs(part) for _, part in found]
    assert parts == sorted(parts, reverse=True) and policy.explain(None, MORNING, FRUIT[1], most=2) == [
        (name, part) for name, part in found if "age" not in name][:2]


def test_a_history_becomes_the_observation_and_rules_out_what_was_shown():
    features = np.eye(3, dtype=np.float32)
    numbers = {"items": features, "width": np.array(2 * 3 + 1 + 3 * 3), "impressions": np.array(4),
               "observe": np.array(0)}
    manifest = {"observer": "envs.fitted.observing:observe", "numbers": numbers}
    for name, kind in (("lin_ucb", FixedPolicy), ("squarecb", HashedPolicy)):
        cls = find_algorithm(name)
        algorithm = cls(spaces.Box(-1, 1, (16,)), spaces.Discrete(3), make_config(cls, {}), 3)
        policy = kind(algorithm, ["a", "b", "c"], manifest)
        history = [{"item": "b", "reward": 1}, {"item": "new", "reward": 1}, {"item": "a", "reward": 0}]
        found = policy.recommend({"history": history}, key=KEY)
        assert found.items[0].id == "c" and found.items[0].propensity == 1.0
        seen = policy.observing({"history": history}, None).obs[0]
        np.testing.assert_allclose(seen[:7], [0, 0.1, 0, 0.1, 0, 0, 0.5])            # liked, skipped, 2 of 4 shown
        assert seen[7:].tolist() == [-1, 0, 0, 0, 1, 0, 0, 0, 0]                     # the last first
        with pytest.raises(Refused, match="0 candidates are left"):
            policy.recommend({"history": [*history, {"item": "c", "reward": 0}]})
        for bad in ([{"reward": 1}], ["b"], 5, [{"item": "b", "reward": "x"}]):
            with pytest.raises(Refused, match=r"user\.history must be a list"):
                policy.recommend({"history": bad})
        assert len(policy.recommend("someone", key=KEY).candidates) == 3             # no history: a session begins


@pytest.mark.parametrize("space", [
    spaces.Dict({"candidates": spaces.Box(-1, 1, (2, 3)), "user": spaces.Box(-1, 1, (1,))}),
    spaces.Dict({"candidates": spaces.Box(-1, 1, (2, 3))}), spaces.Box(-1, 1, (2, 3))])
def test_a_linear_policy_raced_on_candidates_has_the_bits_of_the_race(space):
    policy = raced("squarecb", space, spaces.Discrete(2), ids=())
    shown = np.random.default_rng(1).uniform(-1, 1, (1, 2, 3)).astype(np.float32)
    obs = shown if isinstance(space, spaces.Box) else {"candidates": shown, "user": np.array([[0.5]], np.float32)}
    context = {"user": [0.5]} if "user" in getattr(space, "spaces", {}) else None
    given = [{"id": name, "features": row.tolist()} for name, row in zip("xy", shown[0], strict=True)]
    policy.learn([Event(None, context, given, "y", 1.0), Event(None, context, given, "x", 0.0)])
    found = policy.recommend(None, context, given, key=KEY)
    assert found.scores.tobytes() == policy.algorithm.scores(obs)[0].tobytes() and found.scores[1] > found.scores[0]
    with pytest.raises(Refused, match=r"item x .*must be 3 numbers"):
        policy.recommend(None, context, [{"id": "x", "features": [1.0]}])


# whatever comes -------------------------------------------------------------------------------------------------------
NAMES = st.sampled_from(["id", "features", "history", "item", "reward", "user", "x"])
TEXTS = st.sampled_from(["a", "b", "id", "", "\ud800"])
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
                    max_leaves=10)


@lru_cache
def policies():
    open_one = fresh_policy()
    open_one.add_items([{"id": item, "features": {"x": item}} for item in "abc"])
    seen = spaces.Dict({"candidates": spaces.Box(-1, 1, (2, 1)), "user": spaces.Box(-1, 1, (1,))})
    return (open_one, raced("squarecb", spaces.Box(-1, 1, (2,)), spaces.Discrete(3)),
            raced("ucb", spaces.Discrete(2), spaces.Discrete(3)), raced("random", seen, spaces.Discrete(2), ids=()),
            raced("random", spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([3, 3])))


GOOD = ({"context": {"x": 1.0}, "candidates": ["a", "b", {"id": "d", "features": {"x": True}}]},
        {"context": [0.5, 1.0], "candidates": None}, {"context": 1, "candidates": ["a", "b"]},
        {"context": {"user": [0.5]}, "candidates": [{"id": "a", "features": [1.0]}, {"id": "d", "features": [0.5]}]},
        {"context": [0.5, 1.0], "candidates": ["c", "b", "a"]})


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, 4), wild=st.sampled_from([None, "user", "context", "candidates", "excluded", "k"]),
       value=JSON, k=st.integers(1, 2))
def test_any_request_is_answered_or_refused_in_words(which, wild, value, k):
    """One argument of a good request is anything."""
    asked = {"user": "u", "excluded": (), "k": k, **GOOD[which]} | ({wild: value} if wild else {})
    try:
        found = policies()[which].recommend(**asked, key=KEY)
    except Refused as refused:
        assert wild and len(str(refused)) > 10
        return
    assert len(found.items) == asked["k"] == len({item.id for item in found.items})
    assert not {item.id for item in found.items} & set(asked["excluded"])
    assert all(item.propensity is None or 0.0 < item.propensity <= 1.0 + 1e-12 for item in found.items)
    if found.probabilities is not None:
        assert found.probabilities.sum() == pytest.approx(1.0) and np.isfinite(found.scores).all()
