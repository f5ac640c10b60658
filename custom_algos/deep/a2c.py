r"""A2C: an actor that chooses, a critic that says how good the state was.

    L(θ, φ) = −E[ log π_θ(a|s) Â ] + c_v · ½ E[ (V_φ(s) − (Â + V(s)))² ] − c_H · E[ H(π_θ(·|s)) ]

with Â the generalised advantage estimate.  Mnih et al. 2016 (arXiv:1602.01783), synchronous form; GAE: Schulman et al.
2016 (arXiv:1506.02438).  What is chosen, an item, a slate or a control, is the head's business (`heads.py`).

Differences from the paper: (1) all users are stepped together and one update is made, no asynchronous workers;
(2) Adam instead of shared RMSProp; (3) GAE(λ) instead of n-step returns; (4) actor and critic share nothing, unless
`shared`; (5) a truncated session bootstraps from its true last state; (6) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from ..core import Algorithm, Transition, tree_map
from ..networks import layers as nets
from ..networks.heads import head_of
from ..networks.history import Reader
from ..parts import returns
from ..parts.explore import linear


@dataclass(frozen=True)
class Config:
    learning_rate: float = 1e-3
    """Adam's step size."""
    critic_learning_rate: float = 0.0
    """Adam's step size of the critic's own weights; 0: the same."""
    anneal_steps: int = 0
    """Env steps of all users together over which both step sizes fall linearly to 0; 0: they stay."""
    gamma: float = 0.99
    """Discount a step; 0 chases the next click alone."""
    gae_lambda: float = 0.95
    """λ of the advantage estimate: 0 trusts the critic, 1 the returns."""
    truncation_bootstrap: bool = True
    """Whether the value goes on where the clock ended a session; false takes the clock for a departure, wrongly."""
    entropy_coef: float = 0.01
    """c_H: reward for staying undecided."""
    entropy_end: float = 1.0
    """Share of `entropy_coef` that is left after `anneal_steps`; it falls linearly."""
    value_coef: float = 0.5
    """c_v: weight of the critic's loss."""
    max_grad_norm: float = 0.5
    """The gradient is scaled down to this norm; 0: it is left as it is."""
    normalize_advantage: bool = True
    """Bring the advantages of a batch to mean 0 and variance 1."""
    reward_shift: float = 0.0
    """Added to every reward before anything else."""
    reward_scale: float = 1.0
    """Then multiplies it."""
    normalize_reward: bool = False
    """Then divide it by the running standard deviation of the discounted returns."""
    normalize_obs: bool = False
    """Bring every number of the observation to mean 0 and variance 1, over all that was seen."""
    hidden: tuple = (64, 64)
    """Widths of the hidden layers of both networks."""
    activation: str = "tanh"
    """tanh or relu."""
    init: str = "orthogonal"
    """Law of the first weights: orthogonal, or torch's own."""
    shared: bool = False
    """Actor and critic stand on the same hidden layers."""
    gaussian: str = "plain"
    """Of a control: plain, tanh (the mean is squashed into the bounds) or squashed (so is the action)."""
    log_std: float = 0.0
    """Of a control: the first log standard deviation."""
    embedding: str = "none"
    """Of items: none, each has an output of its own; features: the utility of a is z(s) · f_a, f_a from the items."""
    encoder: str = "none"
    """none: a history in the observation is a row of numbers; attention or gru: it is read into a summary."""
    encoder_size: int = 32
    """Numbers in the summary."""
    rollout_steps: int = 8
    """T: steps of every user between two updates."""


class A2C(Algorithm):
    Config = Config
    tasks = "sequences"

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if c.entropy_end != 1.0 and not c.anneal_steps:
            raise ValueError(f"entropy_end = {c.entropy_end} falls over anneal_steps = 0; valid are anneal_steps > 0")
        self.head, generator = head_of(action_space, c.gaussian, c.log_std), nets.generator_of(seed)
        reader = partial(Reader, obs_space, c.encoder, c.encoder_size, generator) if c.encoder != "none" else None
        self.actor, self.critic = nets.actor_critic(obs_space, self.head.outputs, generator, c.hidden, c.activation,
                                                    c.init, c.shared, c.normalize_obs, reader,
                                                    nets.features_of(c.embedding, items, self.head.outputs))
        self.policy = nn.ModuleDict({"actor": self.actor, "head": self.head})
        self.networks = nn.ModuleDict({"policy": self.policy, "critic": self.critic})
        self.optimizer = nets.adam(self.policy, self.critic, c.learning_rate, c.critic_learning_rate)
        self.return_scale, self.env_steps = returns.ReturnScale(c.gamma), 0

    @property
    def progress(self) -> float:
        """0 at the beginning, 1 and more after `anneal_steps`."""
        return self.env_steps / self.config.anneal_steps if self.config.anneal_steps else 0.0

    @property
    def entropy_coef(self) -> float:
        return linear(self.config.entropy_coef, self.config.entropy_coef * self.config.entropy_end, self.progress)

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        return self.head.sample(self.actor(self._tensor(obs)).numpy(), rng if explore else None, mask)

    def advantages(self, batch: Transition, reward, value) -> np.ndarray:
        """Â ``[T, N]`` for rewards ``[T, N]`` as the learner sees them and values ``[T, N]`` of ``batch.obs``."""
        c = self.config
        with torch.no_grad():
            next_value = self.critic(self._flat(batch.next_obs)).squeeze(-1).numpy().reshape(reward.shape)
        terminated = batch.terminated if c.truncation_bootstrap else batch.ends
        return returns.gae(reward, value, next_value, terminated, batch.ends, np.float32(c.gamma),
                           np.float32(c.gae_lambda)).astype(np.float32)

    def loss(self, batch: Transition) -> dict[str, torch.Tensor]:
        """The terms of the docstring's equation for a batch ``[T, N]``, and their sum ``total``."""
        c, obs = self.config, self._flat(batch.obs)                                         # [T·N, D]
        reward = (batch.reward + np.float32(c.reward_shift)) * np.float32(c.reward_scale * self.return_scale.factor)
        value = self.critic(obs).squeeze(-1)                                                # [T·N]
        old = value.detach()
        advantage = nets.tensor(self.advantages(batch, reward, old.numpy().reshape(reward.shape)).reshape(-1))
        target = advantage + old                                                            # [T·N]
        if c.normalize_advantage and len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        action = batch.action.reshape(-1, *batch.action.shape[2:])
        log_prob, entropy = self.head.score(self.actor(obs), action, batch.mask)            # [T·N]
        policy, entropy = -(log_prob * advantage).mean(), entropy.mean()
        critic = 0.5 * (value - target).pow(2).mean()
        total = policy + c.value_coef * critic - self.entropy_coef * entropy
        return {"total": total, "policy_loss": policy, "value_loss": critic, "entropy": entropy}

    def learn(self, batch):
        if np.isnan(batch.log_prob).any():
            raise ValueError("a2c learns from what its own policy did: it cannot learn from a log")
        if self.config.normalize_reward:
            self.return_scale.update((batch.reward + self.config.reward_shift) * self.config.reward_scale, batch.ends)
        for group in self.optimizer.param_groups:
            group["lr"] = linear(group["initial_lr"], 0.0, self.progress)
        losses = self.loss(batch)
        norm = nets.descend(self.optimizer, losses["total"], self.config.max_grad_norm)
        self.env_steps += batch.reward.size
        if isinstance(front := self.actor[0], nets.Normalize):
            front.update(self._flat(batch.obs))
        return {"loss": losses.pop("total").item(), "grad_norm": norm, **{k: v.item() for k, v in losses.items()}}

    def _tensor(self, obs) -> torch.Tensor:
        return nets.tensor(nets.flat_obs(obs, self.obs_space))

    def _flat(self, obs) -> torch.Tensor:
        """Observations ``[T, N, …]`` as ``[T·N, D]``."""
        return self._tensor(tree_map(lambda x: x.reshape(-1, *x.shape[2:]), obs))

    def policy_state(self):
        return nets.snapshot(self.policy)

    def load_policy_state(self, policy):
        nets.load_snapshot(self.policy, policy)

    def state_dict(self):
        return {"networks": nets.snapshot(self.networks), "optimizer": nets.optimizer_snapshot(self.optimizer),
                "return_scale": self.return_scale.state_dict(), "env_steps": self.env_steps}

    def load_state_dict(self, state):
        nets.load_snapshot(self.networks, state["networks"])
        nets.load_optimizer_snapshot(self.optimizer, state["optimizer"])
        self.return_scale.load_state_dict(state["return_scale"])
        self.env_steps = state["env_steps"]
