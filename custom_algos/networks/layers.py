"""Networks and the conversions around them: built from a seed, without touching torch's global generator."""
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


def one_of(name: str, value, valid):
    """``value``, where it is one of ``valid``; ValueError names all three."""
    if value not in valid:
        raise ValueError(f"{name} = {value!r} must be one of {', '.join(valid)}")
    return value


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
    kind, layers = ACTIVATIONS[one_of("activation", activation, ACTIVATIONS)], []
    for width_in, width_out in zip((inputs, *hidden), hidden, strict=False):
        layers += [linear(width_in, width_out, generator, 2.0**0.5, init), kind()]
    return layers


def linear(inputs: int, outputs: int, generator: torch.Generator, gain: float, init: str = "orthogonal") -> nn.Linear:
    """One layer drawn from ``generator``.  orthogonal: weights orthogonal times ``gain``, biases zero (Saxe et al.
    2014); torch: both uniform on ± 1/√inputs, torch's own default."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        if one_of("init", init, ("orthogonal", "torch")) == "orthogonal":
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


class Scores(nn.Module):
    """A number for each of m candidates, by one network of (what else is seen, the candidate): ``[B, D] -> [B, m]``.

    The candidates are the part ``candidates`` [m, F] of the flat observations, or ``items [m, F]``, always the same.
    ``nothing``: one number more, ``[B, m + 1]``, for taking none of them; it is a candidate with a sign of its own.
    """

    items: torch.Tensor | None

    def __init__(self, space, hidden, generator, activation: str = "tanh", init: str = "orthogonal",
                 last_gain: float = 1.0, items: np.ndarray | None = None, nothing: bool = False):
        super().__init__()
        self.nothing, self.start, self.stop = nothing, 0, 0                  # the candidates in a flat observation
        self.register_buffer("items", None if items is None else tensor(np.asarray(items, np.float32)),
                             persistent=False)
        self.shape = candidates_of(space) if items is None else items.shape                 # (m, F)
        if items is None:
            keys = list(space.spaces)
            self.start = sum(flat_size(space[key]) for key in keys[:keys.index("candidates")])
            self.stop = self.start + self.shape[0] * self.shape[1]
        inputs = flat_size(space) - (self.stop - self.start) + self.shape[1] + nothing
        self.net = nn.Sequential(*hidden_layers(inputs, hidden, generator, activation, init),
                                 linear((inputs, *hidden)[-1], 1, generator, last_gain, init))

    def forward(self, x):
        user = torch.cat([x[:, :self.start], x[:, self.stop:]], dim=1)                      # [B, U]
        items = x[:, self.start:self.stop].reshape(len(x), *self.shape) if self.items is None else \
            self.items.expand(len(x), -1, -1)                                               # [B, m, F]
        if self.nothing:
            items = nn.functional.pad(items, (0, 1, 0, 1))                                  # [B, m + 1, F + 1]
            items[:, -1, -1] = 1.0
        return self.net(torch.cat([user[:, None].expand(-1, items.shape[1], -1), items], dim=2)).squeeze(2)


class Match(nn.Module):
    """Utilities ``[B, A]`` of the ``items [A, F]``, which stay as they are, for what is wanted, ``[B, F]``."""

    items: torch.Tensor

    def __init__(self, items: np.ndarray):
        super().__init__()
        self.register_buffer("items", tensor(np.asarray(items, np.float32).T), persistent=False)        # [F, A]

    def forward(self, x):
        return x @ self.items


def features_of(embedding: str, items: np.ndarray | None, outputs: int) -> np.ndarray | None:
    """``items [A, F]`` where ``embedding`` is features and None where it is none; ValueError without such items."""
    if one_of("embedding", embedding, ("none", "features")) == "none":
        return None
    if items is None or len(items) != outputs:
        raise ValueError("embedding = 'features' needs actions that are items with features; valid here is none")
    return items


def candidates_of(space) -> tuple[int, int]:
    """(m, F) of the features of the candidates in observations of ``space``; (0, 0) where there are none."""
    part = space.spaces.get("candidates") if isinstance(space, spaces.Dict) else None
    return part.shape if isinstance(part, spaces.Box) and len(part.shape) == 2 else (0, 0)


def outcomes(space, actions: int, generator: torch.Generator, hidden=(64, 64), items=None) -> nn.Module:
    """A number for each of ``actions`` items and for taking none: ``[B, D] -> [B, A + 1]``; see `Scores` for who has
    candidates or ``items``."""
    if items is None and candidates_of(space)[0] != actions:
        return mlp(flat_size(space), hidden, actions + 1, generator, "relu")
    return Scores(space, hidden, generator, "relu", items=items, nothing=True)


def slate_of(space) -> tuple[int, int]:
    """(A, K): items to choose from and items shown; ValueError where actions are no slates."""
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return int(space.n), 1
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and len(set(space.nvec)) == 1 \
            and len(space.nvec) <= space.nvec[0]:
        return int(space.nvec[0]), len(space.nvec)
    raise ValueError(f"action space {space} is no slate; valid are Discrete from 0 and MultiDiscrete with equal sizes, "
                     "of at most as many places as items")


def actor_critic(obs_space, outputs: int, generator: torch.Generator, hidden=(64, 64), activation: str = "tanh",
                 init: str = "orthogonal", shared: bool = False, normalize: bool = False, reader=None,
                 items: np.ndarray | None = None):
    """Two networks on flat observations, one with ``outputs`` numbers and one with a value, both `Layers`.

    ``shared``: both stand on the same hidden layers; ``normalize``: the first part of both is the same `Normalize`.
    ``reader()``, if given, makes the first layer of hidden layers, a module with ``outputs`` numbers.
    ``items [A, F]``, if given: the actor says F numbers, and its outputs are what they make of the A items (`Match`).
    Where the outputs are utilities of the candidates in the observation, the actor scores them one by one (`Scores`).
    """
    if normalize and reader:
        raise ValueError("a row of zeros in a history says that there was none, and normalize_obs = True would move "
                         "it; with an encoder, valid is False")
    size = flat_size(obs_space)
    front = [Normalize(size)] if normalize else []
    def trunk():
        first = [reader()] if reader else []
        return [*first, *hidden_layers(first[0].outputs if first else size, hidden, generator, activation, init)]
    body = trunk()
    last = (body[0].outputs if reader else size, *hidden)[-1]
    said, matching = (outputs, []) if items is None else (items.shape[1], [Match(items)])
    acting = [*body, linear(last, said, generator, 0.01, init), *matching]
    if outputs == candidates_of(obs_space)[0]:
        if shared or reader:
            raise ValueError("candidates are scored one by one, a user's value is not: valid are shared = False and "
                             "encoder = 'none'")
        acting = [Scores(obs_space, hidden, generator, activation, init, 0.01)]
    body = body if shared else trunk()
    return Layers(*front, *acting), Layers(*front, *body, linear(last, 1, generator, 1.0, init))


def adam(policy: nn.Module, critic: nn.Module, learning_rate: float, critic_learning_rate: float) -> torch.optim.Adam:
    """Adam with a step size of its own for the weights that only the critic has (0: the same)."""
    acting = list(policy.parameters())
    valuing = [p for p in critic.parameters() if not any(p is q for q in acting)]
    rates = learning_rate, critic_learning_rate or learning_rate
    return torch.optim.Adam([{"params": part, "lr": rate, "initial_lr": rate}
                             for part, rate in zip((acting, valuing), rates, strict=True)], foreach=True)


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, max_grad_norm: float) -> float:
    """One step down the gradient of ``loss``, its norm at most ``max_grad_norm`` (0: any); returns the norm before."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])
    if max_grad_norm:
        nn.utils.clip_grads_with_norm_(weights, max_grad_norm, norm)
    optimizer.step()
    return norm.item()


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
