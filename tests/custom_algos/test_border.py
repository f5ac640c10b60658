"""What comes from outside, against every registered algorithm: it plays rightly, or is refused by name."""
import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from custom_algos import ALGORITHMS, find_algorithm
from custom_algos.bandits.hashed_linear import HashedLinear
from custom_algos.core import Transition, make_config
from custom_algos.rollout import begin as begin_users
from custom_algos.rollout import collect, evaluate, make_rng, train

ACTIONS, USERS = 4, 6
CONTROLS = spaces.Box(-1, 1, (2,))                       # for who cannot count
QUICK = {"learning_starts": 8, "batch_size": 8, "rollout_steps": 4, "random_steps": 8, "replay_ratio": 8}
ODD = {"MultiBinary": spaces.MultiBinary(3), "start": spaces.Discrete(3, start=1),
       "Tuple": spaces.Tuple((spaces.Discrete(3, start=2), spaces.MultiBinary(2))),
       "nested Dict": spaces.Dict({"a": spaces.Dict({"b": spaces.Discrete(3), "c": spaces.Box(0, 2, (2,))}),
                                   "d": spaces.MultiDiscrete([2, 3])}),
       "Text": spaces.Text(4), "Graph": spaces.Graph(spaces.Box(0, 1, (2,)), None)}


@pytest.fixture(params=list(ALGORITHMS))
def name(request):
    return request.param


def build(name, seen=None, actions=None, **params):
    """An algorithm on the first space it takes, with settings that let it learn from a few rows."""
    cls = find_algorithm(name)
    fields = cls.Config.__dataclass_fields__
    config = make_config(cls, {key: value for key, value in {**QUICK, **params}.items() if key in fields})
    takes = [(space, does) for does in ([actions] if actions is not None else [spaces.Discrete(ACTIONS), CONTROLS])
             for space in ([seen] if seen is not None else [spaces.Box(-1, 1, (3,)), spaces.Discrete(3)])]
    for space, does in takes:
        try:
            return cls(space, does, config, 1)
        except ValueError:
            if (space, does) == takes[-1]:
                raise
    raise AssertionError(name)


def look(agent, users=USERS):
    whole = isinstance(agent.obs_space, spaces.Discrete)
    return np.zeros(users, np.int64) if whole else np.full((users, 3), 0.5, np.float32)


def block(agent, rng, mask=None, next_mask=None):
    """One block of what the agent does where action 2 pays."""
    steps, obs = max(agent.rollout_steps, 1), look(agent)
    rows = [agent.act(obs, rng, True, mask) for _ in range(steps)]
    action, log_prob = (np.stack(part) for part in zip(*rows, strict=True))
    seen = np.stack([obs] * steps)
    ends = np.zeros((steps, USERS), bool)
    def each(m):
        return None if m is None else [m] * steps if isinstance(m, list) else np.stack([m] * steps)
    good = action == 2 if action.ndim == 2 else action[..., 0] > 0.0
    return Transition(seen, action, good.astype(np.float32), seen, ends, ends.copy(), log_prob,
                      mask=each(mask), next_mask=each(mask if next_mask is None else next_mask))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["reward", "obs", "next_obs"])
def test_a_number_that_is_not_finite_is_refused_with_its_place(name, what, value):
    agent = build(name)
    batch = block(agent, make_rng(2))
    part = np.array(getattr(batch, what), np.float64)
    part[-1, 4] = value
    before = repr(agent.state_dict())
    with pytest.raises(ValueError, match=rf"{what} -?(nan|inf) of user 4 in step {len(part) - 1} is not finite"):
        agent.learn(batch._replace(**{what: part}))
    assert repr(agent.state_dict()) == before              # nothing of the batch was learnt


@pytest.mark.parametrize("kind", ["int8", "float", "list"])
def test_masks_of_numbers_and_lists_are_masks(name, kind):
    """The same actions, the same state after learning as with bools."""
    if build(name).action_space == CONTROLS:
        pytest.skip("controls are not forbidden")
    allowed = np.random.default_rng(3).random((USERS, ACTIONS)) < 0.5
    allowed[:, 1] = True
    given = {"int8": allowed.astype(np.int8), "float": allowed.astype(np.float32), "list": allowed.tolist()}[kind]
    found = []
    for mask in (allowed, given):
        agent, rng = build(name), make_rng(5)
        for _ in range(3):
            batch = block(agent, rng, mask)
            agent.learn(batch)
        found.append((batch.action.tolist(), repr(agent.state_dict())))
        assert allowed[np.arange(USERS), batch.action].all()
    assert found[0] == found[1]


def test_a_mask_that_allows_nothing_names_the_user(name):
    mask = np.ones((USERS, ACTIONS), bool)
    mask[3] = False
    agent = build(name)
    for explore in (True, False):
        with pytest.raises(ValueError, match="action_mask allows no action to user 3"):
            agent.act(look(agent), make_rng(1), explore, mask)
    good = block(agent, make_rng(1))
    every = np.ones((*good.reward.shape, ACTIONS), bool)
    with pytest.raises(ValueError, match="next_mask allows no action to user 3"):
        agent.learn(good._replace(next_mask=every & mask))
    gone = np.zeros_like(good.terminated)
    gone[:, 3] = True                                      # who has left needs no action
    agent.learn(good._replace(next_mask=every & mask, terminated=gone))


class Counted(gym.Env):
    """Three actions, called 1, 2 and 3, of which the last pays; observations by the space's own generator."""

    action_space = spaces.Discrete(3, start=1)

    def __init__(self, seen):
        self.observation_space, self.sent = seen, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        assert action in (1, 2, 3)
        self.t += 1
        return self.observation_space.sample(), float(action == 3), False, self.t >= 5, {}


def users(seen, n=4):
    mode = gym.vector.AutoresetMode.SAME_STEP
    return gym.vector.SyncVectorEnv([lambda: Counted(seen)] * n, autoreset_mode=mode)


@pytest.mark.parametrize("kind", list(ODD))
def test_odd_spaces_are_played_or_refused_by_name(name, kind):
    """… and what is played is played with the environment's own numbers of the actions."""
    try:
        agent = build(name, ODD[kind], spaces.Discrete(3, start=1))
    except ValueError as error:
        named = (str(ODD[kind]), "Box(0.0, 2.0, (2,), float32)", "Discrete(3, start=1)")
        assert any(space in str(error) for space in named)
        assert kind in ("Text", "Graph") or name not in ("random", "dqn", "a2c", "reinforce", "ucb", "thompson")
        return
    assert kind not in ("Text", "Graph")                   # no numbers
    env = users(ODD[kind])
    train(env, agent, 240, seed=3)
    batch, *_ = collect(env, agent, begin_users(env, 1), 5, make_rng(2))
    assert batch.action.min() >= 0 and batch.action.max() <= 2
    assert (batch.reward == (batch.action == 2)).all()


def test_random_plays_every_space_of_actions():
    """Box with no, one and two bounds, whole numbers, nested; propensities are what the equations say."""
    every = spaces.Dict({
        "free": spaces.Box(-np.inf, np.inf, (2,)), "half": spaces.Box(1, np.inf, (1,)), "box": spaces.Box(-2, 2, (2,)),
        "whole": spaces.Box(0, 3, (2,), np.int64), "bits": spaces.MultiBinary(3),
        "pair": spaces.Tuple((spaces.Discrete(3), spaces.MultiDiscrete([2, 5])))})
    agent = find_algorithm("random")(spaces.Discrete(1), every)
    action, log_prob = agent.act(np.zeros(50_000, int), make_rng(1))
    assert action["half"].min() >= 1 and np.abs(action["box"]).max() <= 2
    assert np.unique(action["whole"]).tolist() == [0, 1, 2, 3] and action["pair"][1].max(axis=0).tolist() == [1, 4]
    normal = -0.5 * (action["free"].astype(float) ** 2 + np.log(2 * np.pi)).sum(axis=1)
    half = np.log(2) - 0.5 * ((action["half"][:, 0].astype(float) - 1) ** 2 + np.log(2 * np.pi))
    even = -2 * np.log(4) - 2 * np.log(4) - 3 * np.log(2) - np.log(3) - np.log(10)
    np.testing.assert_allclose(log_prob, normal + half + even, atol=1e-4)
    assert abs(action["half"].mean() - 1 - np.sqrt(2 / np.pi)) < 0.02       # mean of a folded standard normal


def test_a_foreign_state_is_refused_by_name(name):
    """A state of the same algorithm with one more action, and that of another algorithm."""
    agent = build(name)
    more = spaces.Box(-1, 1, (3,)) if agent.action_space == CONTROLS else spaces.Discrete(ACTIONS + 1)
    other = build(name, agent.obs_space, more)
    for state, load in ((other.state_dict(), agent.load_state_dict),
                        (other.policy_state(), agent.load_policy_state)):
        if name in ("random", "mix") or isinstance(agent, HashedLinear):
            continue                                       # nothing in it knows how many actions there are
        before = repr(agent.state_dict())
        with pytest.raises(ValueError, match=rf"{type(agent).__name__}: the state"):
            load(state)
        assert repr(agent.state_dict()) == before
    with pytest.raises(ValueError, match="the state has no"):
        agent.load_state_dict({"something": np.zeros(3)})
    agent.load_state_dict(agent.state_dict())


def test_a_network_that_diverges_says_so():
    """Step sizes of 1e30: refused at the gradient, not shown as item 0 for ever."""
    for which in ("dqn", "conservative_dqn", "slateq", "a2c", "ppo", "sac", "reinforce", "neural_linear",
                  "neural_ucb"):
        agent, rng = build(which, learning_rate=1e30, max_grad_norm=0.0, train_every=8), make_rng(3)
        with pytest.raises(ValueError, match=r"diverged.*lower learning_rate"):
            for _ in range(60):
                batch = block(agent, rng)
                ends = np.ones_like(batch.terminated)
                agent.learn(batch._replace(terminated=ends))


class Walk(gym.Env):
    """Five steps of −1; the second action is forbidden, and said so as Taxi does: int8, in every info."""

    observation_space, action_space = spaces.Discrete(6), spaces.Discrete(2)

    def info(self):
        return {"action_mask": np.array([1, 0], np.int8)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return 0, self.info()

    def step(self, action):
        assert action == 0
        self.t += 1
        return self.t, -1.0, self.t >= 5, False, self.info()


@pytest.mark.parametrize(("name", "params"), [
    ("q_learning", {"learning_rate": 0.2}), ("double_q_learning", {"learning_rate": 0.2}),
    ("expected_sarsa", {"learning_rate": 0.2, "epsilon_start": 1.0, "epsilon_end": 1.0}),
    ("dqn", {"learning_starts": 64, "batch_size": 32, "target_update_every": 20, "learning_rate": 0.003})])
def test_targets_look_at_allowed_actions_only(name, params):
    """γ = 1: Q(s₀) = −5 exactly; the forbidden action, never tried, is worth 0 and would make it −1."""
    env = gym.vector.SyncVectorEnv([Walk] * 4, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    cls = find_algorithm(name)
    agent = cls(Walk.observation_space, Walk.action_space, make_config(cls, {"gamma": 1.0, **params}), 0)
    train(env, agent, 8000)
    assert abs(agent.action_values(np.array([0]))[0, 0] + 5) < 0.3


class Broken(Walk):
    """Rewards and observations that go bad in step 3 of a session."""

    def __init__(self, reward=0.0, seen=0.0):
        self.observation_space, self.bad = spaces.Box(-1, 1, (2,)), (reward, seen)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        _, reward, *ends, _ = super().step(0)
        late = self.t == 3
        return np.full(2, self.bad[1] if late else 0.0, np.float32), self.bad[0] if late else reward, *ends, {}


@pytest.mark.parametrize(("bad", "said"), [((np.nan, 0), "reward nan"), ((0, np.inf), "observation inf")])
def test_an_environment_that_breaks_is_named(bad, said):
    kinds = [lambda: Broken(), lambda: Broken(*bad)]
    env = gym.vector.SyncVectorEnv(kinds, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    agent = find_algorithm("random")(env.single_observation_space, env.single_action_space)
    for play in (lambda: collect(env, agent, begin_users(env, 0), 8, make_rng(0)),
                 lambda: evaluate(env, agent, 0, make_rng(0))):
        with pytest.raises(ValueError, match=rf"step 2: {said} of user 1 .*is not finite"):
            play()
