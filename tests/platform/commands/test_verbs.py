"""``recloop VERB``: one table of verbs, help at once, shared flags that mean the same, names that are guessed."""
import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from platform import tune
from platform.commands import shared
from platform.commands.main import main, usage
from platform.commands.verbs import VERBS, table

ROOT = Path(__file__).resolve().parents[3]


def test_every_verb_is_a_file_and_every_file_a_verb():
    files = {path.stem for path in (ROOT / "platform" / "commands").glob("*.py")} - {"main", "verbs", "shared"}
    assert files == set(VERBS)
    assert {verb.module for verb in VERBS.values()} == {f"platform.commands.{name}" for name in files}
    for path in (ROOT / "platform" / "commands").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 125, path.name


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.strip() == usage() and all(f"  {name} " in out and verb.does in out for name, verb in VERBS.items())
    assert main([]) == 2                                   # nothing was asked for


def test_the_readme_shows_the_same_table():
    text = (ROOT / "README.md").read_text()
    assert text.split("<!-- verbs -->\n")[1].split("\n<!-- end -->")[0] == table()


@pytest.mark.parametrize("given, meant", [("tuen", "tune"), ("lst", "list"), ("chek", "check")])
def test_a_mistyped_verb_is_guessed(given, meant, capsys):
    assert main([given]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: recloop {given}: no such command; valid are: ") and f"did you mean '{meant}'?" in err


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_a_verb_loads_nothing_heavy(name):
    heavy = {"ray", "torch", "numpy", "numba", "pandas", "pydantic", "gymnasium"}
    probe = ("import sys\nfrom platform.commands.main import main\n"
             f"try:\n    main([{name!r}, '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
             f"print('LOADED', sorted({heavy!r} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert f"usage: recloop {name}" in done.stdout and "LOADED []" in done.stdout


def test_shared_flags_mean_the_same_everywhere():
    for name, verb in VERBS.items():
        module = importlib.import_module(verb.module)
        actions = module.parser()._actions if name != "list" else []
        for action in actions:
            flag = next(iter(action.option_strings), action.dest)
            if flag in shared.FLAGS:
                wanted = argparse.ArgumentParser().add_argument(flag, **shared.FLAGS[flag])
                assert (action.help, action.nargs, action.metavar) == (wanted.help, wanted.nargs, wanted.metavar)


def test_tune_is_the_same_code_by_both_names():
    from platform.commands import tune as command

    assert tune.main is command.main


def test_check_tells_what_the_dry_run_tells(capsys):
    assert main(["check", "ladder-bandits", "--smoke"]) == 0
    checked = capsys.readouterr().out
    assert tune.main(["ladder-bandits", "--smoke", "--dry-run"]) == 0
    assert capsys.readouterr().out == checked and "final   random" in checked


def test_check_with_data_alone_speaks_of_the_log(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("user,item,click\n" + "".join(f"{u},{i},{(u + i) % 2}\n" for u in range(30)
                                                                     for i in range(4)))
    assert main(["check", "--data", str(tmp_path / "log.csv")]) == 0
    assert "120 rows" in capsys.readouterr().out
    assert main(["check", "quickstart", "--columns", "item=movie"]) == 2
    assert "name it with path (--data FILE)" in capsys.readouterr().err


@pytest.fixture
def ratings(tmp_path, monkeypatch):
    """A working folder with a table of ratings under names of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratings.csv").write_text("who,what,stars\n" + "".join(f"{u},{i},{1 + (u + i) % 5}\n" for u in range(30)
                                                                       for i in range(4)))
    return ["--data", "ratings.csv", "--columns", "user=who", "item=what", "reward=stars"]


def test_what_a_log_is_can_be_said_wherever_data_is_taken(ratings, tmp_path, capsys):
    assert main(["check", *ratings]) == 2
    assert "looks like ratings" in capsys.readouterr().err
    assert main(["check", *ratings, "--like", "4"]) == 0
    assert "4 or more counts as a like (1), any other as 0: 40.0%" in capsys.readouterr().out
    assert main(["check", *ratings, "--like", "0"]) == main(["check", "quickstart", *ratings, "--like", "0"]) == 2
    assert capsys.readouterr().err.count("like = 0 divides nothing") == 2
    assert main(["check", *ratings, "--as-values"]) == 0
    assert "The reward is an amount" in capsys.readouterr().out
    small = ["--set", "env.params.impressions=2", "--set", "env.params.min_item_rows=20", "--smoke"]
    for command in (["tune", "--dry-run"], ["check", "quickstart"]):
        assert main([*command, *ratings, *small]) == 2
        assert "looks like ratings" in capsys.readouterr().err
        assert main([*command, *ratings, *small, "--like", "4"]) == 0
        out = yaml.safe_load(capsys.readouterr().out.partition("final ")[0].partition("search ")[0])
        assert out["env"]["params"] == {"path": str(tmp_path / "ratings.csv"), "like": 4.0, "impressions": 2,
                                        "columns": {"user": "who", "item": "what", "reward": "stars"},
                                        "min_item_rows": 20}
    assert main(["tune", "--dry-run", *ratings, "--columns", "user"]) == 2
    assert "--columns user: must be written" in capsys.readouterr().err


def test_how_a_log_is_read_is_saved_with_the_experiment(ratings, tmp_path):
    """So that --resume and the workers read the same log."""
    from platform.experiment import reading
    from platform.run.folder import save_experiment

    given = {"path": "ratings.csv", "columns": {"user": "who", "item": "what", "reward": "stars"}, "like": 4.0}
    e = reading.read("quickstart", ["env.params.impressions=2", "env.params.min_item_rows=20"], given)
    save_experiment(e, tmp_path)
    again = reading.read(tmp_path / "experiment.yaml")
    assert again == e and again.env.params["like"] == 4.0
    assert again.env.params["path"] == str(tmp_path / "ratings.csv")


def test_a_known_data_set_is_named_with_its_folder(tmp_path, monkeypatch, capsys):
    from platform.experiment import reading

    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").mkdir()
    for name, rows in (("train", "0 5 1\n" * 9), ("test", "3 0 4\n" * 9)):
        (tmp_path / "c" / f"{name}.ascii").write_text(rows)
    e = reading.read("quickstart", ["env.params.impressions=2", "env.params.min_item_rows=9"],
                     {"path": "coat=c", "like": 4.0})
    assert e.env.params["path"] == f"coat={tmp_path / 'c'}"
    assert main(["check", "--data", "coat=c", "--like", "4"]) == 0
    assert "not the whole coat as published: 18 self-selected rows instead of 6,960" in capsys.readouterr().out
    assert main(["tune", "--data", "coats=c", "--dry-run"]) == 2
    assert "no known data set 'coats'; known are" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, pieces", [
    (["quickstrat"], ["quickstrat", "did you mean 'quickstart'?"]),
    (["quickstart", "--set", "algorithms.tompson.x=1"], ["'tompson'", "did you mean 'thompson'?"]),
    (["quickstart", "--set", "referense=popularity"], ["'referense'", "did you mean 'reference'?"]),
    (["quickstart", "--set", "reference=popularty"], ["'popularty'", "did you mean 'popularity'?"]),
    (["quickstart", "--set", "env.id=recloop/Loged-v0"], ["recloop/Loged-v0", "recloop/Logged-v0"]),
    (["quickstart", "--set", "env.params.impresions=5"], ["'impresions'", "did you mean 'impressions'?"]),
    (["quickstart", "--set", "log={name: tompson, rows: 5}", "--set", "env.id=recloop/Boredom-v0", "--set",
      "reference=random", "--set", "algorithms=[{name: ucb}]"], ["'tompson'", "did you mean 'thompson'?"]),
    (["quickstart", "--set", "algorithms.a2c.gama=0.5"], ["'params.gama'", "did you mean 'gamma'?"]),
    (["quickstart", "--set", "algorithms.a2c.gamma={unifrom: [0, 1]}"], ["'unifrom'", "did you mean 'uniform'?"])])
def test_every_mistyped_name_is_guessed(arguments, pieces, capsys):
    assert main(["check", *arguments]) == 2
    err = capsys.readouterr().err
    assert [piece for piece in pieces if piece not in err] == [], err
