"""Example sessions: what a policy shows the first test users, for the eyes of a person."""
import numpy as np

from custom_algos.rollout import begin, make_rng
from envs.engine.vector import SPLITS

from ..trial.build import stable_seed, task_of
from ..trial.trial import Trial
from .evaluation import held_out

USERS, SHOWN = 3, 10                                      # test users, and items of each one's session


def table(trial: Trial, policy) -> list[dict]:
    """A row for every item shown, user by user and in order; none where items have no names.

    The hidden ``probability`` of a like comes along for the reader of the report.  ``policy`` None: the oracle.
    """
    if not trial.shows_examples:
        return []
    spec = trial.spec
    names = task_of(spec.env_id, spec.env_params).knows.names
    assert names is not None                               # the plan asked
    env, seed = held_out(spec.env_id, spec.env_params, USERS), stable_seed(spec.env_id, "story")
    obs, mask = begin(env, seed, users=SPLITS["test"] + np.arange(USERS))
    rng, titles, rows = make_rng(seed), names.titles(), []
    for place in range(SHOWN):
        action = env.oracle() if policy is None else policy.act(obs, rng, False, mask)[0]
        obs, reward, _, _, info = env.step(action)
        mask = info.get("action_mask")
        kinds = names.describe(action)
        rows += [{"user": n, "place": place, "title": titles[action[n]], "genres": kinds[n],
                  "probability": float(info["expected_reward"][n]), "liked": bool(reward[n] > 0)} for n in range(USERS)]
    return sorted(rows, key=lambda row: (row["user"], row["place"]))
