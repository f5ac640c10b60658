"""Snapshots of networks and optimisers as NumPy arrays: copies, never live tensors."""
import numpy as np
import torch
from torch import nn


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
