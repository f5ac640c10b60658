"""The contract of every registered environment.  The list of ids is the registry: a new line there is tested here."""
import dataclasses
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import envs
from envs.engine.clock import Places, Who, arrive, tick
from envs.engine.single import ScalarView, _model
from envs.engine.vector import VectorEnv

IDS = list(envs.MODELS)
STEPS, USERS = 120, 6
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:gymnasium")


def build(env_id, users=USERS, **kwargs) -> VectorEnv:
    """``users`` users of ``env_id``; an id that lives on a file nobody gave is skipped, with its own words."""
    try:
        return gym.make_vec(env_id, users, vectorization_mode="vector_entry_point", **kwargs).unwrapped
    except FileNotFoundError as error:
        pytest.skip(f"{env_id} needs a data file: {error}")


def leaves(tree):
    """The arrays of an observation (an array or a dict of arrays)."""
    if isinstance(tree, dict):
        return [part for key in sorted(tree) for part in leaves(tree[key])]
    return [np.asarray(tree)]


def rows(tree, n):
    """Row n of every array, as bytes-comparable values."""
    return [part[n].copy() for part in leaves(tree)]


def same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def chooser(env):
    """A policy that looks at who and when, never at the row: action of (user, step of the session)."""
    env.single_action_space.seed(11)
    table = np.array([env.single_action_space.sample() for _ in range(101)])
    return lambda env: table[(env.user * 7 + env.t * 3 + env.session) % len(table)]


def live(env, steps, choose=None):
    """Everything that comes out of ``steps`` steps, flat."""
    choose, out = choose or chooser(env), []
    for _ in range(steps):
        obs, reward, terminated, truncated, info = env.step(choose(env))
        out += [*leaves(obs), reward, terminated, truncated, *leaves(info)]
    return out


def lives(env, steps, seed=3):
    """Real transitions only: {(user, session, step): [obs, reward, next_obs, terminated, truncated, truths, masks]}."""
    obs, info = env.reset(seed=seed)
    choose, found, resting = chooser(env), {}, np.zeros(env.num_envs, bool)
    for _ in range(steps):
        who, session, t, mask = env.user.copy(), env.session.copy(), env.t.copy(), info.get("action_mask")
        after, reward, terminated, truncated, info = env.step(choose(env))
        successor, next_mask = info.get("final_obs", after), info.get("final_mask", info.get("action_mask"))
        for n in np.flatnonzero(~resting):
            truth = [info[k][n] for k in ("expected_reward", "regret", "response", "delay", "left") if k in info]
            masks = [] if mask is None else [mask[n].copy(), next_mask[n].copy()]
            found[int(who[n]), int(session[n]), int(t[n])] = [
                *rows(obs, n), reward[n], *rows(successor, n), terminated[n], truncated[n], *truth, *masks]
        ends = terminated | truncated
        if env.autoreset is AutoresetMode.NEXT_STEP:
            resting = ends
        elif env.autoreset is AutoresetMode.DISABLED:
            resting = resting | ends
        obs = after
    return found


@pytest.fixture(params=IDS)
def env_id(request):
    return request.param


# Gymnasium's own contract ---------------------------------------------------------------------------------------------
def test_gymnasium_checks_the_single_environment(env_id):
    try:
        env = gym.make(env_id)
    except FileNotFoundError as error:
        pytest.skip(f"{env_id} needs a data file: {error}")
    assert isinstance(env.unwrapped, ScalarView) and env.spec.max_episode_steps is None
    check_env(env.unwrapped, skip_render_check=True)


def test_the_single_environment_is_row_zero_of_a_batch_of_one(env_id):
    batch, single = build(env_id, 1, autoreset="disabled"), ScalarView(build(env_id, 1, autoreset="disabled"))
    choose = chooser(batch)
    obs, _ = batch.reset(seed=5)
    same(rows(obs, 0), leaves(single.reset(seed=5)[0]))
    for _ in range(20):
        action = choose(batch)
        obs, reward, terminated, truncated, _ = batch.step(action)
        one, r, term, trunc, _ = single.step(action[0])
        same(rows(obs, 0), leaves(one))
        assert (r, term, trunc) == (reward[0], terminated[0], truncated[0]) and type(r) is float and type(term) is bool
        if term or trunc:
            break


def test_spaces_contain_what_comes_out_and_types_are_fixed(env_id):
    env = build(env_id, autoreset="same_step")
    obs, info = env.reset(seed=1)
    choose = chooser(env)
    for _ in range(STEPS):
        assert env.observation_space.contains(obs)
        assert [part.dtype for part in leaves(obs)] == [part.dtype for part in leaves(env.observation_space.sample())]
        action = choose(env)
        assert env.action_space.contains(action)
        if "action_mask" in info:
            assert info["action_mask"].dtype == bool and info["action_mask"].any(axis=1).all()
        obs, reward, terminated, truncated, info = env.step(action)
        assert env.observation_space.contains(info["final_obs"])
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float32, bool, bool)
        assert reward.shape == terminated.shape == truncated.shape == (USERS,)
        for value in leaves({k: v for k, v in info.items() if k != "final_obs"}):
            assert len(value) == USERS and value.dtype != object


# randomness -----------------------------------------------------------------------------------------------------------
def test_a_seed_decides_everything_and_another_seed_decides_otherwise(env_id):
    def run(seed):
        env = build(env_id)
        obs, _ = env.reset(seed=seed)
        return [*leaves(obs), *live(env, STEPS)]
    first = run(1)
    same(first, run(1))
    exact = build(env_id).knows().exact
    mdp = exact and exact.mdp
    if mdp and mdp.start.max() == 1 and (mdp.chance.max(axis=-1) == 1).all():                # a world without coins
        same(first, run(2))
        return
    assert any((a != b).any() for a, b in zip(first, run(2), strict=True))


def test_the_same_users_live_the_same_lives_in_all_three_modes(env_id):
    """The true successor is what DISABLED shows after the step; SAME_STEP must bring it as ``final_obs``."""
    next_step, same_step, disabled = (lives(build(env_id, autoreset=mode), STEPS)
                                      for mode in ("next_step", "same_step", "disabled"))
    assert disabled.keys() <= same_step.keys() and disabled.keys() <= next_step.keys()
    assert {user for user, _, _ in disabled} == set(range(USERS))
    assert next_step.keys() <= same_step.keys() and len(next_step) > USERS * STEPS / 3
    for found in (disabled, next_step):
        for key, row in found.items():
            same(row, same_step[key])


def test_final_obs_is_dense_and_only_differs_where_a_session_ended(env_id):
    env = build(env_id, autoreset="same_step")
    env.reset(seed=1)
    choose, ended = chooser(env), 0
    for _ in range(max(STEPS, (env.horizon or 0) + 20)):           # at least one session of everybody comes to its end
        obs, _, terminated, truncated, info = env.step(choose(env))
        ends = terminated | truncated
        ended += ends.sum()
        for shown, final in zip(leaves(obs), leaves(info["final_obs"]), strict=True):
            assert shown.shape == final.shape and shown.dtype == final.dtype
            np.testing.assert_array_equal(shown[~ends], final[~ends])
        assert (env.t[ends] == 0).all()
    assert ended > 0


def test_a_batch_cut_into_shards_meets_the_same_lives(env_id):
    whole = build(env_id, 6, autoreset="same_step")
    parts = [build(env_id, 3, autoreset="same_step", slot0=slot0, stride=6) for slot0 in (0, 3)]
    for env in (whole, *parts):
        env.reset(seed=4)
    left, right = (live(env, STEPS) for env in parts)
    same(live(whole, STEPS), [np.concatenate(pair) for pair in zip(left, right, strict=True)])


def test_chosen_users_come_in_any_order_and_keep_their_lives(env_id):
    ids = np.array([7, 2**29 + 1, 2**30, 40])
    env, turned = (build(env_id, 4, autoreset="disabled") for _ in range(2))
    one, info = env.reset(seed=9, options={"users": ids})
    two, _ = turned.reset(seed=9, options={"users": ids[::-1]})
    np.testing.assert_array_equal(info["user"], ids)
    if not getattr(env.params, "own_arms", False):                 # there, the slot is the world
        same(leaves(one), [part[::-1] for part in leaves(two)])
        same(live(env, 60), [part[::-1] for part in live(turned, 60)])
    with pytest.raises(ValueError, match="users"):
        env.reset(seed=9, options={"users": ids[:2]})


def test_slots_walk_through_the_population():
    env = build("recloop/BernoulliBandit-v0", 2, autoreset="same_step", first_user=100, population=5, slot0=1, stride=4)
    met = [env.reset(seed=0)[1]["user"]]
    sessions = [env.session.copy()]
    for _ in range(3):
        met.append(env.step(np.zeros(2, np.int64))[4]["user"])
        sessions.append(env.session.copy())
    assert np.array(met).tolist() == [[101, 102], [100, 101], [104, 100], [103, 104]]    # 100 + (1 + j + 4 v) mod 5
    assert np.array(sessions).tolist() == [[0, 0], [1, 1], [1, 2], [2, 2]]               # (1 + j + 4 v) div 5


@pytest.mark.parametrize("population", [3, 7, 100, 2**29])
def test_arrivals_are_counted_as_the_docstring_says(population):
    n, rng = 50, np.random.default_rng(population)
    slots, visits, t = 5 + np.arange(n), rng.integers(0, 30, n), rng.integers(0, 9, n)
    user, session, done, before = np.full(n, -1), np.full(n, -1), np.ones(n, bool), t.copy()
    rows = np.flatnonzero(rng.random(n) < 0.5)
    place = slots + (visits + 1) * 60
    arrive(rows, Places(slots, 60, 1000, population), visits, Who(0, user, session, t), done)
    here = np.isin(np.arange(n), rows)
    np.testing.assert_array_equal(user, np.where(here, 1000 + place % population, -1))
    np.testing.assert_array_equal(session, np.where(here, place // population, -1))
    np.testing.assert_array_equal(t, np.where(here, 0, before))
    np.testing.assert_array_equal(done, ~here)


# the clock ------------------------------------------------------------------------------------------------------------
def test_the_clock_truncates_and_never_terminates(env_id):
    env = build(env_id, 12, autoreset="disabled")
    env.reset(seed=2)
    choose, alive, length = chooser(env), np.ones(12, bool), np.zeros(12, int)
    for _ in range((env.horizon or 200) + 1):
        _, reward, terminated, truncated, _ = env.step(choose(env))
        assert not (terminated & truncated).any() and not (terminated | truncated)[~alive].any()
        assert (reward[~alive] == 0).all()
        length += alive
        if type(env)._clock is not VectorEnv._clock:         # time is not counted in steps: its own test
            assert not (truncated & ~alive).any()
        elif env.horizon is None:
            assert not truncated.any()
        else:
            np.testing.assert_array_equal(truncated, alive & ~terminated & (length == env.horizon))
        alive &= ~(terminated | truncated)
    assert not alive.any()


@pytest.mark.parametrize("horizon", [0, 5])
@pytest.mark.parametrize("rests", [False, True])
def test_the_clock_is_its_formula(horizon, rests):
    active, terminated, t = (a.ravel() for a in np.meshgrid([False, True], [False, True], np.arange(8), indexing="ij"))
    terminated = terminated & active
    before, truncated, done = t.copy(), np.ones(t.shape, bool), np.ones(t.shape, bool)
    ended = tick(active, terminated, t, horizon, rests, t, truncated, done)
    np.testing.assert_array_equal(t, before + active)
    late = (t >= horizon) if horizon else np.zeros(t.shape, bool)
    np.testing.assert_array_equal(truncated, active & ~terminated & late)
    np.testing.assert_array_equal(done, terminated | truncated | (~active if rests else False))
    assert ended == (terminated | truncated).sum() > 0


class Leaver(VectorEnv):
    """Odd users leave at their third step, which is also where the clock stands at three."""

    @dataclasses.dataclass(frozen=True)
    class Params:
        pass

    horizon = 3

    def _spaces(self):
        return gym.spaces.Box(0, 9, (1,)), gym.spaces.Discrete(2)

    def _advance(self, action, active):
        return active.astype(np.float32), active & (self.t == 2) & (self.user % 2 == 1), {}

    def _observe(self):
        return self.t[:, None].astype(np.float32)


@pytest.mark.parametrize("mode", ["next_step", "same_step", "disabled"])
def test_who_leaves_on_the_last_tick_has_left(mode):
    env = Leaver(4, autoreset=mode)
    env.reset(seed=0)
    for t in range(3):
        _, _, terminated, truncated, _ = env.step(np.zeros(4, int))
        assert terminated.tolist() == [False, t == 2, False, t == 2]
        assert truncated.tolist() == [t == 2, False, t == 2, False]


# save and restore -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["next_step", "same_step", "disabled"])
def test_a_saved_batch_continues_bit_for_bit(env_id, mode):
    env = build(env_id, autoreset=mode)
    env.reset(seed=8)
    live(env, 70)
    saved = env.get_state()
    frozen = pickle.dumps(saved)
    on = live(env, 70)
    assert pickle.dumps(saved) == frozen                                         # a snapshot, no view
    same(on, (env.set_state(saved), live(env, 70))[1])                           # back in the same instance
    assert pickle.dumps(saved) == frozen                                         # which does not write into it
    fresh = build(env_id, autoreset=mode)
    obs, info = fresh.set_state(pickle.loads(frozen))
    assert fresh.observation_space.contains(obs) and ("action_mask" in info) == (fresh._mask() is not None)
    same(on, live(fresh, 70))


def test_instances_share_nothing_and_hand_out_no_live_arrays(env_id):
    env, other = build(env_id), build(env_id)
    first, info = env.reset(seed=1)
    other.reset(seed=1)
    before, kept = pickle.dumps(env.get_state()), [part.copy() for part in [*leaves(first), *leaves(info)]]
    live(other, 60)
    assert pickle.dumps(env.get_state()) == before
    out = live(env, 1)
    again = [part.copy() for part in out]
    live(env, 60)
    same(kept, [*leaves(first), *leaves(info)])
    same(again, out)


# bad input ------------------------------------------------------------------------------------------------------------
def fields_of(env_id):
    path, _ = envs.MODELS[env_id]
    return dataclasses.fields(_model(path).Params)


def test_bad_parameters_are_named(env_id):
    path, given = envs.MODELS[env_id]
    def refuse(**params):
        (name, value), = params.items()
        with pytest.raises(ValueError, match=name):
            _model(path)(2, **{**given, name: value})
    refuse(no_such_parameter=1)
    for field in fields_of(env_id):
        if type(field.default) in (bool, int, float, str):
            refuse(**{field.name: ["of", "another", "type"]})
        if field.metadata.get("choices"):
            refuse(**{field.name: "none of these"})
        if field.metadata.get("low") is not None:
            refuse(**{field.name: type(field.default)(field.metadata["low"] - 1)})
        if field.metadata.get("high") is not None:
            refuse(**{field.name: type(field.default)(field.metadata["high"] + 1)})
    with pytest.raises(ValueError, match=r"autoreset = 'sometimes' must be next_step, same_step or disabled"):
        _model(path)(2, autoreset="sometimes")


def test_bad_actions_are_refused(env_id):
    env = build(env_id)
    env.reset(seed=0)
    good = env.action_space.sample()
    for wrong in (good[:-1], np.concatenate([good, good]), good[0]):
        with pytest.raises(ValueError, match="shape"):
            env.step(wrong)
    if isinstance(env.single_action_space, gym.spaces.Box):                      # a control: clipped, but a number
        good.flat[-1] = np.nan
        with pytest.raises(ValueError, match="nan"):
            env.step(good)
        return
    size = int(np.max(getattr(env.single_action_space, "nvec", getattr(env.single_action_space, "n", 0))))
    for outside in (-1, size):
        wrong = good.copy()
        wrong.flat[-1] = outside
        with pytest.raises(ValueError, match=str(outside)):
            env.step(wrong)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 7.0])
def test_environments_and_algorithms_refuse_alike(value):
    """One rule for both leaves, which may not import each other: the parameter, its value and what is valid."""
    from custom_algos.bandits.epsilon_greedy import EpsilonGreedy
    from custom_algos.core import make_config
    from envs.bandits.click_loop import Params
    from envs.engine.params import check_params

    for build in (lambda: check_params(Params, {"examination": value}),
                  lambda: make_config(EpsilonGreedy, {"epsilon": value})):
        with pytest.raises(ValueError, match=rf"^parameter '\w+' = {value} must (lie in \[|be a finite)"):
            build()
