"""The leaderboard by hand."""
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from support.results_folder import ROWS, Made, make, read, standings, write

from platform.report import answer, page, terminal, words

T1 = 12.706204736                                            # 97.5 % quantile of Student's t with 1 degree of freedom


def test_leaderboard(tmp_path):
    board = standings(make(tmp_path))
    assert list(board) == ["oracle", "ucb", "popularity", "RLlib PPO", "a2c", "random"]
    assert [s.score.mean for s in board.values()] == [22.0, 13.0, 11.0, 7.5, 5.0, 2.0]
    np.testing.assert_allclose([s.share for s in board.values()], [1.0, 11 / 20, 9 / 20, 5.5 / 20, 3 / 20, 0.0])
    np.testing.assert_allclose([board[label].share_reference for label in ("ucb", "RLlib PPO", "random")],
                               [11 / 9, 5.5 / 9, 0.0])
    assert [s.runs for s in board.values()] == [1, 2, 1, 2, 2, 1]
    assert [s.row.role for s in board.values()][:2] == ["bound", "learner"]
    ucb = board["ucb"]                                        # runs 12, 14: V = 1; every block differs by 2
    assert ucb.difference[:3] == pytest.approx((2.0, 2 - T1, 2 + T1))
    a2c = board["a2c"]                                        # identical runs, and −6 on both blocks: nothing varies
    assert a2c.difference[:3] == (-6.0, -6.0, -6.0)
    assert a2c.score[1:3] == pytest.approx((5 - 2 * T1, 5 + 2 * T1))          # blocks 3 and 7: V = 8/2, df = 1
    assert np.isnan(board["popularity"].difference.mean)
    assert (ucb.env_steps, ucb.env_steps_per_s, ucb.wall_s) == (64, 30, 2.5)


def test_blocks_weigh_by_their_users(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    scores.loc[scores.block == 1, "users"] = 300
    scores.to_parquet(tmp_path / "scores.parquet")
    board = standings(tmp_path)
    assert board["popularity"].score.mean == 12.0 and board["RLlib PPO"].score.mean == pytest.approx(8.5)


def test_incomplete_and_resumed_trials(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    ucb, ppo = f"{ROWS[0].id}/0", f"{ROWS[2].id}/1"
    again = scores[scores.trial == ucb].assign(return_mean=[20.0, 22.0])      # evaluated once more: the last counts
    lost = ~((scores.trial == ppo) & (scores.block == 1))
    pd.concat([scores[lost], again]).to_parquet(tmp_path / "scores.parquet")
    board = standings(tmp_path)
    assert board["ucb"].score.mean == (21 + 14) / 2
    assert board["RLlib PPO"].runs == 1 and board["RLlib PPO"].score.mean == 6.5
    text = page.write_report(*read(tmp_path)).read_text()
    assert f"1 of 9 trials have no complete final score and are left out: {ppo}" in text
    assert "fewer runs than the 2 planned: RLlib PPO (1)" in text and "incomplete: left out" in text


def test_regret_is_less_is_better(tmp_path):
    """Scores are minus the regret; the page shows regret, the least of it first, differences with their own sign."""
    rows = (Made("ab", "learner", [[-50.0], [-60.0]]), Made("ts", "learner", [[-20.0], [-24.0]]),
            Made("random", "reference", [[-100.0]]))
    make(tmp_path, rows, env="recloop/BernoulliBandit-v0", reference="ab", calibration=False, score="regret")
    write(tmp_path, "regret", rows, [{"row": rows[1].id, "seed": 0, "runs": 1, "t": t, "mean": mean, "sd": 0.0,
                                      "high": mean} for t, mean in ((1, 1.0), (10, 9.0), (64, 20.0))])
    found = standings(tmp_path)
    assert list(found) == ["ts", "ab", "random"] and [s.score.mean for s in found.values()] == [22.0, 55.0, 100.0]
    np.testing.assert_allclose([s.share for s in found.values()], [0.78, 0.45, 0.0])
    gap = found["ts"].difference                              # variances 4 and 25: Welch's ν = 29²/(16 + 625) = 1.31
    assert gap.mean == -33.0 and gap.low < -33 < gap.high
    assert gap.high - gap.low == pytest.approx(2 * 7.33 * 29**0.5, rel=0.02)
    r, board = read(tmp_path)
    assert "the best learner, ts, beats ab: 22.0 against 55.0 regret after 64" in answer.answer(r, board).text
    text = page.write_report(r, board).read_text()
    assert text.count("<svg") == 2 and "logarithmic time" in text and "<br>to no regret" in text


def test_nothing_to_report_is_one_clear_error(tmp_path):
    pd.DataFrame().to_parquet(make(tmp_path) / "scores.parquet")
    with pytest.raises(ValueError, match=r"scores\.parquet: no run has a final score"):
        read(tmp_path)
    out = io.StringIO()
    assert terminal.conclude(Console(file=out, width=300), tmp_path, False) == 1
    assert "no report: " in out.getvalue() and not (tmp_path / "report.html").exists()


def test_leaderboard_in_the_terminal(tmp_path):
    out = io.StringIO()
    terminal.print_leaderboard(Console(file=out, width=100), *read(make(tmp_path)))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "likes per session, 200 held-out users, 95 % intervals"
    (row,) = [line for line in lines if line.startswith("ucb")]
    assert row.startswith("ucb 13.0") and " 55 % +2.0" in row and row.endswith("2 30 2.5 s")
    assert all(len(line) <= 100 for line in out.getvalue().splitlines())
    narrow = io.StringIO()
    terminal.print_leaderboard(Console(file=narrow, width=80), *read(tmp_path))
    assert all(any(line.startswith(row.label) for line in narrow.getvalue().splitlines()) for row in ROWS)
    assert "…" not in narrow.getvalue() and "30 2.5 s" in " ".join(narrow.getvalue().split())


@pytest.mark.parametrize("function,value,text", [
    (words.duration, 0.0, "–"), (words.duration, 0.01, "< 0.1 s"),
    (words.duration, 2.04, "2.0 s"), (words.duration, 200.9, "3 min 20 s"),
    (words.duration, 9000, "2.5 h"), (words.rate, 51_283.0, "51,300"), (words.rate, 204.4, "204"),
    (words.rate, None, "–"),
    (words.percent, -0.051, "−5 %"), (words.percent, float("nan"), "–"), (words.whole, 64_000, "64,000"),
    (words.plus, -0.25, "−0.250"), (words.number([0.0, 30.0]), 1234.56, "1,234.6")])
def test_numbers_as_words(function, value, text):
    assert function(value) == text
