"""Small worlds with a known answer, for the tests of learners and of evaluation from a log."""
import gymnasium as gym
import numpy as np

from custom_algos.core import Transition, flat
from envs.engine.solver import TabularMDP


def make(name, users, **params):
    return gym.make_vec(f"recloop/{name}-v0", users, vectorization_mode="vector_entry_point", autoreset="same_step",
                        **params).unwrapped


def rows(obs, action, reward, next_obs, terminated=0, truncated=0, **rest) -> Transition:
    """A Transition ``[T, N]`` from lists ``[N]`` or ``[T, N]``."""
    obs, action, next_obs = (np.atleast_2d(np.asarray(x, np.int64)) for x in (obs, action, next_obs))
    reward = np.atleast_2d(np.asarray(reward, np.float32))
    terminated, truncated = (np.broadcast_to(np.asarray(x, bool), reward.shape) for x in (terminated, truncated))
    unknown = np.full(reward.shape, np.nan, np.float32)
    return Transition(obs, action, reward, next_obs, terminated, truncated, unknown, **rest)


def random_mdp(seed, states=6, actions=3) -> TabularMDP:
    """State 5 is terminal; sessions start anywhere else."""
    rng = np.random.default_rng(seed)
    chance = rng.dirichlet(np.full(states, 0.5), size=(states, actions))
    terminal = np.arange(states) == states - 1
    return TabularMDP.from_tables(chance, rng.normal(size=(states, actions)), ~terminal / (states - 1), terminal)


def sample(mdp, rng, users):
    """One step ``[1, N]`` from every user: uniform live states, uniform actions."""
    states, actions, _ = mdp.P.shape
    obs, action = rng.integers(states - 1, size=users), rng.integers(actions, size=users)
    after = (mdp.P[obs, action].cumsum(axis=1) > rng.random(users)[:, None]).argmax(axis=1)
    return rows(obs, action, mdp.R[obs, action], after, mdp.terminal[after])


def empirical(log, states, actions) -> TabularMDP:
    """The log's frequencies as an MDP; state S is the end, where cells that the log never saw lead for nothing."""
    log = flat(log)
    count, pay = np.zeros((states + 1, actions, states + 1)), np.zeros((states + 1, actions))
    np.add.at(count, (log.obs, log.action, np.where(log.terminated, states, log.next_obs)), 1.0)
    np.add.at(pay, (log.obs, log.action), log.reward)
    seen = count.sum(axis=2)
    count[seen == 0, states] = 1.0
    return TabularMDP.from_tables(count / count.sum(axis=2, keepdims=True), pay / np.maximum(seen, 1.0),
                                  np.r_[np.full(states, 1 / states), 0.0], np.arange(states + 1) == states)
