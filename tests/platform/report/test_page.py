"""The page: whole, self-contained, and every section with its own numbers."""
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from support.results_folder import ROWS, Made, make, read, write, write_everything, write_examples

from custom_algos.offline import estimators as ope
from platform.report import docs_tables, page, terminal
from platform.report.answer import answer
from platform.report.results import Results
from platform.report.sections import compare, estimates, examples, serve

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}


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
    path = page.write_report(*read(folder))
    assert path == folder / "report.html" and not list(folder.glob("*.part"))
    text = path.read_text(encoding="utf-8")
    found = Page(text)
    assert len(found.ids) == len(set(found.ids)) and len(text) < 1_500_000
    assert found.references and all(r.startswith("#") and r[1:] in found.ids for r in found.references)
    assert "http:" not in text and "https:" not in text and "@import" not in text
    assert all(target in found.ids for target in re.findall(r"url\(#([^)]*)\)", text))
    return text, " ".join(" ".join(found.words).split())


def test_page_is_whole_and_self_contained(tmp_path):
    write_examples(make(tmp_path))
    text, words = page_of(tmp_path)
    for row in ROWS:
        assert words.count(row.label) >= 3
    assert answer(*read(tmp_path)).text in words
    assert "Does <learning> pay?" in words and "<learning>" not in text                        # escaped
    assert "Heat & <Dust>" in words and "1 of 2 liked" in words and "three users were" in words
    assert "films.parquet" in words and "9 of 10 random splits" in words and "79 %" in words
    assert "15 % more probability" in words                                                    # e^.14 = 1.150
    assert "numpy 9.9.9" in words and "abcdef012345" in words and "python -m platform.tune toy.yaml" in words
    assert "Likes per session" in words and text.count("<svg") == 3
    assert text == page.write_report(*read(tmp_path)).read_text(encoding="utf-8")              # the same page again


def test_every_section_has_its_place(tmp_path):
    r, board = read(write_everything(tmp_path))
    assert all(section.content(r, board) is not None for section in page.SECTIONS)
    text, _ = page_of(tmp_path)
    assert text.count("<section") == len(page.SECTIONS) - 1                                    # the head stands alone
    folder = page.Path(page.__file__).parent / "sections"
    assert {path.name.split(".")[0] for path in folder.glob("*.*")} == {
        section.__name__.rpartition(".")[2] for section in page.SECTIONS}                      # none is forgotten


@pytest.mark.parametrize("columns", [{"eval/return_mean": np.nan}, {"rollout/reward_mean": np.nan},
                                     {"eval/return_mean": None, "rollout/reward_mean": np.nan}])
def test_page_without_parts(tmp_path, columns):
    text, words = page_of(make(tmp_path, env="CartPole-v1", calibration=False, **columns))
    assert "trusted" not in words and "shown, before" not in words and "Return per session" in words
    assert text.count("<svg") == (1 if len(columns) == 2 else 2)


def test_page_with_one_seed_no_machine_and_no_curves(tmp_path):
    make(tmp_path, [row._replace(runs=row.runs[:1]) for row in ROWS], seeds=1, calibration=False)
    (tmp_path / "machine.json").unlink()
    (tmp_path / "curves.parquet").unlink()
    _, words = page_of(tmp_path)
    assert "its interval speaks of other users only" in words and "It cannot be told from one seed" in words


def test_page_without_random_oracle_and_reference(tmp_path):
    _, words = page_of(make(tmp_path, ROWS[:1], reference="", env="CartPole-v1"))
    assert "the best learner is ucb" in words and "Way from" not in words


def test_unequal_budgets(tmp_path):
    make(tmp_path, env="recloop/Bandit-v0", calibration=False)
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    scores.loc[scores.role == "rllib", "env_steps"] = 128
    scores.to_parquet(tmp_path / "scores.parquet")
    _, words = page_of(tmp_path)
    assert "did not take equally many environment steps: 64 to 128" in words


def test_slates_that_show_an_item_again_are_told(tmp_path):
    scores = pd.read_parquet(make(tmp_path) / "scores.parquet")
    scores["repeated"] = np.where(scores.role == "rllib", [0.1 + 0.2 * (b == 1) for b in scores.block], 0.0)
    scores.to_parquet(tmp_path / "scores.parquet")
    _, words = page_of(tmp_path)
    assert "slates that show an item again: RLlib PPO in 20 % of its places" in words


def test_tuning_trials_are_listed(tmp_path):
    make(tmp_path)
    tried = [{"params": {"gamma": gamma}, "score": score, "env_steps": 64} for gamma, score in ((0.5, 6.0), (0.9, 7.0))]
    (tmp_path / "search.json").write_text(json.dumps({ROWS[1].id: {**tried[1], "trials": tried}}))
    _, words = page_of(tmp_path)
    assert "Tuning of a2c: 2 configurations" in words and words.index("gamma = 0.9") < words.index("gamma = 0.5")


# ours against RLlib ----------------------------------------------------------------------------------------------
def many(level, n=12):
    return [[level + 0.2 * x, level + 0.2 * x + 0.1] for x in np.linspace(-1, 1, n)]


@pytest.mark.parametrize("ours,word", [(16.0, "WIN"), (4.0, "LOSS"), (12.0, "TIE")])
def test_a_loss_is_shown_as_a_loss(tmp_path, ours, word):
    rows = (Made("ucb", "learner", many(ours)), Made("RLlib PPO", "rllib", many(12.0)),
            Made("random", "reference", [[0.0, 0.1]]), Made("oracle", "bound", [[20.0, 20.1]]))
    (pair,) = compare.compare(Results(make(tmp_path, rows, reference="")))
    assert (pair.ours.label, pair.theirs.label, pair.verdict.word) == ("ucb", "RLlib PPO", word)
    assert pair.verdict.difference.mean == pytest.approx((ours - 12.0) / 20)
    text, _ = page_of(tmp_path)
    assert f'<span class="word {word.lower()}">{word}</span>' in text


def test_too_few_seeds_make_no_verdict(tmp_path):
    _, words = page_of(make(tmp_path))
    assert words.count("too few seeds for a verdict: 2 of 10") == 2


# example sessions ------------------------------------------------------------------------------------------------
def test_example_sessions_are_those_of_random_and_of_the_best_learner(tmp_path):
    write_examples(make(tmp_path))
    found = examples.content(*read(tmp_path))
    first = found.examples[0]
    assert [(s.label, s.items[0].title) for s in first.sessions] == [("random", "Jaws"), ("ucb", "Heat & <Dust>")]
    assert first.likes == "Would most of all like Heat & <Dust>, Jaws (often Drama, Crime, Horror)."
    assert [s.expected for s in first.sessions] == pytest.approx([1.1, 1.1]) and len(found.examples) == 3


# off-policy estimates --------------------------------------------------------------------------------------------
def test_estimates_stand_beside_the_simulator(tmp_path):
    """ucb earns 12/50 and 14/50 a step in the simulator and 12, 14 a session; a2c 5."""
    make(tmp_path)
    ucb, a2c = ROWS[0].id, ROWS[1].id
    row = {"estimator": "snips", "low": 0.21, "high": 0.29, "effective_sample_size": 41.2, "rows": 1000.0}
    session = {"estimator": "fitted_q", "support": 0.75, "rows": 1000.0}
    write(tmp_path, "estimates", ROWS, [
        {"row": ucb, "seed": 0, "value": 0.25, **row}, {"row": ucb, "seed": 0, "value": 12.9, **session},
        {"row": ucb, "seed": 1, "value": 12.0, **session}, {"row": a2c, "seed": 0, "value": 5.4, **session}])
    found = estimates.content(*read(tmp_path))
    first = found.each[0]
    assert (first.value, first.low, first.high, first.effective) == (0.25, 0.21, 0.29, 41.2)
    assert first.simulated == pytest.approx(0.24) and np.isnan(first.support)
    assert [(s.row.label, s.estimator.name, s.runs, s.value, s.simulated, s.near) for s in found.summaries] == [
        ("ucb", "snips", 1, 0.25, pytest.approx(0.24), 1),
        ("ucb", "fitted_q", 2, 12.45, 13.0, 1),             # 12.9 is within 10 % of 12, 12.0 is not of 14
        ("a2c", "fitted_q", 1, 5.4, 5.0, 1)]
    _, words = page_of(tmp_path)
    assert "0.2500 0.2100 to 0.2900 0.2400 41" in words and "12.4 13.0 1 of 2" in words and "75 %" in words
    out = io.StringIO()
    terminal.conclude(Console(file=out, width=200), tmp_path, False)
    assert "  ucb, seed 0: snips 0.2500 [0.2100, 0.2900] (effective rows 41)" in out.getvalue()
    assert "  ucb: 12.4 and 13.0; within 10 % in 1 of 2" in out.getvalue()
    assert "the direct method alone" not in out.getvalue()


def test_the_direct_method_alone_is_warned_of(tmp_path):
    make(tmp_path)
    write(tmp_path, "estimates", ROWS, [{"row": ROWS[0].id, "seed": 0, "estimator": "direct_method", "value": 0.2}])
    assert "nothing corrects" in page_of(tmp_path)[1]
    assert any("the direct method alone: no estimate here corrects" in line
               for line in estimates.lines(Results(tmp_path)))


# serving ---------------------------------------------------------------------------------------------------------
def test_the_page_says_where_the_bundle_is_and_what_it_cannot_do(tmp_path):
    r, board = read(write_everything(tmp_path))
    assert serve.content(r, board) == (str(tmp_path / "bundle"), "a2c", "ucb", 2, True, ["ucb", "RLlib PPO"])
    _, words = page_of(tmp_path)
    assert f'policy = load_policy("{tmp_path}/bundle")' in words and "Above it stand ucb, RLlib PPO" in words
    out = io.StringIO()
    terminal.conclude(Console(file=out, width=200), make(tmp_path), False)
    assert "no bundle: " in out.getvalue() and "checkpoints of ucb are gone" in out.getvalue()


# the documentation -----------------------------------------------------------------------------------------------
def test_figures_and_tables_for_the_documentation(tmp_path):
    chapter, figures = tmp_path / "chapter.md", tmp_path / "figures"
    chapter.write_text("before\n<!-- table toy -->\nold\n<!-- end -->\n<!-- table other -->\nkept\n<!-- end -->\n")
    run = tmp_path / "run"
    run.mkdir()
    paths = docs_tables.write_figures(*read(write_everything(run)), figures)
    names = ("learning", "regret", "shown", "gaps", "maps", "reliability")
    assert {path.name for path in paths} == {"toy.md", "chapter.md", *(f"toy-{name}.svg" for name in names)}
    assert (figures / "toy-regret.svg").read_text().startswith("<svg xmlns=")
    text = chapter.read_text()
    assert text.startswith("before\n<!-- table toy -->\n| algorithm | likes per session | 95 % interval |")
    assert "\nold\n" not in text and "kept" in text and "| ucb | 13.00 |" in text
    assert docs_tables.write_figures(*read(run), figures)[-1].name == "toy.md"                 # nothing changed


def test_the_worked_example_of_a_new_section_runs(tmp_path):
    """The module and the template of docs/new-section.md, read from there."""
    text = (page.Path(page.__file__).parents[2] / "docs" / "new-section.md").read_text()
    code, template = (re.search(rf"```{kind}\n(.*?)```", text, re.S)[1] for kind in ("python", "jinja"))
    module = {"__name__": "platform.report.sections.lengths", "__package__": "platform.report.sections"}
    exec(compile(code, "lengths.py", "exec"), module)
    r, board = read(make(tmp_path))
    printed = page.templates(board).from_string(template).render(s=module["content"](r, board))
    assert '<li>ucb<span class="badge learner">ours</span>: 50.0 steps</li>' in printed


def test_every_estimator_is_explained():
    assert set(estimates.ESTIMATORS) == {*ope.ESTIMATORS, "fitted_q"}
