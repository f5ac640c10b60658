"""What happens to a trial, said while it happens: losses, and a step that does not come back.

A thread looks once a second at what its trial is doing.  It tells of whatever takes long, again and again with longer
pauses between; the thing itself may hang, the thread does not.
"""
import contextlib
import threading
import time
from collections.abc import Callable

EVERY = 30.0                                             # seconds until one block of one shard takes long


class Watch:
    """``tell`` gets one sentence at a time; nothing is looked at before `start`."""

    def __init__(self, tell: Callable[[str], None] = lambda sentence: None, every: float = EVERY):
        self.tell, self.every = tell, every
        self._doing: list[tuple[str, float, float]] = []  # (what, since when, patience), the innermost last
        self._closed = threading.Event()

    def start(self) -> "Watch":
        threading.Thread(target=self._look, daemon=True).start()
        return self

    @contextlib.contextmanager
    def at(self, what: str, patience: float = 1.0):
        """Within the block the trial is at ``what``, which may take ``patience`` times as long as other things."""
        self._doing.append((what, time.monotonic(), patience))
        try:
            yield
        finally:
            self._doing.pop()

    def close(self) -> None:
        self._closed.set()

    def _look(self) -> None:
        alarm = Alarm(self.every)
        while not self._closed.wait(min(1.0, self.every / 4)):
            for what, since, patience in self._doing[-1:]:
                if took := alarm.due(since, patience):
                    self.tell(f"{what} has not come back for {took:.0f} s")


class Alarm:
    """Says of something that began at ``since`` whether it is time to tell of it: after ``every`` seconds, after twice
    as many, four times as many, and so on."""

    def __init__(self, every: float):
        self.every, self.since, self.next = every, 0.0, every

    def due(self, since: float, patience: float = 1.0) -> float:
        """The seconds since then where they should be told, else 0."""
        if since != self.since:
            self.since, self.next = since, self.every * patience
        took = time.monotonic() - since
        if took < self.next:
            return 0.0
        self.next *= 2
        return took
