r"""A network that predicts rewards, and what is known about its last layer: the base of the neural bandits.

    z = [net(x), x], one linear head per action (disjoint);     z = [net(x, f_a), x, f_a], one head for all (shared)
    A_g = λI + Σ zz',   θ_g = A_g⁻¹ Σ r z        over all rows in memory, with z by the present network

The inputs stand beside what the network makes of them (wide & deep, Cheng et al. 2016), so that a linear world costs
little more than a linear model.  The network learns by mini-batches from the rows in memory (mean squared error), now
and then; after each training the last layer's ridge regression is computed anew, since z has moved, and between
trainings it is updated row by row.
"""
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ..parts.border import check_gradient
from ..parts.features import Design
from ..parts.params import param
from ..rollout import make_rng
from .core import Bandit, BanditConfig


@dataclass(frozen=True)
class NeuralConfig(BanditConfig):
    hidden: tuple = param((64, 32), 1)
    """Widths of the hidden layers; the last one is what the Bayesian layer sees."""
    learning_rate: float = param(3e-3, 0)
    """Step size of Adam, started afresh at every training."""
    batch_size: int = param(256, 1)
    """Rows of a mini-batch."""
    weight_decay: float = param(1.0, 0)
    """Decoupled weight decay (AdamW)."""
    train_every: int = param(500, 1)
    """Observations between two trainings."""
    train_steps: int = param(100, 1)
    """Mini-batches of a training."""
    buffer_size: int = param(50_000, 1)
    """Rows in memory; the oldest are overwritten."""
    l2: float = param(1.0, above=0)
    """λ: ridge penalty of the last layer's weights of the inputs."""
    l2_network: float = param(1.0, above=0)
    """The same of what the network makes of them; the larger, the less a network costs where the world is linear."""
    model: str = param("auto", choices=("auto", "shared", "disjoint"))
    """shared, disjoint or auto, as for LinUCB."""


class NeuralBandit(Bandit):
    """State: the network, ``theta [G, F]`` and ``covariance [G, F, F]``; G = A heads (disjoint) or 1 (shared)."""

    Config = NeuralConfig
    looks: bool = True
    policy_arrays = ("theta", "covariance")
    learner_arrays = ("gram", "target", "memory_input", "memory_action", "memory_reward", "seen")

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if self.replications != 1:
            raise ValueError("neural bandits have one learner: replications = 1")
        config = self.config
        self.design = Design(obs_space, self.actions, items, config.model, max_weights=10**9)
        self.blind = self.design.blind
        width = (self.design.contexts + self.design.features, *config.hidden)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [part for i, o in pairwise(width) for part in (nn.Linear(i, o), nn.ReLU())]
            self.body = nn.Sequential(*layers)
            self.head = nn.Linear(width[-1] + width[0], 1 if self.design.shared else self.actions, bias=False)
        groups, f = self.head.weight.shape
        self.penalty = np.repeat([config.l2_network, config.l2], [width[-1], width[0]])          # [F]
        self.gram, self.target = np.zeros((groups, f, f)), np.zeros((groups, f))
        self.memory_input = np.zeros((0, width[0]), np.float32)
        self.memory_action, self.memory_reward = np.zeros(0, np.int64), np.zeros(0, np.float32)
        self.seen = np.zeros(1, np.int64)
        self.solve()

    def deep(self, inputs: torch.Tensor) -> torch.Tensor:
        """z ``[…, F]`` of inputs ``[…, H + D]``; x begins with a constant."""
        return torch.cat([self.body(inputs), inputs], dim=-1)

    @torch.no_grad()
    def features(self, inputs: np.ndarray) -> np.ndarray:
        """z ``[…, F]`` float64."""
        return self.deep(torch.from_numpy(inputs)).numpy().astype(np.float64)

    def see(self, obs) -> np.ndarray:
        """z ``[N, 1, F]`` (disjoint) or ``[N, m, F]`` (shared) of what the users look at now."""
        x, f = self.design.context(obs), self.design.item_features(obs)
        if f is None:
            return self.features(x.astype(np.float32))[:, None]
        f = np.broadcast_to(f, (len(x), *f.shape[-2:]))
        x = np.broadcast_to(x[:, None], (*f.shape[:2], x.shape[1]))
        return self.features(np.concatenate([x, f], axis=2, dtype=np.float32))

    def moments(self, z) -> tuple[np.ndarray, np.ndarray]:
        """(mean, variance / σ²) ``[N, A]`` of every action's score by the Bayesian last layer."""
        if self.design.shared:
            return z @ self.theta[0], np.einsum("nmf,nmf->nm", z @ self.covariance[0], z)
        return z[:, 0] @ self.theta.T, np.einsum("gnf,nf->ng", z[:, 0] @ self.covariance, z[:, 0])

    # learning -----------------------------------------------------------------------------------------------------
    def update(self, rows):
        x, f = self.design.context(rows.obs), self.design.chosen(rows.obs, rows.action)
        inputs = x.astype(np.float32) if f is None else np.concatenate([x, f], axis=1, dtype=np.float32)
        keep = slice(-self.config.buffer_size, None)
        self.memory_input = np.concatenate([self.memory_input, inputs])[keep]
        self.memory_action = np.concatenate([self.memory_action, rows.action])[keep]
        self.memory_reward = np.concatenate([self.memory_reward, rows.reward])[keep]
        before, self.seen = self.seen, self.seen + len(inputs)
        if self.seen[0] // self.config.train_every > before[0] // self.config.train_every:
            loss = self.train()
            self.gram, self.target = np.zeros_like(self.gram), np.zeros_like(self.target)
            self.add(self.memory_input, self.memory_action, self.memory_reward)
            return {"loss": loss}
        return self.add(inputs, rows.action, rows.reward)

    def train(self) -> float:
        """``train_steps`` mini-batches; returns the mean loss."""
        inputs, action, reward = map(torch.from_numpy, (self.memory_input, self.memory_action, self.memory_reward))
        weights = [*self.body.parameters(), *self.head.parameters()]
        optimiser = torch.optim.AdamW(weights, self.config.learning_rate, weight_decay=self.config.weight_decay)
        rng, total = make_rng(self.seed, int(self.seen[0])), 0.0
        for _ in range(self.config.train_steps):
            rows = torch.from_numpy(rng.integers(len(reward), size=min(self.config.batch_size, len(reward))))   # [B]
            value = self.head(self.deep(inputs[rows]))                                                          # [B, G]
            value = value[:, 0] if self.design.shared else value.gather(1, action[rows, None])[:, 0]            # [B]
            loss = nn.functional.mse_loss(value, reward[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        check_gradient(total)
        return total / self.config.train_steps

    def add(self, inputs, action, reward):
        """Rows into the last layer's sums."""
        z, group = self.features(inputs), np.zeros_like(action) if self.design.shared else action
        for g in np.unique(group):
            mine = group == g
            self.gram[g] += z[mine].T @ z[mine]
            self.target[g] += z[mine].T @ reward[mine].astype(np.float64)
        self.solve()

    def solve(self):
        """θ and A⁻¹ of every head."""
        self.covariance = np.linalg.inv(self.gram + np.diag(self.penalty))
        self.theta = (self.covariance @ self.target[..., None])[..., 0]

    # state --------------------------------------------------------------------------------------------------------
    def policy_state(self):
        nets = {"body": self.body, "head": self.head}
        weights = {n: {k: v.numpy().copy() for k, v in net.state_dict().items()} for n, net in nets.items()}
        return {**super().policy_state(), **weights}

    def load_policy_state(self, policy):
        super().load_policy_state(policy)
        for name, net in (("body", self.body), ("head", self.head)):
            net.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in policy[name].items()})
