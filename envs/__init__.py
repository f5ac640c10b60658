"""Who is recommended to: simulated users as Gymnasium environments.

Importing the package tells Gymnasium every id (strings only: nothing else is imported), so ``import envs`` or
``gymnasium.make("envs:recloop/…")`` makes them known.  To add an environment, write one file and add one line to
`MODELS`.
"""
from typing import Any

STATIC = {"boredom_threshold": 11}                          # never: at most ten clicks are remembered
RERANK = {"items": 10, "horizon": 10, "offset": .3, "slope": 5.0, "examination": .7}
SARDINE: dict[str, dict[str, Any]] = {
    "SingleItem-Static": {"slate": 1, **STATIC},
    "SingleItem-BoredInf": {"slate": 1, "interest_kept": .95},
    "SingleItem-Uncertain": {"slate": 1, "slope": 10.0, **STATIC},
    "SingleItem-PartialObs": {"slate": 1, "observe": "published", **STATIC},
    "SlateTopK-Bored": {},
    "SlateTopK-BoredInf": {"interest_kept": .95},
    "SlateTopK-Uncertain": {"slope": 10.0, "interest_kept": .95},
    "SlateTopK-PartialObs": {"interest_kept": .95, "observe": "published"},
    "SlateRerank-Static": {**RERANK, **STATIC},
    "SlateRerank-Bored": {**RERANK, "boredom_threshold": 4},
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "recloop/BernoulliBandit-v0": ("envs.bandits.arms:ArmBandit", {}),
    "recloop/GaussianBandit-v0": ("envs.bandits.arms:ArmBandit", {"reward": "gaussian"}),
    "recloop/PiecewiseBandit-v0": ("envs.bandits.arms:ArmBandit", {
        "changes": (1000, 2000, 3000, 4000),
        "means": ((.3, .5, .9), (.3, .2, .9), (.3, .2, .1), (.7, .2, .1), (.7, .5, .1))}),
    "recloop/DriftingBandit-v0": ("envs.bandits.arms:ArmBandit", {"means": (.5, .5, .5), "amplitude": .4}),
    "recloop/TypesBandit-v0": ("envs.bandits.arms:ArmBandit", {
        "types": 5, "observe": "one_hot",
        "means": tuple((.15, *(.30 if i == g else .05 for i in range(9))) for g in range(5))}),
    "recloop/AppearingBandit-v0": ("envs.bandits.arms:ArmBandit", {"cycle": 1000, "stay": 500}),
    "recloop/DelayedBandit-v0": ("envs.bandits.arms:ArmBandit", {"delay": "geometric"}),
    "recloop/HeadlineBandit-v0": ("envs.bandits.headlines:HeadlineBandit", {}),
    "recloop/LinearBandit-v0": ("envs.bandits.contexts:ContextBandit", {}),
    "recloop/NonlinearBandit-v0": ("envs.bandits.contexts:ContextBandit", {"link": "cosine"}),
    "recloop/FreshContextBandit-v0": ("envs.bandits.contexts:FreshContextBandit", {"actions": 10}),
    "recloop/InterestEvolution-v0": ("envs.interest_evolution.env:InterestEvolution", {}),
    "recloop/InterestExploration-v0": ("envs.interest_exploration.env:InterestExploration", {}),
    "recloop/LongTermSatisfaction-v0": ("envs.satisfaction.env:LongTermSatisfaction", {}),
    "recloop/GridEasy-v0": ("envs.tabular.env:Tabular", {"map": "easy"}),
    "recloop/GridHard-v0": ("envs.tabular.env:Tabular", {"map": "hard", "slip": .2}),
    "recloop/Cliff-v0": ("envs.tabular.env:Tabular", {"problem": "cliff", "map": "cliff"}),
    "recloop/FrozenLake4-v0": ("envs.tabular.env:Tabular", {"problem": "frozen_lake", "map": "4x4", "slip": 2 / 3}),
    "recloop/FrozenLake8-v0": ("envs.tabular.env:Tabular", {
        "problem": "frozen_lake", "map": "8x8", "slip": 2 / 3, "horizon": 200}),
    "recloop/Boredom-v0": ("envs.tabular.env:Tabular", {"problem": "boredom"}),
    "recloop/Churn-v0": ("envs.tabular.env:Tabular", {"problem": "churn"}),
    "recloop/SmallSlate-v0": ("envs.small_slate.env:SmallSlate", {}),
    "recloop/Sessions-v0": ("envs.sessions.env:Sessions", {}),
    "recloop/Ladder-v0": ("envs.ladder.env:Ladder", {}),
    "recloop/CartPole-v1": ("envs.control.cartpole:CartPole", {}),
    "recloop/Pendulum-v1": ("envs.control.pendulum:Pendulum", {}),
    "recloop/ClickLoop-v0": ("envs.bandits.click_loop:ClickLoop", {}),
    **{f"recloop/Sardine-{name}-v0": ("envs.sardine.env:Sardine", params) for name, params in SARDINE.items()},
    "recloop/Retention-v0": ("envs.retention.env:Retention", {}),
    "recloop/Logged-v0": ("envs.fitted.env:Logged", {}),
}


def register_all():
    """Register every id with both entry points (strings only: nothing is imported before an env is made)."""
    import gymnasium as gym

    for name, (model, params) in MODELS.items():
        if name not in gym.registry:
            gym.register(name, entry_point="envs.engine.single:make_scalar",
                         vector_entry_point="envs.engine.single:make_vector", kwargs={"model": model, **params})


register_all()
