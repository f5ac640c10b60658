"""Segments of an event log: files of frames that each say whether they are whole.

    frame = mark (4 bytes) · length of the payload (4) · number in the segment (8) · digest (16) · payload

Numbers are little-endian; the digest is BLAKE2b of number and payload.  A changed, cut, repeated or missing byte is
found wherever it is.  What a crash leaves behind is a bad end, after which nothing whole follows: it is cut and said.
A bad frame *before* a whole one is no crash but damage, and is refused.
"""
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MARK = b"\xf5RL\x01"
HEAD = struct.Struct("<4sIQ16s")
LONGEST = 2**28                                           # bytes of a payload


class Corrupt(ValueError):
    """A segment that no crash leaves behind."""


class Frame(NamedTuple):
    offset: int                    # where it begins in its file
    number: int                    # 0, 1, 2 … in its segment
    payload: bytes


class Scan(NamedTuple):
    """A segment, read to its good end."""

    frames: int
    good: int                      # bytes up to the end of the last whole frame
    torn: int                      # bytes after it


def digest(number: int, payload: bytes) -> bytes:
    """What a frame says of itself, 16 bytes."""
    return hashlib.blake2b(number.to_bytes(8, "little") + payload, digest_size=16).digest()


def frame(number: int, payload: bytes) -> bytes:
    """A payload as it is written; ValueError where it is too long."""
    if len(payload) > LONGEST:
        raise ValueError(f"a record of {len(payload):,} bytes; at most {LONGEST:,} fit")
    return HEAD.pack(MARK, len(payload), number, digest(number, payload)) + payload


def frames(path: Path, start: int = 0, number: int = 0) -> Iterator[Frame]:
    """The whole frames of a segment from offset ``start``, the first of which has ``number``; ends at the first that is
    not whole (see `scan`)."""
    with open(path, "rb") as file:
        file.seek(start)
        while (found := _frame(file.read(HEAD.size), file, number)) is not None:
            yield Frame(start, number, found)
            start, number = start + HEAD.size + len(found), number + 1


def payload_at(descriptor: int, offset: int) -> bytes:
    """The payload of the frame at ``offset`` of an open segment; `Corrupt` where there is no whole one."""
    import os

    head = os.pread(descriptor, HEAD.size, offset)
    if len(head) == HEAD.size:
        mark, length, number, said = HEAD.unpack(head)
        if mark == MARK and length <= LONGEST:
            payload = os.pread(descriptor, length, offset + HEAD.size)
            if len(payload) == length and digest(number, payload) == said:
                return payload
    raise Corrupt(f"no whole record at byte {offset:,}")


def scan(path: Path) -> Scan:
    """Read a segment to its good end; `Corrupt` names a bad record that stands before a whole one."""
    count = good = 0
    while True:
        for each in frames(path, good, count):
            count, good = each.number + 1, each.offset + HEAD.size + len(each.payload)
        size = path.stat().st_size
        later = _whole_after(path, good) if good < size else None
        if later is None:
            return Scan(count, good, size - good)
        if next(frames(path, good, count), None) is None:  # else it was being written when it was looked at
            raise Corrupt(f"{path}: the record at byte {good:,} is damaged, and a whole one follows at byte {later:,}: "
                          "this is no crash but damage; restore the file from a copy")


def _frame(head: bytes, file, number: int) -> bytes | None:
    """The payload behind ``head`` where the frame is whole and has the ``number``."""
    if len(head) < HEAD.size:
        return None
    mark, length, said_number, said = HEAD.unpack(head)
    if mark != MARK or length > LONGEST or said_number != number:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and digest(number, payload) == said else None


def _whole_after(path: Path, start: int) -> int | None:
    """Where the next whole frame of any number stands behind ``start``; None: nowhere."""
    data = path.read_bytes()
    place = data.find(MARK, start + 1)
    while place >= 0:
        head = data[place:place + HEAD.size]
        if len(head) == HEAD.size:
            _, length, number, said = HEAD.unpack(head)
            payload = data[place + HEAD.size:place + HEAD.size + length]
            if len(payload) == length and digest(number, payload) == said:
                return place
        place = data.find(MARK, place + 1)
    return None


def segments(folder: Path) -> list[Path]:
    """The segments of a log, writer by writer in the order in which each wrote them."""
    return sorted(Path(folder).glob("*.segment"))
