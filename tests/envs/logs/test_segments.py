"""Segments: what is whole, what a crash left, and what is damage."""
import hashlib

import pytest

from envs.logs.segments import HEAD, Corrupt, frame, frames, scan, segments

PAYLOADS = [b"first", b"", b"a third one", b"\xf5RL\x01 looks like a mark", b"last"]


@pytest.fixture(scope="module")
def data():
    return b"".join(frame(number, payload) for number, payload in enumerate(PAYLOADS))


def written(folder, data):
    path = folder / "a-00000000.segment"
    path.write_bytes(data)
    return path


def test_a_frame_by_hand():
    """Mark, length 2, number 7, BLAKE2b-128 of the number's eight bytes and the payload, payload."""
    said = hashlib.blake2b(b"\x07" + b"\0" * 7 + b"ab", digest_size=16).digest()
    assert frame(7, b"ab") == b"\xf5RL\x01" + b"\x02\0\0\0" + b"\x07" + b"\0" * 7 + said + b"ab"


def test_what_was_written_is_read(tmp_path, data):
    path = written(tmp_path, data)
    assert [each.payload for each in frames(path)] == PAYLOADS
    assert scan(path) == (5, len(data), 0)
    second = next(iter(frames(path, HEAD.size + 5, 1)))
    assert (second.number, second.payload) == (1, b"") and segments(tmp_path) == [path]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_end_is_what_a_crash_leaves(tmp_path, data, cut):
    """Any cut inside the last record (32 bytes and 4): four are whole, the rest is torn."""
    found = scan(written(tmp_path, data[:-cut]))
    assert (found.frames, found.torn) == (4, HEAD.size + 4 - cut)


def test_zeros_behind_the_end_are_what_a_crash_leaves(tmp_path, data):
    """A file that had grown before its bytes arrived."""
    assert scan(written(tmp_path, data + b"\0" * 100)) == (5, len(data), 100)


def test_every_changed_byte_is_found(tmp_path, data):
    """Before the last record it is damage, in the last a torn end: never a record that says something else."""
    last = len(data) - HEAD.size - len(PAYLOADS[-1])
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x40
        path = written(tmp_path, bytes(changed))
        if place < last:
            with pytest.raises(Corrupt, match=r"is damaged, and a whole one follows at byte"):
                scan(path)
        else:
            assert scan(path).frames == 4


@pytest.mark.parametrize("what", ["left out", "twice", "swapped"])
def test_whole_records_in_another_order_are_damage(tmp_path, what):
    """Their numbers say so."""
    parts = [frame(number, payload) for number, payload in enumerate(PAYLOADS)]
    order = {"left out": [0, 2, 3, 4], "twice": [0, 1, 1, 2, 3, 4], "swapped": [0, 2, 1, 3, 4]}[what]
    with pytest.raises(Corrupt, match="restore the file from a copy"):
        scan(written(tmp_path, b"".join(parts[i] for i in order)))
