"""Hyper-parameters of networks: what the Configs of the deep algorithms inherit."""
from dataclasses import dataclass

from ..parts.params import param


@dataclass(frozen=True)
class NetConfig:
    hidden: tuple = param((64, 64), 1)
    """Widths of the hidden layers."""
    embedding: str = param("none", choices=("none", "features"))
    """Of items: none, each has an output of its own; features: an item's output is computed from its features."""


@dataclass(frozen=True)
class PolicyConfig(NetConfig):
    activation: str = param("tanh", choices=("tanh", "relu"))
    """Between two layers."""
    init: str = param("orthogonal", choices=("orthogonal", "torch"))
    """Law of the first weights: orthogonal, or torch's own."""
    encoder: str = param("none", choices=("none", "attention", "gru"))
    """none: a history in the observation is a row of numbers; attention or gru: it is read into a summary."""
    encoder_size: int = param(32, 1)
    """Numbers in the summary."""
    gaussian: str = param("plain", choices=("plain", "tanh", "squashed"))
    """Of a control: plain, tanh (the mean is squashed into the bounds) or squashed (so is the action)."""
    log_std: float = param(0.0)
    """Of a control: the first log standard deviation.  Any finite number."""


@dataclass(frozen=True)
class QNetConfig(NetConfig):
    embedding: str = param("none", choices=("none", "learned", "features"))
    """none: one output per action; learned: Q = z(s) · e_a + b_a; features: Q = z(s) · (f_a, 1), f_a from the items."""
    embedding_size: int = param(16, 1)
    """Numbers in a learned embedding."""
    dueling: bool = False
    """Q = V + advantage − its mean: states are valued without trying every action in them."""
