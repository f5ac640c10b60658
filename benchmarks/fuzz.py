"""Broken input without end: experiment files, logs and checkpoints, each a good one with something wrong in it.

    python benchmarks/fuzz.py [yaml|log|checkpoint ...] [--inputs N] [--first I]

Every input must be read, or refused by the border's own error in one message.  Anything else is a fault and is printed
with its number: another exception, more than `SECONDS`, a program or a connection that was started, a pickle that was
read.  Input i of a target is the same on every machine.
"""
import argparse
import collections
import functools
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

SECONDS = 20                                              # for one input
GIB = 6                                                   # of address space beyond what the imports took
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn", "socket.connect",
             "pickle.find_class")
ODD = [b"", b"\x00", b"\xff\xfe", b"NaN", b"-1", b"1e400", b"9" * 40, b"'", b'"', b"*a", b"&a ", b"<<: ", b"{", b"[",
       b"!!python/name:os.system", b"]", b": ", b"- ", b"\n", b"\r", b"\t", b",", b";", b"null", b"~", b"true", b"0x10",
       b"1:40", b"0100",
       b"\xf0\x9f\x92\xa9", b"__class__", b"../..", b"%s", b"\\u0000", b"2026-13-45", b"inf", b"-0.0", b"1e-320"]


class TooLong(BaseException):
    """An input that does not come back (no Exception: the code under test must not catch it)."""


def mutated(good: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes: a bit, a cut, a piece twice or elsewhere, something odd put in or in place of a word."""
    data = bytearray(good)
    for _ in range(int(rng.integers(1, 5))):
        at, to = sorted(rng.integers(0, len(data) + 1, 2)) if data else (0, 0)
        to = min(to, at + int(rng.integers(1, 40)))
        odd = ODD[int(rng.integers(len(ODD)))]
        match int(rng.integers(7)):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to] * int(rng.integers(1, 50))
            case 3:
                data[at:to] = odd
            case 4:
                data[at:at] = odd
            case 5:
                words = bytes(data).split()
                if words:
                    data = bytearray(bytes(data).replace(words[int(rng.integers(len(words)))], odd, 1))
            case _:
                del data[at if rng.random() < 0.2 else len(data):]
    return bytes(data)


def yaml_target():
    """(good inputs, what reads one, errors that are right)"""
    from platform.experiment import reading
    from platform.experiment.model import Problem

    quick = {"ladder-bandits", "cartpole", "gridworld", "sessions", "quickstart", "frozen-lake"}
    good = [path.read_bytes() for name, path in reading.shipped().items() if name in quick]

    def read(data: bytes, folder: Path):
        (folder / "x.yaml").write_bytes(data)
        reading.read(folder / "x.yaml")
    return good, read, (Problem,)


def log_target():
    import pandas as pd

    from envs import logs

    rows = 60
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 9, rows), "item": [f"i{n}" for n in rng.integers(0, 7, rows)],
                          "session": rng.integers(0, 4, rows), "time": 1_700_000_000 + np.arange(rows),
                          "position": rng.integers(0, 3, rows), "propensity": rng.uniform(0.1, 1, rows).round(3),
                          "click": rng.integers(0, 2, rows), "dwell": rng.uniform(0, 9, rows).round(2),
                          "item_size": rng.uniform(0, 1, rows).round(2), "user_age": rng.integers(18, 60, rows)})
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(f"{folder}/x.csv", index=False)
        frame.to_parquet(f"{folder}/x.parquet")
        frame[["user", "item", "click"]].to_csv(f"{folder}/three.csv", index=False)
        csv, parquet, three = (Path(folder, name).read_bytes() for name in ("x.csv", "x.parquet", "three.csv"))

    def read(data: bytes, folder: Path):
        path = folder / ("x.parquet" if data[:3] == b"PAR" else "x.csv")
        path.write_bytes(data)
        logs.check(logs.read(path))
    return [csv, three, parquet], read, (ValueError,)


def checkpoint_target():
    import hashlib
    import json

    from platform.trial import checkpoint

    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder, {"counters": {"a": 1, "b": 0.5}, "w": np.arange(12.0).reshape(3, 4),
                                 "deep": [{"x": np.array([True, False])}, None, "text", [np.int8(3)]]})
        plain, arrays = (Path(folder, f"state.{end}").read_bytes() for end in ("json", "safetensors"))

    def read(data: bytes, folder: Path):
        """Half of the inputs change the JSON, half the arrays, whose digest is then made to fit."""
        is_json = data[:1] in (b"{", b"[") or b"sha256" in data[:20]
        digest = hashlib.sha256(arrays).hexdigest().encode()
        text = data if is_json else plain.replace(digest, hashlib.sha256(data).hexdigest().encode())
        (folder / "state.json").write_bytes(text)
        (folder / "state.safetensors").write_bytes(arrays if is_json else data)
        json.dumps(checkpoint.load(folder), default=np.ndarray.tolist)
    return [plain, arrays], read, (checkpoint.Broken,)


TARGETS = {"yaml": yaml_target, "log": log_target, "checkpoint": checkpoint_target}


def fuzz(name: str, first: int, inputs: int) -> collections.Counter:
    """Counts by outcome of the inputs ``first`` … ``first + inputs − 1`` of a target; prints every fault."""
    good, read, right = TARGETS[name]()
    counts: collections.Counter = collections.Counter()
    started: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for data in good:
            read(data, folder)                            # what is good is read, and everything is imported
        sys.addaudithook(functools.partial(_listen, started))
        limit = resource.getrlimit(resource.RLIMIT_AS)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + GIB * 2**30, limit[1]))
        shown, begun = time.monotonic(), time.monotonic()
        for number in range(first, first + inputs):
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([list(TARGETS).index(name), number])))
            counts[_one(name, number, mutated(good[int(rng.integers(len(good)))], rng), read, right, folder,
                        started)] += 1
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"{name}: {number - first + 1:,} of {inputs:,} in {shown - begun:.0f} s, {dict(counts)}",
                      flush=True)
        resource.setrlimit(resource.RLIMIT_AS, limit)
    return counts


def _one(name, number, data, read, right, folder, started) -> str:
    started.clear()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        read(data, folder)
        outcome = "read"
    except right as refusal:
        outcome = "refused" if str(refusal).strip() else "refused without a word"
    except TooLong:
        outcome = "too long"
    except BaseException as fault:
        outcome = f"{type(fault).__name__}: {str(fault)[:90]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if started:
        outcome = f"started {started[0]}"
    if outcome not in ("read", "refused"):
        kept = Path(tempfile.gettempdir(), f"fuzz-{name}-{number}")
        kept.write_bytes(data)
        print(f"FAULT {name} {number}: {outcome} ({kept})", flush=True)
        outcome = "fault"
    return outcome


def _listen(started: list[str], event: str, arguments) -> None:
    if event in FORBIDDEN:
        started.append(event)


def _alarm(*_):
    raise TooLong


def main() -> int:
    """Exit status 1 when there was a fault."""
    parser = argparse.ArgumentParser(description="Broken experiment files, logs and checkpoints without end.")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=35_000, help="for each target")
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    signal.signal(signal.SIGALRM, _alarm)
    faults = 0
    for name in options.targets:
        counts = fuzz(name, options.first, options.inputs)
        print(f"{name}: {sum(counts.values()):,} inputs: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
        faults += counts["fault"] + counts["refused without a word"]
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
