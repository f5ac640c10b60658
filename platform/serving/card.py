"""CARD.md of a bundle: what it is for, how well it did, what it was not tested on, whose log it learned from."""
from typing import Any

from ..report.words import span


def text(manifest: dict[str, Any]) -> str:
    """The card as Markdown, from the bundle's own manifest."""
    origin, score = manifest["provenance"], manifest["score"]
    lines = [f"# {origin['label']}, a recommendation policy", "",
             f"Algorithm `{manifest['algorithm']}`, {len(manifest['ids']):,} items, raced in the experiment "
             f"`{origin['experiment']['name']}` on `{origin['env']}`.", "",
             "## How well it does", "", _score(score), "", manifest["answer"], "",
             "The scores are those of simulated users: they say what to expect as far as these are like yours.", "",
             "## Can the simulated users be trusted?", "", _calibration(manifest["calibration"]), "",
             "## Can other policies be valued by what it shows?", "",
             "Yes: it knows the exact chance of what it shows." if manifest["propensities"] else
             "No: it does not know the chances of what it shows, so its log cannot value other policies. `squarecb` "
             "does, and so does Thompson sampling with `propensity_draws`.", "",
             "## What it was not tested on", "",
             "- users, items and contexts outside the experiment; new items "
             + ("start from their features" if manifest["algorithm"] in OPEN else "cannot be added"),
             "- real users: begin with a small share of them, beside the policy you run",
             f"- other seeds: this is seed {origin['seed_number'] + 1} of {origin['seeds']}, the one that did best on "
             "validation users; the score is that of all of them", "",
             "## Where it comes from", "",
             f"- log: {_log(origin)}", f"- commit: {origin['commit'] or 'not known'}",
             f"- finished: {origin['finished'] or 'not known'}",
             *[f"- {name}: {value}" for name, value in manifest["versions"].items()], "",
             "## How to use it", "", "```python", "from platform.serving import load_policy", "",
             "policy = load_policy(\"DIR\")            # this folder", _example(manifest), "```", ""]
    return "\n".join(lines)


OPEN = ("squarecb", "linear_softmax", "linear_epsilon_greedy")


def _score(score: dict[str, Any]) -> str:
    judged = f", judged by {score['judge']}" if score["judge"] else ""
    said = f"{score['mean']:.3f} {score['unit']} {score['per']} (95 % interval {_span(score['interval'])}){judged}."
    if score["difference"] is None:
        return said
    against = f"today's policy ({score['reference']})" if score["today"] else score["reference"]
    interval = _span(score["difference_interval"])
    return f"{said} Against {against}: {score['difference']:+.3f} (95 % interval {interval})."


def _span(ends: list[float | None]) -> str:
    low, high = ends
    return "not known" if low is None or high is None else span(low, high, lambda value: f"{value:.3f}")


def _calibration(found: dict[str, Any] | None) -> str:
    if found is None:
        return "These users are made up, not fitted to a log: the score says nothing about real ones."
    verdict = "Yes, as far as held-out data tell" if found.get("teaches") else "No"
    return f"{verdict}: {str(found.get('why', '')).rstrip('.')}."


def _log(origin: dict[str, Any]) -> str:
    if origin["log"] is None:
        return "none; simulated users alone"
    if origin["log"] == "MovieLens latest-small":
        return ("MovieLens latest-small of GroupLens: for research only, and so is what was fitted to it "
                "(envs/data/NOTICE.md)")
    return f"`{origin['log']}`; what its owner allows holds for this policy too"


def _example(manifest: dict[str, Any]) -> str:
    if manifest["observer"]:
        item = manifest["ids"][0]
        return f'policy.recommend(user={{"history": [{{"item": {item!r}, "reward": 1}}]}}, k=1)'
    return "policy.recommend(context=…, k=1)         # context: the observation, as a list of numbers"
