"""Reading a results folder: rows by id and role, tables by name, the last of what was reported twice."""
import json

import numpy as np
import pandas as pd
import pytest
from support.results_folder import ROWS, Made, make, read, standings

from platform.report.curves import band
from platform.report.results import Results
from platform.report.sections import compare
from platform.trial.trial import Role

T1 = 12.706204736                                            # 97.5 % quantile of Student's t with 1 degree of freedom


def test_a_folder_of_an_earlier_version_is_one_clear_error(tmp_path):
    (make(tmp_path) / "rows.json").unlink()
    with pytest.raises(ValueError, match=r"has no rows\.json.*run the experiment again"):
        Results(tmp_path)


def test_a_table_that_names_an_unknown_row_is_refused(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    scores.assign(row="nobody").to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(ValueError, match=r"scores\.parquet: rows\.json does not know the row nobody"):
        Results(tmp_path)


def test_a_table_without_its_identity_is_refused(tmp_path):
    pd.DataFrame({"trial": ["x"], "value": [1.0]}).to_parquet(make(tmp_path) / "estimates.parquet")
    with pytest.raises(ValueError, match=r"estimates\.parquet: has no column row, algorithm, role, seed"):
        Results(tmp_path).table("estimates", "value")


def test_any_table_is_read_by_its_name(tmp_path):
    r = Results(make(tmp_path))
    pd.DataFrame({"trial": "a/0", "row": ROWS[0].id, "algorithm": "", "role": "", "seed": [0], "weight": [7.0]}
                 ).to_parquet(tmp_path / "weights.parquet")
    assert r.table("weights").weight[0] == 7.0 and list(r.table("nothing", "x").x) == []


def test_rows_with_equal_labels_stay_apart(tmp_path):
    """Two learners are called the same: 12, 14 and 2, 4 are two rows, not one of four runs."""
    twins = (Made("ucb", "learner", [[12.0], [14.0]], row="ucb-1"), Made("ucb", "learner", [[2.0], [4.0]], row="ucb-2"),
             Made("random", "reference", [[0.0]]), Made("oracle", "bound", [[20.0]]))
    r, board = read(make(tmp_path, twins, reference=""))
    assert [(s.row.id, s.runs, s.score.mean) for s in board.standings if s.row.role.races] == [
        ("ucb-1", 2, 13.0), ("ucb-2", 2, 3.0)]
    assert [row.id for row, part in r.parts(r.curves)] == ["ucb-1", "ucb-2"]
    assert [x.row.id for x in compare.spread(r)] == ["ucb-1", "ucb-2"]


def test_a_label_decides_nothing(tmp_path):
    """Learners that are called random and oracle are learners; the rows that are neither keep their places."""
    odd = (Made("random", "learner", ROWS[0].runs, "ucb", "x"), Made("oracle", "rllib", ROWS[2].runs, "PPO", "y"),
           Made("blind", "reference", ROWS[3].runs, "random"), ROWS[4],
           Made("knows all", "bound", ROWS[5].runs, "oracle"))
    plain = (ROWS[0], ROWS[2], ROWS[3], ROWS[4], ROWS[5])
    folders = [tmp_path / "odd", tmp_path / "plain"]
    for folder, rows in zip(folders, (odd, plain), strict=True):
        folder.mkdir()
        make(folder, rows)
    found, expected = (read(folder)[1] for folder in folders)
    assert [s[1:] for s in found.standings] == [s[1:] for s in expected.standings]
    assert [s.row.role for s in found.standings] == [s.row.role for s in expected.standings]
    assert found.best.row.id == "x" and found.best.row.label == "random"


def test_roles_are_a_closed_list(tmp_path):
    described = json.loads((make(tmp_path) / "rows.json").read_text())
    described["rows"][0]["role"] = "friend"
    (tmp_path / "rows.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="friend"):
        Results(tmp_path)


def test_the_policy_that_wrote_the_log_can_be_the_reference(tmp_path):
    rows = (ROWS[0], ROWS[3], Made("the log's policy", "behaviour", [[9.0, 13.0], [9.0, 13.0]], "ucb"))
    r, board = read(make(tmp_path, (*rows, ROWS[5]), env="recloop/Boredom-v0", reference="the log's policy"))
    assert r.reference is None                               # named by its algorithm, which is a learner's too
    described = json.loads((tmp_path / "rows.json").read_text()) | {"reference": rows[2].id}
    (tmp_path / "rows.json").write_text(json.dumps(described))
    r, board = read(tmp_path)
    assert r.reference.role == Role.BEHAVIOUR and board.best.row.label == "ucb"
    assert standings(tmp_path)["ucb"].difference.mean == 2.0
    assert board.badge(r.reference.role) == "behaviour policy"


def test_curves_keep_the_last_of_a_repeated_report(tmp_path):
    curves = pd.read_parquet(make(tmp_path) / "curves.parquet")
    repeated = curves[(curves.row == ROWS[0].id) & (curves.seed == 1) & (curves.iteration == 2)]
    pd.concat([curves, repeated.assign(**{"eval/return_mean": 50.0})]).to_parquet(tmp_path / "curves.parquet")
    kept = Results(tmp_path).curves
    assert len(kept) == len(curves)
    x, mean, half, each = band(kept[kept.row == ROWS[0].id], "eval/return_mean")
    np.testing.assert_array_equal(x, [16, 32, 48, 64])
    np.testing.assert_array_equal(each[:, 1], [6.0, 50.0])
    np.testing.assert_allclose(mean, [3.5, 28.0, 9.5, 12.5])
    np.testing.assert_allclose(half[0], T1 * 0.5, rtol=1e-6)  # SD of (3, 4) is √½; over √2 runs: ½


def test_bands_meet_on_common_steps_and_do_not_extrapolate():
    curves = pd.DataFrame({"trial": ["a", "a", "b", "b", "b"], "env_steps": [0, 10, 5, 10, 20],
                           "y": [0.0, 10, 7, 12, 30]})
    x, mean, half, each = band(curves, "y")
    np.testing.assert_array_equal(x, [0, 5, 10, 20])
    np.testing.assert_array_equal(each, [[0, 5, 10, np.nan], [np.nan, 7, 12, 30]])
    np.testing.assert_array_equal(mean, [0, 6, 11, 30])
    np.testing.assert_allclose(half, [np.nan, T1, T1, np.nan], rtol=1e-6)
