"""Experiments as YAML: what ships loads, what is broken is refused before Ray starts, in one message that helps."""
import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from platform import tune
from platform.experiment import checks, plan
from platform.experiment import reading as experiment
from platform.experiment.model import Experiment, Problem
from platform.experiment.yaml_text import load

SHIPPED = sorted(experiment.shipped().items())
GOOD = {
    "name": "good",
    "env": {"id": "recloop/BernoulliBandit-v0", "params": {"arms": 5}},
    "population": {"shards": 2, "users_per_shard": 8, "eval_users": 20, "validation_users": 10},
    "budget": {"env_steps": 1000},
    "algorithms": [{"name": "ucb"}, {"name": "epsilon_greedy", "label": "eps", "params": {"epsilon": 0.2}}],
}


@pytest.mark.parametrize("path", [path for _, path in SHIPPED], ids=[name for name, _ in SHIPPED])
def test_every_shipped_experiment_loads_and_asks_a_question(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ") and first.endswith("?")
    e = experiment.read(path)
    assert e.question == first[2:] and e.name
    assert experiment.read(path.stem) == e                # by name, from any directory
    trials = plan.trials(e, "final")
    assert len({trial.id for trial in trials}) == len(trials)
    assert len({plan.folder_name(trial.id) for trial in trials}) == len(trials)
    assert Experiment.model_validate(yaml.safe_load(yaml.safe_dump(e.model_dump()))) == e


def test_the_quickstart_is_there():
    assert "quickstart" in dict(SHIPPED)


# what is refused ------------------------------------------------------------------------------------------------------
def change(*path_and_value):
    """An edit of the good experiment: keys that lead there, then the value (`del` takes the key away)."""
    *keys, last, value = path_and_value

    def edit(raw):
        node = raw
        for key in keys:
            node = node.setdefault(key, {}) if isinstance(node, dict) else node[key]
        if value is del_:
            del node[last]
        else:
            node[last] = value
    return edit


del_ = object()
LOG = ("env", {"id": "recloop/Logged-v0"})
EPS = ("algorithms", 1, "params")
# name of the mistake: (edit, every piece of text that the one message must hold: key, value, what is valid)
BROKEN = {
    "unknown key": (change("populaton", {}), ["populaton", "valid are", "did you mean 'population'"]),
    "unknown nested key": (change("budget", "env_step", 5), ["budget.env_step", "= 5", "env_steps, reports"]),
    "unknown key of a row": (change("algorithms", 0, "parms", {}), ["algorithms.0.parms", "valid are", "'params'"]),
    "missing key": (change("budget", del_), ["budget", "missing"]),
    "wrong type": (change("seeds", "many"), ["seeds", "'many'", "integer"]),
    "text for a mapping": (change("env", "recloop/Ladder-v0"), ["env", "'recloop/Ladder-v0'", "mapping"]),
    "text for a list": (change("algorithms", "ucb"), ["algorithms", "'ucb'", "list"]),
    "half a step": (change("budget", "env_steps", 10.5), ["budget.env_steps", "10.5", "integer"]),
    "negative budget": (change("budget", "env_steps", -1), ["budget.env_steps", "-1", "greater than or equal to 1"]),
    "too small a budget": (change("budget", "env_steps", 15), ["budget.env_steps", "15", "16 users"]),
    "no algorithm": (change("algorithms", []), ["algorithms", "at least 1"]),
    "unknown environment": (change("env", "id", "recloop/BernouliBandit-v0"),
                            ["env.id", "BernouliBandit", "recloop/BernoulliBandit-v0"]),
    "environment of a missing package": (change("env", "id", "no_such_package:Shop-v0"), ["env", "no_such_package"]),
    "unknown environment parameter": (change("env", "params", {"arm": 5}), ["env", "'arm'", "valid are", "arms"]),
    "environment parameter out of range": (change("env", "params", {"arms": 0}), ["'arms'", "= 0", "must lie in ["]),
    "environment parameter of a wrong type": (change("env", "params", {"arms": "five"}), ["'arms'", "'five'", "int"]),
    "unknown value of a parameter": (change("env", "params", {"reward": "coin"}),
                                     ["'reward'", "'coin'", "bernoulli, gaussian"]),
    "unknown algorithm": (change("algorithms", 0, "name", "ucbb"),
                          ["algorithms.0", "'ucbb'", "valid are", "ucb", "my_package:MyAlgorithm"]),
    "algorithm of a missing package": (change("algorithms", 0, "name", "no_such_package:Best"),
                                       ["algorithms.0", "no_such_package"]),
    "a class that is no algorithm": (change("algorithms", 0, "name", "pathlib:Path"),
                                     ["algorithms.0", "pathlib:Path", "Algorithm"]),
    "unknown algorithm parameter": (change(*EPS, {"epsilom": 0.1}),
                                    ["algorithms.1", "epsilom", "0.1", "did you mean 'epsilon'"]),
    "algorithm parameter of a wrong type": (change(*EPS, {"epsilon": "often"}),
                                            ["algorithms.1", "'epsilon'", "'often'", "float"]),
    "a learner that does not fit": (change("env", {"id": "Pendulum-v1"}), ["algorithms.0", "Discrete"]),
    "impossible space": (change(*EPS, {"epsilon": {"uniform": [0.5, 0.1]}}),
                         ["params.epsilon", "[0.5, 0.1]", "low < high"]),
    "logarithm of a negative": (change(*EPS, {"epsilon": {"loguniform": [-1, 1]}}),
                                ["params.epsilon", "loguniform", "0 < low"]),
    "space of words": (change(*EPS, {"epsilon": {"uniform": ["a", "b"]}}), ["params.epsilon", "takes numbers"]),
    "endless space": (change(*EPS, {"epsilon": {"uniform": [0, float("inf")]}}),
                      ["params.epsilon", "inf", "takes numbers"]),
    "space with one end": (change(*EPS, {"epsilon": {"uniform": [0.1]}}), ["params.epsilon", "[low, high]"]),
    "empty choice": (change(*EPS, {"epsilon": {"choice": []}}), ["params.epsilon", "choice", "list"]),
    "a wrong choice": (change(*EPS, {"epsilon": {"choice": [0.1, "often"]}}), ["'epsilon'", "'often'", "float"]),
    "fractions for a whole number": (change("algorithms", 1,
                                            {"name": "a2c", "params": {"rollout_steps": {"uniform": [1, 9]}}}),
                                     ["a2c", "'rollout_steps'", "int"]),
    "unknown search word": (change(*EPS, {"epsilon": {"between": [0, 1]}}),
                            ["params.epsilon", "'between'", "loguniform"]),
    "space over an unknown parameter": (change(*EPS, {"epsilom": {"uniform": [0, 1]}}),
                                        ["epsilom", "valid are", "epsilon"]),
    "unknown scheduler": (change("search", {"scheduler": "best"}), ["search.scheduler", "'best'", "'asha' or 'fifo'"]),
    "more CPUs than there are": (lambda raw: raw.update(population={"users_per_shard": 64},
                                                        resources={"workers": 64, "cpus": 2}),
                                  ["resources.workers = 64", "65 CPUs", "there are 2", "workers ≤ 1"]),
    "more workers than users": (change("resources", {"workers": 64, "cpus": 128}),
                                ["resources.workers", "64", "16 users"]),
    "both ours and RLlib's": (change("algorithms", 0, "rllib", "PPO"), ["algorithms.0", "either name", "both"]),
    "neither ours nor RLlib's": (change("algorithms", 0, {"label": "x"}), ["algorithms.0", "either name", "neither"]),
    "equal labels": (change("algorithms", 0, "label", "eps"), ["'eps'", "different labels"]),
    "labels that name the same folder": (lambda raw: raw["algorithms"].__setitem__(slice(None), [
        {"name": "ucb", "label": "a/b"}, {"name": "ucb", "label": "a b"}]), ["'a/b'", "names of folders"]),
    "unknown score": (change("score", "luck"), ["score", "'luck'", "'session', 'collected' or 'regret'"]),
    "regret that nobody knows": (lambda raw: raw.update(env={"id": "recloop/Ladder-v0"}, score="regret"),
                                 ["score = 'regret'", "recloop/Ladder-v0", "session, collected"]),
    "replications that do not divide": (lambda raw: raw.update(score="regret", population={
        "users_per_shard": 16, "replications": 5}), ["population.replications = 5", "16 users"]),
    "replications over shards": (lambda raw: raw.update(score="regret", population={
        "users_per_shard": 8, "shards": 2, "replications": 8}), ["replications", "one shard"]),
    "replications of a final policy": (change("population", {"users_per_shard": 16, "replications": 8}),
                                       ["population.replications = 8", "score: regret"]),
    "replications in a row": (change(*EPS, {"replications": 8}), ["algorithms.1", "population.replications"]),
    "a learner without replications": (lambda raw: raw.update(
        score="regret", population={"users_per_shard": 16, "replications": 8}, algorithms=[{"name": "a2c"}]),
        ["a2c", "has no replications", "seeds"]),
    "RLlib's regret": (lambda raw: raw.update(score="regret", algorithms=[{"rllib": "PPO"}]),
                       ["score = 'regret'", "RLlib PPO", "score: session"]),
    "name that is no folder": (change("name", "a/b"), ["name", "'a/b'"]),
    "unknown reference": (change("reference", "best"), ["reference", "'best'", "ucb, eps, random"]),
    "popularity without a log": (change("reference", "popularity"), ["reference", "popularity", "log"]),
    "estimates without a log": (change("estimates", ["ips"]), ["estimates", "ips", "log"]),
    "unknown estimate": (change("estimates", ["magic"]), ["estimates", "'magic'", "direct_method"]),
    "estimates without propensities": (lambda raw: raw.update(env={"id": "recloop/Logged-v0"},
                                                              estimates=["direct_method", "ips"]),
                                       ["estimates", "ips", "MovieLens", "propensities", "direct_method"]),
    "from_log without a log": (change("algorithms", 0, "from_log", True), ["algorithms.0", "from_log", "log"]),
    "a view of other users": (change("algorithms", 0, "view", {"arms": "3"}), ["algorithms.0", "view.arms", "observe"]),
    "a view that is none": (change("algorithms", 0, "view", {"observe": "all"}), ["algorithms.0", "'observe'", "all"]),
    "offline without a log": (change("algorithms", 0, "online", False), ["algorithms.0", "online = false", "from_log"]),
    "a log of an unknown policy": (change("log", {"name": "nobody", "rows": 5}), ["log (nobody)", "'nobody'"]),
    "a policy that shows no rows": (change("log", {"name": "ucb", "rows": 0}), ["log.rows", "0", "greater than or"]),
    "a log beside a log": (lambda raw: raw.update(env={"id": "recloop/Logged-v0"}, log={"name": "ucb", "rows": 5}),
                           ["log (ucb)", "recloop/Logged-v0 needs no log"]),
    "missing data": (change("env", {"id": "recloop/Logged-v0", "params": {"path": "nowhere.parquet"}}),
                     ["nowhere.parquet", "no such file"]),
    "data that is no log": (change("env", {"id": "recloop/Logged-v0", "params": {"path": "text.csv"}}),
                            ["text.csv", "user", "missing"]),
    "data that is no Parquet": (change("env", {"id": "recloop/Logged-v0", "params": {"path": "broken.parquet"}}),
                                ["broken.parquet", "not a readable .parquet"]),
    "empty data": (change("env", {"id": "recloop/Logged-v0", "params": {"path": "empty.csv"}}), ["empty.csv"]),
    "a log without rows": (change("env", {"id": "recloop/Logged-v0", "params": {"path": "rows.csv"}}),
                           ["rows.csv", "no rows"]),
}
RLLIB = {
    "unknown RLlib algorithm": (change("algorithms", 0, {"rllib": "PPPO"}), ["algorithms.0", "'PPPO'", "PPO, APPO"]),
    "unknown RLlib parameter": (change("algorithms", 0, {"rllib": "PPO", "params": {"lrr": 1}}),
                                ["algorithms.0", "lrr", "closest", "lr"]),
    "RLlib without masks": (lambda raw: raw.update(env={"id": "recloop/Logged-v0"}, algorithms=[{"rllib": "DQN"}]),
                            ["algorithms.0", "'DQN'", "mask", "PPO"]),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the broken data files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.csv").write_text("some,words\n1,2\n")
    (tmp_path / "broken.parquet").write_text("PAR1 but no more")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "rows.csv").write_text("user,item,click\n")
    return tmp_path


def write(folder: Path, raw: dict, name: str = "mine.yaml") -> str:
    (folder / name).write_text("# Does it run?\n" + yaml.safe_dump(raw))
    return name


def refuse(capsys, arguments, *pieces) -> str:
    """Run the command; it must end with 2 and one message on standard error, and nothing else."""
    assert tune.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and "Traceback" not in err
    assert err.count("error: ") == 1 and len(err.strip().splitlines()) == 1, err
    assert [piece for piece in pieces if piece not in err] == [], err
    return err


@pytest.mark.parametrize("mistake", [*BROKEN, *RLLIB])
def test_a_broken_experiment_is_refused_before_ray_starts(mistake, folder, capsys, monkeypatch):
    edit, pieces = (BROKEN | RLLIB)[mistake]
    raw = copy.deepcopy(GOOD)
    edit(raw)
    monkeypatch.setattr("platform.run.race.run", lambda *a, **k: pytest.fail("it went on to Ray"))
    before = "ray" in sys.modules and sys.modules["ray"].is_initialized()
    refuse(capsys, [write(folder, raw)], "mine.yaml", *pieces)
    assert ("ray" in sys.modules and sys.modules["ray"].is_initialized()) is before
    # no results folder
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv"] * 3 + [".parquet", ".yaml"]


def test_refusing_needs_no_ray(folder):
    """In a fresh process: every mistake that is not RLlib's is found without importing Ray."""
    files = []
    for number, (edit, _) in enumerate(BROKEN.values()):
        raw = copy.deepcopy(GOOD)
        edit(raw)
        files.append(write(folder, raw, f"{number}.yaml"))
    probe = ("import sys, warnings; warnings.simplefilter('ignore')\nfrom platform import tune\n"
             "codes = [tune.main([file]) for file in sys.argv[1:]]\nprint(set(codes), 'ray' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", probe, *files], capture_output=True, text=True, timeout=120,
                          check=True, cwd=folder)
    assert done.stdout.strip() == "{2} False" and "Traceback" not in done.stderr


@pytest.mark.parametrize("text, pieces", [
    ("name: [unclosed", ["not valid YAML"]), ("just words", ["a mapping with the keys", "budget"]), ("", ["a mapping"]),
    ("- a\n- b", ["a mapping"]), ("name: a\nname: b", ["'name' is there twice"]), ("\tname: a", ["not valid YAML"])])
def test_a_file_that_is_no_experiment(text, pieces, folder, capsys):
    (folder / "mine.yaml").write_text(text)
    assert tune.main(["mine.yaml"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: mine.yaml: ") and all(piece in err for piece in pieces) and "Traceback" not in err


def test_a_file_that_cannot_be_read(folder, capsys):
    refuse(capsys, ["nowhere.yaml"], "nowhere.yaml", "cannot be read", "quickstart")
    refuse(capsys, ["."], "cannot be read", "quickstart")
    (folder / "photo.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    refuse(capsys, ["photo.yaml"], "photo.yaml", "not a text file")


def test_several_mistakes_are_all_named(folder, capsys):
    raw = copy.deepcopy(GOOD)
    raw |= {"seeds": 0, "colour": "red"}
    assert tune.main([write(folder, raw)]) == 2
    err = capsys.readouterr().err
    assert err.count("mine.yaml: ") == 2 and "seeds = 0" in err and "'colour' = 'red'" in err


# what is accepted -----------------------------------------------------------------------------------------------------
def test_numbers_written_with_an_exponent_are_numbers(folder):
    text = ("name: a\nenv: {id: recloop/BernoulliBandit-v0, params: {prior_a: 1e0}}\nbudget: {env_steps: 2e3}\n"
            "algorithms:\n  - {name: epsilon_greedy, params: {epsilon: 1e-3, window: 1e0}}\n"
            "  - {name: a2c, params: {learning_rate: {loguniform: [1e-4, 3E-3]}}}\n"
            "  - {rllib: PPO, params: {lr: 5e-4}}\n")
    (folder / "mine.yaml").write_text(text)
    e = experiment.read("mine.yaml")
    assert e.budget.env_steps == 2000 and e.env.params["prior_a"] == 1.0
    assert e.algorithms[0].params["epsilon"] == 0.001
    assert e.algorithms[1].params["learning_rate"] == {"loguniform": [0.0001, 0.003]}
    assert e.algorithms[2].params["lr"] == 0.0005         # RLlib would take the text as it is
    from custom_algos import find_algorithm
    from custom_algos.core import make_config
    found = make_config(find_algorithm("a2c"), {"learning_rate": "1e-3", "rollout_steps": "1e1"})
    assert (found.learning_rate, found.rollout_steps) == (0.001, 10) and type(found.rollout_steps) is int


def test_words_that_look_like_numbers_stay_words():
    assert load("{a: e5, b: 1e, c: '1e3', d: 12e3x, e: v1e3}") == {
        "a": "e5", "b": "1e", "c": "1e3", "d": "12e3x", "e": "v1e3"}
    assert load("[1e3, 1.5e-3, -2E+2, 3, .5e1]") == [1000.0, 0.0015, -200.0, 3, 5.0]


def test_set_overrides_any_key(folder):
    path = write(folder, GOOD)
    e = experiment.read(path, ["budget.env_steps=500", "algorithms.eps.epsilon=0.5", "algorithms.ucb.params.alpha=2",
                               "resources.cpus=1", "env.params.arms=7", "search.scheduler=fifo"])
    assert e.budget.env_steps == 500 and e.algorithms[1].params["epsilon"] == 0.5
    assert e.algorithms[0].params == {"alpha": 2} and e.resources.cpus == 1
    assert e.env.params == {"arms": 7} and e.search.scheduler == "fifo"
    # by name as well as by label
    e = experiment.read(path, ["algorithms.epsilon_greedy.epsilon={uniform: [0, 1]}"])
    assert e.algorithms[1].params == {"epsilon": {"uniform": [0.0, 1.0]}}
    # the file itself is untouched
    assert experiment.read(path) == experiment.read(path, [])


@pytest.mark.parametrize("override, pieces", [
    ("algorithms.best.epsilon=1", ["no algorithm 'best'", "valid are: ucb, eps"]),
                                              ("seeds", ["--set key.subkey=value"]),
    ("seeds.more=1", ["seeds = {'more': 1}", "integer"]), ("sed=1", ["'sed' = 1", "did you mean 'seeds'"]),
                                              ("seeds=[1", ["'[1'", "not valid YAML"]),
    ("algorithms.eps.epsilom=1", ["epsilom", "did you mean 'epsilon'"]),
                                              ("budget.env_steps=-5", ["budget.env_steps = -5"]),
    ("algorithms.0=1", ["'algorithms'", "no sub-keys"])])
def test_a_wrong_override_is_explained(override, pieces, folder, capsys):
    refuse(capsys, [write(folder, GOOD), "--set", override], *pieces)


def test_dry_run_prints_the_resolved_experiment_and_its_trials(folder, capsys):
    raw = copy.deepcopy(GOOD) | {"seeds": 3, "search": {"trials": 4}}
    raw["algorithms"][1]["params"] = {"epsilon": {"uniform": [0.01, 0.3]}}
    assert tune.main([write(folder, raw), "--dry-run", "--set", "algorithms.ucb.alpha=2"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    finals = [line.split() for line in lines if line.startswith("final ")]
    assert sorted((line[1], line[3]) for line in finals if line[1] in ("ucb", "eps")) == sorted(
        (name, str(seed)) for name in ("ucb", "eps") for seed in range(3))
    assert [line[1] for line in finals if line[1] not in ("ucb", "eps")] == ["random", "oracle"]
    assert [line for line in lines if line.startswith("search  ")] == [
        "search  eps                      4 trials over {'epsilon': {'uniform': [0.01, 0.3]}}"]
    assert yaml.safe_load(out[:out.index("search  eps")])["algorithms"][0]["params"] == {"alpha": 2}
    assert "Does it run?" in out and not (folder / "results").exists()


def test_list_names_everything_that_can_be_raced(capsys):
    import custom_algos
    import envs

    assert tune.main(["--list"]) == 0
    out = capsys.readouterr().out
    words = set(out.replace(",", " ").split())
    assert words >= {*experiment.shipped(), *envs.MODELS, *custom_algos.ALGORITHMS, "PPO"}
    assert experiment.read("quickstart").question in out


def test_the_seeds_of_the_trials_are_fresh_and_stable(folder):
    raw = copy.deepcopy(GOOD) | {"seeds": 4}
    raw["algorithms"][1]["params"] = {"epsilon": {"uniform": [0.01, 0.3]}}
    e = experiment.read(write(folder, raw))
    final, search = plan.trials(e, "final"), plan.trials(e, "search")
    learners = [t.spec.seed for t in final if t.budget]
    assert len(set(learners)) == 8 and not set(learners) & {t.spec.seed for t in search}       # tuning never sees them
    assert learners == [t.spec.seed for t in plan.trials(e, "final") if t.budget]
    assert [t.row.label for t in search] == ["eps"] and all(t.test_users == 0 for t in search)


def test_smoke_makes_it_small(folder):
    e = experiment.read(write(folder, GOOD | {"seeds": 5, "budget": {"env_steps": 10**9}}), smoke=True)
    assert (e.seeds, e.budget.env_steps, e.budget.reports, e.search.trials) == (1, 8 * 16, 1, 1)


def log_file(folder: Path, propensity: bool) -> Path:
    """A log of 40 users and 12 items, with or without the probabilities under which it was made."""
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"user": np.repeat(np.arange(40), 30), "item": rng.integers(12, size=1200)})
    rows["click"] = (rng.random(1200) < 0.2 + 0.05 * rows["item"]).astype(int)
    if propensity:
        rows["propensity"] = 1 / 12
    path = folder / f"log-{propensity}.csv"
    rows.to_csv(path, index=False)
    return path


def test_inverse_propensity_estimates_need_propensities(folder, capsys):
    raw = GOOD | {"env": {"id": "recloop/Logged-v0", "params": {"impressions": 5}},
                  "algorithms": [{"name": "thompson"}]}
    path, good, poor = write(folder, raw), log_file(folder, True), log_file(folder, False)
    wanted = ["--set", "estimates=[direct_method, snips]", "--dry-run"]
    assert tune.main([path, "--data", str(good), *wanted]) == 0
    assert str(good) in capsys.readouterr().out           # --data takes the place of the default log
    refuse(capsys, [path, "--data", str(poor), *wanted], "estimates", "snips", str(poor),
           "valid here is: direct_method")
    assert tune.main([path, "--data", str(poor), "--set", "estimates=[direct_method]", "--dry-run"]) == 0
    capsys.readouterr()
    refuse(capsys, [path, "--data", "nowhere.csv"], "nowhere.csv", "no such file")


MINE = '''
from dataclasses import dataclass
import numpy as np
from custom_algos.core import Algorithm

@dataclass(frozen=True)
class Config:
    push: float = 0.5

class AlwaysRight(Algorithm):
    Config = Config
    def act(self, obs, rng, explore=True, mask=None):
        return np.ones(len(obs), np.int64), np.zeros(len(obs), np.float32)
    def learn(self, batch):
        return {}
    def policy_state(self):
        return {}
    def load_policy_state(self, policy):
        pass
    def state_dict(self):
        return {}
    def load_state_dict(self, state):
        pass
'''


def test_foreign_environments_and_foreign_algorithms_can_be_raced(folder, monkeypatch, capsys):
    (folder / "my_package.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(folder))
    raw = GOOD | {"env": {"id": "CartPole-v1"},
                  "algorithms": [{"name": "my_package:AlwaysRight", "params": {"push": {"uniform": [0, 1]}}},
                                                              {"name": "a2c"}, {"rllib": "PPO"}]}
    e = experiment.read(write(folder, raw))
    labels = [t.row.label for t in plan.trials(e, "final")]
    # nobody knows an oracle here
    assert labels == ["RLlib PPO", "my_package:AlwaysRight", "a2c", "random"]
    from platform.run.fleet import LocalFleet
    from platform.trial.trial import Spec
    (batch, totals), = LocalFleet(Spec("CartPole-v1", {}, "my_package:AlwaysRight", users_per_shard=4)).collect({}, 0,
                                                                                                                30)
    assert batch.action.shape == (30, 4) and batch.action.all() and batch.obs.shape == (30, 4, 4)
    # it falls after 8 to 11 steps
    assert totals["reward"].sum() == 120 and 8 <= totals["sessions"].sum() <= 16
    raw["algorithms"][0]["params"] = {"pull": 1}
    refuse(capsys, [write(folder, raw)], "my_package:AlwaysRight", "params.pull", "valid are: push")


def test_a_view_changes_what_a_row_sees_and_nobodys_life():
    rows = {t.row.label: t.spec.env_params for t in plan.trials(experiment.read("ladder-values"), "final")}
    assert rows["q_learning"] == {"observe": "coarse"} and rows["dqn"] == rows["oracle"] == {}


# rows and their ids ---------------------------------------------------------------------------------------------------
def test_rows_have_stable_ids_and_labels_are_for_eyes(folder):
    raw = GOOD | {"algorithms": [{"name": "ucb"}, {"name": "ucb", "label": "twice"}, {"rllib": "PPO"},
                                 {"name": "random", "label": "blind"}], "reference": "blind"}
    e = experiment.read(write(folder, raw))
    told = plan.describe(e)
    assert [(r["row"], r["label"], r["role"]) for r in told["rows"]] == [
        ("ucb", "ucb", "learner"), ("ucb-2", "twice", "learner"), ("rllib-PPO", "RLlib PPO", "rllib"),
        ("random", "blind", "reference"), ("oracle", "oracle", "bound")]
    assert (told["reference"], told["random"], told["bound"]) == ("random", "random", "oracle")
    assert (told["unit"], told["live"], told["users_are_people"]) == ("return", False, True)
    ids = {trial.id for trial in plan.trials(e, "final")}
    assert ids == {"ucb/0", "ucb-2/0", "rllib-PPO/0", "random/0", "oracle/0"}


@pytest.mark.parametrize("env, word", [("BernoulliBandit", "random"), ("BernoulliBandit", "oracle"),
                                       ("Logged", "popularity"), ("Logged", "random")])
def test_the_table_s_own_rows_keep_their_names(env, word, folder, capsys):
    raw = GOOD | {"env": {"id": f"recloop/{env}-v0"}, "algorithms": [{"name": "thompson", "label": word}]}
    refuse(capsys, [write(folder, raw)], f"two rows are called '{word}'", "give them different labels")


def test_a_label_branches_on_nothing(folder):
    """The log's policy is known by its role: a learner may be called as it is shown."""
    raw = GOOD | {"algorithms": [{"name": "thompson", "label": "the log's policy"}]}
    (trial,) = [t for t in plan.trials(experiment.read(write(folder, raw)), "final") if t.budget]
    assert trial.row.role == "learner" and trial.row.id == "thompson"


# the border -----------------------------------------------------------------------------------------------------------
def file_of(folder, text, name="x"):
    path = folder / f"{name}.yaml"
    path.write_text("# Q?\nname: x\nbudget: {env_steps: 1000}\n" + text, encoding="utf-8")
    return path


BERNOULLI = "env: {id: recloop/BernoulliBandit-v0}\n"


@pytest.mark.parametrize(("text", "value"), [("0100", 100), ("1_000", 1000), ("1e3", 1000), ("1.0e+3", 1000)])
def test_numbers_are_decimal(tmp_path, text, value):
    path = file_of(tmp_path, BERNOULLI + "algorithms: [{name: ucb}]\n")
    path.write_text(path.read_text().replace("env_steps: 1000", f"env_steps: {text}"))
    assert experiment.read(path).budget.env_steps == value


def test_a_time_is_no_number_of_steps(tmp_path):
    path = file_of(tmp_path, BERNOULLI + "algorithms: [{name: ucb}]\n")
    path.write_text(path.read_text().replace("env_steps: 1000", "env_steps: 1:40"))
    with pytest.raises(Problem, match=r"budget\.env_steps = .1:40.: "):
        experiment.read(path)


def test_merge_keys_of_merged_mappings_are_read(tmp_path):
    """The second row merges the first one's parameters, which are merged themselves, and changes one."""
    found = load("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {d: [{<<: *b, x: 4}]}\ne: *b\n")
    assert found == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"d": [{"x": 4, "y": 3}]},
                     "e": {"x": 1, "y": 3}}
    with pytest.raises(yaml.YAMLError, match="'x' is there twice"):
        load("{x: 1, x: 2}")


def test_aliases_that_unfold_without_end_are_refused_in_a_line(tmp_path):
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    with pytest.raises(Problem, match="unfold to more than 100,000 values") as told:
        experiment.read(file_of(tmp_path, bomb))
    assert len(str(told.value)) < 300
    with pytest.raises(Problem, match="inside what it names"):
        experiment.read(file_of(tmp_path, "env: &e [*e]\n"))
    with pytest.raises(Problem) as told:
        experiment.read(file_of(tmp_path, BERNOULLI + f"algorithms: {['x' * 50] * 200}\n"))
    assert all(len(line) < 600 for line in str(told.value).splitlines())


@pytest.mark.parametrize("label", ["v1.5", "lr=0.1", "a.b=c.d", "plain"])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_set_finds_a_row_by_any_label(tmp_path, label, quote):
    path = file_of(tmp_path, BERNOULLI + f"algorithms: [{{name: epsilon_greedy, label: '{label}'}}]\n")
    e = experiment.read(path, [f"algorithms.{quote}{label}{quote}.epsilon=0.3"])
    assert e.algorithms[0].params == {"epsilon": 0.3}
    with pytest.raises(Problem, match=r"no algorithm 'other'.*algorithms.LABEL.parameter=value"):
        experiment.read(path, ["algorithms.other.epsilon=0.3"])


MODULE = """
import gymnasium as gym, numpy as np
class Shop(gym.Env):
    observation_space, action_space = gym.spaces.Box(-1, 1, (2,), np.float32), gym.spaces.Discrete(3)
    def __init__(self, error=None, last=5):
        self.last = last
        if error:
            raise {"runtime": RuntimeError("no licence"), "key": KeyError("DATA_DIR"), "assert": AssertionError(),
                   "connection": ConnectionError("server away")}[error]
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed); self.t = 0; return np.zeros(2, np.float32), {}
    def step(self, action):
        self.t += 1; return np.zeros(2, np.float32), float(action == 2), False, self.t == self.last, {}
gym.register("BorderShop-v0", Shop)
"""


def test_an_environment_of_ones_own_package(tmp_path, monkeypatch):
    (tmp_path / "border_shop.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    rows = "algorithms: [{name: ucb}]\n"
    own = 'env: {id: "border_shop:BorderShop-v0", params: %s}\n' + rows
    assert experiment.read(file_of(tmp_path, own % "{}")).env.id == "border_shop:BorderShop-v0"
    for error, said in (("runtime", "RuntimeError: no licence"), ("key", "KeyError: 'DATA_DIR'"),
                        ("assert", "AssertionError"), ("connection", "ConnectionError: server away")):
        with pytest.raises(Problem, match=rf"env \(border_shop:BorderShop-v0\): {said}$"):
            experiment.read(file_of(tmp_path, own % f"{{error: {error}}}"))
    with pytest.raises(Problem, match=r"no session ended in [\d,]+ random steps.*env.params.max_episode_steps"):
        experiment.read(file_of(tmp_path, own % "{last: -1}"))
    experiment.read(file_of(tmp_path, own % "{last: -1, max_episode_steps: 20}"))
    with pytest.raises(Problem, match=r"No module named 'nowhere_else'.*PYTHONPATH"):
        experiment.read(file_of(tmp_path, 'env: {id: "nowhere_else:Env-v0"}\n' + rows))


@pytest.mark.parametrize(("params", "said"), [("{population: 0}", r"population = 0 must lie in \[1, "),
                                              ("{first_user: -1}", "first_user = -1 must lie in"),
                                              ("{population: 9999999999}", "ids end at")])
def test_users_exist(tmp_path, params, said):
    text = "env: {id: recloop/BernoulliBandit-v0, params: %s}\nalgorithms: [{name: ucb}]\n"
    with pytest.raises(Problem, match=said):
        experiment.read(file_of(tmp_path, text % params))


def test_a_setting_by_our_name_leads_to_rllib_s(tmp_path):
    path = file_of(tmp_path, "env: {id: CartPole-v1}\nalgorithms: [{rllib: PPO, params: {learning_rate: 1e-3}}]\n")
    with pytest.raises(Problem, match=r"closest: lr$"):
        experiment.read(path)


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    from platform.run.folder import new_folder

    monkeypatch.chdir(tmp_path)
    e = experiment.read(file_of(tmp_path, BERNOULLI + "algorithms: [{name: ucb}]\n"))
    assert len({new_folder(e, None) for _ in range(4)}) == 4


def test_who_cannot_tell_items_apart_is_warned_of_by_name(folder, capsys):
    """Three columns: the items have no features, so a model that all items share sees one item (lin_ucb is random)."""
    raw = GOOD | {"env": {"id": "recloop/Logged-v0", "params": {"impressions": 5}}, "algorithms": [
        {"name": "lin_ucb"}, {"name": "lin_ucb", "label": "own", "params": {"model": "disjoint"}},
        {"name": "lin_ucb", "label": "hybrid", "params": {"item_intercept": True}}, {"name": "thompson"}]}
    e = experiment.read(write(folder, raw), log={"path": str(log_file(folder, False))})
    warning, = checks.warnings(e)
    assert warning.startswith("lin_ucb cannot tell items apart and will choose as random does")
    assert tune.main([write(folder, raw), "--data", str(log_file(folder, False)), "--dry-run"]) == 0
    assert f"warning: {warning}" in capsys.readouterr().out
    assert checks.warnings(experiment.read("quickstart")) == []


def test_only_workers_can_be_stopped_in_the_middle_of_a_step(folder):
    raw = GOOD | {"resources": {"workers": 0, "step_timeout": 5}}
    with pytest.raises(Problem, match=r"resources.step_timeout = 5 needs resources.workers = 1 or more"):
        experiment.read(write(folder, raw))
    with pytest.raises(Problem, match="greater than 0"):
        experiment.read(write(folder, GOOD | {"resources": {"workers": 1, "step_timeout": 0}}))


def test_an_id_of_ours_has_a_version(folder):
    with pytest.raises(Problem, match=r"'recloop/Ladder' is none of ours.*did you mean 'recloop/Ladder-v0'"):
        experiment.read(write(folder, GOOD | {"env": {"id": "recloop/Ladder"}}))


def test_pickles_are_trusted_only_where_a_run_is_continued(folder, capsys):
    refuse(capsys, [write(folder, GOOD), "--trust"], "--trust goes with --resume")
