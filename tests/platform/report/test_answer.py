"""The sentence that answers the experiment's question."""
import pytest
from support.results_folder import ROWS, Made, make, read, standings, write_calibration

from platform.report import page
from platform.report.answer import answer


def steady(level, runs=3, spread=0.1):
    return [[level + spread * s + b for b in (-1.0, 1.0, 0.5)] for s in range(runs)]


def races(learner, other=5.0, runs=3, spread=0.1):
    return (Made("ucb", "learner", steady(learner, runs, spread)),
            Made("RLlib PPO", "rllib", steady(other, runs, spread)),
            Made("random", "reference", steady(0.0, 1)), Made("popularity", "reference", steady(10.0, 1)),
            Made("oracle", "bound", steady(20.0, 1)))


def said(folder) -> str:
    return answer(*read(folder)).text


def test_win(tmp_path):
    # runs 12, 12.1, 12.2 (the blocks add 1/6): d = 2.1, V = .01/3, df = 2; level 97.5 %: t = 6.2053, half-width .358
    assert said(make(tmp_path, races(12.0))) == (
        "Yes, ucb beats popularity: 12.27 against 10.17 likes per session (95 % interval of the "
        "difference +1.74 to +2.46, allowing for the choice among 2 learners; 3 seeds, 300 held-out users).")


@pytest.mark.parametrize(("learner", "passed"), [(18.0, False), (20.5, False), (26.0, True)])
def test_an_oracle_that_is_passed_is_no_upper_bound(tmp_path, learner, passed):
    """At 20.6 and an oracle at 20 a learner may be lucky with its users; at 26.1 it is not."""
    text = page.write_report(*read(make(tmp_path, races(learner)))).read_text()
    assert ("no upper bound here" in text) == ("knows the user" in text) == passed
    assert ("the best possible" in text) == ("how much there is to gain at best" in text) == (not passed)


def test_loss_says_how_far_it_came(tmp_path):
    text = said(make(tmp_path, races(8.0)))
    assert text.startswith("No, even the best learner, ucb, loses to popularity: 8.27 against 10.17")
    assert "−2.26 to −1.54" in text
    assert text.endswith("; it covers 81 % of the way from random to popularity.")


def test_unclear(tmp_path):
    text = said(make(tmp_path, races(9.5, spread=0.4)))
    assert text.startswith("It cannot be told yet whether the best learner, ucb, beats popularity: "
                           "10.07 against 10.17 likes per session")
    assert "contains zero" in text and "−1.53 to +1.33" in text


def test_the_choice_among_learners_widens_the_interval(tmp_path):
    """d = .6 with V = .04/3: the 95 % interval ± .497 excludes 0, that for the best of two (± .716) does not."""
    ucb, ppo, *fixed = races(9.4, spread=0.2)
    ucb = ucb._replace(runs=steady(10.4, 3, 0.2))
    found = standings(make(tmp_path, (ucb, ppo, *fixed)))
    assert found["ucb"].difference.low == pytest.approx(0.6 - 4.302653 * (0.04 / 3) ** 0.5)
    assert said(tmp_path).startswith("It cannot be told yet")
    assert said(make(tmp_path, (ucb, *fixed))).startswith("Yes, ucb beats")


def test_without_enough(tmp_path):
    assert said(make(tmp_path, races(15.0, runs=1))).startswith("It cannot be told from one seed whether")
    text = said(make(tmp_path, races(12.1), reference="", env="recloop/Ladder-v0"))
    assert text.startswith("There is no policy of today to compare with: the best learner is ucb with 12.37 return per "
                           "session (95 % interval ")
    assert text.endswith("61 % of the way from random to oracle.")                            # 12.2 / 20
    assert said(make(tmp_path, ROWS[3:])) == "No learner has finished, so the question stays open."


def test_a_log_that_teaches_nothing_ranks_nobody(tmp_path):
    make(tmp_path)
    write_calibration(tmp_path, teaches=False, why="the gain is below 0 in 4 of 10 splits")
    assert said(tmp_path) == ("This log teaches nothing about who likes what, so nobody is ranked: "
                              "the gain is below 0 in 4 of 10 splits.")
    assert list(standings(tmp_path))[:3] == ["ucb", "a2c", "RLlib PPO"]                        # not in order of merit
    text = page.write_report(*read(tmp_path)).read_text()
    assert "No ranking." in text and "Ours against RLlib" not in text


def test_today_is_the_policy_that_wrote_the_log_and_no_other(tmp_path):
    """A ranking that nobody ran is called by its name; only the log's own policy is today's."""
    ours, theirs, random, popular, oracle = races(12.0)
    log = popular._replace(label="the log's policy", role="behaviour")
    make(tmp_path, (ours, theirs, random, log, oracle), reference="the log's policy")
    assert said(tmp_path).startswith("Yes, ucb beats today's policy (the log's policy): ")
