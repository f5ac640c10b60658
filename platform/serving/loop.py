"""The live loop: decide, hear what came of it, learn; every step of it a record, so that all of it can be done again.

    policy after n publications = f(first policy, records)

What flows through: a request becomes a decision, whose coin is a keyed hash of event id and policy version; outcomes
wait for their event; `learn` closes the events whose outcome is known or whose time is over, in the order in which they
were decided, and publishes the next version with a ledger of what it learnt from.  A `Loop` on an old folder does the
same steps again from the records; `audit` compares each with what the record says.
"""
import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from .decision import Refused
from .journal import Journal, Place
from .policy import Policy
from .recording import Open, coin, events, hashed, parsed, secret_of


class Conflict(Refused):
    """An event id that was used for another request."""


class Answer(NamedTuple):
    event_id: str
    items: list[dict]              # {"id", "propensity"} by slot
    version: int
    explored: bool | None


class Loop:
    """``wait``: seconds after which a slot without an outcome earned ``default``."""

    def __init__(self, policy: Policy, folder: str | Path, wait: float = 600.0, default: float = 0.0,
                 clock: Callable[[], float] = time.time, **options):
        self.policy, self.folder, self.wait, self.default, self.clock = policy, Path(folder), wait, default, clock
        self.version, self.waiting, self.known = 0, dict[str, Open](), dict[str, tuple[str, Answer]]()
        self.stored: dict[str, Place | Future[Place]] = {}          # where the features of a digest lie
        self.journal = Journal(folder, **options)
        self.secret = secret_of(self.folder)
        first = policy.digest()
        begun = False
        for place, record in parsed(self.folder):
            begun = begun or record["kind"] == "start"
            self._again(record, place)
        if not begun:
            self._write({"kind": "start", "policy": first, "algorithm": type(policy.algorithm).__name__}).result()

    def decide(self, event_id: str, user=None, context=None, candidates=None, k: int = 1,
               excluded=()) -> "tuple[Answer, Future | None]":
        """The answer, and the future that says it is on disk (None: it was before).  The same id with the same request
        gives the stored answer, with another one `Conflict`."""
        if not isinstance(event_id, str) or not event_id:
            raise Refused("event_id must be a text that is not empty")
        asked = {"user": user, "context": context, "candidates": candidates, "k": k, "excluded": sorted(excluded)}
        body = hashed(asked)
        if event_id in self.known:
            before, answer = self.known[event_id]
            if before != body:
                raise Conflict(f"event_id {event_id!r} was used for another request; each needs an id of its own")
            return answer, None
        found = self.policy.recommend(user, context, candidates, k, excluded, coin(self.secret, event_id, self.version))
        digest = None if candidates is None else hashed(candidates)
        if digest is not None and digest not in self.stored:
            self.stored[digest] = self._write({"kind": "features", "digest": digest, "value": candidates})
        items = [{"id": item.id, "propensity": item.propensity} for item in found.items]
        record = {"kind": "decision", "id": event_id, "at": self.clock(), "body": body, "version": self.version,
                  "user": user, "context": context, "candidates": digest, "k": k, "excluded": sorted(excluded),
                  "items": items, "explored": found.explored}
        return self._decided(record), self._write(record)

    def outcome(self, event_id: str, reward: float, slot: int = 0) -> "Future | None":
        """What came of a slot; the future says that it is on disk.  The first one counts, repetitions change nothing
        (None).  One that comes after its event was closed is kept, and not learnt from."""
        if event_id not in self.known:
            raise Refused(f"event_id {event_id!r} is not known")
        if isinstance(reward, bool) or not isinstance(reward, int | float) or not abs(reward) < 1e300:
            raise Refused(f"reward = {str(reward)[:40]} must be a finite number")
        if not (isinstance(slot, int) and 0 <= slot < len(self.known[event_id][1].items)):
            raise Refused(f"slot = {slot} must lie in [0, {len(self.known[event_id][1].items) - 1}]")
        event = self.waiting.get(event_id)
        if event is not None and slot in event.rewards:
            return None
        record = {"kind": "outcome", "id": event_id, "at": self.clock(), "slot": slot, "reward": float(reward),
                  "late": event is None}
        self._again(record)
        return self._write(record)

    def learn(self) -> int:
        """Close what can be closed, learn from it and publish; returns the events closed (0: nothing is published)."""
        now, closed = self.clock(), []
        for event_id, event in self.waiting.items():
            if len(event.rewards) == len(event.record["items"]) or now - event.record["at"] >= self.wait:
                closed.append([event_id, [event.rewards.get(slot, self.default)
                                          for slot in range(len(event.record["items"]))]])
        if closed:
            record = {"kind": "publish", "at": now, "version": self.version + 1, "events": closed}
            self._again(record)
            self._write(record | {"policy": self.policy.digest()}).result()
        return len(closed)

    def close(self) -> None:
        self.journal.close()

    def _decided(self, record: dict) -> Answer:
        answer = Answer(record["id"], record["items"], record["version"], record["explored"])
        self.known[record["id"]] = record["body"], answer
        self.waiting[record["id"]] = Open(record, {})
        return answer

    def _again(self, record: dict, place: Place | None = None) -> None:
        """What a record did to the loop, done now."""
        if record["kind"] == "features" and place is not None:
            self.stored[record["digest"]] = place
        elif record["kind"] == "decision":
            self._decided(record)
        elif record["kind"] == "outcome" and not record["late"]:
            self.waiting[record["id"]].rewards.setdefault(record["slot"], record["reward"])
        elif record["kind"] == "publish":
            self.policy.learn(list(events(self.waiting, record["events"], self._features)))
            for event_id, _ in record["events"]:
                del self.waiting[event_id]
            self.version = record["version"]

    def _features(self, digest: str) -> list:
        place = self.stored[digest]
        return json.loads(self.journal.read(place.result() if isinstance(place, Future) else place))["value"]

    def _write(self, record: dict) -> Future:
        return self.journal.append(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode())
