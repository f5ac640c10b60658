"""The contract of every registered algorithm.  The list is the registry: a new line there is tested here."""
import ast
import dataclasses
import importlib.util
import pickle
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from support.states import assert_same

from custom_algos import ALGORITHMS, find_algorithm
from custom_algos.core import Transition, make_config, stack
from custom_algos.rollout import make_rng
from platform.trial import checkpoint

ACTIONS, USERS = 4, 6
SEES = (spaces.Box(-1, 1, (3,)), spaces.MultiDiscrete([3, 2]))       # the first that an algorithm takes
DOES = (spaces.Discrete(ACTIONS), spaces.Box(-1, 1, (2,)))           # likewise
ITEMS = np.random.default_rng(5).normal(size=(ACTIONS, 2)).astype(np.float32)
LIGHT = {"ppo": {"epochs": 1, "rollout_steps": 8},                   # whose defaults would take minutes
         "sac": {"batch_size": 16, "replay_ratio": 4, "random_steps": 100, "hidden": (16, 16)}}
VISITORS = 20_000                                # users in front of one observation, to count what they are shown


@pytest.fixture(params=list(ALGORITHMS))
def name(request):
    return request.param


@lru_cache
def spaces_of(name):
    """The first spaces of `SEES` and `DOES` that the algorithm takes; one that it refuses it must name."""
    for actions in DOES:
        for space in SEES:
            try:
                find_algorithm(name)(space, actions)
            except ValueError as error:
                assert str(space) in str(error) or str(actions) in str(error)
                continue
            return space, actions
    raise AssertionError(f"{name} takes none of {SEES} with {DOES}")


def counts(name) -> bool:
    """Whether its actions are counted; only these have masks and shares of visitors."""
    return isinstance(spaces_of(name)[1], spaces.Discrete)


def build(name, seed=1, action_space=None, seen=None, items=None, **params):
    """The algorithm as it is registered, with its own defaults (or `LIGHT` ones)."""
    cls = find_algorithm(name)
    config = make_config(cls, LIGHT.get(name, {}) | params)
    return cls(seen or spaces_of(name)[0], action_space or spaces_of(name)[1], config, seed, items=items)


def observations(algorithm, rng, users=USERS):
    if isinstance(algorithm.obs_space, spaces.MultiDiscrete):
        return rng.integers(algorithm.obs_space.nvec, size=(users, 2))
    return rng.uniform(-1, 1, (users, 3)).astype(np.float32)


def masks(rng, users=USERS):
    """Random allowed actions, at least one a user."""
    mask = rng.random((users, ACTIONS)) < 0.5
    mask[np.arange(users), rng.integers(ACTIONS, size=users)] = True
    return mask


def block(algorithm, rng, steps=None, users=USERS, masked=False, one_step=True):
    """What ``algorithm`` does in a world of noise: a Transition ``[T, N]``; rewards are 0 or 1, action 2 is good (of
    controls: a first one above a half)."""
    rows = []
    for _ in range(steps or max(algorithm.rollout_steps, 1)):
        obs, mask = observations(algorithm, rng, users), masks(rng, users) if masked else None
        action, log_prob = algorithm.act(obs, rng, True, mask)
        good = action == 2 if action.ndim == 1 else action[:, 0] > 0.5
        reward = (rng.random(users) < np.where(good, 0.7, 0.3)).astype(np.float32)
        ends = np.ones(users, bool) if one_step else rng.random(users) < 0.2
        after = observations(algorithm, rng, users)
        rows.append(Transition(obs, action, reward, after, ends, np.zeros(users, bool), log_prob, mask=mask,
                               next_mask=mask))
    return stack(rows)


def live(algorithm, seed, blocks=4, **kwargs):
    """Actions, propensities and losses of ``blocks`` rounds of acting and learning."""
    rng, out = make_rng(seed), []
    for _ in range(blocks):
        batch = block(algorithm, rng, **kwargs)
        out += [batch.action, batch.log_prob, algorithm.learn(batch)]
    return out


@lru_cache
def lesson(name) -> bytes:
    """The state after 30 blocks of 20 users: 600 rows and more, so that the neural ones train once."""
    algorithm = build(name)
    live(algorithm, 0, 30, users=20)
    return pickle.dumps(algorithm.state_dict())


def taught(name):
    algorithm = build(name)
    algorithm.load_state_dict(pickle.loads(lesson(name)))
    return algorithm


# acting ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("users", [1, 7])
@pytest.mark.parametrize("explore", [True, False])
def test_act_gives_valid_actions_of_the_right_type(name, users, explore):
    for algorithm in (build(name), taught(name)):
        action, log_prob = algorithm.act(observations(algorithm, make_rng(3), users), make_rng(4), explore)
        assert (log_prob.shape, log_prob.dtype) == ((users,), np.float32)
        assert all(algorithm.action_space.contains(a) for a in action)
        if not counts(name):
            continue
        assert (action.shape, action.dtype) == ((users,), np.int64)
        assert ((action >= 0) & (action < ACTIONS)).all() and (np.isnan(log_prob) | (log_prob <= 1e-6)).all()


@pytest.mark.parametrize("explore", [True, False])
def test_masks_are_respected(name, explore):
    if not counts(name):
        pytest.skip("its actions are controls")
    for algorithm in (build(name), taught(name)):
        rng = make_rng(6)
        mask = masks(rng, 3000)
        action, log_prob = algorithm.act(observations(algorithm, rng, 3000), rng, explore, mask)
        assert mask[np.arange(3000), action].all()
        alone = log_prob[mask.sum(axis=1) == 1]
        assert (np.isnan(alone) | (abs(alone) < 1e-6)).all()                  # the only choice is certain


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("learnt", [False, True])
def test_propensities_are_the_frequencies(name, masked, learnt):
    """Many users in front of one observation: the share of every action is exp(log_prob), where that is known."""
    if not counts(name):
        pytest.skip("its actions are controls")
    algorithm = taught(name) if learnt else build(name)
    obs = np.tile(observations(algorithm, make_rng(7), 1), (VISITORS, 1))
    mask = np.tile([[True, False, True, True]], (VISITORS, 1)) if masked else None
    action, log_prob = algorithm.act(obs, make_rng(8), True, mask)
    known = ~np.isnan(log_prob)
    if not known.any():
        return                                                               # the algorithm says that it cannot know
    assert known.all()
    first = [np.flatnonzero(action == a)[:1] for a in range(ACTIONS)]
    p = np.array([np.exp(float(log_prob[row[0]])) if len(row) else 0.0 for row in first])
    for a in range(ACTIONS):
        assert (abs(log_prob[action == a] - np.log(p[a] or 1.0)) < 1e-4).all()        # one observation, one propensity
    share = np.bincount(action, minlength=ACTIONS) / VISITORS
    assert (abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / VISITORS) + 1e-5).all(), (share, p)


def test_every_user_tosses_its_own_coin(name):
    """Untaught and exploring, a crowd is not shown one and the same thing."""
    if not counts(name):
        pytest.skip("its actions are controls")
    algorithm = build(name)
    action, _ = algorithm.act(np.tile(observations(algorithm, make_rng(7), 1), (2000, 1)), make_rng(9))
    assert len(np.unique(action)) == ACTIONS


def test_slates_have_no_repeats_or_are_refused(name):
    space = spaces.MultiDiscrete([5, 5, 5])
    try:
        algorithm = build(name, action_space=space)
    except ValueError as error:
        assert str(space) in str(error)
        return
    for _ in range(3):
        obs, rng = observations(algorithm, make_rng(1), 50), make_rng(2)
        action, log_prob = algorithm.act(obs, rng)
        assert (action.shape, action.dtype, log_prob.shape) == ((50, 3), np.int64, (50,))
        assert all(len(set(slate)) == 3 for slate in action) and ((action >= 0) & (action < 5)).all()
        ends = np.ones((1, 50), bool)
        response = (rng.random((1, 50, 3)) < 0.4).astype(np.int8)
        reward = response.sum(axis=2).astype(np.float32)
        algorithm.learn(Transition(obs[None], action[None], reward, obs[None], ends, ~ends, log_prob[None], response))


# learning -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("steps", "users"), [(1, 1), (1, 5), (3, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_learn_takes_any_number_of_steps_and_users(name, steps, users, masked):
    algorithm, rng = build(name), make_rng(2)
    for _ in range(3):
        if algorithm.tasks == "sequences" and steps == 1:
            with pytest.raises(ValueError, match="cannot learn from a log"):
                batch = block(algorithm, rng, 1, users, masked)
                algorithm.learn(batch._replace(log_prob=np.full((1, users), np.nan, np.float32)))
        numbers = algorithm.learn(block(algorithm, rng, steps, users, masked, one_step=steps == 1))
        assert all(isinstance(value, float) and np.isfinite(value) for value in numbers.values())


def test_act_does_not_learn_and_learn_does_not_touch_its_batch(name):
    algorithm = taught(name)
    before = pickle.dumps(algorithm.state_dict())
    batch = block(algorithm, make_rng(1))
    algorithm.act(batch.obs[0], make_rng(1), False)
    assert pickle.dumps(algorithm.state_dict()) == before
    frozen = pickle.dumps(batch)
    algorithm.learn(batch)
    assert pickle.dumps(batch) == frozen


def test_two_seeded_runs_agree_and_masked_ones_too(name):
    assert_same(live(build(name), 11, 10), live(build(name), 11, 10))
    assert_same(live(build(name), 11, 10, masked=True), live(build(name), 11, 10, masked=True))


def test_the_global_generators_stay_untouched(name):
    np.random.seed(3)                                                        # noqa: NPY002 (this is what must not change)
    numpy_before, torch_before = pickle.dumps(np.random.get_state()), torch.get_rng_state()     # noqa: NPY002
    lesson.__wrapped__(name)
    taught(name)
    assert pickle.dumps(np.random.get_state()) == numpy_before               # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


# states ---------------------------------------------------------------------------------------------------------------
def test_states_are_snapshots(name):
    algorithm = taught(name)
    states = [algorithm.state_dict(), algorithm.policy_state()]
    frozen = pickle.dumps(states)
    live(algorithm, 5, 30, users=20)
    assert pickle.dumps(states) == frozen
    again = build(name)
    again.load_state_dict(states[0])
    live(again, 5, 30, users=20)                                             # nor does learning from a loaded one
    assert pickle.dumps(states) == frozen


@pytest.mark.parametrize("way", ["checkpoint", "pickle"])
@pytest.mark.parametrize("learnt", [False, True])
def test_a_resumed_twin_continues_bit_for_bit(name, way, learnt, tmp_path):
    algorithm = taught(name) if learnt else build(name)
    if learnt:
        live(algorithm, 20, 5, users=20)                                     # in one life: what a state forgets is here
    state = algorithm.state_dict()
    if way == "checkpoint":
        checkpoint.save(tmp_path, state)
        state = checkpoint.load(tmp_path)
    twin = build(name)
    twin.load_state_dict(pickle.loads(pickle.dumps(state)))
    assert_same(algorithm.state_dict(), twin.state_dict())
    assert_same(live(algorithm, 21, 30, users=20), live(twin, 21, 30, users=20))     # actions, propensities, losses
    assert_same(algorithm.state_dict(), twin.state_dict())


def test_late_rewards_survive_a_checkpoint(name, tmp_path):
    if find_algorithm(name).tasks != "any":
        pytest.skip("learns from sequences: every reward is known at once")
    algorithm, rng = build(name), make_rng(3)
    delay = rng.integers(0, 4, (1, USERS))
    for _ in range(3):
        algorithm.learn(block(algorithm, rng, 1)._replace(delay=delay))
    checkpoint.save(tmp_path, algorithm.state_dict())
    twin = build(name)
    twin.load_state_dict(checkpoint.load(tmp_path))
    batch = block(algorithm, rng, 1)._replace(delay=delay)
    assert_same(algorithm.learn(batch), twin.learn(batch))
    assert_same(algorithm.state_dict(), twin.state_dict())


def test_the_policy_alone_acts_identically(name, tmp_path):
    """Built with another seed and given only what goes to workers and to serving, read-only as Ray delivers it."""
    algorithm = taught(name)
    checkpoint.save(tmp_path, algorithm.policy_state(), "policy")
    policy = checkpoint.load(tmp_path, "policy")
    freeze(policy)
    copy, rng = build(name, seed=99), make_rng(4)
    copy.load_policy_state(policy)
    obs, mask = observations(algorithm, rng, 200), masks(rng, 200)
    for explore in (True, False):
        for allowed in (None, mask):
            assert_same(algorithm.act(obs, make_rng(5), explore, allowed), copy.act(obs, make_rng(5), explore, allowed))


def freeze(tree):
    for value in tree.values():
        if isinstance(value, dict):
            freeze(value)
        elif isinstance(value, np.ndarray):
            value.flags.writeable = False


# construction ---------------------------------------------------------------------------------------------------------
def test_unknown_parameters_are_named(name):
    with pytest.raises(ValueError, match="unknown parameter 'no_such_parameter'; valid are"):
        build(name, no_such_parameter=1)


def beyond(field):
    """Values outside the range of a field of a Config; none: every value of its type is valid."""
    meta, default = field.metadata, field.default
    if isinstance(default, bool):
        return []
    if meta["choices"] is not None:
        return ["no such choice"]
    below = meta["low"] - 1 if meta["low"] is not None else -np.inf
    outside = [below, meta["above"], np.nan, np.inf if meta["high"] is None else meta["high"] + 1]
    outside = [x for x in outside if x is not None and x != meta["high"] and not (np.isinf(x) and x == meta["low"])]
    return [(x,) for x in outside] if isinstance(default, tuple) else outside


def test_every_hyper_parameter_has_a_range_and_keeps_it(name):
    """In plain values and in a Config; a parameter without limits says so in its sentence, and is finite."""
    cls = find_algorithm(name)
    for field in dataclasses.fields(cls.Config):
        if not isinstance(field.default, bool):
            limits = [field.metadata[key] for key in ("low", "high", "above", "choices")]
            free = "ny finite number" in sentences(cls)[field.name]
            assert free == (limits == [None] * 4), f"{name}.{field.name} has no range"
        for value in beyond(field):
            with pytest.raises(ValueError, match=f"'{field.name}' = "):
                build(name, **{field.name: value})
            if isinstance(value, int | str | tuple) or isinstance(field.default, float):
                must = "must (lie in|be finite|be one of|be a list of)"
                with pytest.raises(ValueError, match=f"'{field.name}' = .* {must}"):
                    cls(*spaces_of(name), cls.Config(**{field.name: value}))


def test_it_runs_on_types_on_items_and_on_groups_of_users(name):
    """The other kinds of input that environments of the project have: Discrete observations, a static catalogue."""
    algorithm = build(name, seen=spaces.Discrete(3), items=ITEMS)
    rng = make_rng(1)
    for _ in range(3):
        obs = rng.integers(3, size=(8, USERS))
        acted = [algorithm.act(row, rng) for row in obs]
        ends = np.ones((8, USERS), bool)
        action, log_prob = (np.stack(part) for part in zip(*acted, strict=True))
        algorithm.learn(Transition(obs, action, rng.random((8, USERS), np.float32), obs, ends, ~ends, log_prob))
        assert not (counts(name) and (log_prob > 1e-6).any())                # NaN where it is not known
        assert all(algorithm.action_space.contains(a) for a in action.reshape(-1, *action.shape[2:]))


def sentences(cls) -> dict[str, str]:
    """{field of Config: the string under it}."""
    found = {}
    for part in reversed(cls.Config.__mro__[:-1]):
        source = Path(importlib.util.find_spec(part.__module__).origin).read_text()
        node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef) and n.name == part.__name__)
        for field, below in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                found[field.target.id] = below.value.value if said else ""
    return found


def test_every_hyper_parameter_has_its_sentence(name):
    """One string under each field of Config and of what it inherits."""
    assert [field for field, said in sentences(find_algorithm(name)).items() if not said] == []
