"""Who is recommended to: simulated users as Gymnasium environments.

`register_all` tells Gymnasium every id; it is an entry point of the distribution, so ``gymnasium.make`` knows the
ids without an import of this package.  To add an environment, write one file and add one line to `MODELS`.
"""
MODELS = {
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
