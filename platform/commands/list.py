"""``recloop list``: experiments, environments and algorithms by name."""
from . import shared


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    shared.parser("list", "List what comes with the project.", []).parse_args(arguments)
    return list_all()


def list_all() -> int:
    """Print every name with which something can be raced."""
    import custom_algos
    import envs

    from ..experiment.reading import shipped

    print("experiments:")
    for name, path in shipped().items():
        print(f"  {name:20} {path.read_text().splitlines()[0].lstrip('# ')}")
    print("environments:", *envs.MODELS, sep="\n  ")
    print("algorithms:", *custom_algos.ALGORITHMS, sep="\n  ")
    print("RLlib baselines (rllib: NAME):\n  PPO, APPO, IMPALA, DQN, SAC")
    return 0
