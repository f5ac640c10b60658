"""What a trained policy is worth on the rows of the log itself, without the simulator: off-policy estimates.

The policy valued is the greedy one that would be deployed; on a row it stands on the item it would have shown.  The
rows are those of the log's test users, whom no policy learnt from, and the reward model is cross-fitted: a row is
valued by a model that never saw it.  The intervals take rows as independent.
"""
import json
from pathlib import Path

import numpy as np

from custom_algos import ope
from envs import taste

ROWS = 20_000                                             # rows valued at most (evenly spaced over the log)


def estimate(env, policy, names: list[str], folds: int = 2) -> dict[str, dict[str, float]]:
    """Each estimator of ``names`` on the log behind ``env`` (an environment with ``log_batch``).

    Returns value, low, high (95 %), effective_sample_size and rows by estimator: rewards a row.
    """
    log = {name: value[0] for name, value in env.log_batch("test").items()}
    keep = np.unique(np.linspace(0, len(log["action"]) - 1, min(ROWS, len(log["action"]))).astype(np.int64))
    log = {name: value[keep] for name, value in log.items()}
    chosen = policy.act(log["obs"], np.random.Generator(np.random.Philox(key=1)), explore=False)[0]
    target = np.zeros((len(keep), len(env.items)), np.float32)
    target[np.arange(len(keep)), chosen] = 1.0
    known = env.world.has_propensities
    sample = ope.Sample(reward=log["reward"], action=log["action"], target=target,
                        propensity=np.exp(log["log_prob"]) if known else None, q_hat=_reward_model(env, keep, folds))
    found = {name: ope.ESTIMATORS[name](sample) for name in names}
    return {name: {key: float(getattr(value, key)) for key in ("value", "low", "high", "effective_sample_size", "rows")}
            for name, value in found.items()}


def _reward_model(env, keep: np.ndarray, folds: int) -> np.ndarray:
    """P(like) ``[rows, A]`` of every item for each kept row's user, from a fit on the rows of the other folds."""
    rows, world = env.world.rows, env.world
    order = env.log_order("test")[keep]
    users, items = len(world.taste.user_mean), len(env.items)
    fold = np.arange(len(rows["user"])) % folds
    out = np.zeros((len(order), items), np.float32)
    for k in range(folds):
        other = fold != k
        fitted = taste.fit(rows["user"][other], rows["item"][other], rows["like"][other], users, items,
                           env.params.taste_dimensions)
        mine = np.flatnonzero(fold[order] == k)
        who = np.repeat(rows["user"][order[mine]], items)
        out[mine] = fitted.probability(who, np.tile(np.arange(items), len(mine))).reshape(len(mine), items)
    return out


def lines(folder: Path) -> list[str]:
    """The estimates of a run for the terminal; none where the experiment did not ask for any."""
    path = folder / "estimates.json"
    if not path.exists():
        return []
    out = ["", "rewards a row of the log, estimated off-policy:"]
    for trial, found in json.loads(path.read_text()).items():
        parts = [f"{name} {v['value']:.4f} [{v['low']:.4f}, {v['high']:.4f}] (effective rows "
                 f"{v['effective_sample_size']:.0f})" for name, v in found.items()]
        out.append(f"  {trial}: {'; '.join(parts)}")
    if not any(name != "direct_method" for found in json.loads(path.read_text()).values() for name in found):
        out.append("  the direct method alone: no estimate here corrects for what the log's policy chose to show")
    return out
