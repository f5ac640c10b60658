"""Figures: one colour for an algorithm, lines that can be told apart, labels on every axis, a legend for every sign."""
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from support.results_folder import ROWS, make, read, write_everything

from custom_algos import ALGORITHMS
from platform.experiment.model import REFERENCES
from platform.report import page
from platform.report.drawing import GREY, PALETTE, RLLIB, colour, looks
from platform.report.sections import shown
from platform.report.sections.regret import pooled
from platform.trial.trial import Role, Row


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """The Matplotlib figures of a page in which every section has something to say."""
    found, save = [], Figure.savefig

    def keep(figure, *arguments, **options):
        found.append(figure)
        return save(figure, *arguments, **options)
    monkeypatch.setattr(Figure, "savefig", keep)
    page.write_report(*read(write_everything(tmp_path)))
    return found


def test_every_axis_has_a_label(drawn):
    assert len(drawn) == 7
    bare = []
    for number, figure in enumerate(drawn):
        for axes in figure.axes:
            for axis, text in ((axes.xaxis, axes.get_xlabel()), (axes.yaxis, axes.get_ylabel())):
                ticks = [tick for tick in axis.get_ticklabels() if tick.get_visible() and tick.get_text()]
                if axes.axison and ticks and not text:
                    bare.append((number, axes.get_title(), axis.axis_name))
    assert bare == []


def test_what_is_shaded_or_dotted_stands_in_the_legend(drawn):
    texts = [{str(t.get_text()) for legend in figure.legends for t in legend.get_texts()} for figure in drawn]
    dots, learning, regret, gaps, maps, shares, reliability = texts
    assert {"mean, ours", "mean, RLlib", "mean, does not learn", "single run", "95 % interval", "random", "popularity",
            "oracle"} == dots
    assert {"ucb", "a2c", "RLlib PPO", "random", "popularity", "oracle", "95 % interval", "single run"} == learning
    assert {"95 % interval of the mean", "95th percentile of the runs", "2 ln t (Lai & Robbins)"} < regret
    assert "95 % interval" in gaps and "observed = predicted" in reliability and maps == shares == set()


def test_colours_are_stable():
    """The colour of an algorithm depends on nothing else in the report; names without a place have one too."""
    ucb, ppo = (Row(f"x{i}", "any label", role, name)
                for i, (role, name) in enumerate(((Role.LEARNER, "ucb"), (Role.RLLIB, "PPO"))))
    fixed = Row("r", "ucb", Role.REFERENCE, "random")
    alone, together = looks([ucb])[ucb.id], looks([fixed, ppo, ucb])
    assert alone.colour == together[ucb.id].colour == colour(Role.LEARNER, "ucb") == PALETTE[8]
    assert together[ppo.id].colour == PALETTE[0] and together[fixed.id].colour == GREY
    assert colour(Role.LEARNER, "my_package:Mine") == colour(Role.LEARNER, "my_package:Mine") in PALETTE
    learners = [name for name in ALGORITHMS if name not in REFERENCES]
    every = [*((Role.RLLIB, name) for name in RLLIB), *((Role.LEARNER, name) for name in learners)]
    assert len({colour(*one) for one in every}) == len(every)


def test_lines_can_be_told_apart_in_grey():
    """Rows of one algorithm have shades of their own, and no two learners share marker and dash."""
    rows = [Row(f"a{i}", "a2c", Role.LEARNER, "a2c") for i in range(7)] + [Row("p", "PPO", Role.RLLIB, "PPO")]
    found = looks(rows)
    assert len({look.colour for look in found.values()}) == 8
    assert max(Counter((look.marker, look.dash) for look in found.values()).values()) == 1
    assert found["p"].dash == "--" and {found[row.id].dash for row in rows[:7]} == {"-"}


@pytest.mark.parametrize("page_colour", ["#ffffff", "#1c2026"])
def test_colours_are_legible_on_a_white_page_and_on_a_dark_one(page_colour):
    def luminance(text):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(text)]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    for one in PALETTE:
        low, high = sorted([luminance(one), luminance(page_colour)])
        assert (high + 0.05) / (low + 0.05) > 2.0, one


def test_equal_labels_are_two_lines_and_two_bars(tmp_path, monkeypatch):
    """Both learners are called ucb: the legend and the shares name both, with their own numbers."""
    make(tmp_path)
    described = json.loads((tmp_path / "rows.json").read_text())
    described["rows"][1]["label"] = "ucb"
    (tmp_path / "rows.json").write_text(json.dumps(described))
    legends = []
    monkeypatch.setattr(Figure, "legend", lambda figure, handles, **_: legends.append(
        [handle.get_label() for handle in handles]))
    r, board = read(tmp_path)
    page.write_report(r, board)
    assert legends[1].count("ucb") == 2
    table = pd.DataFrame({"row": [ROWS[0].id] * 2 + [ROWS[1].id] * 2, "action": [0, 1] * 2, "count": [1, 3, 2, 2]})
    labels, shares = shown.shares(r, table)
    assert labels == ["ucb", "ucb"] and shares.to_numpy().tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_trials_are_pooled_by_their_sums_of_squares():
    """Two trials of two runs: 1, 3 and 5, 7 are four runs of mean 4 and variance 20/3."""
    rows = pd.DataFrame({"t": 10, "runs": 2, "mean": [2.0, 6.0], "sd": [np.sqrt(2)] * 2, "high": [3.0, 7.0]})
    found = pooled(rows).iloc[0]
    assert found["mean"] == 4.0
    assert found.half == pytest.approx(3.182446305 * np.sqrt(20 / 3 / 4))
