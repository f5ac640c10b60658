"""cluster.yaml is what Ray accepts and installs what exists; a race goes on when a machine goes away."""
import copy
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "cluster.yaml").read_text())


def accept(config):
    """Ray's own check, as `ray up` makes it before it asks for a machine."""
    full = prepare_config(copy.deepcopy(config))
    validate_config(full)
    return full


def test_ray_accepts_the_file():
    full = accept(CONFIG)
    assert set(full["available_node_types"]) == {"head", "simulators"} and full["head_node_type"] == "head"


@pytest.mark.parametrize("edit", [
    lambda c: c.update(min_worker=1), lambda c: c["available_node_types"]["simulators"].update(setup_command="x"),
    lambda c: c.update(head_node_type="boss"), lambda c: c["available_node_types"]["simulators"].update(min_workers=99),
    lambda c: c["available_node_types"]["simulators"]["resources"].update(CPU=0.5), lambda c: c.pop("provider")],
    ids=["unknown key", "unknown key of a node type", "head not listed", "more workers than allowed", "half a CPU",
         "no provider"])
def test_ray_refuses_a_broken_one(edit):
    config = copy.deepcopy(CONFIG)
    edit(config)
    with pytest.raises((jsonschema.ValidationError, ValueError, KeyError)):
        accept(config)


def test_simulators_are_spot_machines_that_come_and_go_and_the_head_stays():
    head, simulators = (CONFIG["available_node_types"][name] for name in ("head", "simulators"))
    assert simulators["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert (simulators["min_workers"],
            head["max_workers"]) == (0, 0) and simulators["max_workers"] <= CONFIG["max_workers"]
    # the learners run there
    assert "InstanceMarketOptions" not in head["node_config"] and head["resources"]["CPU"] > 0
    assert "GPU" not in simulators["resources"]


def test_what_is_installed_exists_and_is_what_was_tested():
    mounted = {target: source for target, source in CONFIG["file_mounts"].items() if source == "."}
    (target, _), = mounted.items()
    folder = "~/" + Path(target).name
    commands = "\n".join(CONFIG["setup_commands"])
    named = re.findall(rf"{re.escape(folder)}(/[\w./-]+)?", commands)
    assert f"-e {folder}" in commands and "/constraints.txt" in named                   # the distribution, pinned
    assert all((ROOT / name.lstrip("/")).exists() for name in named)
    assert (ROOT / "pyproject.toml").exists() and (ROOT / "platform_startup.pth").exists()
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for name, version in re.findall(r"([\w-]+)==([\w.]+)", commands):
        assert pins[name] == version
    python, = set(re.findall(r"python(3\.\d+)", commands))
    assert f">={python}" in re.search(r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text())[1]
    excluded = {*CONFIG["rsync_exclude"], *(ROOT / ".gitignore").read_text().split()}
    assert not any((ROOT / name).exists() and name in excluded for name in ("platform", "envs", "custom_algos",
                                                                            "tune_configs", "README.md"))


def test_every_node_has_the_token_and_the_same_ray():
    assert "~/.ray/auth_token" in CONFIG["file_mounts"].values()
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        start, = [command for command in CONFIG[key] if "ray start" in command]
        assert "RAY_AUTH_MODE=token" in start and "~/venv/bin/ray" in start
    head = " ".join(CONFIG["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head and "--autoscaling-config" in head


SEVERAL_NODES = '''
import logging
import sys

import numpy as np
import ray
from ray.cluster_utils import Cluster
from platform.run.fleet import Fleet, LocalFleet
from platform.trial.trial import Spec

spare = int(sys.argv[1])
spec = Spec("recloop/Logged-v0", {"impressions": 20}, "thompson", {}, 3, shards=4, users_per_shard=8)
local = LocalFleet(spec)
policy = local.simulator.algorithm.policy_state()
wanted = [local.collect(policy, i, 25) for i in range(4)]

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2 + spare)]
ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
fleet = Fleet(spec, 2)
found = [fleet.collect(policy, 0, 25)]


def place(worker):
    import ray
    return ray.get_runtime_context().get_node_id()


actors = [ray.get(worker.__ray_call__.remote(place)) for worker in fleet.workers]
assert len(set(actors)) == 2, "the two workers must sit on two nodes"
cluster.remove_node(next(node for node in nodes if node.node_id == actors[0]), allow_graceful=False)
found += [fleet.collect(policy, i, 25) for i in range(1, 4)]
for a, b in zip(wanted, found, strict=True):
    for (left, sums), (right, others) in zip(a, b, strict=True):
        assert sums.keys() == others.keys() and all(np.array_equal(sums[name], others[name]) for name in sums)
        for name, x, y in zip(left._fields, left, right, strict=True):
            assert (x is None and y is None) or np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), name
print("EQUAL", fleet.lost, flush=True)
ray.shutdown()
cluster.shutdown()
'''


@pytest.mark.slow
@pytest.mark.parametrize("spare", [1, 0], ids=["a free node takes over", "the node that is left does all"])
def test_a_lost_machine_changes_nothing(spare, tmp_path):
    """Three nodes (a head without CPUs and one worker on each of two); one is taken away in the middle of a run."""
    (tmp_path / "several_nodes.py").write_text(SEVERAL_NODES)
    with open(tmp_path / "log", "w") as log:
        done = subprocess.run([sys.executable, "several_nodes.py", str(spare)], cwd=tmp_path, stdout=log, stderr=log,
                              timeout=150, check=False)
    text = (tmp_path / "log").read_text(errors="replace")
    assert done.returncode == 0 and "EQUAL 1" in text, text[-3000:]
