"""What the records of a loop are made of: digests, coins, and events as a policy learns from them."""
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .decision import Event
from .journal import Place, records

SECRET = "secret"                                         # of a log's coins: 32 bytes, never among the records


class Open(NamedTuple):
    """An event whose outcome may still come."""

    record: dict
    rewards: dict[int, float]      # by slot


def events(waiting: dict[str, Open], closed: list, features: Callable[[str], list]) -> Iterator[Event]:
    """The slots of closed events as a policy learns from them."""
    for event_id, rewards in closed:
        record, gone = waiting[event_id].record, list(waiting[event_id].record["excluded"])
        for item, reward in zip(record["items"], rewards, strict=True):
            shown: list | None = None
            if record["candidates"] is not None:
                shown = [one for one in features(record["candidates"]) if _id(one) == item["id"]]
            yield Event(record["user"], record["context"], shown, item["id"], reward, item["propensity"], tuple(gone))
            gone.append(item["id"])


def _id(candidate) -> str:
    return candidate["id"] if isinstance(candidate, dict) else candidate


def parsed(folder: Path) -> Iterator[tuple[Place, dict]]:
    """The records of a log, as they were written, and where."""
    for place, payload in records(folder):
        yield place, json.loads(payload)


def hashed(value: Any) -> str:
    """16 bytes of a JSON value, the order of whose keys means nothing."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def coin(secret: bytes, event_id: str, version: int) -> bytes:
    """The 32 bytes that decide an event: nobody without the secret can choose them."""
    text = f"{version}\n{event_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=32, key=secret).digest()


def secret_of(folder: Path) -> bytes:
    """The log's secret, made with the log."""
    path = folder / SECRET
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()
