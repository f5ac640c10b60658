"""Learners on tables: exact scores, errors of action values against the optimum, maps, logs written by a policy."""
import json

import numpy as np
import pandas as pd
import pytest
from support.results_folder import read, standings

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import make_rng
from envs import logs
from envs.engine import solver
from platform import tune
from platform.experiment import reading
from platform.judge import evaluation, exact
from platform.report.answer import answer
from platform.trial import simulated_log as logbook
from platform.trial.build import task_of
from platform.trial.trial import Role, Row, Spec, Trial


def learner(task, name, **params):
    found = find_algorithm(name)
    return found(*task.spaces, make_config(found, params), 0)


@pytest.fixture(scope="module")
def cliff():
    return task_of("recloop/Cliff-v0", {})


def test_scores_are_exact(cliff):
    """CliffWalking: optimum −13; the path along the edge followed with ε = .1 is worth −45.8, uniform play −4975.8."""
    table = learner(cliff, "q_learning", gamma=1.0, epsilon_start=0.1, epsilon_end=0.1)
    table.q[0] = solver.value_iteration(cliff.knows.exact.mdp)
    assert evaluation.exactly(cliff, table)["return_mean"] == -13.0
    table.q[0] += 1e-6 * (np.arange(4) == 1)                                 # of equal paths the one along the edge
    assert evaluation.exactly(cliff, table, explore=True)["return_mean"] == pytest.approx(-45.8, abs=0.05)
    assert evaluation.exactly(cliff, None)["return_mean"] == -13.0
    assert evaluation.exactly(cliff, learner(cliff, "random"))["return_mean"] == pytest.approx(-4975.8, abs=0.1)
    (row,) = evaluation.score("recloop/Cliff-v0", {}, table, "test", 100)
    assert (row["return_mean"], row["users"], row["exact"]) == (-13.0, 100, True)


def test_the_gap_is_that_of_the_worst_reachable_cell(cliff):
    table = learner(cliff, "q_learning", gamma=0.9)
    table.q[0] = solver.value_iteration(cliff.knows.exact.mdp, 0.9)
    assert exact.gap(cliff, table)["train/q_gap"] < 1e-6
    table.q[0, 0, 2] += 3.0
    table.q[0, 40] += 50.0                                                   # a cell of the cliff: nobody is ever there
    found = exact.gap(cliff, table)
    assert found["train/q_gap"] == pytest.approx(3.0, abs=1e-6)
    assert found["train/q_gap_mean"] == pytest.approx(3.0 / (37 * 4), abs=1e-6)
    assert exact.reachable(cliff.knows.exact.mdp).sum() == 37   # 48 − 10 of the cliff − the goal
    assert exact.gap(cliff, learner(cliff, "thompson")) == {}


def test_maps_and_the_best_that_explores(cliff):
    e = reading.read("cliff")
    found = exact.known(e, cliff)["optimum"]
    assert found["rows"] == ["............"] * 3 + ["SCCCCCCCCCCG"] and found["value"][36] == -13.0
    assert found["action"][36] == 0 and found["action"][35] == 2             # up from the start, down to the goal
    assert exact.known(e, task_of("recloop/Boredom-v0", {}))["optimum"] is None
    trial = Trial(Row("q", "q", Role.LEARNER, "q_learning"), Spec("recloop/Cliff-v0"), 0, "final", 0, 1, 1, 1)
    table = learner(cliff, "q_learning")
    table.q[0] = solver.value_iteration(cliff.knows.exact.mdp)
    (row,) = exact.table(trial, table)
    assert row["rows"] == found["rows"] and row["value"][36] == -13.0 and row["action"][35] == 2
    assert exact.table(trial, learner(cliff, "thompson")) == []
    assert exact.soft_optima(e, cliff) == {"0.1": pytest.approx(-20.71, abs=0.01)}


def test_a_log_holds_what_the_policy_did(tmp_path):
    """Written, read and turned into a batch: whole sessions, exact propensities, the successor of every row."""
    spec = Spec("recloop/Boredom-v0", {"topics": 2}, "q_learning", {"epsilon_start": 0.3, "epsilon_end": 0.3}, 7)
    policy = logbook.write_log(tmp_path / "0.parquet", spec, 2000, 20_000)
    log = logs.read(tmp_path / "0.parquet")
    assert len(log.frame) == 20_000 and log.frame.user.nunique() == 200      # 100 users, 200 steps, sessions of 100
    other = logs.read(logbook.held_out(tmp_path / "0.parquet"))
    assert len(other.frame) == 20_000 and not other.frame.reward.equals(log.frame.reward)
    assert set(np.round(log.frame.propensity.unique(), 3)) <= {0.1, 0.8, 0.45, 0.333}
    batch = logbook.batch_of(log, *task_of(spec.env_id, spec.env_params).spaces)
    assert batch.obs.shape == (1, 20_000) and batch.obs.dtype == np.int64 and batch.truncated.sum() == 200
    going = ~batch.ends[0]
    np.testing.assert_array_equal(batch.next_obs[0, :-1][going[:-1]], batch.obs[0, 1:][going[:-1]])
    q, known = policy.action_values(batch.obs[0]), np.exp(batch.log_prob[0])
    greedy = q.argmax(axis=1) == batch.action[0]
    assert (known[greedy] > known[~greedy].max() - 1e-6).all()
    again = logbook.load_policy(tmp_path / "0.parquet", spec)
    state = np.arange(25)
    np.testing.assert_array_equal(again.act(state, make_rng(1))[0], policy.act(state, make_rng(1))[0])


OFFLINE = """# Can a log alone teach more than its own policy knows?
name: toy-log
env: {id: recloop/Boredom-v0}
population: {users_per_shard: 4}
budget: {env_steps: 400, reports: 1}
seeds: 2
reference: the log's policy
estimates: [fitted_q]
log: {name: q_learning, params: {epsilon_start: 0.6, epsilon_end: 0.6}, env_steps: 0, rows: 5000}
algorithms:
  - {name: q_learning, from_log: true, online: false, params: {gamma: 0.95, learning_rate: 1.0, passes: 100}}
"""


def test_learning_without_a_simulator(tmp_path, ray_session, capsys):
    path, out = tmp_path / "toy.yaml", tmp_path / "run"
    path.write_text(OFFLINE)
    assert tune.main([str(path), "--out", str(out)]) == 0
    assert "within 10 % in 2 of 2" in capsys.readouterr().out
    board, sentence = standings(out), answer(*read(out)).text
    assert board["q_learning"].score.mean == pytest.approx(67.2, abs=0.5) and board["oracle"].score.mean < 67.3
    assert board["the log's policy"].runs == 2 and board["the log's policy"].score.mean < 62
    assert board["q_learning"].env_steps == 0                                # it has met nobody
    assert "beats the log's policy" in sentence
    assert (out / "logs" / "1.parquet").exists() and pd.read_parquet(out / "curves.parquet").env_steps.max() == 0
    assert json.loads((out / "problem.json").read_text())["optimum"] is None
