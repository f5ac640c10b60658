r"""A2C: an actor that chooses, a critic that says how good the state was.

    L(θ, φ) = −E[ log π_θ(a|s) Â ] + c_v · ½ E[ (V_φ(s) − (Â + V(s)))² ] − c_H · E[ H(π_θ(·|s)) ]

Mnih et al. 2016 (arXiv:1602.01783); Â: the generalised advantage estimate (Schulman et al. 2016, arXiv:1506.02438).

Differences from the paper: (1) all users are stepped together and one update is made, no asynchronous workers;
(2) Adam instead of shared RMSProp; (3) GAE(λ) instead of n-step returns; (4) actor and critic share nothing, unless
`shared`; (5) a truncated session bootstraps from its true last state; (6) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..core import Algorithm, Transition, tree_map
from ..networks import saving
from ..networks.actor_critic import actor_critic, adam
from ..networks.config import PolicyConfig
from ..networks.heads import head_of
from ..networks.layers import Normalize, descend, generator_of, tensor
from ..parts import returns
from ..parts.params import param
from ..parts.schedules import linear
from ..parts.spaces import flat_obs


@dataclass(frozen=True)
class Config(PolicyConfig):
    learning_rate: float = param(1e-3, 0)
    """Adam's step size."""
    critic_learning_rate: float = param(0.0, 0)
    """Adam's step size of the critic's own weights; 0: the same."""
    anneal_steps: int = param(0, 0)
    """Env steps of all users together over which both step sizes fall linearly to 0; 0: they stay."""
    gamma: float = param(0.99, 0, 1)
    """Discount per step; 0 chases the next click alone."""
    gae_lambda: float = param(0.95, 0, 1)
    """λ of the advantage estimate: 0 trusts the critic, 1 the returns."""
    truncation_bootstrap: bool = True
    """Bootstrap V(s′) when the clock ends a session; false treats the cut-off as a departure."""
    entropy_coef: float = param(0.01, 0)
    """c_H: reward for staying undecided."""
    entropy_end: float = param(1.0, 0, 1)
    """Share of `entropy_coef` that is left after `anneal_steps`; it falls linearly."""
    value_coef: float = param(0.5, 0)
    """c_v: weight of the critic's loss."""
    max_grad_norm: float = param(0.5, 0, float("inf"))
    """The gradient is scaled down to this norm; 0: it is left as it is."""
    normalize_advantage: bool = True
    """Bring the advantages of a batch to mean 0 and variance 1."""
    reward_shift: float = param(0.0)
    """Added to every reward before anything else.  Any finite number."""
    reward_scale: float = param(1.0)
    """Then multiplies it.  Any finite number."""
    normalize_reward: bool = False
    """Then divide it by the running standard deviation of the discounted returns."""
    normalize_obs: bool = False
    """Bring every number of the observation to mean 0 and variance 1, over all that was seen."""
    shared: bool = False
    """Actor and critic stand on the same hidden layers."""
    rollout_steps: int = param(8, 1)
    """T: steps of every user between two updates."""


class A2C(Algorithm):
    Config = Config
    tasks = "sequences"

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if c.entropy_end != 1.0 and not c.anneal_steps:
            raise ValueError(f"entropy_end = {c.entropy_end} falls over anneal_steps = 0; valid are anneal_steps > 0")
        self.gamma, self.head, generator = c.gamma, head_of(action_space, c.gaussian, c.log_std), generator_of(seed)
        self.actor, self.critic = actor_critic(obs_space, self.head.outputs, c, items, generator, c.shared,
                                               c.normalize_obs)
        self.policy = nn.ModuleDict({"actor": self.actor, "head": self.head})
        self.networks = nn.ModuleDict({"policy": self.policy, "critic": self.critic})
        self.optimizer = adam(self.policy, self.critic, c.learning_rate, c.critic_learning_rate)
        self.return_scale, self.env_steps = returns.ReturnScale(c.gamma), 0

    @property
    def progress(self) -> float:
        """0 at the beginning, 1 and more after `anneal_steps`."""
        return self.env_steps / self.config.anneal_steps if self.config.anneal_steps else 0.0

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        outputs = self.actor(tensor(flat_obs(obs, self.obs_space))).numpy()                 # [N, A] or [N, D]
        return self.head.sample(outputs, rng if explore else None, mask)

    def advantages(self, batch: Transition, reward, value) -> np.ndarray:
        """Â ``[T, N]`` for rewards ``[T, N]`` as the learner sees them and values ``[T, N]`` of ``batch.obs``."""
        with torch.no_grad():
            next_value = self.critic(self._flat(batch.next_obs)).squeeze(-1).numpy().reshape(reward.shape)
        terminated = batch.terminated if self.config.truncation_bootstrap else batch.ends
        gamma, gae_lambda = np.float32(self.config.gamma), np.float32(self.config.gae_lambda)
        return returns.gae(reward, value, next_value, terminated, batch.ends, gamma, gae_lambda).astype(np.float32)

    def loss(self, batch: Transition) -> dict[str, torch.Tensor]:
        """The terms of the docstring's equation for a batch ``[T, N]``, and their sum ``total``."""
        c, obs = self.config, self._flat(batch.obs)                                         # [T·N, D]
        reward = (batch.reward + np.float32(c.reward_shift)) * np.float32(c.reward_scale * self.return_scale.factor)
        old = (value := self.critic(obs).squeeze(-1)).detach()                              # [T·N]
        advantage = tensor(self.advantages(batch, reward, old.numpy().reshape(reward.shape)).reshape(-1))
        target = advantage + old                                                            # [T·N]
        if c.normalize_advantage and len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        action = batch.action.reshape(-1, *batch.action.shape[2:])
        log_prob, entropy = self.head.score(self.actor(obs), action, batch.mask)            # [T·N]
        policy, critic, entropy = -(log_prob * advantage).mean(), 0.5 * (value - target).pow(2).mean(), entropy.mean()
        undecided = linear(c.entropy_coef, c.entropy_coef * c.entropy_end, self.progress)   # c_H now
        total = policy + c.value_coef * critic - undecided * entropy
        return {"total": total, "policy_loss": policy, "value_loss": critic, "entropy": entropy}

    def learn(self, batch):
        if np.isnan(batch.log_prob).any():
            raise ValueError("a2c learns from what its own policy did: it cannot learn from a log")
        if self.config.normalize_reward:
            self.return_scale.update((batch.reward + self.config.reward_shift) * self.config.reward_scale, batch.ends)
        for group in self.optimizer.param_groups:
            group["lr"] = linear(group["initial_lr"], 0.0, self.progress)
        losses = self.loss(batch)
        norm = descend(self.optimizer, losses["total"], self.config.max_grad_norm)
        self.env_steps += batch.reward.size
        if isinstance(front := self.actor[0], Normalize):
            front.update(self._flat(batch.obs))
        return {"loss": losses.pop("total").item(), "grad_norm": norm, **{k: v.item() for k, v in losses.items()}}

    def _flat(self, obs) -> torch.Tensor:
        """Observations ``[T, N, …]`` as ``[T·N, D]``."""
        return tensor(flat_obs(tree_map(lambda x: x.reshape(-1, *x.shape[2:]), obs), self.obs_space))

    def policy_state(self):
        return saving.snapshot(self.policy)

    def load_policy_state(self, policy):
        saving.load_snapshot(self.policy, policy)

    def state_dict(self):
        return {"networks": saving.snapshot(self.networks), "optimizer": saving.optimizer_snapshot(self.optimizer),
                "return_scale": self.return_scale.state_dict(), "env_steps": self.env_steps}

    def load_state_dict(self, state):
        saving.load_snapshot(self.networks, state["networks"])
        saving.load_optimizer_snapshot(self.optimizer, state["optimizer"])
        self.return_scale.load_state_dict(state["return_scale"])
        self.env_steps = state["env_steps"]
