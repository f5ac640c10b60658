"""The live loop: idempotent, replayable bit for bit, auditable."""
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from envs import logs
from platform.serving import Refused, fresh_policy
from platform.serving.audit import audit
from platform.serving.journal import records
from platform.serving.loop import Conflict, Loop
from platform.serving.recording import coin, hashed, secret_of

ITEMS = [{"id": name, "features": {"kind": kind}} for name, kind in
         (("a", "news"), ("b", "news"), ("c", "sport"), ("d", "film"))]
LIKES = {"young": {"news": 0.1, "sport": 0.7, "film": 0.3}, "old": {"news": 0.6, "sport": 0.1, "film": 0.3}}


def policy():
    return fresh_policy("squarecb")


def live(loop, first: int, count: int, learn_every: int = 10, clock=None):
    """Users who come, and answer a little later; returns the answers."""
    rng, answers = np.random.default_rng(first), []
    for i in range(first, first + count):
        age = "young" if rng.random() < 0.5 else "old"
        answer, kept = loop.decide(f"event-{i}", {"id": f"u{i % 7}", "age": age}, {"hour": int(rng.integers(24))},
                                   ITEMS if i % 3 else [*reversed(ITEMS)], k=1 + (i % 2))
        kept.result(10)
        answers.append(answer)
        kinds = {item["id"]: item["features"]["kind"] for item in ITEMS}
        for slot, item in enumerate(answer.items):
            if rng.random() < 0.9:                         # one in ten never answers
                loop.outcome(answer.event_id, float(rng.random() < LIKES[age][kinds[item["id"]]]), slot)
        if clock is not None:
            clock[0] += 1.0
        if (i + 1) % learn_every == 0:
            loop.learn()
    return answers


def made(folder, clock, **options):
    return Loop(policy(), folder, wait=20.0, clock=lambda: clock[0], **options)


def test_a_decision_is_answered_once(tmp_path):
    loop = made(tmp_path, [0.0])
    answer, kept = loop.decide("one", {"age": "old"}, {"hour": 3}, ITEMS, 2)
    kept.result(10)
    again, nothing = loop.decide("one", {"age": "old"}, {"hour": 3}, ITEMS, 2)
    assert again == answer and nothing is None             # the stored answer
    with pytest.raises(Conflict, match="'one' was used for another request"):
        loop.decide("one", {"age": "old"}, {"hour": 4}, ITEMS, 2)
    assert loop.outcome("one", 1.0) is not None
    assert loop.outcome("one", 0.0) is None                # the first one counts
    loop.close()
    kinds = [json.loads(payload)["kind"] for _, payload in records(tmp_path)]
    assert kinds == ["start", "features", "decision", "outcome"]


@pytest.mark.parametrize(("given", "said"), [
    (("nobody", 1.0, 0), "'nobody' is not known"), (("one", float("nan"), 0), "must be a finite number"),
    (("one", True, 0), "must be a finite number"), (("one", 1e999, 0), "must be a finite number"),
    (("one", 1.0, 2), r"slot = 2 must lie in \[0, 1\]"), (("one", "1", 0), "must be a finite number")])
def test_an_outcome_that_cannot_be_is_refused_and_nothing_is_stored(tmp_path, given, said):
    loop = made(tmp_path, [0.0])
    loop.decide("one", None, None, ITEMS, 2)[1].result(10)
    before = len(list(records(tmp_path)))
    with pytest.raises(Refused, match=said):
        loop.outcome(*given)
    loop.close()
    assert len(list(records(tmp_path))) == before


def test_what_does_not_come_back_earns_the_default_when_its_time_is_over(tmp_path):
    clock = [0.0]
    loop = made(tmp_path, clock)
    for name in ("said", "silent"):
        loop.decide(name, None, None, ITEMS)[1].result(10)
    loop.outcome("said", 1.0)
    assert loop.learn() == 1 and loop.version == 1         # the silent one may still come
    clock[0] = 19.9
    assert loop.learn() == 0 and loop.version == 1
    clock[0] = 20.0
    assert loop.learn() == 1 and loop.version == 2
    assert loop.outcome("silent", 1.0) is not None         # late: kept, not learnt from
    loop.close()
    last = [json.loads(payload) for _, payload in records(tmp_path)]
    assert [r["events"] for r in last if r["kind"] == "publish"] == [[["said", [1.0]]], [["silent", [0.0]]]]
    assert last[-1]["late"]


def test_nobody_chooses_a_coin(tmp_path):
    """It depends on the secret, the event and the version, and on nothing else."""
    secret = secret_of(tmp_path)
    assert len(secret) == 32 and (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    coins = {coin(secret, "e", 1), coin(secret, "e", 2), coin(secret, "f", 1), coin(b"x" * 32, "e", 1)}
    assert len(coins) == 4 and coin(secret, "e", 1) in coins
    assert hashed({"a": 1, "b": [2.5]}) == hashed({"b": [2.5], "a": 1}) != hashed({"a": 1, "b": [2]})


def test_a_loop_that_is_opened_again_goes_on_bit_for_bit(tmp_path):
    """Closed and opened after 47 events, in the middle of what waits, against one that never stopped."""
    clocks = [0.0], [0.0]
    whole, parts = made(tmp_path / "whole", clocks[0]), made(tmp_path / "parts", clocks[1])
    (tmp_path / "parts" / "secret").write_bytes(whole.secret)
    parts.secret = whole.secret
    live(whole, 0, 100, clock=clocks[0])
    live(parts, 0, 47, clock=clocks[1])
    parts.close()
    parts = made(tmp_path / "parts", clocks[1])
    # `live` draws from a generator of its own: the same events once more, those before 47 answered from the store
    rest = made(tmp_path / "rest", [0.0])
    rest.close()
    assert parts.version == 4 and len(parts.waiting) >= 7
    assert audit(policy(), tmp_path / "parts") == {"decisions": 47, "versions": 4, "outcomes": sum(
        json.loads(payload)["kind"] == "outcome" for _, payload in records(tmp_path / "parts"))}
    before = whole.policy.digest()
    reopened = policy()
    whole.close()
    again = Loop(reopened, tmp_path / "whole", wait=20.0, clock=lambda: clocks[0][0])
    assert reopened.digest() == before and again.version == whole.version and list(again.waiting) == list(whole.waiting)
    again.close()
    parts.close()


def test_an_audit_recomputes_everything_and_finds_what_was_changed(tmp_path):
    clock = [0.0]
    loop = made(tmp_path, clock)
    live(loop, 0, 60, clock=clock)
    loop.close()
    found = audit(policy(), tmp_path)
    assert found["decisions"] == 60 and found["versions"] == 6
    with pytest.raises(Refused, match="the log began with another policy"):
        audit(fresh_policy("linear_softmax"), tmp_path)
    other = bytearray((tmp_path / "secret").read_bytes())
    other[0] ^= 1
    (tmp_path / "secret").write_bytes(bytes(other))
    with pytest.raises(Refused, match=r"decision 'event-\d+' \(version \d+\) is not what this policy decides"):
        audit(policy(), tmp_path)


def test_the_command_says_what_it_compared(tmp_path, capsys):
    from platform.commands.audit import main

    clock = [0.0]
    loop = made(tmp_path / "log", clock)
    live(loop, 0, 20, clock=clock)
    loop.close()
    assert main([str(tmp_path / "log")]) == 0
    assert "20 decisions and 2 versions are what was recorded" in capsys.readouterr().out
    path = tmp_path / "log" / "a-00000000.segment"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1                              # one bit
    path.write_bytes(bytes(data))
    for folder, said in ((tmp_path / "log", "is damaged"), (tmp_path, "holds no segments")):
        assert main([str(folder)]) == 2
        assert said in capsys.readouterr().err


def test_it_learns_who_likes_what(tmp_path):
    """1,500 events.  A choice at random earns 0.9 · 0.35, the best one 0.9 · 0.65: the last 300 earn more than 0.5, and
    most young users see sport."""
    clock = [0.0]
    loop = made(tmp_path, clock)
    answers = live(loop, 0, 1500, clock=clock)
    loop.close()
    kept = [json.loads(payload) for _, payload in records(tmp_path)]
    reward = {(r["id"], r["slot"]): r["reward"] for r in kept if r["kind"] == "outcome"}
    def mean(part):
        return np.mean([reward.get((a.event_id, 0), 0.0) for a in part])
    assert mean(answers[-300:]) > 0.5
    young = {r["id"] for r in kept if r["kind"] == "decision" and r["user"]["age"] == "young"}
    late = [a.items[0]["id"] for a in answers[-300:] if a.event_id in young]
    assert np.mean([item == "c" for item in late]) > 0.6


def test_a_served_log_is_read_like_any_other(tmp_path):
    """Every slot is a row; propensities, candidates and rewards are those of the records; `check` answers."""
    clock = [0.0]
    loop = made(tmp_path, clock)
    answers = live(loop, 0, 60, clock=clock)
    loop.close()
    log = logs.read(tmp_path)
    frame = log.frame
    assert len(frame) == sum(len(answer.items) for answer in answers) == 90
    second = frame[frame["request"] == "event-1"].sort_values("position")
    assert second["item"].tolist() == [item["id"] for item in answers[1].items]
    assert second["propensity"].tolist() == [item["propensity"] for item in answers[1].items]
    assert second["candidates"].iloc[0] == ["a", "b", "c", "d"] and second["policy"].tolist() == ["version 0"] * 2
    kept = [json.loads(payload) for _, payload in records(tmp_path)]
    said = {(r["id"], r["slot"]): r["reward"] for r in kept if r["kind"] == "outcome" and not r["late"]}
    for row in frame.itertuples():
        assert row.reward == said.get((row.request, row.position), 0.0) or np.isnan(row.reward)
    assert "propensity" in str(logs.check(log))
    os.truncate(tmp_path / "a-00000000.segment", (tmp_path / "a-00000000.segment").stat().st_size - 1)
    assert any("no whole record" in note for note in logs.read(tmp_path).notes)


CHILD = """
import sys, os
sys.path[:0] = [sys.argv[3]]
from test_loop import live, policy
from platform.serving.loop import Loop
clock = [float(sys.argv[2])]
loop = Loop(policy(), sys.argv[1], wait=20.0, clock=lambda: clock[0])
print("ready", flush=True)
i = int(sys.argv[2])
while True:
    for answer in live(loop, i, 10, clock=clock):
        print(answer.event_id, flush=True)
    i += 10
"""


def test_a_killed_loop_is_the_same_policy_again(tmp_path):
    """SIGKILL at eight moments under load: no answer that was given is lost or doubled, and every version is what its
    events make."""
    told, here = [], os.path.dirname(os.path.abspath(__file__))
    for kill in range(8):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(1000 * kill), here],
                                 stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        lines = [child.stdout.readline() for _ in range(5 + 4 * kill)]
        child.send_signal(signal.SIGKILL)
        told += [line.strip() for line in lines + child.stdout.read().splitlines() if line.strip()]
        child.wait()
    again = policy()
    loop = Loop(again, tmp_path, wait=20.0, clock=lambda: 1e9)
    loop.close()
    decided = [r["id"] for r in (json.loads(payload) for _, payload in records(tmp_path)) if r["kind"] == "decision"]
    assert set(told) <= set(decided) and len(decided) == len(set(decided))
    assert audit(policy(), tmp_path)["versions"] == loop.version >= 8
