"""Gymnasium's own environments, raced from the YAMLs in tune_configs/gymnasium/ through the command line."""
import pandas as pd
import pytest

from platform import tune
from platform.experiment import reading

OWN = sorted(name for name, path in reading.shipped().items() if path.parent.name == "gymnasium")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "row", "goal"), [
    ("taxi", "q_learning", 7.8), ("frozen-lake", "q_learning", 0.72), ("cliff-walking", "q_learning", -13.0),
    ("acrobot", "dqn", -90.0), ("own-package", "q_learning", 10.0)])
def test_what_ours_reach_at_the_budget_of_the_file(name, row, goal, tmp_path):
    """The optimum: taxi 7.93, lake 0.74, cliff −13, shop 10; Gymnasium calls the acrobot solved at −100."""
    assert tune.main([name, "--out", str(tmp_path / name)]) == 0
    scores = pd.read_parquet(tmp_path / name / "scores.parquet")
    assert scores[scores["row"] == row]["return_mean"].mean() >= goal


def test_all_of_them_are_there():
    assert OWN == ["acrobot", "blackjack", "cliff-walking", "frozen-lake", "frozen-lake-8x8", "mountain-car",
                   "own-package", "taxi"]


def test_what_cannot_play_says_so(tmp_path):
    """LunarLander needs Box2D, which is not among what the project installs."""
    path = tmp_path / "lander.yaml"
    path.write_text("# Q?\nname: x\nenv: {id: LunarLander-v3}\nbudget: {env_steps: 1000}\nalgorithms: [{name: dqn}]\n")
    try:
        import Box2D  # noqa: F401
    except ImportError:
        with pytest.raises(reading.Problem, match=r"LunarLander-v3.*Box2D"):
            reading.read(path)
    else:
        reading.read(path)
