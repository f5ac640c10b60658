"""The audit: every decision and every version of a served log, computed again."""
from pathlib import Path

from .decision import Refused
from .policy import Policy
from .recording import Open, coin, events, hashed, parsed, secret_of


def audit(policy: Policy, folder: str | Path) -> dict[str, int]:
    """Recompute every decision and every version of a log from its first policy; counts of what was compared.

    `Refused` names the first that differs.
    """
    folder, waiting, stored = Path(folder), dict[str, Open](), dict[str, list]()
    secret, counts, version = secret_of(folder), {"decisions": 0, "versions": 0, "outcomes": 0}, 0
    for _, record in parsed(folder):
        begins = {"policy": policy.digest(), "algorithm": type(policy.algorithm).__name__}
        if record["kind"] == "start" and begins.items() - record.items():
            raise Refused(f"{folder}: the log began with another policy ({record['algorithm']} {record['policy'][:12]} "
                          f"…, not {begins['algorithm']} {begins['policy'][:12]} …): give the bundle it began with")
        if record["kind"] == "features":
            if hashed(record["value"]) != record["digest"]:
                raise Refused(f"{folder}: candidates {record['digest']} are not what was stored")
            stored[record["digest"]] = record["value"]
        elif record["kind"] == "decision":
            given = None if record["candidates"] is None else stored[record["candidates"]]
            found = policy.recommend(record["user"], record["context"], given, record["k"], record["excluded"],
                                     coin(secret, record["id"], version))
            if [{"id": item.id, "propensity": item.propensity} for item in found.items] != record["items"]:
                raise Refused(f"{folder}: decision {record['id']!r} (version {version}) is not what this policy "
                              "decides")
            waiting[record["id"]] = Open(record, {})
            counts["decisions"] += 1
        elif record["kind"] == "outcome":
            counts["outcomes"] += 1
        elif record["kind"] == "publish":
            policy.learn(list(events(waiting, record["events"], stored.__getitem__)))
            version = record["version"]
            for event_id, _ in record["events"]:
                del waiting[event_id]
            if policy.digest() != record["policy"]:
                raise Refused(f"{folder}: version {version} is not what learning from its events makes")
            counts["versions"] += 1
    return counts
