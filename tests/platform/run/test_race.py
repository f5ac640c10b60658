"""Numbers do not depend on workers, on their death, or on an interruption of the run."""
import errno
import json
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import ray
import torch
import yaml
from support.runs import SMALL, assert_same_numbers, command, file_of, wait_for

from custom_algos.core import tree_map
from custom_algos.rollout import make_rng
from platform.commands import tune
from platform.experiment import reading
from platform.judge import evaluation
from platform.run import fleet as fleet_module
from platform.run import folder as results
from platform.run import race
from platform.run.fleet import Fleet, LocalFleet
from platform.run.learner import Learner
from platform.run.trainable import Race
from platform.run.watch import Watch
from platform.run.workers import Simulator
from platform.trial import checkpoint
from platform.trial.trial import Role, Row, Spec, Trial


def trial(name, env_id="recloop/Logged-v0", params=None, role=Role.LEARNER, workers=0, shards=3, users_per_shard=16):
    params = {"impressions": 20} if params is None else params
    spec = Spec(env_id, params, name, {}, 11, shards, users_per_shard)
    return Trial(Row("x", "x", role, name), spec, 0, "final", budget=3 * 16 * 40, report_every=3 * 16 * 20,
                 validation_users=20, test_users=20, workers=workers)


def same(a, b):
    """Bit for bit equality of two trees."""
    checks = []
    tree_map(lambda x, y: checks.append(np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind == "f")), a, b)
    return bool(checks) and all(checks)


def trained(name, workers):
    side = Learner(trial(name, workers=workers))
    reports = [side.step() for _ in range(2)]
    state = side.algorithm.state_dict()
    side.stop()
    timeless = [{k: v for k, v in r.items() if not k.startswith("time")} for r in reports]
    return timeless, state


@pytest.mark.parametrize("name, counts", [("a2c", [2]), ("thompson", [1, 2]), ("lin_ucb", [2])])
def test_workers_do_not_change_the_numbers(ray_session, name, counts):
    curves, state = trained(name, 0)
    for workers in counts:
        other_curves, other_state = trained(name, workers)
        assert curves == other_curves
        assert same(state, other_state)


class Spy(Fleet):
    """Kills one worker with SIGKILL while its shard is being rolled."""

    def collect(self, policy, iteration, steps):
        if iteration == 2:
            os.kill(ray.get(self.workers[0].process.remote()), signal.SIGKILL)
        return super().collect(policy, iteration, steps)


def test_a_killed_worker_changes_nothing(ray_session):
    spec = Spec("recloop/Logged-v0", {"impressions": 20}, "thompson", {}, 5, 3, 16)
    results, told = [], []
    for fleet in (LocalFleet(spec), Spy(spec, 2, Watch(told.append))):
        policy = Simulator(spec).algorithm.policy_state()
        results.append([fleet.collect(policy, iteration, 10) for iteration in range(5)])
        lost = getattr(fleet, "lost", 0)
        fleet.stop()
    assert lost == 1                                       # the kill was seen …
    assert len(told) == 1 and "was replaced; nothing is lost" in told[0]                        # … told once …
    for calm, disturbed in zip(*results, strict=True):     # … and the transitions are the undisturbed ones
        for (batch, sums), (other, other_sums) in zip(calm, disturbed, strict=True):
            assert same(tuple_of(batch), tuple_of(other)) and same(sums, other_sums)


def test_a_shard_that_begins_anew_meets_other_sessions_than_its_first():
    """A third-party environment cannot save its state; count 0 leaves the numbers where they were."""
    spec = Spec("CartPole-v1", {}, "random", {}, 5, 1, 4)
    first, again, anew = (Simulator(spec).collect(0, 0, 5, restarts)[0] for restarts in (0, 0, 1))
    assert same(first.obs, again.obs) and not same(first.obs[0], anew.obs[0])


def test_a_worker_that_hangs_is_named_and_replaced_and_changes_nothing(ray_session, tmp_path, monkeypatch):
    marker = tmp_path / "hung"

    class HangsOnce(Simulator):                            # a local class travels by value
        def collect(self, shard, iteration, steps, restarts=0):
            if (shard, iteration) == (1, 1) and not marker.exists():
                marker.touch()
                time.sleep(3600)
            return super().collect(shard, iteration, steps, restarts)

    spec = Spec("recloop/Logged-v0", {"impressions": 20}, "thompson", {}, 5, 3, 16)
    told, policy = [], Simulator(spec).algorithm.policy_state()
    calm = LocalFleet(spec)
    monkeypatch.setattr(fleet_module, "Simulator", HangsOnce)
    fleet = Fleet(spec, 2, Watch(told.append, every=1.0), timeout=8.0)
    for iteration in range(3):
        for (batch, _), (other, _) in zip(calm.collect(policy, iteration, 10), fleet.collect(policy, iteration, 10),
                                          strict=True):
            assert same(tuple_of(batch), tuple_of(other))
    fleet.stop()
    told = [line for line in told if not line.startswith("no worker has started")]
    assert fleet.lost == 1 and told[0].startswith("shard 1 of recloop/Logged-v0 (iteration 1) has not come back for")
    assert told[-1].startswith("worker ") and "was stopped after 8 s with shard 1" in told[-1]


def test_what_takes_long_is_said_with_longer_pauses_between():
    told = []
    watch = Watch(told.append, every=0.2).start()
    with watch.at("training"), watch.at("shard 0"):
        time.sleep(1.2)
    with watch.at("the evaluation"):
        time.sleep(0.05)
    watch.close()
    assert all(line.startswith("shard 0 has not come back for") for line in told)
    assert 2 <= len(told) <= 3                             # after 0.2, 0.4 and 0.8 s, not at every look


def test_the_newest_whole_checkpoint_is_taken_and_the_broken_ones_are_named(tmp_path):
    folders = [tmp_path / f"checkpoint_{at:06d}" for at in range(3)]
    for at, folder in enumerate(folders):
        checkpoint.save(folder, {"at": at, "x": np.arange(3)})
        checkpoint.save(folder, {"report": at + 1}, "report")
    (folders[2] / "state.safetensors").unlink()
    (folders[1] / "state.safetensors").write_bytes(b"cut")
    loaded, told = [], []
    ours = object.__new__(Race)
    ours.side = SimpleNamespace(load=lambda folder: loaded.append(checkpoint.load(folder)["at"]))
    ours.report, ours._tell = 3, told.append
    ours.load_checkpoint(str(folders[2]))
    assert loaded == [0] and ours.report == 1 and len(told) == 2 and "passed over" in told[0]
    (folders[0] / "state.json").unlink()
    with pytest.raises(checkpoint.Broken, match="no whole checkpoint"):
        ours.load_checkpoint(str(folders[2]))


def test_the_sessions_of_a_shard_that_cannot_be_saved_begin_anew_in_every_resumed_run():
    spec = Spec("CartPole-v1", {}, "random", {}, 5, 2, 4)
    fleet = LocalFleet(spec)
    policy = Simulator(spec).algorithm.policy_state()
    first = fleet.collect(policy, 0, 5)
    resumed = LocalFleet(spec)
    resumed.set_state(fleet.get_state())
    assert resumed.restarts == [1, 1]
    assert not same(first[0][0].obs[0], resumed.collect(policy, 1, 5)[0][0].obs[0])


def test_losses_are_counted_in_a_window():
    fleet = object.__new__(Fleet)
    fleet.workers, now = [None, None], time.monotonic()
    fleet.losses = [(i, now) for i in range(20)]
    assert fleet._too_many(20)                             # 20 of two workers in the last minutes
    fleet.losses = [(i, now - 1000) for i in range(20)]
    assert fleet._too_many(50)                             # … or in the last iterations
    assert not fleet._too_many(110) and len(fleet.losses) == 9             # the older ones are forgotten


def test_what_a_half_written_line_is_followed_by_is_kept(tmp_path):
    path = tmp_path / "curves.jsonl"
    results.append(path, {"trial": "a", "iteration": 1})
    path.write_bytes(path.read_bytes() + b'{"trial": "a", "iter')
    results.append(path, {"trial": "a", "iteration": 2})
    results.append(path, {"trial": "b", "iteration": 1})
    assert [row["iteration"] for row in results.read_lines(path)] == [1, 2, 1]
    results.forget(path, {"a"})
    assert [row["trial"] for row in results.read_lines(path)] == ["b"]


def test_a_full_disk_ends_in_a_sentence_that_says_how_to_go_on(monkeypatch, small, tmp_path, capsys):
    def full(*_, **__):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("the run failed") from error

    monkeypatch.setattr(race, "search", full)
    assert tune.main([str(small), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "the disk is full; make room, then continue with: recloop tune --resume" in said and "Traceback" not in said


def tuple_of(batch):
    return {name: value for name, value in batch._asdict().items() if value is not None}


@pytest.fixture
def small(tmp_path):
    return file_of(tmp_path, SMALL)


@pytest.mark.slow
def test_a_killed_driver_resumes_to_the_same_numbers(small, tmp_path):
    calm, cut = tmp_path / "calm", tmp_path / "cut"
    assert subprocess.run(command(small, "--out", calm), capture_output=True, timeout=240).returncode == 0
    victim = subprocess.Popen(command(small, "--out", cut), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True)
    wait_for(cut / "curves.jsonl", lines=8)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    assert not (cut / "scores.parquet").exists()           # nothing half-done looks complete
    resumed = subprocess.run(command("--resume", cut), capture_output=True, text=True, timeout=240)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert_same_numbers(calm, cut)


@pytest.mark.slow
def test_sigterm_says_how_to_resume_and_a_broken_checkpoint_is_passed_over(small, tmp_path):
    """The newest checkpoint of every trial lacks a file or is cut short: an older one gives the same numbers."""
    calm, cut = tmp_path / "calm", tmp_path / "cut"
    assert subprocess.run(command(small, "--out", calm), capture_output=True, timeout=240).returncode == 0
    victim = subprocess.Popen(command(small, "--out", cut), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(cut / "curves.jsonl", lines=12)
    victim.terminate()
    _, said = victim.communicate(timeout=60)
    assert victim.returncode == 143 and said.strip() == f"terminated; continue with: recloop tune --resume {cut}"
    assert not (cut / "scores.parquet").exists()
    for one in (cut / "tune" / "final").glob("*/*/"):        # Tune may ask for any of them
        for at, saved in enumerate(sorted(one.glob("checkpoint_*"))[1:]):
            arrays = saved / "state.safetensors"
            arrays.write_bytes(arrays.read_bytes()[:-3]) if at % 2 else arrays.unlink()
    resumed = subprocess.run(command("--resume", cut), capture_output=True, text=True, timeout=240)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert_same_numbers(calm, cut)


def test_one_table_for_ours_and_rllib(tmp_path, ray_session):
    """A real race of ours and RLlib's: equal real steps, one table, finite numbers, a report."""
    rows = {**SMALL, "budget": {"env_steps": 3200, "reports": 2},
            "algorithms": [{"name": "thompson"},
                           {"rllib": "PPO", "params": {"train_batch_size_per_learner": 800, "minibatch_size": 400,
                                                       "num_epochs": 1}}]}
    path = tmp_path / "both.yaml"
    path.write_text(yaml.safe_dump(rows))
    from rich.console import Console

    e = reading.read(path)
    folder = race.run(e, results.new_folder(e, str(tmp_path / "out")), Console(file=open(os.devnull, "w")))
    scores = pd.read_parquet(folder / "scores.parquet")
    assert set(scores.algorithm) == {"thompson", "RLlib PPO", "random", "popularity", "best fixed ranking",
                                     "Bayes reference", "oracle"}
    mean = scores.groupby("algorithm").return_mean.mean()
    assert mean["random"] < mean["popularity"] < mean["oracle"] <= 20
    steps = scores.groupby("algorithm").env_steps.max()
    assert steps["thompson"] == 3200 and 3200 <= steps["RLlib PPO"] < 3200 + 800
    users = scores.groupby("algorithm").users.sum()
    assert (users == 40).all()                             # the same held-out users for everybody
    assert json.loads((folder / "calibration.json").read_text())["gain_over_base"] > 0.1
    assert len(results.read_lines(folder / "tables.jsonl")) == 7


def baseline_that_says(env_id, params, *numbers):
    """RLlib's PPO, untrained, with a network that puts out ``numbers`` whatever it sees."""
    from platform.run.rllib import Baseline

    side = Baseline(trial("PPO", env_id, params, Role.RLLIB, shards=1, users_per_shard=4))
    head = side.algorithm.get_module().pi
    with torch.no_grad():
        for part in head.parameters():
            part.zero_()
        bias = [part for part in head.parameters() if part.ndim == 1][-1]
        bias[:len(numbers)] = torch.tensor(numbers)
    return side


def test_a_control_of_rllib_s_means_what_its_runners_make_of_it(ray_session):
    """RLlib's networks speak of [−1, 1]: .5 is a torque of 1 of at most 2, and 3 is the largest torque."""
    for says, torque in ((0.5, 1.0), (-0.25, -0.5), (3.0, 2.0)):
        side = baseline_that_says("recloop/Pendulum-v1", {}, says)
        action, _ = side.policy.act(np.zeros((5, 3), np.float32), make_rng(0), explore=False)
        np.testing.assert_allclose(action, np.full((5, 1), torque), rtol=1e-6)
        side.stop()


@pytest.mark.parametrize("env_id, params", [("recloop/InterestEvolution-v0", {}),
                                            ("recloop/SmallSlate-v0", {"observe": "one_hot"})])
def test_slates_of_rllib_s_may_repeat_an_item_and_that_is_counted(ray_session, env_id, params):
    side = baseline_that_says(env_id, params)                               # all places take the first item: 2 of 3
    rows = evaluation.score(env_id, params, side.policy, "test", 8)
    assert [row["repeated"] for row in rows] == pytest.approx([2 / 3])
    side.stop()
    ours = Learner(trial("reinforce", env_id, params))
    assert evaluation.score(env_id, params, ours.policy, "test", 8)[0]["repeated"] == 0.0
    ours.stop()
