"""What a trained policy is worth on the rows of the log itself, without the simulator: off-policy estimates.

The policy valued is the greedy one that would be deployed; on a row it stands on the item it would have shown.  The
rows are those of the log's test users, whom no policy learnt from, and the reward model is cross-fitted: a row is
valued by a model that never saw it.  The intervals take rows as independent.
"""
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import numpy as np

from custom_algos.offline import estimators, fqe
from envs import logs
from envs.fitted import taste

from ..trial import simulated_log
from ..trial.build import Task, task_of
from ..trial.trial import Role, Trial

ROWS = 20_000                                             # rows valued at most (evenly spaced over the log)
COLUMNS = ("value", "low", "high", "effective_sample_size", "rows")
ON_REAL = (Role.LEARNER, Role.RLLIB, Role.REFERENCE)      # valued on the log that users are fitted to
ON_SIMULATED = (Role.LEARNER,)                            # … and on a log that the experiment wrote


def table(trial: Trial, policy) -> list[dict]:
    """A row for every estimator that the experiment asks for, where this row's policy can be valued by it."""
    if not trial.estimates or trial.row.role not in (ON_SIMULATED if trial.log else ON_REAL):
        return []
    task = task_of(trial.spec.env_id, trial.spec.env_params)
    if trial.log:
        try:
            return [fitted_q(task, policy, simulated_log.held_out(trial.log))]
        except ValueError as error:
            return [unknown("fitted_q", error)]
    return estimate(task, policy, trial.estimates)


def estimate(task: Task, policy, names: Sequence[str], folds: int = 2) -> list[dict]:
    """Each estimator of ``names`` on the log behind a task: value, low, high (95 %), effective_sample_size and rows, in
    rewards a row.  One that can say nothing here has NaN and its ``reason``, beside the others."""
    source, items = task.knows.log, task.knows.catalogue
    assert source is not None and items is not None        # checked before Ray started
    log = {name: value[0] for name, value in source.batch("test").items()}
    keep = np.unique(np.linspace(0, len(log["action"]) - 1, min(ROWS, len(log["action"]))).astype(np.int64))
    log = {name: value[keep] for name, value in log.items()}
    chosen = policy.act(log["obs"], np.random.Generator(np.random.Philox(key=1)), explore=False)[0]
    target = np.zeros((len(keep), len(items)), np.float32)
    target[np.arange(len(keep)), chosen] = 1.0
    known = source.world.has_propensities
    sample = estimators.Sample(reward=log["reward"], action=log["action"], target=target,
                               propensity=np.exp(log["log_prob"]) if known else None,
                               q_hat=_reward_model(task, keep, folds))
    return [_valued(name, sample) for name in names]


def _valued(name: str, sample: estimators.Sample) -> dict:
    try:
        found = estimators.ESTIMATORS[name](sample)
    except ValueError as error:                            # no overlap, no propensities: no reason to lose the trial
        return unknown(name, error)
    return {"estimator": name, **{key: float(getattr(found, key)) for key in COLUMNS}}


def unknown(name: str, error: ValueError) -> dict:
    """The row of an estimator that can say nothing: NaN, and why."""
    return {"estimator": name, **dict.fromkeys(COLUMNS, float("nan")), "reason": str(error)}


def fitted_q(task: Task, policy, path: Path) -> dict:
    """The return of a session by fitted Q evaluation on the log in ``path``, whose users the policy did not learn from.

    A table where observations are numbered states, a network elsewhere.  ``support`` is the share of the policy's
    choices that the log has tried.
    """
    log = logs.read(path)
    batch, first = simulated_log.batch_of(log, *task.spaces), (log.frame["step"] == 0).to_numpy()
    if isinstance(task.spaces[0], gym.spaces.Discrete):
        model: fqe.Fitted = fqe.Table(*task.spaces)
    else:
        from custom_algos.offline.fqe_network import Network

        model = Network(*task.spaces)
    found = fqe.fqe(model, batch, policy, batch.obs[0][first], gamma=1.0, horizon=task.env.horizon)
    return {"estimator": "fitted_q", "value": found.value, "support": found.support, "rows": batch.reward.size}


def _reward_model(task: Task, keep: np.ndarray, folds: int) -> np.ndarray:
    """P(like) ``[rows, A]`` of every item for each kept row's user, from a fit on the rows of the other folds."""
    source = task.knows.log
    assert source is not None
    rows, world = source.world.rows, source.world
    order = source.order("test")[keep]
    users, items = len(world.taste.user_mean), len(world.items)
    fold = np.arange(len(rows["user"])) % folds
    out = np.zeros((len(order), items), np.float32)
    for k in range(folds):
        other = fold != k
        fitted = taste.fit(rows["user"][other], rows["item"][other], rows["like"][other], users, items,
                           task.env.params.taste_dimensions)
        mine = np.flatnonzero(fold[order] == k)
        who = np.repeat(rows["user"][order[mine]], items)
        out[mine] = fitted.probability(who, np.tile(np.arange(items), len(mine))).reshape(len(mine), items)
    return out
