"""The one evaluator: the same held-out users and the same coins for our algorithms, RLlib's, and the bounds.

Users are evaluated in blocks of fixed size, one session each, without exploration; what counts is the expected reward
where the user model knows it.  Anything with ``act(obs, rng, explore, mask)`` can be evaluated; None asks the oracle.
"""
import json
from functools import lru_cache

import numpy as np

from custom_algos.bandits.fixed import Random
from custom_algos.offline.fqe import probabilities
from custom_algos.rollout import evaluate, make_rng, repeated, shows_slates
from envs.engine.vector import SPLITS

from ..trial.build import Task, is_ours, make_env, stable_seed, task_of

BLOCK = 100                                               # users of a block, where all users are different people
BLOCKS = 20                                               # blocks, where several users stand for one person of a log


def held_out(env_id: str, env_params: dict, users: int):
    """An environment of ``users`` users for evaluation, which is made once a process."""
    return _env(env_id, json.dumps(env_params), users)


@lru_cache(maxsize=64)
def _env(env_id: str, params: str, users: int):
    return make_env(env_id, json.loads(params), users, autoreset="disabled")


def _blocks(env_id, env_params, split, users):
    """(block number, environment, reset seed, user ids) of every block.

    Blocks are what intervals are made of, so no person may stand in two of them: users drawn from the same person of
    a log share a block.
    """
    ids = SPLITS[split] + np.arange(users) if is_ours(env_id) else np.arange(users)
    cuts = np.arange(BLOCK, users, BLOCK)
    log = task_of(env_id, env_params).knows.log
    if log is not None:
        who = log.person(ids)
        order = np.argsort(who, kind="stable")
        ids, who = ids[order], who[order]
        starts = np.flatnonzero(np.diff(who)) + 1                           # where another person begins
        wanted = np.arange(1, BLOCKS) * users / BLOCKS
        cuts = np.unique(starts[np.searchsorted(starts, wanted).clip(0, len(starts) - 1)]) if len(starts) else starts
    for block, part in enumerate(np.split(ids, cuts)):
        env = held_out(env_id, env_params, len(part))
        yield block, env, stable_seed(env_id, split, block), part if is_ours(env_id) else None


def score(env_id: str, env_params: dict, policy, split: str, users: int,
          explore: bool = False) -> list[dict[str, float]]:
    """One row a block of ``split`` (validation or test): block, users, and the means over its users.

    Where the environment can compute the return of a policy exactly, that is the one row (a session of every user).
    """
    task = task_of(env_id, env_params)
    if task.knows.exact:
        return [{"block": 0, "users": users, "return_sd": 0.0, "exact": True, **exactly(task, policy, explore)}]
    rows = []
    for block, env, seed, ids in _blocks(env_id, env_params, split, users):
        result = evaluate(env, policy, seed, make_rng(seed), ids, explore)
        rows.append({"block": block, "users": env.num_envs, "return_mean": float(result["return"].mean()),
                     "return_sd": float(result["return"].std()), "length_mean": float(result["length"].mean()),
                     "reward_mean": float(result["reward"].mean())})
        if "repeated" in result:
            rows[-1]["repeated"] = float(result["repeated"].sum() / result["length"].sum())
    return rows


def exactly(task: Task, policy, explore: bool = False) -> dict[str, float]:
    """``return_mean``: the exact expected return of ``policy``, its dice included (None: of the optimum).

    Of slates also ``repeated``, the share of places whose item stands there already, over states and not over visits.
    """
    exact = task.knows.exact
    if exact is None:
        raise ValueError(f"{task.env} does not know exact returns")
    if policy is None:
        return {"return_mean": exact.optimal_return()}
    if type(policy) is Random:
        return {"return_mean": exact.random_return()}
    found = {}

    def act(obs):
        action, log_prob = policy.act(obs, make_rng(stable_seed("exact")), explore)
        if shows_slates(task.env):
            found["repeated"] = float(repeated(action).mean())
        tosses = exact.mixed and not (np.asarray(log_prob) == 0.0).all()
        return probabilities(policy, obs, explore=explore) if tosses else action
    return {"return_mean": exact.policy_return(act), **found}


def mean_return(rows: list[dict[str, float]]) -> float:
    """The mean over users of the rows of `score`."""
    return float(np.average([row["return_mean"] for row in rows], weights=[row["users"] for row in rows]))
