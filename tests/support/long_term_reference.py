"""What A2C does on the ladder and on SARDINE: `tests/support/long_term_reference.py` prints the figures of the text of
`docs/path/6-actor-critic.md` (6.7, 6.8) that no leaderboard has; some six minutes.
"""
import numpy as np
import yaml

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import begin, collect, evaluate, make_rng
from envs.engine.vector import SPLITS
from platform.experiment.reading import shipped
from platform.trial.build import make_env, one_thread


def trained(experiment: str, label: str, watch=lambda batch, share: None, seed: int = 0):
    """The row ``label`` of a shipped experiment after its budget, and a maker of held-out users; ``watch`` sees every
    block and the share of the budget that is done."""
    e = yaml.safe_load(shipped()[experiment].read_text())
    row = next(row for row in e["algorithms"] if row.get("label", row["name"]) == label)
    params, budget = e["env"].get("params", {}) | row.get("view", {}), e["budget"]["env_steps"]
    env, found = make_env(e["env"]["id"], params, e["population"]["users_per_shard"]), find_algorithm(row["name"])
    algorithm = found(env.single_observation_space, env.single_action_space, make_config(found, row["params"]), seed,
                      env.unwrapped.items)
    seen, done, rng = begin(env, seed), 0, make_rng(seed)
    while done < budget:
        batch, seen, _ = collect(env, algorithm, seen, algorithm.rollout_steps, rng)
        algorithm.learn(batch)
        done += batch.reward.size
        watch(batch, done / budget)
    return algorithm, lambda users: make_env(e["env"]["id"], params, users, autoreset="disabled",
                                             first_user=SPLITS["test"])


def sessions_heard_of():
    """The ladder: sessions that end in the last fifth of the training, and sessions as they are."""
    ended, running = [], np.zeros((2, 4000))                                 # steps and clicks so far

    def watch(batch, share):
        for reward, ends in zip(batch.reward, batch.ends, strict=True):
            running[:] += np.stack([np.ones_like(reward), reward])
            if share > 0.8:
                ended.extend(running[:, ends].T)
            running[:, ends] = 0.0
    algorithm, held_out = trained("ladder-actor-critic", "a2c", watch)
    whole = evaluate(held_out(4000), algorithm, 5, make_rng(1), explore=True)
    print("ladder, ended while learning: {:.1f} steps, {:.1f} clicks".format(*np.mean(ended, axis=0)))
    print(f"ladder, held-out, exploring:  {whole['length'].mean():.1f} steps, {whole['reward'].mean():.1f} clicks")


def what_slates_do(label: str | None):
    """SARDINE: clicks, share of the steps with a bored user, topics a slate, and items of a topic by its remembered
    clicks; ``label`` None: the most relevant slates."""
    algorithm, held_out = trained("sardine", label) if label else (None, lambda users: make_env(
        "recloop/Sardine-SlateTopK-Bored-v0", {}, users, autoreset="disabled", first_user=SPLITS["test"]))
    env = held_out(500)
    world, (obs, _), rng = env.unwrapped, begin(env, 5), make_rng(1)
    clicks = bored = 0.0
    topics, items = [], [[] for _ in range(6)]
    for _ in range(100):
        action = algorithm.act(obs, rng, explore=False)[0] if algorithm else env.unwrapped.oracle()
        slate = world.best_match(action) if action.dtype.kind == "f" else action
        fresh = ~(world.state.bored > 0).any(axis=1)
        shown = (world.topic[slate][:, :, None] == np.arange(10)).sum(axis=1)[fresh]       # [N, T]
        topics += list((shown > 0).sum(axis=1))
        for k, found in enumerate(items):
            found += list(shown[world.state.count[fresh] == k])
        obs, reward, _, _, info = env.step(action)
        clicks, bored = clicks + reward.mean(), bored + info["bored"].mean()
    print(f"sardine, {label or 'most relevant'}: {clicks:.0f} clicks, bored in {bored:.0f} % of the steps, "
          f"{np.mean(topics):.1f} topics a slate, items of a topic by clicks: "
          + " ".join(f"{k}: {np.mean(found):.1f}" for k, found in enumerate(items) if found))


if __name__ == "__main__":
    one_thread()
    sessions_heard_of()
    for row in (None, "a2c", "a2c, a direction"):
        what_slates_do(row)
