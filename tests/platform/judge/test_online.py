"""What is collected while learning: sums of single runs, the curve of the regret, and the report made of them."""
import numpy as np
import pandas as pd
import pytest
from support.results_folder import read, standings

from custom_algos.core import Transition
from platform import tune
from platform.experiment import reading
from platform.experiment.model import Problem
from platform.judge.online import Tally
from platform.report.answer import answer
from platform.run.learner import Learner
from platform.trial import checkpoint
from platform.trial.trial import Role, Row, Spec, Trial

TRIAL = Trial(Row("x", "x", Role.LEARNER, "thompson"),
              Spec("recloop/BernoulliBandit-v0", {"means": [0.1, 0.5, 0.9]}, "thompson", {"replications": 20}, 3,
                   users_per_shard=20),
              seed_number=2, stage="final", budget=20 * 200, report_every=20 * 100, validation_users=20, test_users=20,
              score="regret", replications=20)


def block(action, reward):
    action = np.array(action)
    ends = np.ones(action.shape, bool)
    return Transition(action, action, np.array(reward, np.float32), action, ends, ~ends,
                      np.zeros(action.shape, np.float32))


def test_a_tally_by_hand(tmp_path):
    """Two runs of two users each: users 0, 1 belong to run 0; T = 4 interactions a run."""
    tally = Tally(2, 8, actions=3)
    tally.add(block([[0, 1, 2, 2]], [[1, 0, 1, 1]]), {"reward": np.array([1, 0, 1, 1.0]),
                                                      "regret": np.array([0.5, 0.0, 0.25, 0.25])})
    tally.add(block([[2, 2, 2, 0]], [[1, 1, 0, 1]]), {"reward": np.array([1, 1, 0, 1.0]),
                                                      "regret": np.array([0.0, 1.0, 0.0, 2.0])})
    np.testing.assert_array_equal(tally.regret, [1.5, 2.5])
    np.testing.assert_array_equal(tally.score("regret"), [-1.5, -2.5])
    np.testing.assert_allclose(tally.score("collected"), [3 / 4, 3 / 4])
    np.testing.assert_array_equal(tally.shown, [2, 1, 5])
    assert [row[0] for row in tally.curve] == [2, 4]
    assert tally.curve[0][1:] == [0.5, 0.0, 0.5]
    assert tally.curve[1][1:] == pytest.approx([2.0, np.sqrt(0.5), 1.5 + 0.95])
    assert [row["seed"] for row in tally.rows("regret", seed=3)] == [6, 7]
    again = Tally(2, 8, actions=3)
    checkpoint.save(tmp_path, tally.state())
    again.load(checkpoint.load(tmp_path))
    assert again.curve == tally.curve and again.steps == 8
    for name in ("regret", "reward", "shown"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tally, name))


def test_the_truth_counts_where_it_is_known():
    tally = Tally(1, 2)
    tally.add(block([[0, 1]], [[1, 0]]), {"reward": np.array([1, 0.0]), "expected_reward": np.array([0.3, 0.5])})
    assert tally.score("collected") == pytest.approx([0.4]) and not tally.curve and not len(tally.shown)


def test_a_trial_counts_every_run_and_resumes(tmp_path):
    whole = Learner(TRIAL)
    whole.step()
    whole.save(str(tmp_path))
    whole.step()
    curve = whole.tally.curve
    assert curve[-1][0] == 200 and curve[0][0] == 1
    assert curve[0][1] <= 0.8 and np.all(np.diff([row[1] for row in curve]) >= 0)
    assert whole.tally.shown.sum() == 4000
    gaps = np.array([0.8, 0.4, 0.0])
    assert whole.tally.regret.sum() == pytest.approx(whole.tally.shown @ gaps)
    half = Learner(TRIAL)
    half.load(str(tmp_path))
    half.step()
    np.testing.assert_array_equal(half.tally.regret, whole.tally.regret)
    assert half.tally.curve == curve


EXPERIMENT = """# Does it pay to explore with a plan?
name: toy
chapter: 2
env: {id: recloop/BernoulliBandit-v0, params: {means: [.1, .5, .9]}}
population: {users_per_shard: 30, replications: 30}
budget: {env_steps: 9_000, reports: 2}
score: regret
reference: ε = 1/t
algorithms:
  - {name: epsilon_greedy, label: ε = 1/t, params: {epsilon: 0.5}}
  - {name: thompson}
"""


def test_a_regret_experiment_from_file_to_page(tmp_path, ray_session, capsys):
    path, out, figures = tmp_path / "toy.yaml", tmp_path / "run", tmp_path / "figures"
    path.write_text(EXPERIMENT)
    chapter = tmp_path / "chapter.md"
    chapter.write_text("before\n<!-- table toy -->\nold\n<!-- end -->\n<!-- table other -->\nkept\n<!-- end -->\n")
    assert tune.main([str(path), "--out", str(out), "--figures", str(figures)]) == 0
    board, text = standings(out), answer(*read(out)).text
    assert list(board) == ["thompson", "ε = 1/t", "random"] and [s.runs for s in board.values()] == [30, 30, 30]
    assert board["random"].score.mean == pytest.approx(300 * 0.4, rel=0.03)         # mean gap .4, 300 interactions
    assert board["ε = 1/t"].score.mean == pytest.approx(300 * 0.5 * 0.4, rel=0.15)
    assert board["random"].share == 0.0 and board["thompson"].share > 0.85
    thompson = board["thompson"]
    gap = thompson.difference
    assert gap.mean == pytest.approx(thompson.score.mean - board["ε = 1/t"].score.mean)
    assert gap.low < gap.mean < gap.high < 0
    assert text.startswith("Yes, thompson beats ε = 1/t:") and "regret after 300 interactions" in text
    assert "30 runs" in text and "held-out" not in text
    regret = pd.read_parquet(out / "regret.parquet")
    last = regret[regret.algorithm == "thompson"].iloc[-1]
    assert last.t == 300 and last["mean"] == pytest.approx(thompson.score.mean)
    page = (out / "report.html").read_text()
    assert "Lai &amp; Robbins" in page and "per session" not in page
    assert {p.name for p in figures.iterdir()} == {"toy.md", "toy-regret.svg", "toy-shown.svg"}
    assert (figures / "toy-regret.svg").read_text().startswith("<svg xmlns=")
    text = chapter.read_text()
    assert text.startswith("before\n<!-- table toy -->\n| algorithm | regret after 300 interactions |")
    assert "old" not in text and "kept" in text and "| ε = 1/t |" in text
    assert "thompson" in capsys.readouterr().out


def test_chapters():
    assert {"ab-test", "epsilon", "drift"} <= set(reading.of_chapter(2))
    with pytest.raises(Problem, match=r"--chapter 99: has no experiments; valid are: 2"):
        reading.of_chapter(99)
    assert tune.main(["--chapter", "2", "--out", "somewhere"]) == 2
