"""What happened to whom: the real transitions of an environment by (user, session), for tests of every user model."""
import numpy as np


def record(env, steps: int, seed: int = 3, users=None) -> dict:
    """{(user, session): [(t, reward, terminated, truncated, expected_reward), …]} of ``steps`` batch steps.

    Actions are a function of (user, session, t), so that they do not depend on the batch.
    """
    env.reset(seed=seed, options=None if users is None else {"users": users})
    found: dict = {}
    for _ in range(steps):
        user, session, t, real = env.user.copy(), env.session.copy(), env.t.copy(), ~env.done
        _, reward, terminated, truncated, info = env.step(actions(env, user, session, t))
        for n in np.flatnonzero(real):
            found.setdefault((int(user[n]), int(session[n])), []).append(
                (int(t[n]), float(reward[n]), bool(terminated[n]), bool(truncated[n]),
                 float(info["expected_reward"][n])))
        if env.metadata["autoreset_mode"].name == "DISABLED" and env.done.any():
            env.reset(options={"reset_mask": env.done.copy()})
    return found


def actions(env, user, session, t):
    """A valid action of every user from a fixed mixture of (user, session, t, position)."""
    shape = env.action_space.shape
    size = env.single_action_space.n if len(shape) == 1 else env.single_action_space.nvec
    place = 0 if len(shape) == 1 else np.arange(shape[1])
    mixed = (user * 7 + session * 5 + t * 3).reshape(-1, *([1] * (len(shape) - 1)))
    return (mixed + 11 * place) % size


def agree(first: dict, second: dict) -> int:
    """The number of steps that both lives hold; they must be the same ones."""
    steps = 0
    for life in first.keys() & second.keys():
        shared = min(len(first[life]), len(second[life]))
        assert first[life][:shared] == second[life][:shared], life
        steps += shared
    return steps


def resumes(env, steps: int = 8) -> None:
    """`get_state` / `set_state` continue bit for bit: observations, rewards, ends and info."""
    def play():
        rows = []
        for _ in range(steps):
            obs, reward, terminated, truncated, info = env.step(actions(env, env.user, env.session, env.t))
            rows += [*(obs.values() if isinstance(obs, dict) else [obs]), reward, terminated, truncated,
                     *(info[k] for k in sorted(info) if isinstance(info[k], np.ndarray))]
        return rows
    env.reset(seed=11)
    play()
    saved = env.get_state()
    first = play()
    env.reset(seed=12)
    env.set_state(saved)
    for a, b in zip(first, play(), strict=True):
        np.testing.assert_array_equal(a, b)
