"""A search chooses among finite scores only, and says what it left out."""
import io
import json
import math
from types import SimpleNamespace

import pytest
from rich.console import Console

from platform.run.search import choose
from platform.run.tuning import Failed

NAN, INF = math.nan, math.inf


def tried(*scores):
    return [SimpleNamespace(metrics={"eval/return_mean": score, "env_steps": 100}, config={"search": {"alpha": at}})
            for at, score in enumerate(scores)]


@pytest.mark.parametrize("scores, best", [([NAN, 5.0], 1), ([5.0, NAN], 0), ([NAN, 5.0, 7.0], 2), ([INF, 5.0], 1),
                                          ([-INF, NAN, -3.0], 2)])
def test_only_finite_scores_can_win_and_the_others_are_named(scores, best):
    said = io.StringIO()
    found = choose(tried(*scores), "eval/return_mean", "ucb", Console(file=said))
    assert found["params"] == {"alpha": best} and found["score"] == scores[best]
    for at, score in enumerate(scores):
        assert (f"alpha {at} cannot be chosen, its score is {score}" in said.getvalue()) != math.isfinite(score)
    kept = json.loads(json.dumps(found, allow_nan=False))                     # what is written is JSON
    assert [line["score"] for line in kept["trials"]] == [s if math.isfinite(s) else None for s in scores]


def test_a_search_without_a_finite_score_names_the_row():
    with pytest.raises(Failed, match=r"search for ucb found nothing: none of the 2 settings .* finite"):
        choose(tried(NAN, INF), "eval/return_mean", "ucb", Console(quiet=True))
