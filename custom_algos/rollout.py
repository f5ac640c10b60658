"""The agent–environment loop, without Ray: collect, train, evaluate.

`collect` is the only place where an algorithm meets users; workers on a cluster, the local trainer and a ten-line
script all call it.  It runs on any Gymnasium vector environment in SAME_STEP mode.
"""
from typing import Any

import numpy as np

from .core import Algorithm, Transition, tree_map
from .parts.border import check_finite
from .parts.steps import checked, crashed, first_action, found, mask_of, masks_after, outside, true_successor

Seen = tuple[Any, np.ndarray | None]             # what the agent sees now: (observation [N, …], mask [N, A] or None)


def make_rng(*key: int) -> np.random.Generator:
    """A Philox generator keyed by whole numbers, e.g. (seed, shard, iteration)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def begin(env, seed: int | None = None, **options) -> Seen:
    """Reset every user of ``env``."""
    obs, info = env.reset(seed=seed, options=options or None)
    try:
        check_finite("observation", obs)
        return obs, mask_of(info)
    except ValueError as error:
        raise found(env, "the reset", error) from None


def collect(env, algorithm: Algorithm, seen: Seen, steps: int, rng: np.random.Generator,
            explore: bool = True) -> tuple[Transition, Seen, dict[str, np.ndarray]]:
    """Let ``algorithm`` act on the N users of ``env`` for ``steps`` steps.

    Returns the transitions ``[steps, N]``, what the agent sees afterwards, and sums over the steps of every user
    ``[N]``: reward, sessions that ended, and every truth in ``info`` that the environment knows (expected_reward,
    regret).
    """
    if (mode := env.metadata.get("autoreset_mode")) is not None and mode.name == "NEXT_STEP":
        raise ValueError("collect needs an environment in SAME_STEP autoreset; a step that only resets is none")
    (obs, mask), start = seen, first_action(env)
    batch: Any = None
    totals: dict[str, np.ndarray] = {}
    for t in range(steps):
        action, log_prob = algorithm.act(obs, rng, explore, mask)
        try:
            after, reward, terminated, truncated, info = env.step(outside(action, start))
        except Exception as error:
            raise crashed(env, t, error) from error
        ends = terminated | truncated
        try:
            reward = checked(after, reward)
            successor, (mask_after, next_mask) = true_successor(after, info, ends), masks_after(info, ends)
        except ValueError as error:
            raise found(env, f"step {t}", error) from None
        if mask is None and mask_after is not None:                  # the reset came without one: all was allowed
            mask = np.ones_like(mask_after)
        elif mask is not None and mask_after is None:
            mask_after = next_mask = np.ones_like(mask)
        row = Transition(obs, action, reward, successor, terminated, truncated, log_prob, info.get("response"), mask,
                         next_mask, info.get("delay"))
        batch = record(batch, row, t, steps)
        for name, value in (("reward", reward), ("sessions", ends), *((k, info[k]) for k in TRUTHS if k in info)):
            totals[name] = totals[name] + value if name in totals else np.array(value, np.float64)
        obs, mask = after, mask_after
    return batch, (obs, mask), totals


def record(batch, row: Transition, t: int, steps: int) -> Transition:
    """Write ``row`` into place t of ``batch [steps, N]``, which the first row allocates (a single step: no copy)."""
    if steps == 1:
        return tree_map(lambda part: np.asarray(part)[None], row)
    if t == 0:
        batch = tree_map(lambda part: np.empty((steps, *np.shape(part)), np.asarray(part).dtype), row)
    write(batch, row, t)
    return batch


def write(whole, part, t: int) -> None:
    """``whole[t] = part`` for every array of a tree; `tree_map` would take three times as long."""
    if isinstance(whole, tuple):
        for one, row in zip(whole, part, strict=True):
            write(one, row, t)
    elif isinstance(whole, dict):
        for key in whole:
            write(whole[key], part[key], t)
    elif whole is not None:
        whole[t] = part
    elif part is not None:
        raise ValueError("an action_mask, a response or a delay that comes later than the second step is none of the "
                         "first; give one from the start")


TRUTHS = ("expected_reward", "regret")           # what a user model knows and the agent does not see


def shows_slates(env) -> bool:
    """Whether an action is K numbers of the same A items."""
    sizes = getattr(env.single_action_space, "nvec", None)
    return sizes is not None and bool((sizes == sizes[0]).all())


def repeated(slate: np.ndarray) -> np.ndarray:
    """Share ``[N]`` of the places of the slates ``[N, K]`` whose item stands in the slate already."""
    return (np.diff(np.sort(slate, axis=1), axis=1) == 0).sum(axis=1) / slate.shape[1]


def evaluate(env, algorithm: Algorithm | None, seed: int, rng: np.random.Generator, users=None, explore=False,
             max_steps: int = 100_000) -> dict[str, np.ndarray]:
    """Exactly one session of every user of ``env`` (autoreset disabled); ``algorithm`` None asks the oracle.

    Returns ``{"return": [N], "length": [N], …}``: sums over the session of the expected reward where the environment
    knows it and of the sampled reward where it does not, and of every other truth.
    """
    obs, mask = begin(env, seed, **({} if users is None else {"users": users}))
    alive = np.ones(env.num_envs, bool)
    sums: dict[str, np.ndarray] = {}
    slates, start = shows_slates(env), first_action(env)
    for t in range(max_steps):
        action = env.oracle() if algorithm is None else algorithm.act(obs, rng, explore, mask)[0]
        try:
            obs, reward, terminated, truncated, info = env.step(outside(action, start))
        except Exception as error:
            raise crashed(env, t, error) from error
        try:
            reward, mask = checked(obs, reward), mask_of(info)
        except ValueError as error:
            raise found(env, f"step {t}", error) from None
        step = {"reward": reward, "length": np.ones(env.num_envs)} | {k: info[k] for k in TRUTHS if k in info}
        if slates:
            step["repeated"] = repeated(action)
        for name, value in step.items():
            sums[name] = sums.get(name, np.zeros(env.num_envs)) + np.where(alive, value, 0.0)
        alive &= ~(terminated | truncated)
        if not alive.any():
            break
    else:
        raise RuntimeError(f"{int(alive.sum())} of {env.num_envs} sessions did not end within {max_steps} steps")
    return {"return": sums.get("expected_reward", sums["reward"]), **sums}


def train(env, algorithm: Algorithm, env_steps: int, seed: int = 0, report=None) -> list[dict[str, float]]:
    """Collect and learn until ``env_steps`` real steps are done; one row of numbers per update.

    ``report``, if given, is called with every row.
    """
    history: list[dict[str, float]] = []
    seen, done = begin(env, seed), 0
    while done < env_steps:
        rng = make_rng(seed, 0, len(history))
        batch, seen, totals = collect(env, algorithm, seen, algorithm.rollout_steps, rng)
        done += batch.reward.size
        reward = float(totals["reward"].sum() / batch.reward.size)
        row = {"env_steps": done, "reward_mean": reward, **algorithm.learn(batch)}
        history.append(row)
        if report:
            report(row)
    return history
