"""A race from the command line leaves its winner as a bundle, and report and terminal say so."""
import pytest

from platform import tune
from platform.serving import load_policy

RACE = """# Does a policy that explores by gaps beat chance?
name: toy
env: {id: recloop/TypesBandit-v0}
population: {users_per_shard: 8, eval_users: 50, validation_users: 10}
budget: {env_steps: 800, reports: 2}
seeds: 2
reference: random
algorithms: [{name: squarecb}]
resources: {workers: 0}
"""


@pytest.mark.slow
def test_a_race_leaves_its_winner(tmp_path, capsys):
    (tmp_path / "toy.yaml").write_text(RACE)
    assert tune.main([str(tmp_path / "toy.yaml"), "--out", str(tmp_path / "run")]) == 0
    assert f"bundle: {tmp_path}/run/bundle (squarecb)" in capsys.readouterr().out
    policy = load_policy(tmp_path / "run" / "bundle")
    assert policy.manifest["score"]["reference"] == "random" and policy.manifest["score"]["difference"] > 0
    assert policy.recommend(context=[1, 0, 0, 0, 0], k=2).items[0].id in policy.items
    assert "Serve it" in (tmp_path / "run" / "report.html").read_text()
