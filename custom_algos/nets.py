"""Networks and the conversions around them: built from a seed, without touching torch's global generator."""
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int, generator: torch.Generator, activation: str = "tanh",
        last_gain: float = 1.0) -> nn.Sequential:
    """A multilayer perceptron with orthogonal weights and zero biases drawn from ``generator`` (Saxe et al. 2014)."""
    sizes, layers = (inputs, *hidden), []
    for width_in, width_out in zip(sizes, hidden, strict=False):
        layers += [linear(width_in, width_out, generator, 2.0**0.5), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, linear(sizes[-1], outputs, generator, last_gain))


def linear(inputs: int, outputs: int, generator: torch.Generator, gain: float) -> nn.Linear:
    """One layer, initialised from ``generator``."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        nn.init.orthogonal_(layer.weight, gain, generator=generator)
        nn.init.zeros_(layer.bias)
    return layer


def generator_of(seed: int) -> torch.Generator:
    """A torch generator of its own."""
    return torch.Generator().manual_seed(seed)


def flat_size(space) -> int:
    """Numbers in one flattened observation."""
    return spaces.flatdim(space)


def flat_obs(obs, space) -> np.ndarray:
    """Observations ``[N, …]`` of ``space`` as float32 ``[N, D]``: boxes flat, discrete values one-hot, dicts joined."""
    if isinstance(space, spaces.Dict):
        return np.concatenate([flat_obs(obs[key], part) for key, part in space.items()], axis=-1)
    obs = np.asarray(obs)
    if isinstance(space, spaces.Discrete):
        one_hot = np.zeros((len(obs), int(space.n)), np.float32)
        one_hot[np.arange(len(obs)), obs - int(space.start)] = 1.0
        return one_hot
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return obs.reshape(len(obs), -1).astype(np.float32, copy=False)
    if isinstance(space, spaces.MultiDiscrete):
        return np.concatenate([np.eye(n, dtype=np.float32)[obs[:, i]] for i, n in enumerate(space.nvec)], axis=1)
    raise ValueError(f"observation space {space} is not supported; valid are Box, Discrete, MultiDiscrete, "
                     "MultiBinary, Dict")


def tensor(array: np.ndarray) -> torch.Tensor:
    """A copy in torch's own memory: on 64-byte borders, without which matrix kernels may round differently."""
    return torch.from_numpy(np.ascontiguousarray(array)).clone()


def snapshot(module: nn.Module) -> dict[str, np.ndarray]:
    """A copy of every parameter as NumPy."""
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def load_snapshot(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """The reverse of `snapshot` (copies: the arrays may be read-only)."""
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})


def optimizer_snapshot(optimizer: torch.optim.Optimizer) -> dict[str, dict[str, np.ndarray]]:
    """The optimiser's moments as NumPy, keyed by the parameter's number."""
    return {str(i): {name: np.array(value.detach().numpy() if torch.is_tensor(value) else value)
                     for name, value in s.items()}
            for i, s in optimizer.state_dict()["state"].items()}


def load_optimizer_snapshot(optimizer: torch.optim.Optimizer, saved: dict[str, dict[str, np.ndarray]]) -> None:
    """The reverse of `optimizer_snapshot`."""
    state = {int(i): {name: torch.from_numpy(np.array(value)) for name, value in s.items()} for i, s in saved.items()}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
