"""Off-policy estimates of a trained policy on the log behind its users."""
import math

import numpy as np
import pandas as pd
import pytest

from custom_algos import find_algorithm
from custom_algos.core import Transition
from envs import logs
from platform.judge import estimates
from platform.trial.build import task_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop with three items, shown with chances .5, .3, .2 whatever the user is, and liked at rates .1, .2, .6."""
    rng = np.random.default_rng(3)
    chances, rates, rows = np.array([.5, .3, .2]), np.array([.1, .2, .6]), 6000
    item = rng.choice(3, rows, p=chances)
    frame = pd.DataFrame({"time": np.arange(rows, dtype=float), "user": rng.integers(0, 60, rows), "item": item,
                          "click": (rng.random(rows) < rates[item]).astype(float), "propensity": chances[item]})
    path = tmp_path_factory.mktemp("shop") / "shop.parquet"
    logs.write(logs.from_frame(frame), path)
    return task_of("recloop/Logged-v0", {"path": str(path), "impressions": 2})


def test_the_best_item_is_valued_at_its_rate(shop):
    popular = find_algorithm("popularity")(*shop.spaces, items=shop.knows.catalogue)
    popular.learn(Transition(**shop.knows.log.batch("train")))
    rows = estimates.estimate(shop, popular, ["direct_method", "ips", "snips", "doubly_robust"])
    found = {row["estimator"]: row for row in rows}
    log = {name: value[0] for name, value in shop.knows.log.batch("test").items()}
    best = log["action"] == 2
    by_hand = {"ips": np.mean(log["reward"] * best / .2), "snips": log["reward"][best].mean()}
    for name, value in by_hand.items():                    # popularity always stands on the third item
        assert found[name]["value"] == pytest.approx(value, rel=1e-6)
    for name in found:
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
        assert abs(found[name]["value"] - .6) < .09
    assert found["ips"]["effective_sample_size"] == pytest.approx(best.sum())
    assert found["doubly_robust"]["high"] - found["doubly_robust"]["low"] < found["ips"]["high"] - found["ips"]["low"]


def test_a_row_is_valued_by_a_model_that_never_saw_it(shop):
    """Flipping the rewards of one fold leaves that fold's own model untouched and changes the other fold's."""
    keep = np.arange(40)
    before = estimates._reward_model(shop, keep, 2)
    rows = shop.knows.log.world.rows["like"]
    even = np.arange(len(rows)) % 2 == 0
    kept = rows.copy()
    try:
        rows[even] = 1.0 - rows[even]
        after = estimates._reward_model(shop, keep, 2)
    finally:
        rows[:] = kept
    mine = shop.knows.log.order("test")[keep] % 2 == 0
    np.testing.assert_array_equal(before[mine], after[mine])
    assert np.abs(before[~mine] - after[~mine]).max() > 0.05


class Always:
    """Shows one item to everybody."""

    def __init__(self, item):
        self.item = item

    def act(self, obs, rng, explore=True, mask=None):
        return np.full(len(obs), self.item), np.zeros(len(obs), np.float32)


def test_an_estimator_that_can_say_nothing_leaves_the_others_and_says_why(tmp_path):
    """The log never showed the third item to the users who are held out."""
    rng, rows = np.random.default_rng(0), 4000
    frame = pd.DataFrame({"time": np.arange(rows, dtype=float), "user": rng.integers(0, 40, rows),
                          "item": rng.integers(0, 3, rows), "click": (rng.random(rows) < .3).astype(float),
                          "propensity": 1 / 3})
    params = {"path": str(tmp_path / "log.parquet"), "impressions": 2, "taste_dimensions": 0}
    logs.write(logs.from_frame(frame), params["path"])
    log = task_of("recloop/Logged-v0", params).knows.log
    held_out = np.unique(log.world.rows["user"][log.order("test")])
    names = np.unique(frame.user.astype(str))
    keep = ~((frame.item == 2) & frame.user.astype(str).isin(names[held_out]))
    params["path"] = str(tmp_path / "thin.parquet")
    logs.write(logs.from_frame(frame[keep]), params["path"])
    found = {row["estimator"]: row for row in estimates.estimate(
        task_of("recloop/Logged-v0", params), Always(2), ["direct_method", "ips", "snips", "doubly_robust"])}
    assert math.isnan(found["snips"]["value"]) and "never takes a logged action" in found["snips"]["reason"]
    assert all(math.isfinite(found[name]["value"]) and "reason" not in found[name]
               for name in ("direct_method", "ips", "doubly_robust"))
