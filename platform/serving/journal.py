"""The journal: what a server has promised, on disk before it is promised.

Requests hand records to one thread.  It takes all that wait, writes them with one call, syncs, and only then says that
they are kept; there is no timer, so a lone request waits for nobody.  Where writing or syncing fails, every record of
that write fails, the file is cut back to what was synced before, and the next write begins a new segment: what a failed
sync left in the kernel's cache is never trusted, and never synced again.
"""
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from envs.logs.segments import HEAD, Corrupt, frame, frames, payload_at, scan, segments

FULL = 2**28                                              # bytes after which a new segment begins


class Place(NamedTuple):
    """Where a record lies."""

    segment: str                   # name of the file
    offset: int
    number: int                    # in the segment


class Unkept(OSError):
    """A record that did not reach the disk; nothing of it may be told to anybody."""


class Journal:
    """Appends to ``folder``; ``writer`` tells replicas apart, each of which has segments of its own.

    ``sync`` and ``write`` are the system's own, unless a test brings a disk that fails.
    """

    def __init__(self, folder: str | Path, writer: str = "a", full: int = FULL,
                 sync: Callable[[int], Any] = os.fdatasync, write: Callable[[int, memoryview], int] = os.write):
        self.folder, self.writer, self.full, self.sync, self.write = Path(folder), writer, full, sync, write
        self.folder.mkdir(parents=True, exist_ok=True)
        self.notes = recover(self.folder)
        own = [int(number) for name, _, number in (path.stem.rpartition("-") for path in segments(self.folder))
               if name == writer]
        self.next, self.file, self.path = max(own, default=-1) + 1, -1, self.folder
        self.good = self.number = 0                        # bytes and records of the open segment that are synced
        self.waiting: queue.SimpleQueue = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def append(self, payload: bytes) -> "Future[Place]":
        """Ask for a record to be kept; the future's `Place` says that it is on disk, its `Unkept` that it is not."""
        done: Future[Place] = Future()
        self.waiting.put((payload, done))
        return done

    def read(self, place: Place) -> bytes:
        """The payload at a place; `Corrupt` where it is no longer there."""
        file = os.open(self.folder / place.segment, os.O_RDONLY)
        try:
            return payload_at(file, place.offset)
        except Corrupt as error:
            raise Corrupt(f"{self.folder / place.segment}: {error}") from None
        finally:
            os.close(file)

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self.waiting.put(None)
        self.thread.join()

    def _serve(self) -> None:
        going = True
        while going:
            taken = [self.waiting.get()]
            while not self.waiting.empty():
                taken.append(self.waiting.get())
            going = None not in taken
            if asked := [one for one in taken if one is not None]:
                self._keep(asked)
        if self.file >= 0:
            os.close(self.file)

    def _keep(self, asked: list) -> None:
        """Write and sync together what was asked for together."""
        try:
            if self.file < 0 or self.good >= self.full:
                self._begin()
            places, data, at = [], [], self.good
            for number, (payload, _) in enumerate(asked, self.number):
                places.append(Place(self.path.name, at, number))
                data.append(frame(number, payload))
                at += len(data[-1])
            left = memoryview(b"".join(data))
            while left:
                left = left[self.write(self.file, left):]
            self.sync(self.file)
        except (OSError, ValueError) as error:
            self._retreat()
            for _, done in asked:
                done.set_exception(Unkept(f"{self.folder}: {error}"))
            return
        self.good, self.number = at, self.number + len(asked)
        for place, (_, done) in zip(places, asked, strict=True):
            done.set_result(place)

    def _begin(self) -> None:
        """A new segment, whose name is on disk before anything is in it."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
        path = self.folder / f"{self.writer}-{self.next:08d}.segment"
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.path, self.good, self.number, self.next = path, 0, 0, self.next + 1
        above = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)

    def _retreat(self) -> None:
        """Give the segment up at the last byte that was synced."""
        if self.file >= 0:
            try:
                os.ftruncate(self.file, self.good)
            except OSError:
                pass                                       # what is behind it is cut when the log is opened again
            os.close(self.file)
            self.file = -1


def recover(folder: Path) -> list[str]:
    """Cut the bad ends that a crash left; a sentence for each.  `Corrupt` where there is damage that no crash makes."""
    notes = []
    for path in segments(folder):
        found = scan(path)
        if found.torn:
            os.truncate(path, found.good)
            notes.append(f"{path.name}: {found.torn:,} bytes after record {found.frames:,} were cut: they were being "
                         "written when the server ended, and nobody was told that they were kept")
    return notes


def records(folder: str | Path) -> Iterator[tuple[Place, bytes]]:
    """Every record of a log, segment by segment; nothing is changed on disk."""
    for path in segments(Path(folder)):
        end = scan(path).good
        for each in frames(path):
            if each.offset + HEAD.size + len(each.payload) <= end:
                yield Place(path.name, each.offset, each.number), each.payload
