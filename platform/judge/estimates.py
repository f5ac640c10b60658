"""What a trained policy is worth on the rows of the log itself, without the simulator: off-policy estimates.

The policy valued is the greedy one that would be deployed; on a row it stands on the item it would have shown.  The
rows are those of the log's test users, whom no policy learnt from, and the reward model is cross-fitted: a row is
valued by a model that never saw it.  The intervals take rows as independent.
"""
import json
from pathlib import Path

import numpy as np
import pandas as pd

from custom_algos.offline import estimators as ope
from custom_algos.offline import fqe
from envs import logs
from envs.fitted import taste

from ..run.simulated_log import batch_of

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


def fitted_q(env, policy, path: Path) -> dict[str, dict[str, float]]:
    """The return of a session by fitted Q evaluation on the log in ``path``, whose users the policy did not learn from.

    A table where observations are numbered states, a network elsewhere.  ``support`` is the share of the policy's
    choices that the log has tried.
    """
    log = logs.read(path)
    batch, first = batch_of(log, env), (log.frame["step"] == 0).to_numpy()
    spaces = env.single_observation_space, env.single_action_space
    if hasattr(spaces[0], "n"):
        model: fqe.Fitted = fqe.Table(*spaces)
    else:
        from custom_algos.offline.fqe_network import Network

        model = Network(*spaces)
    found = fqe.fqe(model, batch, policy, batch.obs[0][first], gamma=1.0, horizon=env.horizon)
    return {"fitted_q": {"value": found.value, "support": found.support, "rows": batch.reward.size}}


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
    every = json.loads(path.read_text())
    if any("fitted_q" in found for found in every.values()):
        return _fitted(folder, every)
    out = ["", "rewards a row of the log, estimated off-policy:"]
    for trial, found in every.items():
        parts = [f"{name} {v['value']:.4f} [{v['low']:.4f}, {v['high']:.4f}] (effective rows "
                 f"{v['effective_sample_size']:.0f})" for name, v in found.items()]
        out.append(f"  {trial}: {'; '.join(parts)}")
    if not any(name != "direct_method" for found in every.values() for name in found):
        out.append("  the direct method alone: no estimate here corrects for what the log's policy chose to show")
    return out


def _fitted(folder: Path, every) -> list[str]:
    """Fitted values beside the simulator's: what could be said before anybody was served, and what came true."""
    scores = pd.read_parquet(folder / "scores.parquet")
    real = scores.groupby("trial")[["return_mean", "users"]].apply(lambda g: np.average(g.return_mean, weights=g.users))
    table = pd.DataFrame([{"label": trial.rpartition("/")[0], "fitted": found["fitted_q"]["value"], "real": real[trial]}
                          for trial, found in every.items()])
    out = ["", "return of a session by fitted Q evaluation (from other users of the log) and in the simulator:"]
    for name, rows in table.groupby("label", sort=False):
        near = (np.abs(rows.fitted / rows.real - 1.0) <= 0.1).sum()
        both = f"{rows.fitted.mean():.1f} and {rows.real.mean():.1f}"
        out.append(f"  {name}: {both}; within 10 % in {near} of {len(rows)}")
    return out
