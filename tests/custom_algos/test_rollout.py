"""The agent–environment loop on Gymnasium's own environments, and its sums."""
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import envs
from custom_algos import find_algorithm
from custom_algos.core import Algorithm, Transition, concat, flat, make_config, tree_map
from custom_algos.rollout import begin, collect, evaluate, make_rng, train
from envs.bandits.arms import ArmBandit


def cartpole(users, **kwargs):
    return gym.make_vec("CartPole-v1", users, vectorization_mode="sync",
                        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}, **kwargs)


def build(name, env, **params):
    cls = find_algorithm(name)
    return cls(env.single_observation_space, env.single_action_space, make_config(cls, params), 1)


class Countdown(gym.Env):
    """Shows {"left": [steps left], "user": k}; ends when none are left: odd users leave, even ones meet the clock."""

    observation_space = gym.spaces.Dict({"left": gym.spaces.Box(0, 9, (1,), np.int64), "user": gym.spaces.Discrete(9)})
    action_space = gym.spaces.Discrete(2)

    def __init__(self, user):
        self.user = user

    def reset(self, *, seed=None, options=None):
        self.left = 2 + self.user
        return self.seen(), {}

    def step(self, action):
        self.left -= 1
        end = self.left == 0
        return self.seen(), 1.0 + action, end and self.user % 2 == 1, end and self.user % 2 == 0, {}

    def seen(self):
        return {"left": np.array([self.left]), "user": self.user}


def test_collect_finds_the_true_successor_in_gymnasiums_sparse_final_obs():
    """CartPole's own rules from every recorded observation: next_obs is what the dynamics say, also at the end."""
    env = cartpole(5)
    rng = make_rng(0)
    batch, (obs, mask), totals = collect(env, build("random", env), begin(env, 3), 60, rng)
    assert batch.obs.shape == batch.next_obs.shape == (60, 5, 4) and mask is None and batch.mask is None
    assert (batch.reward.dtype, batch.log_prob.dtype, batch.terminated.dtype) == (np.float32, np.float32, bool)
    single = gym.make("CartPole-v1").unwrapped
    for t, n in np.ndindex(60, 5):
        single.reset()
        single.state = batch.obs[t, n].astype(np.float64)
        after, _, terminated, _, _ = single.step(int(batch.action[t, n]))
        np.testing.assert_allclose(batch.next_obs[t, n], after, atol=1e-5)
        assert terminated == batch.terminated[t, n]
    ends = batch.ends
    assert ends.sum() > 5 and set(totals) == {"reward", "sessions"}
    np.testing.assert_array_equal(totals["reward"], batch.reward.sum(axis=0))
    np.testing.assert_array_equal(totals["sessions"], ends.sum(axis=0))
    np.testing.assert_array_equal(batch.next_obs[:-1][~ends[:-1]], batch.obs[1:][~ends[:-1]])
    assert (abs(batch.next_obs[ends]) > 0.2).any(axis=1).all() and (abs(batch.obs[1:][ends[:-1]]) <= 0.05).all()
    np.testing.assert_array_equal(obs[~ends[-1]], batch.next_obs[-1][~ends[-1]])
    np.testing.assert_allclose(np.exp(batch.log_prob), 0.5)


def test_dict_observations_and_both_ends_of_third_party_environments():
    env = SyncVectorEnv([lambda n=n: Countdown(n) for n in range(3)], autoreset_mode=AutoresetMode.SAME_STEP)
    batch, _, totals = collect(env, build("random", env), begin(env, 0), 6, make_rng(1))
    assert batch.obs["left"][:, :, 0].T.tolist() == [[2, 1, 2, 1, 2, 1], [3, 2, 1, 3, 2, 1], [4, 3, 2, 1, 4, 3]]
    np.testing.assert_array_equal(batch.next_obs["left"], batch.obs["left"] - 1)       # 0 at the end, never the reset's
    np.testing.assert_array_equal(batch.next_obs["user"], np.tile(np.arange(3), (6, 1)))
    np.testing.assert_array_equal(batch.terminated[:, 1], batch.next_obs["left"][:, 1, 0] == 0)
    np.testing.assert_array_equal(batch.truncated[:, [0, 2]], batch.next_obs["left"][:, [0, 2], 0] == 0)
    assert not batch.terminated[:, [0, 2]].any() and not batch.truncated[:, 1].any() and totals["sessions"].sum() == 6


@pytest.mark.parametrize("env_id", envs.MODELS)
@pytest.mark.parametrize("steps", [1, 3])
def test_what_was_recorded_does_not_change_when_the_environment_goes_on(env_id, steps):
    """A batch of one step is not copied: nothing in it may be memory that the environment still writes to."""
    try:
        env = gym.make_vec(env_id, 4, vectorization_mode="vector_entry_point", autoreset="same_step").unwrapped
    except FileNotFoundError as error:
        pytest.skip(str(error))
    algorithm, rng = build("random", env), make_rng(1)
    batch, seen, _ = collect(env, algorithm, begin(env, 1), steps, rng)
    kept = tree_map(np.copy, batch)
    collect(env, algorithm, seen, 3, rng)
    for array in (env.user, env.visits, env.session, env.t, env.done, *env.state):
        array[...] = 1
    for name, part in kept._asdict().items():
        tree_map(np.testing.assert_array_equal, getattr(batch, name), part)


def test_one_step_is_the_first_of_many():
    def first(steps):
        env = ArmBandit(5, autoreset="same_step", arms=4, types=3, observe="one_hot", cycle=4, stay=3)
        return collect(env, build("random", env), begin(env, 1), steps, make_rng(3))
    (one, _, totals), (many, _, _) = first(1), first(4)
    for name in Transition._fields:
        left, right = getattr(one, name), getattr(many, name)
        assert (left is None) == (right is None)
        if left is not None:
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right[:1])
    np.testing.assert_array_equal(totals["reward"], one.reward[0])
    np.testing.assert_array_equal(totals["sessions"], np.ones(5))


def test_next_step_autoreset_is_refused_because_its_reset_rows_are_no_transitions():
    env = gym.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    with pytest.raises(ValueError, match="SAME_STEP"):
        collect(env, build("random", env), begin(env, 0), 3, make_rng(0))


def test_consecutive_blocks_are_one_life_and_shards_join_on_the_users_axis():
    def blocks(*steps):
        env = cartpole(3)
        seen, out, rng = begin(env, 1), [], make_rng(2)
        algorithm = build("random", env)
        for t in steps:
            batch, seen, _ = collect(env, algorithm, seen, t, rng)
            out.append(batch)
        return out
    (whole,), (first, second) = blocks(20), blocks(8, 12)
    for name in ("obs", "action", "reward", "next_obs", "terminated", "truncated", "log_prob"):
        both = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(getattr(whole, name), both)
    joined = concat([first, first])
    assert joined.obs.shape == (8, 6, 4) and joined.response is None and flat(joined).reward.shape == (48,)
    np.testing.assert_array_equal(flat(joined).obs[7], joined.obs[1, 1])                # t then n


@pytest.mark.parametrize("users", [1, 4])
def test_truths_are_summed_over_real_steps(users):
    env = ArmBandit(users, autoreset="same_step", means=(0.2, 0.5))
    batch, _, totals = collect(env, build("random", env), begin(env, 1), 25, make_rng(3))
    assert batch.action.shape == (25, users)
    assert (totals["sessions"] == 25).all() and (totals["reward"] == batch.reward.sum(axis=0)).all()
    assert totals["expected_reward"] == pytest.approx(np.where(batch.action == 0, 0.2, 0.5).sum(axis=0))
    assert totals["regret"] == pytest.approx(0.3 * (batch.action == 0).sum(axis=0))


class Always(Algorithm):
    """Pushes one way."""

    @property
    def Config(self):
        return dict

    def act(self, obs, rng, explore=True, mask=None):
        return np.ones(len(obs), np.int64), np.zeros(len(obs), np.float32)

    learn = policy_state = load_policy_state = state_dict = load_state_dict = None


@pytest.mark.parametrize("users", [1, 6])
def test_evaluate_counts_exactly_one_session_a_user(users):
    env = cartpole(users)
    result = evaluate(env, Always(env.single_observation_space, env.single_action_space), 5, make_rng(0))
    single = gym.make("CartPole-v1")
    for n in range(users):                                   # Gymnasium seeds user n with seed + n
        single.reset(seed=5 + n)
        length, end = 0, False
        while not end:
            _, _, terminated, truncated, _ = single.step(1)
            length, end = length + 1, terminated or truncated
        assert result["length"][n] == result["return"][n] == result["reward"][n] == length
    assert result["length"].shape == (users,)


def test_evaluate_prefers_the_expected_reward_and_asks_the_oracle():
    env = ArmBandit(8, autoreset="disabled", means=(0.2, 0.5))
    result = evaluate(env, None, 1, make_rng(0), np.arange(8))
    np.testing.assert_allclose(result["return"], 0.5)
    assert not result["regret"].any() and (result["length"] == 1).all() and set(result["reward"]) <= {0.0, 1.0}


def test_evaluate_says_when_sessions_do_not_end():
    env = cartpole(2)
    with pytest.raises(RuntimeError, match="2 of 2 sessions did not end within 3 steps"):
        evaluate(env, build("random", env), 1, make_rng(0), max_steps=3)


@pytest.mark.parametrize("users", [1, 4])
def test_train_counts_env_steps_and_repeats_itself(users):
    seen = []
    def run():
        env = cartpole(users)
        return train(env, build("a2c", env, hidden=[8], rollout_steps=5), 60, seed=4, report=seen.append)
    history = run()
    assert [row["env_steps"] for row in history] == list(range(5 * users, 61, 5 * users))
    assert seen == history and all(row["reward_mean"] == 1.0 for row in history)
    assert run() == history
