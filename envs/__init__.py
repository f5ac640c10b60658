"""Who is recommended to: simulated users as Gymnasium environments.

Importing the package tells Gymnasium every id (strings only: nothing else is imported), so ``import envs`` or
``gymnasium.make("envs:recloop/…")`` makes them known.  To add an environment, write one file and add one line to
`MODELS`.
"""
from typing import Any

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "recloop/BernoulliBandit-v0": ("envs.bandits:ArmBandit", {}),
    "recloop/GaussianBandit-v0": ("envs.bandits:ArmBandit", {"reward": "gaussian"}),
    "recloop/PiecewiseBandit-v0": ("envs.bandits:ArmBandit", {
        "changes": (1000, 2000, 3000, 4000),
        "means": ((.3, .5, .9), (.3, .2, .9), (.3, .2, .1), (.7, .2, .1), (.7, .5, .1))}),
    "recloop/DriftingBandit-v0": ("envs.bandits:ArmBandit", {"means": (.5, .5, .5), "amplitude": .4}),
    "recloop/TypesBandit-v0": ("envs.bandits:ArmBandit", {
        "types": 5, "observe": "one_hot",
        "means": tuple((.15, *(.30 if i == g else .05 for i in range(9))) for g in range(5))}),
    "recloop/AppearingBandit-v0": ("envs.bandits:ArmBandit", {"cycle": 1000, "stay": 500}),
    "recloop/DelayedBandit-v0": ("envs.bandits:ArmBandit", {"delay": "geometric"}),
    "recloop/HeadlineBandit-v0": ("envs.headlines:HeadlineBandit", {}),
    "recloop/LinearBandit-v0": ("envs.contextual:ContextBandit", {}),
    "recloop/NonlinearBandit-v0": ("envs.contextual:ContextBandit", {"link": "cosine"}),
    "recloop/FreshContextBandit-v0": ("envs.contextual:FreshContextBandit", {"actions": 10}),
    "recloop/InterestEvolution-v0": ("envs.interest_evolution:InterestEvolution", {}),
    "recloop/InterestExploration-v0": ("envs.interest_exploration:InterestExploration", {}),
    "recloop/LongTermSatisfaction-v0": ("envs.long_term_satisfaction:LongTermSatisfaction", {}),
    "recloop/GridEasy-v0": ("envs.tabular:Tabular", {"map": "easy"}),
    "recloop/GridHard-v0": ("envs.tabular:Tabular", {"map": "hard", "slip": .2}),
    "recloop/Cliff-v0": ("envs.tabular:Tabular", {"problem": "cliff", "map": "cliff"}),
    "recloop/FrozenLake4-v0": ("envs.tabular:Tabular", {"problem": "frozen_lake", "map": "4x4", "slip": 2 / 3}),
    "recloop/FrozenLake8-v0": ("envs.tabular:Tabular", {
        "problem": "frozen_lake", "map": "8x8", "slip": 2 / 3, "horizon": 200}),
    "recloop/Boredom-v0": ("envs.tabular:Tabular", {"problem": "boredom"}),
    "recloop/Churn-v0": ("envs.tabular:Tabular", {"problem": "churn"}),
    "recloop/SmallSlate-v0": ("envs.small_slate:SmallSlate", {}),
    "recloop/Sessions-v0": ("envs.sessions:Sessions", {}),
    "recloop/Ladder-v0": ("envs.ladder:Ladder", {}),
    "recloop/CartPole-v1": ("envs.cartpole:CartPole", {}),
    "recloop/Pendulum-v1": ("envs.pendulum:Pendulum", {}),
    "recloop/Logged-v0": ("envs.logged:Logged", {}),
}


def register_all():
    """Register every id with both entry points (strings only: nothing is imported before an env is made)."""
    import gymnasium as gym

    for name, (model, params) in MODELS.items():
        if name not in gym.registry:
            gym.register(name, entry_point="envs.core:make_scalar", vector_entry_point="envs.core:make_vector",
                         kwargs={"model": model, **params})


register_all()
