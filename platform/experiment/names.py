"""Names that a person may have mistyped."""
import difflib
from collections.abc import Iterable


def short(text: str, most: int = 200) -> str:
    """A text as it is told in a message: at most ``most`` characters."""
    return text if len(text) <= most else text[:most] + " …"


def hint(given: str, valid: Iterable[str]) -> str:
    """``; did you mean 'a2c'?``, or nothing where no valid name is close."""
    close = difflib.get_close_matches(str(given), list(valid), 1)
    return f"; did you mean '{close[0]}'?" if close else ""


def among(given: str, valid: Iterable[str]) -> str:
    """``valid are: a2c, dqn; did you mean 'a2c'?``"""
    names = list(valid)
    return f"valid are: {', '.join(names)}{hint(given, names)}"
