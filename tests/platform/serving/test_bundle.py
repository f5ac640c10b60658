"""Bundles: out of a race and into a process that knows neither Ray nor the simulator; damage is found and named."""
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.results_folder import Made, make

from custom_algos import ALGORITHMS, find_algorithm
from custom_algos.bandits.hashed_linear import REQUEST, HashedLinear
from custom_algos.core import Transition, make_config
from custom_algos.rollout import make_rng, train
from platform.commands import export as command
from platform.experiment import reading
from platform.experiment.model import Problem
from platform.experiment.plan import trials
from platform.run.saved import trial_name
from platform.serving import Event, Refused, load_policy
from platform.serving.bundle import NAMES, SUMS, _sums, read_manifest, save_bundle
from platform.serving.export import export
from platform.serving.fixed import FixedPolicy
from platform.serving.hashed import HashedPolicy
from platform.serving.spaces import first, plain, space_of
from platform.trial import checkpoint
from platform.trial.build import make_algorithm, make_env, task_of
from platform.trial.trial import Role

ENV, KEY = "recloop/TypesBandit-v0", bytes(range(32))
ROWS = (Made("squarecb", "learner", [[10.0, 14.0], [12.0, 16.0]], row="squarecb"),
        Made("ucb", "learner", [[3.0, 7.0], [3.0, 7.0]], row="ucb"),
        Made("random", "reference", [[0.0, 4.0]], row="random"))
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two learners, whose second seed of squarecb did best on validation users."""
    folder = make(tmp_path_factory.mktemp("run"), ROWS, env=ENV, reference="random", calibration=False)
    for trial in trials(reading.read(folder / "experiment.yaml"), "final"):
        if trial.row.role is Role.BOUND:
            continue
        algorithm = make_algorithm(trial.spec)
        if trial.row.role is Role.LEARNER:
            train(make_env(ENV, {}, 8), algorithm, 400, trial.spec.seed)
        checkpoint.save(folder / "checkpoints" / trial_name(trial), {"algorithm": algorithm.state_dict()})
    return folder


@pytest.fixture(scope="module")
def bundle(run):
    return export(run).folder


def test_the_best_learner_of_the_best_seed_is_exported(run, bundle):
    manifest = read_manifest(bundle)
    assert bundle == run / "bundle" and sorted(path.name for path in bundle.iterdir()) == sorted([*NAMES, SUMS])
    assert manifest["algorithm"] == "squarecb" and manifest["provenance"]["seed_number"] == 1
    assert manifest["provenance"]["commit"] == "abcdef0123456789" and manifest["provenance"]["seeds"] == 2
    score = manifest["score"]
    assert (score["mean"], score["difference"], score["reference"]) == (13.0, 11.0, "random")     # (12 + 14) / 2, − 2
    assert score["interval"][0] < 13.0 < score["interval"][1]
    assert manifest["ids"] == [str(a) for a in range(10)] and manifest["versions"]["numpy"] == np.__version__
    card = (bundle / "CARD.md").read_text()
    assert "13.000 return per session" in card and "Against random: +11.000" in card
    assert manifest["propensities"] and "it knows the exact chance" in card
    assert "These users are made up" in card and "seed 2 of 2" in card


def test_it_acts_with_the_bits_of_the_checkpoint(run, bundle):
    policy = load_policy(bundle)
    trial = next(t for t in trials(reading.read(run / "experiment.yaml"), "final")
                 if (t.row.id, t.seed_number) == ("squarecb", 1))
    original = make_algorithm(trial.spec, task_of(ENV, {}))
    original.load_state_dict(checkpoint.load(run / "checkpoints" / trial_name(trial))["algorithm"])
    obs = np.eye(5, dtype=np.float32)[np.arange(200) % 5].reshape(200, *original.obs_space.shape)
    for explore in (True, False):
        acted = [one.act(obs, make_rng(1), explore) for one in (policy.algorithm, original)]
        for ours, theirs in zip(*acted, strict=True):
            assert ours.tobytes() == theirs.tobytes()
    found = policy.recommend(context=obs[2].tolist(), key=KEY)
    chances = original.probabilities(original.scores(obs[2:3]))
    assert found.probabilities.tobytes() == chances[0].tobytes()
    before = original.state_dict()["totals"].tobytes()
    policy.learn([Event(None, obs[2].tolist(), None, "4", 1.0)])
    assert policy.algorithm.state_dict()["totals"].tobytes() != before


def test_another_row_and_another_folder(run, tmp_path, capsys):
    assert command.main([str(run), "--row", "ucb", "--out", str(tmp_path / "u")]) == 0
    assert "ucb is in" in capsys.readouterr().out
    policy = load_policy(tmp_path / "u")
    assert policy.manifest["algorithm"] == "ucb" and policy.recommend(context=[0.0] * 5, k=3, key=KEY).items[2].id
    assert command.main([str(run), "--row", "ucb", "--out", str(tmp_path / "u")]) == 0            # a bundle is replaced
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert command.main([str(run), "--out", str(tmp_path / "mine")]) == 2
    assert "not empty and no bundle" in capsys.readouterr().err and (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(("name", "says"), [("oracle", "valid are squarecb, ucb, random"), ("nobody", "valid are")])
def test_rows_that_cannot_be_exported_are_named(run, name, says):
    with pytest.raises(Problem, match=says):
        export(run, name)


def test_no_run_no_bundle(tmp_path):
    with pytest.raises(Problem, match="holds no finished run"):
        export(tmp_path)
    with pytest.raises(Refused, match=r"is no bundle .*recloop export RUN"):
        load_policy(tmp_path)


PROBE = """
import json, sys
from platform.serving import Event, load_policy
policy = load_policy(sys.argv[1])
found = policy.recommend(context=[0, 1, 0, 0, 0], k=2, key=bytes(range(32)))
for i in range(50):
    policy.learn([Event(None, [0, i / 50, 0.3, 0, 0], None, str(i % 10), i % 3 / 2, 0.25)])
heavy = [name for name in ("ray", "torch", "pandas", "pydantic", "envs", "matplotlib") if name in sys.modules]
print(json.dumps([[list(item) for item in found.items], policy.digest(), heavy]))
"""


def fresh_process(bundle, **environment):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE, str(bundle)], capture_output=True, text=True,
                          check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    return json.loads(done.stdout)


def in_this_process(bundle):
    policy = load_policy(bundle)
    found = policy.recommend(context=[0, 1, 0, 0, 0], k=2, key=KEY)
    for i in range(50):
        policy.learn([Event(None, [0, i / 50, 0.3, 0, 0], None, str(i % 10), i % 3 / 2, 0.25)])
    return [[list(item) for item in found.items], policy.digest()]


def test_a_fresh_process_needs_no_ray_no_torch_and_no_simulator(bundle):
    assert fresh_process(bundle) == [*in_this_process(bundle), []]


def test_decisions_and_learning_are_the_same_bits_on_another_kind_of_processor(bundle, tmp_path):
    """NumPy without its fast kernels, Numba for the least x86-64 there is, compiled anew."""
    other = fresh_process(bundle, NPY_DISABLE_CPU_FEATURES="AVX2 FMA3 AVX512F AVX512CD AVX512_SKX", NUMBA_OPT="1",
                          NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path))
    assert other == [*in_this_process(bundle), []]


# damage ---------------------------------------------------------------------------------------------------------------
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_changed_byte_anywhere_is_found(data, bundle, tmp_path):
    copy = tmp_path / "copy"
    if not copy.exists():
        shutil.copytree(bundle, copy)
    name = data.draw(st.sampled_from([*NAMES, SUMS]))
    whole = (copy / name).read_bytes()
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    (copy / name).write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1:])
    try:
        with pytest.raises(Refused, match=f"{name} was changed|{name}, |, {name}|was changed after"):
            load_policy(copy)
    finally:
        (copy / name).write_bytes(whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_or_missing_file_is_named(bundle, tmp_path, name):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(Refused, match=f"{name} was changed"):
        load_policy(copy)
    (copy / name).unlink()
    with pytest.raises(Refused, match=f"{name} is missing"):
        load_policy(copy)


def rewritten(bundle, folder, **changes):
    """A bundle whose digests are right and whose manifest is not."""
    copy = shutil.copytree(bundle, folder)
    manifest = json.loads((copy / "bundle.json").read_text()) | changes
    (copy / "bundle.json").write_text(json.dumps({key: value for key, value in manifest.items() if value != "gone"}))
    (copy / SUMS).write_text(_sums(copy))
    return copy


@pytest.mark.parametrize(("changes", "says"), [
    ({"format": 2}, "has format 2; this version of recloop reads format 1"),
    ({"algorithm": "os:system"}, "'os:system', which is not one of the project"),
    ({"algorithm": "ucb"}, "unknown parameter 'bits'"),
    ({"params": {"bits": 9}}, "the state's .* must be"),
    ({"params": {"epsilon": 2.0}}, "'epsilon' = 2.0 must lie in"),
    ({"params": "gone"}, "KeyError"),
    ({"observation_space": {"kind": "secret"}}, "kind 'secret'; valid are box"),
    ({"observer": "os:system"}, "'os:system' is not one of envs.fitted.observing:observe")])
def test_a_bundle_that_does_not_fit_is_refused_in_words(bundle, tmp_path, changes, says):
    with pytest.raises(Refused, match=says):
        load_policy(rewritten(bundle, tmp_path / "copy", **changes))


def test_another_numpy_is_noted(bundle, tmp_path):
    assert load_policy(bundle).notes == []
    copy = rewritten(bundle, tmp_path / "copy", versions={"numpy": "1.26.0", "python": sys.version.split()[0]})
    assert load_policy(copy).notes == [f"written with numpy 1.26.0, opened with {np.__version__}: numbers agree, their "
                                       "last bits need not"]


def test_a_bundle_appears_whole_or_not_at_all(bundle, tmp_path, monkeypatch):
    target = shutil.copytree(bundle, tmp_path / "b")
    monkeypatch.setattr("platform.serving.bundle._sums", lambda folder: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_bundle(target, {}, {}, {}, "card")
    monkeypatch.undo()
    assert load_policy(target).manifest["algorithm"] == "squarecb"


# every algorithm ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_leaves_the_simulator_with_its_bits(name, tmp_path):
    """Built with another seed, from what is on disk alone; 20 rounds of noise before."""
    if name == "sac":
        pytest.skip("its actions are controls, no items")
    found, rng = find_algorithm(name), make_rng(2)
    light = {"epochs": 1, "rollout_steps": 8} if name == "ppo" else {}
    for seen in (spaces.Box(-1, 1, (3,)), spaces.MultiDiscrete([3, 2])):
        with contextlib.suppress(ValueError):
            algorithm = found(seen, spaces.Discrete(3), make_config(found, light), 5)
            break
    obs = np.array([seen.sample() for _ in range(8)]) if isinstance(seen, spaces.Box) else rng.integers(2, size=(8, 2))
    for _ in range(20):
        steps = [algorithm.act(obs, rng) for _ in range(max(algorithm.rollout_steps, 1))]
        action, log_prob = (np.stack(part) for part in zip(*steps, strict=True))
        ends, whole = np.ones(action.shape, bool), np.repeat(obs[None], len(action), axis=0)
        algorithm.learn(Transition(whole, action, rng.random(action.shape, np.float32), whole, ends, ~ends, log_prob))
    kind = HashedPolicy if isinstance(algorithm, HashedLinear) else FixedPolicy
    policy = kind(algorithm, ["a", "b", "c"])
    save_bundle(tmp_path / "b", {
        "algorithm": name, "params": dataclasses.asdict(algorithm.config), "seed": 99, "ids": policy.items,
        "observation_space": plain(seen), "action_space": plain(algorithm.action_space), "whole": policy.learns},
        policy.state(), {"features": None, "numbers": None}, "card")
    loaded = load_policy(tmp_path / "b")
    for explore in (True, False):
        acted = [one.act(obs, make_rng(1), explore) for one in (loaded.algorithm, algorithm)]
        for ours, theirs in zip(*acted, strict=True):
            assert ours.tobytes() == theirs.tobytes()
    first, again = (one.recommend("u", obs[0].tolist(), k=2, key=KEY) for one in (policy, loaded))
    assert first.items == again.items and policy.digest() == loaded.digest()
    if policy.learns:
        event = Event("u", obs[1].tolist(), None, "b", 1.0, 0.5)
        for one in (policy, loaded):
            one.learn([event])
        assert policy.digest() == loaded.digest()


def test_the_first_value_of_a_space_is_one_of_it():
    pair = spaces.Tuple([spaces.Box(0, 9, (2,), np.uint8), spaces.MultiDiscrete([2, 3], start=[1, 5])])
    space = spaces.Dict({"a": spaces.Discrete(3, start=2), "b": pair})
    found = first(space)
    assert space.contains({"a": found["a"][0], "b": tuple(part[0] for part in found["b"])})


@pytest.mark.parametrize("space", [
    spaces.Box(-1, np.inf, (2, 3)), spaces.Box(np.array([0.0, -2.0]), np.array([1.0, np.inf]), dtype=np.float64),
    spaces.Discrete(5, start=-2), spaces.MultiDiscrete([3, 4]), spaces.MultiBinary(3),
    spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Tuple([spaces.Box(0, 255, (2,), np.uint8)])}), REQUEST])
def test_spaces_come_back_from_json(space):
    again = space_of(json.loads(json.dumps(plain(space), allow_nan=False)))
    assert again == space and list(getattr(again, "spaces", ())) == list(getattr(space, "spaces", ()))
