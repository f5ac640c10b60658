"""Logs of simulated users: a policy learns for a while and is then watched; its rows teach without a simulator.

A log is written in the schema of `envs.logs`, with the exact propensities of the policy that chose.  It can be made
from any environment with discrete items.
"""
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from custom_algos.core import Algorithm, Transition
from custom_algos.rollout import begin, collect, make_rng, train
from envs import logs
from envs.engine.vector import SPLITS

from . import checkpoint
from .build import make_algorithm, make_env, stable_seed
from .trial import Spec

USERS = 100                                                # at a time


def write_log(path: Path, spec: Spec, env_steps: int, rows: int) -> Algorithm:
    """Train ``spec.algorithm`` for ``env_steps``, then watch it explore for ``rows`` rows; returns the policy.

    The policy is saved beside ``path``, and so is a second log of as many rows of other users (`held_out`).  The users
    of both logs are training users, none of whom it was trained on.
    """
    env, policy = make_env(spec.env_id, spec.env_params, USERS), make_algorithm(spec)
    if env_steps:
        train(env, policy, env_steps, spec.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path.with_suffix(""), policy.policy_state())
    for share, target in ((0.75, held_out(path)), (0.5, path)):             # the log itself last: then all is there
        first = int(share * SPLITS["validation"])
        people = make_env(spec.env_id, spec.env_params, users_of(rows, env), first_user=first)
        rng = make_rng(spec.seed, stable_seed("log", share))
        batch, _, _ = collect(people, policy, begin(people, spec.seed), -(-rows // people.num_envs), rng)
        logs.write(logs.from_frame(frame_of(batch), as_values=True), target)    # a simulator's reward is a value
    return policy


def users_of(rows: int, env) -> int:
    """Users at a time, so that whole sessions are seen where the clock ends them."""
    return max(1, min(USERS, rows // (env.horizon or 1)))


def held_out(path: str | Path) -> Path:
    """The log of other users beside the one in ``path``."""
    return Path(path).with_name(Path(path).stem + "-held-out.parquet")


def frame_of(batch: Transition) -> pd.DataFrame:
    """Steps ``[T, N]`` of single items as rows of the schema, session by session; every session is a user."""
    steps, n = batch.reward.shape
    if batch.action.ndim != 2:
        raise ValueError(f"a log holds one item a row, not actions of shape {batch.action.shape[2:]}")
    session = np.cumsum(np.vstack([np.zeros((1, n), bool), batch.ends[:-1]]), axis=0)                # [T, N]
    begins = np.vstack([np.ones((1, n), bool), batch.ends[:-1]])
    first = np.maximum.accumulate(np.where(begins, np.arange(steps)[:, None], 0), axis=0)            # [T, N]
    columns: dict[str, Any] = {"user": session * n + np.arange(n), "step": np.arange(steps)[:, None] - first,
                               "item": batch.action, "propensity": np.exp(batch.log_prob, dtype=np.float64),
                               "reward": batch.reward.astype(np.float64), "terminated": batch.terminated,
                               "truncated": batch.truncated}
    obs = np.asarray(batch.obs).reshape(steps, n, -1)
    columns |= {f"obs_{i:03}": obs[..., i].astype(np.float64) for i in range(obs.shape[2])}
    return pd.DataFrame({name: value.T.reshape(-1) for name, value in columns.items()})


def batch_of(log: logs.Log, space, actions) -> Transition:
    """The log's rows ``[1, rows]`` as a learner with these spaces expects them; ValueError where they do not fit."""
    batch = logs.to_transition_arrays(log, np.arange(actions.n))
    width = int(np.prod(space.shape)) if space.shape else 1
    if batch["obs"].shape[2] != width:
        raise ValueError(f"{log.path}: has {batch['obs'].shape[2]} columns obs_*, {space} needs {width}")
    for name in ("obs", "next_obs"):
        batch[name] = batch[name].reshape(1, -1, *space.shape).astype(space.dtype)
    return Transition(**batch)


def load_policy(path: str | Path, spec: Spec) -> Algorithm:
    """The policy that `write_log` saved beside its log."""
    policy = make_algorithm(spec)
    policy.load_policy_state(checkpoint.load(Path(path).with_suffix("")))
    return policy
