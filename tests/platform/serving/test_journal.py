"""The journal: what it says is kept is kept, through kills, full disks and disks that forget."""
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from envs.logs.segments import HEAD, Corrupt
from platform.serving.journal import Journal, Unkept, records


def payloads(folder) -> list[bytes]:
    return [payload for _, payload in records(folder)]


def test_what_is_kept_is_read_again_in_order(tmp_path):
    journal = Journal(tmp_path)
    places = [journal.append(b"%d" % i).result(10) for i in range(50)]
    assert [journal.read(place) for place in places] == [b"%d" % i for i in range(50)]
    journal.close()
    assert payloads(tmp_path) == [b"%d" % i for i in range(50)]
    again = Journal(tmp_path)
    again.append(b"more").result(10)
    again.close()
    assert payloads(tmp_path)[-1] == b"more" and len(list(tmp_path.iterdir())) == 2   # a segment of its own


def test_those_who_wait_are_written_together(tmp_path):
    """A sync that takes long: all that came meanwhile share the next one."""
    syncs, go = [], threading.Event()

    def slow(file):
        syncs.append(file)
        go.wait(10)
        os.fdatasync(file)
    journal = Journal(tmp_path, sync=slow)
    first = journal.append(b"first")
    while not syncs:
        time.sleep(0.001)
    rest = [journal.append(b"%d" % i) for i in range(200)]
    assert not first.done()                                # not before it is on disk
    go.set()
    assert [one.result(10).number for one in (first, *rest)] == list(range(201))
    assert len(syncs) == 2
    journal.close()


def test_segments_end_and_go_on(tmp_path):
    journal = Journal(tmp_path, full=200)
    for i in range(20):
        journal.append(b"%02d" % i + b"x" * 20).result(10)
    journal.close()
    assert len(list(tmp_path.iterdir())) == 5              # four records of 54 bytes, then a new one
    assert [payload[:2] for payload in payloads(tmp_path)] == [b"%02d" % i for i in range(20)]


def test_replicas_write_segments_of_their_own(tmp_path):
    one, two = Journal(tmp_path, "a"), Journal(tmp_path, "b")
    one.append(b"of a").result(10)
    two.append(b"of b").result(10)
    one.append(b"of a again").result(10)
    one.close()
    two.close()
    assert payloads(tmp_path) == [b"of a", b"of a again", b"of b"]


def test_a_failed_sync_fails_all_that_waited_and_is_never_tried_again(tmp_path):
    """The second sync fails once: its records are gone, those before stay, those after stand in a new segment."""
    calls = []

    def fails(file):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        os.fdatasync(file)
    journal = Journal(tmp_path, sync=fails)
    journal.append(b"kept").result(10)
    with pytest.raises(Unkept, match="Input/output error"):
        journal.append(b"lost").result(10)
    assert journal.append(b"after").result(10).segment == "a-00000001.segment"
    journal.close()
    assert payloads(tmp_path) == [b"kept", b"after"] and len(calls) == 3


def test_a_full_disk_fails_in_words_and_recovers(tmp_path):
    """A write that takes half of the bytes and then finds no room."""
    room = [True]

    def write(file, data):
        if room[0]:
            return os.write(file, data)
        if len(data) > 40:
            return os.write(file, data[:40])
        raise OSError(28, "No space left on device")
    journal = Journal(tmp_path, write=write)
    journal.append(b"kept").result(10)
    room[0] = False
    for _ in range(3):
        with pytest.raises(Unkept, match="No space left"):
            journal.append(b"x" * 30).result(10)
    room[0] = True
    journal.append(b"after").result(10)
    journal.close()
    assert payloads(tmp_path) == [b"kept", b"after"]


def test_a_disk_that_forgets_what_was_not_synced(tmp_path):
    """Power fails at a random moment: of every segment only the bytes that were synced are left.  What was said to be
    kept is there."""
    synced = {}

    def sync(file):
        os.fdatasync(file)
        synced[os.readlink(f"/proc/self/fd/{file}")] = os.fstat(file).st_size
    journal, kept = Journal(tmp_path, sync=sync, full=500), []
    for i in range(60):
        kept.append(b"%d" % i)
        journal.append(kept[-1]).result(10)
    unsaid = [journal.append(b"not waited for") for _ in range(5)]
    for path, size in dict(synced).items():
        copy = tmp_path / "after" / os.path.basename(path)
        copy.parent.mkdir(exist_ok=True)
        with open(path, "rb") as file:
            copy.write_bytes(file.read(size))
    assert payloads(tmp_path / "after")[:60] == kept
    journal.close()
    assert all(one.done() for one in unsaid)


def test_a_torn_end_is_cut_and_said_and_damage_is_refused(tmp_path):
    journal = Journal(tmp_path)
    places = [journal.append(b"record %d" % i).result(10) for i in range(3)]
    journal.close()
    path = tmp_path / "a-00000000.segment"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    again = Journal(tmp_path)
    again.close()
    assert again.notes == ["a-00000000.segment: 37 bytes after record 2 were cut: they were being written when the "
                           "server ended, and nobody was told that they were kept"]
    assert payloads(tmp_path) == [b"record 0", b"record 1"]
    changed = bytearray(whole)
    changed[places[1].offset + HEAD.size] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(Corrupt, match=r"a-00000000\.segment: the record at byte 40 is damaged"):
        Journal(tmp_path)
    with pytest.raises(Corrupt, match="no whole record at byte 40"):
        again.read(places[1])


CHILD = """
import sys
from platform.serving.journal import Journal
journal = Journal(sys.argv[1])
i = int(sys.argv[2])
while True:
    group = [journal.append(b"%d" % (i + k)) for k in range(7)]
    for k, one in enumerate(group):
        one.result()
        print(i + k, flush=True)
    i += 7
"""


def test_a_killed_process_loses_nothing_that_it_had_said(tmp_path):
    """SIGKILL at twenty moments; every number that was printed is in the log, once, and they are in order."""
    said, start = [], 0
    for kill in range(20):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(start)], stdout=subprocess.PIPE,
                                 text=True)
        lines = [child.stdout.readline() for _ in range(3 + 5 * kill)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines()
        child.wait()
        numbers = [int(line) for line in lines if line.strip()]
        said += numbers
        start = numbers[-1] + 1000                         # what was written and not said may be there, too
    Journal(tmp_path).close()
    found = [int(payload) for payload in payloads(tmp_path)]
    assert len(found) == len(set(found)) and found == sorted(found)
    assert set(said) <= set(found)
