"""What the chapters of docs/path claim, trained as their experiments do.  Slow: run by `make test-all`."""
import numpy as np
import pytest

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import train
from platform import tune
from platform.experiment import reading as experiment
from platform.judge import evaluation
from platform.trial.build import make_env, one_thread

pytestmark = pytest.mark.slow


def trained(name, label, seed, users, steps):
    """The learner of one row of a shipped experiment after ``steps`` env steps."""
    one_thread()
    e = experiment.read(name)
    entry = next(entry for entry in e.algorithms if entry.shown == label)
    env, found = make_env(e.env.id, e.env.params, users), find_algorithm(entry.name)
    learner = found(env.single_observation_space, env.single_action_space, make_config(found, entry.params), seed,
                    getattr(env, "items", None))
    train(env, learner, steps, seed=seed)
    return e, env, learner


def test_embeddings_find_the_topics_and_the_policy_the_oracle():
    """Nearest neighbours (cosine) of item vectors share the topic in ≥ .9; the policy earns ≥ .95 of the oracle."""
    e, env, learner = trained("sessions", "dqn, learned embeddings", 1, 32, 300_000)
    vector = learner.net.items / np.linalg.norm(learner.net.items, axis=1, keepdims=True)
    alike = vector @ vector.T
    np.fill_diagonal(alike, -2.0)
    assert (env.topic[alike.argmax(axis=1)] == env.topic).mean() >= 0.9
    mine, best = (evaluation.mean_return(evaluation.score(e.env.id, {}, policy, "test", 300))
                  for policy in (learner, None))
    assert mine >= 0.95 * best


def test_dqn_balances_the_pole():
    e, _, learner = trained("dqn-cartpole", "dqn", 3, 8, 100_000)
    assert evaluation.mean_return(evaluation.score(e.env.id, {}, learner, "test", 100)) >= 475


@pytest.mark.parametrize("name", [name for name, path in experiment.shipped().items()])
def test_every_experiment_runs(name, tmp_path, ray_session):
    if any(entry.rllib for entry in experiment.read(name).algorithms):
        pytest.skip("with RLlib: tests/platform/run/test_race.py runs one")
    assert tune.main([name, "--smoke", "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").exists()
