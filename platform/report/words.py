"""Numbers as words: how a score, a share, a speed or a time is written on the page and in the terminal."""
import math
from collections.abc import Callable, Sequence

Show = Callable[[float | None], str]


def known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def number(means: Sequence[float]) -> Show:
    """A formatter with decimals that fit the spread of ``means``: a three-hundredth of it is the last digit."""
    spread = max(means) - min(means) or abs(means[0]) or 1.0
    decimals = min(max(2 - math.floor(math.log10(spread / 3)), 0), 6)
    return lambda value: fixed(value, decimals, ",")


def fixed(value: float | None, decimals: int = 3, form: str = "") -> str:
    """A number with so many decimals and a real minus sign; a dash for what is not known."""
    return f"{value:{form}.{decimals}f}".replace("-", "−") if known(value) else "–"


def plus(value: float | None) -> str:
    return fixed(value, form="+")


def signed(value: float | None, show: Show) -> str:
    text = show(value)
    return text if text[0] in "−–" else f"+{text}"


def span(low: float, high: float, show: Show) -> str:
    return f"{show(low)} to {show(high)}" if known(low) else "unknown"


def percent(value: float | None) -> str:
    return f"{fixed(100 * value, 0)} %" if value is not None and known(value) else "–"


def rate(value: float | None) -> str:
    """A speed with three significant digits; a dash for 0."""
    if value is None or not known(value) or not value:
        return "–"
    return f"{float(f'{value:.3g}') if value >= 1000 else round(value):,.0f}"


def whole(value: float | None) -> str:
    return f"{value:,.0f}" if known(value) and value else "–"


def thousands(value: float) -> str:
    """The number at a tick of an axis."""
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def duration(seconds: float | None) -> str:
    if seconds is None or not known(seconds) or not seconds:
        return "–"
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds < 5400 else f"{seconds / 3600:.1f} h"
