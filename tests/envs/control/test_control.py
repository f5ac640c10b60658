"""CartPole and Pendulum against Gymnasium's own: the same dynamics from the same state, the same law of the starts."""
import gymnasium as gym
import numpy as np
import pytest

from envs.control import cartpole, pendulum
from envs.control.cartpole import CartPole
from envs.control.pendulum import Pendulum

STEPS = 10_000
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:gymnasium")


def side_by_side(ours, theirs, choose, put, start):
    """``STEPS`` steps of our user and of Gymnasium's environment, which is put where ours starts a session."""
    ours.reset(seed=1)
    theirs.reset(seed=1)
    put(theirs, ours)
    start(theirs)
    ends, clock = 0, gym.spec(theirs.spec.id).max_episode_steps
    for _ in range(STEPS):
        action = choose()
        t = ours.t[0] + 1
        obs, reward, terminated, truncated, info = ours.step(np.asarray(action)[None])
        expected, pay, fell, _, _ = theirs.step(action)
        np.testing.assert_allclose(info["final_obs"][0], expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(reward[0], pay, rtol=1e-6, atol=1e-6)
        assert terminated[0] == fell and truncated[0] == (not fell and t == clock)
        if terminated[0] or truncated[0]:
            ends += 1
            put(theirs, ours)
            start(theirs)
            np.testing.assert_allclose(obs[0], theirs._get_obs() if hasattr(theirs, "_get_obs") else theirs.state)
    return ends


def test_cartpole_moves_as_gymnasium_s():
    rng = np.random.default_rng(0)
    def put(theirs, ours):
        theirs.state = ours.state.body[0].copy()
    def start(theirs):
        theirs.steps_beyond_terminated = None
    ends = side_by_side(CartPole(1, autoreset="same_step"), gym.make("CartPole-v1").unwrapped,
                        lambda: int(rng.integers(2)), put, start)
    assert 300 < ends < 700                                  # some 22 steps a session


def test_cartpole_s_clock_is_gymnasium_s():
    """Balanced by hand (push to the side on which it falls), nobody falls: the clock ends all sessions at 500."""
    env = CartPole(50, autoreset="disabled")
    obs, _ = env.reset(seed=3)
    for t in range(gym.spec("CartPole-v1").max_episode_steps):
        obs, reward, terminated, truncated, _ = env.step((obs @ [0.02, 0.2, 1.0, 0.4] > 0).astype(int))
        assert (reward == 1).all() and not terminated.any() and truncated.all() == (t == 499) == truncated.any()


def test_pendulum_moves_as_gymnasium_s():
    """Torques up to twice the strongest: those beyond it are clipped."""
    rng = np.random.default_rng(0)
    def put(theirs, ours):
        theirs.state = np.array([ours.state.angle[0], ours.state.seen[0, 2]])
    ends = side_by_side(Pendulum(1, autoreset="same_step"), gym.make("Pendulum-v1").unwrapped,
                        lambda: rng.uniform(-4, 4, 1).astype(np.float32), put, lambda theirs: None)
    assert ends == STEPS // gym.spec("Pendulum-v1").max_episode_steps


def test_the_constants_are_gymnasium_s():
    cart, pole = gym.make("CartPole-v1").unwrapped, gym.make("Pendulum-v1").unwrapped
    assert (cartpole.GRAVITY, cartpole.FORCE, cartpole.STEP) == (cart.gravity, cart.force_mag, cart.tau)
    assert (cartpole.POLE, cartpole.MASS, cartpole.HALF) == (cart.masspole, cart.total_mass, cart.length)
    assert (cartpole.FAR, cartpole.TILT) == (cart.x_threshold, cart.theta_threshold_radians)
    assert (pendulum.STEP, pendulum.FASTEST, pendulum.STRONGEST) == (pole.dt, pole.max_speed, pole.max_torque)
    assert (pendulum.Params().g, 1.0, 1.0) == (pole.g, pole.m, pole.l)
    for ours, theirs in ((CartPole(1), cart), (Pendulum(1), pole)):
        assert ours.single_observation_space == theirs.observation_space
        assert ours.single_action_space == theirs.action_space
        assert ours.horizon == gym.spec(theirs.spec.id).max_episode_steps


@pytest.mark.parametrize(("model", "env_id"), [(CartPole, "CartPole-v1"), (Pendulum, "Pendulum-v1")])
def test_starts_follow_gymnasium_s_law(model, env_id):
    """Both samples of every coordinate are one law (two-sample Kolmogorov–Smirnov), and coordinates are independent."""
    from scipy.stats import ks_2samp

    env, theirs = model(4000), gym.make(env_id).unwrapped
    env.reset(seed=5)
    ours = env.state.body if model is CartPole else np.column_stack([env.state.angle, env.state.seen[:, 2]])
    others = []
    for seed in range(4000):
        theirs.reset(seed=seed)
        others.append(theirs.state)
    for mine, other in zip(ours.T, np.array(others).T, strict=True):
        assert ks_2samp(mine, other).pvalue > 1e-3
        assert abs(mine).max() <= abs(other).max() * 1.01
    assert (abs(np.corrcoef(ours.T) - np.eye(len(ours.T))) < 0.05).all()


def test_a_random_player_gets_what_is_known():
    """CartPole: some 22 steps; Pendulum: −1235.6 a session (4,000 sessions, four standard errors)."""
    rng = np.random.default_rng(2)
    def play(env, choose):
        env.reset(seed=4)
        total, alive = np.zeros(env.num_envs), np.ones(env.num_envs, bool)
        while alive.any():
            _, reward, terminated, truncated, _ = env.step(choose())
            total += reward
            alive &= ~(terminated | truncated)
        return total
    lengths = play(CartPole(4000, autoreset="disabled"), lambda: rng.integers(2, size=4000))
    assert 21 < lengths.mean() < 23.5
    returns = play(Pendulum(4000, autoreset="disabled"), lambda: rng.uniform(-2, 2, (4000, 1)))
    assert abs(returns.mean() + 1235.6) < 4 * returns.std() / np.sqrt(4000) + 4


def test_a_single_pendulum_takes_a_torque_beyond_its_strength():
    """Gymnasium clips it; so do we, alone as in a batch."""
    single = gym.make("recloop/Pendulum-v1").unwrapped
    first, _ = single.reset(seed=1)
    strong = single.step(np.array([7.0], np.float32))[:2]
    again, _ = single.reset(seed=1)
    np.testing.assert_array_equal(first, again)
    clipped = single.step(np.array([2.0], np.float32))[:2]
    np.testing.assert_array_equal(strong[0], clipped[0])
    assert strong[1] == clipped[1]
