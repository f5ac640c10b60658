"""Networks of continuous control: an actor with a squashed normal law, and two critics computed as one."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .layers import Layers, hidden_layers, linear

LOG_STD = (-5.0, 2.0)            # between which an actor's log σ is kept


def actor_of(inputs: int, hidden: tuple[int, ...], controls: int, generator: torch.Generator) -> Layers:
    """Observations ``[B, inputs]`` -> ``[B, 2 · controls]``: μ and log σ of every control before it is squashed."""
    return Layers(*hidden_layers(inputs, hidden, generator, "relu", "torch"),
                  linear((inputs, *hidden)[-1], 2 * controls, generator, 1.0, "torch"))


def squashed(outputs: torch.Tensor, noise: np.ndarray | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(a = tanh(μ + σ ξ) ``[B, D]``, log π(a) ``[B]``) for an actor's ``outputs [B, 2D]`` and ξ = ``noise [B, D]``.

    log π(a) = Σ log N(ξ) − log σ − log(1 − a²) (Haarnoja et al. 2018, appendix C), the last in a form that keeps its
    digits.  Without noise: tanh(μ), and 0.
    """
    mean, log_std = outputs.chunk(2, dim=1)
    if noise is None:
        return torch.tanh(mean), torch.zeros(len(mean))
    log_std, xi = log_std.clamp(*LOG_STD), torch.from_numpy(noise)
    z = mean + log_std.exp() * xi
    log_prob = -0.5 * xi.pow(2) - log_std - 0.5 * np.log(2.0 * np.pi) - 2.0 * (np.log(2.0) - z - F.softplus(-2.0 * z))
    return torch.tanh(z), log_prob.sum(1)


class TwinCritic(nn.Module):
    """Two networks of the same widths in one batched product: (``[B, D]``, ``[B, D′]``) -> ``[2, B]``."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], generator: torch.Generator):
        super().__init__()
        sizes = list(zip((inputs, *hidden), (*hidden, 1), strict=True))
        self.weights = nn.ParameterList(nn.Parameter(_uniform((2, m, n), m, generator)) for m, n in sizes)
        self.biases = nn.ParameterList(nn.Parameter(_uniform((2, 1, n), m, generator)) for m, n in sizes)

    def forward(self, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        x = torch.cat([obs, action], dim=1).expand(2, -1, -1)                               # [2, B, D + D′]
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, torch.relu(x) if layer else x, weight)
        return x.squeeze(2)


def _uniform(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> torch.Tensor:
    """Uniform on ± 1/√inputs, torch's own law for a layer."""
    return torch.empty(shape).uniform_(-inputs**-0.5, inputs**-0.5, generator=generator)
