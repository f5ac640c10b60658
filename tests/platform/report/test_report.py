"""The report on a small results folder whose numbers are worked out by hand."""
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from platform.report import results as report
from platform.report.drawing import band

# S = 2 runs on B = 2 blocks of 100 users; the rows that do not learn have one run
RUNS = {
    ("random", "reference"): [[0.0, 4.0]],
    ("popularity", "reference"): [[9.0, 13.0]],
    ("ucb", "ours"): [[10.0, 14.0], [12.0, 16.0]],
    ("a2c", "ours"): [[3.0, 7.0], [3.0, 7.0]],
    ("RLlib PPO", "rllib"): [[5.0, 8.0], [6.0, 11.0]],
    ("oracle", "bound"): [[20.0, 24.0]],
}
T1 = 12.706204736                                            # 97.5 % quantile of Student's t with 1 degree of freedom
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}


def make(folder, runs=RUNS, env="recloop/Logged-v0", reference="popularity", seeds=None, calibration=True, **columns):
    """Write a results folder; ``columns`` add to or replace columns of the curves."""
    learners = [(label, kind) for label, kind in runs if kind in ("ours", "rllib")]
    experiment = {
        "question": "Does <learning> pay?", "name": "toy", "env": {"id": env, "params": {}}, "reference": reference,
        "population": {"shards": 1, "users_per_shard": 8, "eval_users": 200}, "budget": {"env_steps": 64},
        "seeds": seeds or 2, "resources": {"workers": 0},
        "algorithms": [{"label": "", "params": {}, "name": label if kind == "ours" else "",
                        "rllib": label.split()[-1] if kind == "rllib" else ""} for label, kind in learners]}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    (folder / "machine.json").write_text(json.dumps({"versions": {"numpy": "9.9.9"}, "commit": "abcdef0123456789",
                                                     "cores": 2, "finished": "2026-01-02T03:04:05"}))
    scores = [{"trial": f"{label}/{seed}", "algorithm": label, "kind": kind, "stage": "test", "seed": seed,
               "block": block, "users": 100, "return_mean": value, "length_mean": 50.0, "wall_s": 2.0 + seed,
               "env_steps": 64 if kind in ("ours", "rllib") else 0, "env_steps_per_s": 30.0}
              for (label, kind), table in runs.items()
              for seed, row in enumerate(table) for block, value in enumerate(row)]
    pd.DataFrame(scores).to_parquet(folder / "scores.parquet")
    curves = [{"trial": f"{label}/{seed}", "algorithm": label, "kind": kind, "seed": seed, "iteration": i,
               "time_s": 1.0 * i, "env_steps": 16 * i, "rollout/reward_mean": 0.1 * i,
               "eval/return_mean": 3.0 * i + seed}
              for (label, kind), table in runs.items() if (label, kind) in learners
              for seed in range(len(table)) for i in range(1, 5)]
    pd.DataFrame(curves).assign(**columns).to_parquet(folder / "curves.parquet")
    if calibration:
        write_calibration(folder)
    return folder


def write_calibration(folder, **changes):
    found = {"log": "films.parquet", "rows": 1000, "users": 50, "items": 40, "gain_over_base": 0.14,
             "gain_over_items": 0.05, "gain_splits": [0.1] * 9 + [-0.01], "auc": 0.79, "teaches": True,
             "why": "it does",
             "reliability": [{"low": 0, "high": 0.5, "predicted": 0.3, "observed": 0.28, "rows": 500},
                             {"low": 0.5, "high": 1, "predicted": 0.7, "observed": 0.74, "rows": 500}],
             "by_activity": [{"users": "20-50 ratings", "rows": 400, "gain": 0.08, "auc": 0.7}]}
    (folder / "calibration.json").write_text(json.dumps(found | changes))


def write_stories(folder):
    items = [{"title": "Heat & <Dust>", "genres": "Drama", "probability": 0.9, "liked": True},
             {"title": "Jaws", "genres": "Horror", "probability": 0.2, "liked": False}]
    (folder / "stories.json").write_text(json.dumps([
        {"user": f"test user {n}", "likes": "likes dramas", "before": items[::-1], "after": items,
         "before_label": "random", "after_label": "ucb"} for n in (1, 2, 3)]))


class Page(HTMLParser):
    """Every tag is closed in order, ids are unique, and every reference stays inside the page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.words = [], [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in VOID else [tag]
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.references += [attrs[name] for name in ("href", "src", "action", "data", "poster") if name in attrs]
        assert tag not in ("script", "link", "iframe", "object") and not any(name.startswith("on") for name in attrs)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.words.append(data)


def page_of(folder):
    path = report.write_report(folder)
    assert path == folder / "report.html" and not list(folder.glob("*.part"))
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids)) and len(text) < 1_500_000
    assert page.references and all(r.startswith("#") and r[1:] in page.ids for r in page.references)
    assert "http:" not in text and "https:" not in text and "@import" not in text
    assert all(target in page.ids for target in re.findall(r"url\(#([^)]*)\)", text))
    return text, " ".join(" ".join(page.words).split())


# the leaderboard, by hand ----------------------------------------------------------------------------------------
def test_leaderboard(tmp_path):
    board = report.leaderboard(make(tmp_path)).set_index("algorithm")
    assert list(board.index) == ["oracle", "ucb", "popularity", "RLlib PPO", "a2c", "random"]
    assert list(board["mean"]) == [22.0, 13.0, 11.0, 7.5, 5.0, 2.0]
    np.testing.assert_allclose(board.share, [1.0, 11 / 20, 9 / 20, 5.5 / 20, 3 / 20, 0.0])
    np.testing.assert_allclose(board.share_reference[["ucb", "RLlib PPO", "random"]], [11 / 9, 5.5 / 9, 0.0])
    assert list(board.seeds) == [1, 2, 1, 2, 2, 1] and list(board.kind[:2]) == ["bound", "ours"]
    ucb = board.loc["ucb"]                                    # runs 12, 14: V = 1; every block differs by 2
    assert (ucb.difference, ucb.difference_low, ucb.difference_high) == pytest.approx((2.0, 2 - T1, 2 + T1))
    a2c = board.loc["a2c"]                                    # identical runs, and −6 on both blocks: nothing varies
    assert (a2c.difference, a2c.difference_low, a2c.difference_high) == (-6.0, -6.0, -6.0)
    assert (a2c.low, a2c.high) == pytest.approx((5 - 2 * T1, 5 + 2 * T1))     # blocks 3 and 7: V = 8/2, df = 1
    assert np.isnan(board.loc["popularity"].difference)
    assert (ucb.env_steps, ucb.env_steps_per_s, ucb.wall_s) == (64, 30, 2.5)


def test_blocks_weigh_by_their_users(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    scores.loc[scores.block == 1, "users"] = 300
    scores.to_parquet(tmp_path / "scores.parquet")
    board = report.leaderboard(tmp_path).set_index("algorithm")
    assert board.loc["popularity", "mean"] == 12.0 and board.loc["RLlib PPO", "mean"] == pytest.approx(8.5)


def test_incomplete_and_resumed_trials(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    again = scores[scores.trial == "ucb/0"].assign(return_mean=[20.0, 22.0])     # evaluated once more: the last counts
    lost = ~((scores.trial == "RLlib PPO/1") & (scores.block == 1))
    search = again.assign(stage="search", return_mean=99.0)
    pd.concat([scores[lost], again, search]).to_parquet(tmp_path / "scores.parquet")
    board = report.leaderboard(tmp_path).set_index("algorithm")
    assert board.loc["ucb", "mean"] == (21 + 14) / 2
    assert board.loc["RLlib PPO", "seeds"] == 1 and board.loc["RLlib PPO", "mean"] == 6.5
    _, words = page_of(tmp_path)
    assert "1 of 9 trials have no complete final score and are left out: RLlib PPO/1" in words
    assert "fewer runs than the 2 planned: RLlib PPO (1)" in words and "incomplete: left out" in words


def test_curves_keep_the_last_of_a_repeated_report(tmp_path):
    curves = pd.read_parquet(make(tmp_path) / "curves.parquet")
    repeated = curves[(curves.trial == "ucb/1") & (curves.iteration == 2)].assign(**{"eval/return_mean": 50.0})
    pd.concat([curves, repeated]).to_parquet(tmp_path / "curves.parquet")
    kept = report.Results(tmp_path).curves
    assert len(kept) == len(curves)
    x, mean, half, each = band(kept[kept.algorithm == "ucb"], "eval/return_mean")
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


# the answer ------------------------------------------------------------------------------------------------------
def steady(level, runs=3, spread=0.1):
    return [[level + spread * s + b for b in (-1.0, 1.0, 0.5)] for s in range(runs)]


def races(learner, other=5.0, runs=3, spread=0.1):
    return {("random", "reference"): steady(0.0, 1), ("popularity", "reference"): steady(10.0, 1),
            ("ucb", "ours"): steady(learner, runs, spread), ("RLlib PPO", "rllib"): steady(other, runs, spread),
            ("oracle", "bound"): steady(20.0, 1)}


def test_answer_win(tmp_path):
    # runs 12, 12.1, 12.2 (the blocks add 1/6): d = 2.1, V = .01/3, df = 2; level 97.5 %: t = 6.2053, half-width .358
    assert report.answer(make(tmp_path, races(12.0))) == (
        "Yes, ucb beats today's policy (popularity): 12.27 against 10.17 likes per session (95 % interval of the "
        "difference +1.74 to +2.46, allowing for the choice among 2 learners; 3 seeds, 300 held-out users).")


@pytest.mark.parametrize(("learner", "passed"), [(18.0, False), (20.5, False), (26.0, True)])
def test_an_oracle_that_is_passed_is_no_upper_bound(tmp_path, learner, passed):
    """At 20.6 and an oracle at 20 a learner may be lucky with its users; at 26.1 it is not."""
    text, words = page_of(make(tmp_path, races(learner)))
    assert ("no upper bound here" in words) == ("knows the user" in text) == passed
    assert ("the best possible" in words) == ("how much there is to gain at best" in words) == (not passed)


def test_answer_loss_says_how_far_it_came(tmp_path):
    text = report.answer(make(tmp_path, races(8.0)))
    assert text.startswith("No, even the best learner, ucb, loses to today's policy (popularity): 8.27 against 10.17")
    assert "−2.26 to −1.54" in text
    assert text.endswith("; it covers 81 % of the way from random to popularity.")


def test_answer_unclear(tmp_path):
    text = report.answer(make(tmp_path, races(9.5, spread=0.4)))
    assert text.startswith("It cannot be told yet whether the best learner, ucb, beats today's policy (popularity): "
                           "10.07 against 10.17 likes per session")
    assert "contains zero" in text and "−1.53 to +1.33" in text


def test_the_choice_among_learners_widens_the_interval(tmp_path):
    """d = .6 with V = .04/3: the 95 % interval ± .497 excludes 0, that for the best of two (± .716) does not."""
    races_two = races(9.4, spread=0.2)
    races_two["ucb", "ours"] = steady(10.4, 3, 0.2)
    board = report.leaderboard(make(tmp_path, races_two)).set_index("algorithm")
    assert board.loc["ucb", "difference_low"] == pytest.approx(0.6 - 4.302653 * (0.04 / 3) ** 0.5)
    assert report.answer(tmp_path).startswith("It cannot be told yet")
    del races_two["RLlib PPO", "rllib"]
    assert report.answer(make(tmp_path, races_two)).startswith("Yes, ucb beats")


def test_answer_without_enough(tmp_path):
    assert report.answer(make(tmp_path, races(15.0, runs=1))).startswith("It cannot be told from one seed whether")
    text = report.answer(make(tmp_path, races(12.1), reference="", env="recloop/Ladder-v0"))
    assert text.startswith("There is no policy of today to compare with: the best learner is ucb with 12.37 return per "
                           "session (95 % interval ")
    assert text.endswith("61 % of the way from random to oracle.")                            # 12.2 / 20
    fixed = {key: value for key, value in RUNS.items() if key[1] in ("reference", "bound")}
    assert report.answer(make(tmp_path, fixed)) == "No learner has finished, so the question stays open."


def test_a_log_that_teaches_nothing_ranks_nobody(tmp_path):
    make(tmp_path)
    write_calibration(tmp_path, teaches=False, why="the gain is below 0 in 4 of 10 splits")
    assert report.answer(tmp_path) == ("This log teaches nothing about who likes what, so nobody is ranked: "
                                       "the gain is below 0 in 4 of 10 splits.")
    assert list(report.leaderboard(tmp_path).algorithm)[:3] == ["ucb", "a2c", "RLlib PPO"]     # not in order of merit
    _, words = page_of(tmp_path)
    assert "No ranking." in words and "Ours against RLlib" not in words


def test_slates_that_show_an_item_again_are_told(tmp_path):
    folder = make(tmp_path)
    scores = pd.read_parquet(folder / "scores.parquet")
    scores["repeated"] = np.where(scores.algorithm == "RLlib PPO", [0.1 + 0.2 * (b == 1) for b in scores.block], 0.0)
    scores.to_parquet(folder / "scores.parquet")
    words = report.write_report(folder).read_text()
    assert "slates that show an item again: RLlib PPO in 20 % of its places" in words


# verdicts against RLlib ------------------------------------------------------------------------------------------
def many(level, n=12):
    return [[level + 0.2 * x, level + 0.2 * x + 0.1] for x in np.linspace(-1, 1, n)]


@pytest.mark.parametrize("ours,word", [(16.0, "WIN"), (4.0, "LOSS"), (12.0, "TIE")])
def test_a_loss_is_shown_as_a_loss(tmp_path, ours, word):
    runs = {("random", "reference"): [[0.0, 0.1]], ("oracle", "bound"): [[20.0, 20.1]], ("ucb", "ours"): many(ours),
            ("RLlib PPO", "rllib"): many(12.0)}
    (row,) = report.comparisons(report.Results(make(tmp_path, runs, reference="")))
    assert (row["ours"], row["theirs"], row["verdict"].word) == ("ucb", "RLlib PPO", word)
    assert row["verdict"].difference.mean == pytest.approx((ours - 12.0) / 20)
    text, _ = page_of(tmp_path)
    assert f'<span class="word {word.lower()}">{word}</span>' in text


def test_too_few_seeds_make_no_verdict(tmp_path):
    _, words = page_of(make(tmp_path))
    assert words.count("too few seeds for a verdict: 2 of 10") == 2


# the page --------------------------------------------------------------------------------------------------------
def test_page_is_whole_and_self_contained(tmp_path):
    write_stories(make(tmp_path))
    text, words = page_of(tmp_path)
    for label, _ in RUNS:
        assert words.count(label) >= 3
    assert report.answer(tmp_path) in words
    assert "Does <learning> pay?" in words and "<learning>" not in text                        # escaped
    assert "Heat & <Dust>" in words and "1 of 2 liked" in words and "three users were" in words
    assert "films.parquet" in words and "9 of 10 random splits" in words and "79 %" in words
    assert "15 % more probability" in words                                                    # e^.14 = 1.150
    assert "numpy 9.9.9" in words and "abcdef012345" in words and "python -m platform.tune toy.yaml" in words
    assert "Likes per session" in words and text.count("<svg") == 3
    assert text == report.write_report(tmp_path).read_text(encoding="utf-8")                   # the same page again


@pytest.mark.parametrize("columns", [{"eval/return_mean": np.nan}, {"rollout/reward_mean": np.nan},
                                     {"eval/return_mean": None, "rollout/reward_mean": np.nan}])
def test_page_without_parts(tmp_path, columns):
    text, words = page_of(make(tmp_path, env="CartPole-v1", calibration=False, **columns))
    assert "trusted" not in words and "shown, before" not in words and "Return per session" in words
    assert text.count("<svg") == (1 if len(columns) == 2 else 2)


def test_page_with_one_seed_no_machine_and_no_curves(tmp_path):
    one = {key: table[:1] for key, table in RUNS.items()}
    make(tmp_path, one, seeds=1, calibration=False)
    (tmp_path / "machine.json").unlink()
    (tmp_path / "curves.parquet").unlink()
    _, words = page_of(tmp_path)
    assert "its interval speaks of other users only" in words and "It cannot be told from one seed" in words


def test_page_without_random_oracle_and_reference(tmp_path):
    _, words = page_of(make(tmp_path, {("ucb", "ours"): RUNS["ucb", "ours"]}, reference="", env="CartPole-v1"))
    assert "the best learner is ucb" in words and "Way from" not in words


def test_unequal_budgets(tmp_path):
    make(tmp_path, env="recloop/Bandit-v0", calibration=False)
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    scores.loc[scores.kind == "rllib", "env_steps"] = 128
    scores.to_parquet(tmp_path / "scores.parquet")
    _, words = page_of(tmp_path)
    assert "did not take equally many environment steps: 64 to 128" in words


def test_regret_is_less_is_better(tmp_path):
    """Scores are minus the regret; the page shows regret, the least of it first, differences with their own sign."""
    runs = {("random", "reference"): [[-100.0]], ("ab", "ours"): [[-50.0], [-60.0]],
            ("ts", "ours"): [[-20.0], [-24.0]]}
    make(tmp_path, runs, env="recloop/BernoulliBandit-v0", reference="ab", calibration=False)
    saved = yaml.safe_load((tmp_path / "experiment.yaml").read_text()) | {"score": "regret"}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(saved))
    pd.DataFrame({"trial": "ts/0", "algorithm": "ts", "kind": "ours", "runs": 1, "t": [1, 10, 64],
                  "mean": [1.0, 9.0, 20.0], "sd": 0.0, "high": [1.0, 9.0, 20.0]}
                 ).to_parquet(tmp_path / "regret.parquet")
    board = report.leaderboard(tmp_path).set_index("algorithm")
    assert list(board.index) == ["ts", "ab", "random"] and list(board["mean"]) == [22.0, 55.0, 100.0]
    np.testing.assert_allclose(board.share, [0.78, 0.45, 0.0])
    ts = board.loc["ts"]                                      # variances 4 and 25: Welch's ν = 29²/(16 + 625) = 1.31
    assert ts.difference == -33.0 and ts.difference_low < -33 < ts.difference_high
    assert ts.difference_high - ts.difference_low == pytest.approx(2 * 7.33 * 29**0.5, rel=0.02)
    assert "the best learner, ts, beats ab: 22.0 against 55.0 regret after 64" in report.answer(tmp_path)
    text, words = page_of(tmp_path)
    assert text.count("<svg") == 2 and "logarithmic time" in words and "to no regret" in words


def test_tuning_trials_are_listed(tmp_path):
    make(tmp_path)
    tried = [{"params": {"gamma": gamma}, "score": score, "env_steps": 64} for gamma, score in ((0.5, 6.0), (0.9, 7.0))]
    (tmp_path / "search.json").write_text(json.dumps({"a2c": {**tried[1], "trials": tried}}))
    _, words = page_of(tmp_path)
    assert "Tuning of a2c: 2 configurations" in words and words.index("gamma = 0.9") < words.index("gamma = 0.5")


def test_nothing_to_report_is_one_clear_error(tmp_path):
    make(tmp_path)
    pd.DataFrame().to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(ValueError, match=r"scores\.parquet: no run has a final score"):
        report.write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_leaderboard_in_the_terminal(tmp_path):
    out = io.StringIO()
    report.print_leaderboard(make(tmp_path), Console(file=out, width=100))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "likes per session, 200 held-out users, 95 % intervals"
    (row,) = [line for line in lines if line.startswith("ucb")]
    assert row.startswith("ucb 13.0") and " 55 % +2.0" in row and row.endswith("2 30 2.5 s")
    assert all(len(line) <= 100 for line in out.getvalue().splitlines())
    narrow = io.StringIO()
    report.print_leaderboard(tmp_path, Console(file=narrow, width=80))
    assert all(any(line.startswith(label) for line in narrow.getvalue().splitlines()) for label, _ in RUNS)
    assert "…" not in narrow.getvalue() and "30 2.5 s" in " ".join(narrow.getvalue().split())


@pytest.mark.parametrize("function,value,text", [
    (report.duration, 0.0, "–"), (report.duration, 0.01, "< 0.1 s"),
    (report.duration, 2.04, "2.0 s"), (report.duration, 200.9, "3 min 20 s"),
    (report.duration, 9000, "2.5 h"), (report.rate, 51_283.0, "51,300"), (report.rate, 204.4, "204"),
    (report.rate, None, "–"),
    (report.percent, -0.051, "−5 %"), (report.percent, float("nan"), "–"), (report.whole, 64_000, "64,000")])
def test_numbers_as_words(function, value, text):
    assert function(value) == text
