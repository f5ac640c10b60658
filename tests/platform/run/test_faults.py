"""A day of faults: each ends in a sentence and an exit status; what is continued has the undisturbed run's numbers."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.runs import SMALL, assert_same_numbers, command, file_of, wait_for

pytestmark = pytest.mark.slow

FAULTY = '''
import os
import time

import gymnasium as gym
import numpy as np


class Faulty(gym.Env):
    """Ten steps a session; from its ``after``-th step on it raises, or sleeps, and so does then every other one."""

    def __init__(self, fault="raise", after=10**9):
        self.observation_space, self.action_space = gym.spaces.Box(0, 1, (1,)), gym.spaces.Discrete(2)
        self.fault, self.after, self.steps = fault, after, 0
        os.chdir(os.path.dirname(__file__))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.at += 1
        self.steps += 1
        if self.steps > self.after:
            if self.fault == "raise":
                raise ZeroDivisionError("no more stock")
            open("hung", "w").close()
        if os.path.exists("hung"):
            time.sleep(3600)
        return np.zeros(1, np.float32), float(action), self.at == 10, False, {}


gym.register("Faulty-v0", Faulty)
'''


def run(*arguments, timeout=280, **how):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=timeout, **how)


def calm(folder, raw=SMALL):
    """(file, results of the undisturbed run)"""
    path, out = file_of(folder, raw), folder / "calm"
    done = run(path, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return path, out


def faulty(folder, workers, step_timeout=None, **params):
    (folder / "faulty_shop.py").write_text(FAULTY)
    return file_of(folder, {
        "name": "faulty", "question": "What is said of a fault?",
        "env": {"id": "faulty_shop:Faulty-v0", "params": params},
        "population": {"shards": 2, "users_per_shard": 2, "eval_users": 2, "validation_users": 2},
        "budget": {"env_steps": 4000, "reports": 5}, "algorithms": [{"name": "ucb"}],
        "resources": {"workers": workers, "cpus": 4} | ({"step_timeout": step_timeout} if step_timeout else {})})


def here(folder):
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": os.pathsep.join(
        [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}}


def test_ten_workers_killed_change_nothing(tmp_path):
    raw = SMALL | {"algorithms": [{"name": "thompson"}], "resources": {"workers": 2, "cpus": 4},
                   "budget": {"env_steps": 128_000, "reports": 20}}
    path, undisturbed = calm(tmp_path, raw)
    out = tmp_path / "out"
    victim = subprocess.Popen(command(path, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    dice, killed = random.Random(0), 0
    end = time.monotonic() + 240
    while killed < 10 and victim.poll() is None and time.monotonic() < end:
        if workers := simulators(victim.pid):
            os.kill(dice.choice(workers), signal.SIGKILL)
            killed += 1
        time.sleep(1.0)
    said, _ = victim.communicate(timeout=240)
    assert victim.returncode == 0 and killed == 10, said
    assert_same_numbers(undisturbed, out)
    notices = json.loads((out / "machine.json").read_text())["notices"]
    assert sum("was replaced; nothing is lost" in line for line in notices) >= 5 and "was replaced" in said


def simulators(driver: int) -> list[int]:
    """The workers below a driver: processes that Ray has called after the class."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, title = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:                                    # gone meanwhile
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        if title.startswith(b"ray::Simulator"):
            found.append(int(folder.name))
    return sorted(pid for pid in found if driver in _above(pid, parents))


def _above(pid, parents):
    while pid in parents:
        pid = parents[pid]
        yield pid


@pytest.mark.timeout(900)
def test_a_driver_killed_five_times(tmp_path):
    path, undisturbed = calm(tmp_path)
    out = tmp_path / "out"
    for lines in (3, 10, 18, 26, 34):
        start = command(path, "--out", out) if lines == 3 else command("--resume", out)
        victim = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(out / "curves.jsonl", lines)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        assert not (out / "scores.parquet").exists()       # nothing half-done looks complete
    done = run("--resume", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_numbers(undisturbed, out)


def test_a_disk_that_fills_up_in_the_middle(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small disk of its own (tmpfs) needs root")
    path, undisturbed = calm(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "none", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
    try:
        full = run(path, "--out", disk / "out")
        assert full.returncode == 1, full.stdout + full.stderr
        assert f"error: the disk is full; make room, then continue with: recloop tune --resume {disk / 'out'}" \
            in full.stderr and "Traceback" not in full.stderr
        assert not (disk / "out" / "report.html").exists()
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        done = run("--resume", disk / "out")
        assert done.returncode == 0, done.stdout + done.stderr
        assert_same_numbers(undisturbed, disk / "out")
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_that_raises_is_named(tmp_path, workers):
    done = run(faulty(tmp_path, workers, fault="raise", after=300), "--out", tmp_path / "out", **here(tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout
    assert "Faulty-v0, step " in done.stdout and "it raised ZeroDivisionError: no more stock" in done.stdout
    assert "tracebacks: " in done.stdout and "no more stock" in (tmp_path / "out" / "errors.txt").read_text()


def test_a_step_that_hangs_is_stopped_where_workers_play(tmp_path):
    path = faulty(tmp_path, 2, step_timeout=6.0, fault="sleep", after=150)
    done = run(path, "--out", tmp_path / "out", **here(tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout
    assert "did not come back within resources.step_timeout = 6 s" in done.stdout
    assert "was stopped after 6 s with shard" in done.stdout and "its sessions in flight are lost" in done.stdout


def test_a_step_that_hangs_is_named_where_it_cannot_be_stopped(tmp_path):
    path = faulty(tmp_path, 0, fault="sleep", after=150)
    victim = subprocess.Popen(command(path, "--out", tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, **here(tmp_path))
    wait_for(tmp_path / "out" / "notices.jsonl", 1)
    time.sleep(3)
    victim.terminate()
    said, error = victim.communicate(timeout=60)
    assert victim.returncode == 143 and "shard 0 of faulty_shop:Faulty-v0" in said
    assert "has not come back for 30 s" in said or "has not come back for 31 s" in said
    assert error.strip().startswith("terminated; continue with")


def test_a_cluster_that_asks_for_a_token(tmp_path):
    """Ray's own words for it are a traceback; joined with the token, the command says where it is."""
    (tmp_path / "bare").mkdir()
    place = tempfile.mkdtemp(prefix="ray-")                # names of sockets must be short
    plain = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")} | {"HOME": str(tmp_path / "bare")}
    secret = plain | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    address, where = "127.0.0.1:6399", ["--out", tmp_path / "out"]
    head = subprocess.run([*ray, "start", "--head", "--port=6399", "--num-cpus=2", "--include-dashboard=false",
                           f"--temp-dir={place}"], env=secret, capture_output=True, text=True, timeout=120)
    try:
        assert head.returncode == 0, head.stdout + head.stderr
        path = file_of(tmp_path, SMALL | {"budget": {"env_steps": 640, "reports": 1}, "algorithms": [{"name": "ucb"}],
                                          "resources": {}})
        refused = run(path, "--address", address, *where, env=plain | {"RAY_AUTH_MODE": "disabled"}, timeout=120)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr, refused.stderr
        assert f"error: --address {address}: Ray cannot join a cluster there" in refused.stderr
        assert "RAY_AUTH_TOKEN" in refused.stderr
        joined = run(path, "--address", address, *where, env=secret)
        assert joined.returncode == 0, joined.stdout + joined.stderr
        assert "joined the Ray cluster at" in joined.stdout and "1 machine, 2 CPUs" in joined.stdout
    finally:
        subprocess.run([*ray, "stop", "--force"], env=secret, capture_output=True, timeout=60)
        shutil.rmtree(place, ignore_errors=True)
