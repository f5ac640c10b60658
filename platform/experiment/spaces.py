"""Search spaces as data: a parameter's value may be a mapping with one search word, ``{loguniform: [1e-5, 1e-2]}``."""
import math
from typing import Any

from .model import Problem
from .names import among

WORDS = {"uniform": 2, "loguniform": 2, "quniform": 3, "randint": 2, "lograndint": 2, "choice": None, "grid": None}


def is_space(value: Any) -> bool:
    """A search space is a mapping with one of the search words as its only key."""
    return isinstance(value, dict) and len(value) == 1


def check_space(where: str, value: Any) -> None:
    """`Problem` where a space has an unknown word or impossible numbers; whole and decimal numbers are made what they
    are."""
    if not is_space(value):
        return
    (word, given), = value.items()
    if word not in WORDS:
        raise Problem(f"{where} = {value!r}: unknown search word '{word}'; {among(word, WORDS)}")
    if not isinstance(given, list) or not given:
        raise Problem(f"{where} = {value!r}: {word} takes a list")
    count = WORDS[word]
    if count is None:
        return
    whole = "rand" in word
    if not all(type(v) in (int, float) and math.isfinite(v) and (not whole or v == int(v)) for v in given):
        raise Problem(f"{where} = {value!r}: {word} takes {'whole ' if whole else ''}numbers")
    given[:] = [int(v) if whole else float(v) for v in given]
    if len(given) != count or given[0] >= given[1] or (word.startswith("log") and given[0] <= 0):
        raise Problem(f"{where} = {value!r}: {word} takes [low, high{', step' if count == 3 else ''}] with "
                      f"{'0 < ' if word.startswith('log') else ''}low < high")


def examples(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters as a search could draw them: every choice, or both ends of a range and a point between."""
    spaces = {key: _examples(value) for key, value in params.items() if is_space(value)}
    plain = params | {key: drawn[0] for key, drawn in spaces.items()}
    return [plain, *(plain | {key: value} for key, drawn in spaces.items() for value in drawn[1:])]


def _examples(space) -> list[Any]:
    (word, given), = space.items()
    if WORDS[word] is None:
        return given
    low, high = given[:2]
    if "rand" in word:
        return [low, high - 1]
    return [low, high] if word == "quniform" else [low, high, low + 0.381966 * (high - low)]


def tune_space(value: dict):
    """A search word as Tune's own object."""
    from ray import tune

    (word, given), = value.items()
    if word == "choice":
        return tune.choice(given)
    if word == "grid":
        return tune.grid_search(given)
    return getattr(tune, word)(*given)
