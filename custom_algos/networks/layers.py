"""Networks and the conversions around them: built from a seed, without touching torch's global generator."""
import numpy as np
import torch
from torch import nn

from ..parts.border import check_gradient

NEVER = -1e9                     # logit of what cannot be chosen: finite, so that gradients stay finite
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


class Layers(nn.Sequential):
    """The same as `nn.Sequential`; a small batch is through it in three quarters of the time, because the layers' hooks
    (which nobody sets) are not looked for."""

    def forward(self, x):
        for layer in self._modules.values():
            x = layer.forward(x)
        return x


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int, generator: torch.Generator, activation: str = "tanh",
        last_gain: float = 1.0) -> nn.Sequential:
    """A multilayer perceptron, see `linear` and `hidden_layers`."""
    last = (inputs, *hidden)[-1]
    return Layers(*hidden_layers(inputs, hidden, generator, activation), linear(last, outputs, generator, last_gain))


def hidden_layers(inputs: int, hidden: tuple[int, ...], generator: torch.Generator, activation: str = "tanh",
                  init: str = "orthogonal") -> list[nn.Module]:
    """Layers of the widths ``hidden``, each followed by its activation."""
    kind, layers = ACTIVATIONS[activation], []
    for width_in, width_out in zip((inputs, *hidden), hidden, strict=False):
        layers += [linear(width_in, width_out, generator, 2.0**0.5, init), kind()]
    return layers


def linear(inputs: int, outputs: int, generator: torch.Generator, gain: float, init: str = "orthogonal") -> nn.Linear:
    """One layer drawn from ``generator``.  orthogonal: weights orthogonal times ``gain``, biases zero (Saxe et al.
    2014); torch: both uniform on ± 1/√inputs, torch's own default."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        if init == "orthogonal":
            nn.init.orthogonal_(layer.weight, gain, generator=generator)
            nn.init.zeros_(layer.bias)
        else:
            for part in (layer.weight, layer.bias):
                nn.init.uniform_(part, -inputs**-0.5, inputs**-0.5, generator=generator)
    return layer


class Normalize(nn.Module):
    """(x − mean) / standard deviation of every number seen so far, at most 10; a part of the policy, no parameter."""

    count: torch.Tensor
    mean: torch.Tensor
    squares: torch.Tensor                                                                   # Σ (x − mean)²

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("count", torch.zeros(1, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64))

    def forward(self, x):
        if not self.count:
            return x
        sd = (self.squares / self.count).sqrt().clamp_min(1e-4)
        return ((x - self.mean) / sd).clamp(-10.0, 10.0).float()

    def update(self, x: torch.Tensor) -> None:
        """Add the rows ``[B, D]`` (the merging of moments of Chan, Golub & LeVeque 1983)."""
        x = x.double()
        count, shift = self.count + len(x), x.mean(0) - self.mean
        self.squares += x.var(0, unbiased=False) * len(x) + shift**2 * self.count * len(x) / count
        self.mean += shift * len(x) / count
        self.count.copy_(count)


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, max_grad_norm: float) -> float:
    """One step down the gradient of ``loss``, its norm at most ``max_grad_norm`` (0: any); returns the norm before."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])
    check_gradient(norm.item())
    if max_grad_norm:
        nn.utils.clip_grads_with_norm_(weights, max_grad_norm, norm)
    optimizer.step()
    return norm.item()


def generator_of(seed: int) -> torch.Generator:
    """A torch generator of its own."""
    return torch.Generator().manual_seed(seed)


def tensor(array: np.ndarray) -> torch.Tensor:
    """A copy in torch's own memory: on 64-byte borders, without which matrix kernels may round differently."""
    return torch.from_numpy(np.ascontiguousarray(array)).clone()
