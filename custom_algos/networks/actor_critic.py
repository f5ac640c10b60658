"""The two networks of a policy gradient, an actor and a critic, and their optimiser."""
import numpy as np
import torch
from torch import nn

from ..parts.spaces import candidates_of, features_of, flat_size
from .config import PolicyConfig
from .encoders import Match, Reader, Scores
from .layers import Layers, Normalize, hidden_layers, linear


def actor_critic(obs_space, outputs: int, c: PolicyConfig, items: np.ndarray | None, generator: torch.Generator,
                 shared: bool = False, normalize: bool = False) -> tuple[Layers, Layers]:
    """Two networks on flat observations ``[B, D]``: an actor with ``outputs`` numbers and a critic with one, the value.

    ``shared``: both stand on the same hidden layers; ``normalize``: the first part of both is the same `Normalize`.
    With an encoder a `Reader` is the first layer.  With embedding = features the actor says F numbers, and its outputs
    are their inner products with ``items [A, F]`` (`Match`).  Where the outputs are utilities of the candidates in the
    observation, the actor scores them one by one (`Scores`).
    """
    encodes, features, size = c.encoder != "none", features_of(c.embedding, items, outputs), flat_size(obs_space)
    if normalize and encodes:
        raise ValueError("a row of zeros in a history says that there was none, and normalize_obs = True would move "
                         "it; with an encoder, valid is False")
    front = [Normalize(size)] if normalize else []
    def trunk():
        first = [Reader(obs_space, c.encoder, c.encoder_size, generator)] if encodes else []
        inputs = first[0].outputs if first else size
        return [*first, *hidden_layers(inputs, c.hidden, generator, c.activation, c.init)], (inputs, *c.hidden)[-1]
    body, last = trunk()
    said, matching = (outputs, []) if features is None else (features.shape[1], [Match(features)])
    acting = [*body, linear(last, said, generator, 0.01, c.init), *matching]
    if outputs == candidates_of(obs_space)[0]:
        if shared or encodes:
            raise ValueError("candidates are scored one by one, a user's value is not: valid are shared = False and "
                             "encoder = 'none'")
        acting = [Scores(obs_space, c.hidden, generator, c.activation, c.init, 0.01)]
    body = body if shared else trunk()[0]
    return Layers(*front, *acting), Layers(*front, *body, linear(last, 1, generator, 1.0, c.init))


def adam(policy: nn.Module, critic: nn.Module, learning_rate: float, critic_learning_rate: float) -> torch.optim.Adam:
    """Adam with a step size of its own for the weights that only the critic has (0: the same)."""
    acting = list(policy.parameters())
    valuing = [p for p in critic.parameters() if not any(p is q for q in acting)]
    rates = learning_rate, critic_learning_rate or learning_rate
    return torch.optim.Adam([{"params": part, "lr": rate, "initial_lr": rate}
                             for part, rate in zip((acting, valuing), rates, strict=True)], foreach=True)
