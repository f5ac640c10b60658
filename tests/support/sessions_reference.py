"""Reference policies of the personal sessions: `tests/support/sessions_reference.py` prints the rows of the docs.

The planned policies are exact: each is made from the model for one user and followed by dynamic programming.  The
tables learn from interactions with training users; their scores are of 1,000 test users.
"""
import numpy as np

from envs.engine.rng import kernel
from envs.engine.vector import SPLITS
from envs.sessions.env import Sessions

TEST = SPLITS["test"]


def myopic(planner, interest):
    """The most clicked item of every boredom ``[S]``."""
    return (interest[planner.topic] * planner.appeal * planner.lost[:, planner.topic]).argmax(axis=1)


def planned(planner, interest, gamma, sweeps=100):
    """The γ-optimal stationary policy ``[S]`` for a user with this ``interest [T]``."""
    about, (click, skip) = planner.topic[planner.candidates], planner.moves
    rate = (interest[about] * planner.appeal[planner.candidates])[:, None] * planner.lost.T[about]      # [C, S]
    value = np.zeros(len(planner.states))
    for _ in range(sweeps):
        q = rate * (1.0 + gamma * value[click]) + (1.0 - rate) * gamma * value[skip]
        value = q.max(axis=0)
    return planner.candidates[q.argmax(axis=0)]


def average_user(env, users=20_000):
    """(interest in the favourite topic, in each of the others) of the average training user."""
    interest, _ = env.people(np.arange(users))
    ordered = np.sort(interest, axis=1)
    return ordered[:, -1].mean(), ordered[:, :-1].mean()


def exact_rows(users=200, gammas=(0.5, 0.8, 0.9, 0.95), **params):
    """{policy: exact return ``[users]``} of policies that know the model."""
    env = Sessions(1, **params)
    planner, ids = env.planner, TEST + np.arange(users)
    interest, belief = env.people(ids)
    best, rest = average_user(env)
    guesses = np.where(np.eye(env.params.topics, dtype=bool), best, rest)                # [T, T], by favourite
    by_favourite = [planned(planner, guess, 0.95) for guess in guesses]
    rows = {"optimum": env.optimal_return(ids)}
    policies = {"myopic, interests known": lambda n: myopic(planner, interest[n]),
                **{f"plan γ = {gamma}, belief": lambda n, gamma=gamma: planned(planner, belief[n], gamma)
                   for gamma in gammas},
                "plan, only the favourite known": lambda n: by_favourite[belief[n].argmax()]}
    for name, policy in policies.items():
        rows[name] = np.array([planner.follow(interest[n], policy(n)) for n in range(users)])
    return rows


def sessions(choose, users=1000, observe="vector", **params):
    """Expected return ``[users]`` of one session of every test user; ``choose(obs) -> actions``."""
    env = Sessions(users, autoreset="disabled", first_user=TEST, observe=observe, **params)
    obs, total = env.reset(seed=7)[0], np.zeros(users)
    for _ in range(env.horizon):
        obs, _, _, _, info = env.step(choose(obs))
        total += info["expected_reward"]
    return total


@kernel
def update(q, seen, obs, action, reward, next_obs, rate, gamma):
    """Q-learning, one user after the other; the first visits of a cell are averaged."""
    for n in range(len(obs)):
        seen[obs[n], action[n]] += 1
        step = max(rate, 1.0 / seen[obs[n], action[n]])
        target = reward[n] + gamma * q[next_obs[n]].max()
        q[obs[n], action[n]] += step * (target - q[obs[n], action[n]])


def q_table(observe, interactions, rate, gamma, decay, start, seed, users=20, **params):
    """``Q [S, A]`` after so many interactions; ε falls from 1 to .05 over the share ``decay`` of them."""
    env = Sessions(users, autoreset="same_step", observe=observe, **params)
    states, actions = env.single_observation_space.n, env.single_action_space.n
    rng = np.random.default_rng(seed)
    q, seen = start + 1e-6 * rng.random((states, actions)), np.zeros((states, actions))
    obs, steps = env.reset(seed=seed)[0], interactions // users
    for t in range(steps):
        epsilon = max(0.05, 1.0 - 0.95 * t / (decay * steps))
        coin = rng.random(users) < epsilon
        action = np.where(coin, rng.integers(0, actions, users), q[obs].argmax(axis=1))
        after, reward, _, _, info = env.step(action)
        update(q, seen, obs, action, reward, info["final_obs"], rate, gamma)
        obs = after
    return q


SETTINGS = [(0.05, 0.0, 0.8, 0.0), (0.05, 0.5, 0.1, 2.0), (0.05, 0.9, 0.1, 1.0), (0.05, 0.9, 0.1, 3.0),
            (0.02, 0.9, 0.8, 0.0), (0.1, 0.9, 0.5, 0.0)]      # rate, gamma, decay, start


def table(seeds=3):
    rows = exact_rows()
    optimum, dice = rows["optimum"].mean(), np.random.default_rng(0)
    rng_row = sessions(lambda obs: dice.integers(0, 100, len(obs)))[:200]
    for name, value in {"random": rng_row, **rows}.items():
        print(f"{name:36} {value.mean():6.2f} ± {value.std() / len(value)**.5:.2f}   {value.mean() / optimum:.3f}")
    everybody = Sessions(1).optimal_return(TEST + np.arange(1000)).mean()
    for observe, interactions in (("coarse", 200_000), ("levels", 200_000), ("coarse", 2_000_000)):
        for setting in SETTINGS if interactions == 200_000 else SETTINGS[:3]:
            found = [sessions(lambda obs, q=q: q[obs].argmax(axis=1), observe=observe).mean() for q in
                     (q_table(observe, interactions, *setting, seed) for seed in range(seeds))]
            print(observe, interactions, setting, np.round(found, 1), f"{np.mean(found) / everybody:.3f}", flush=True)
    print("optimum of the 1,000", everybody)


if __name__ == "__main__":
    table()
