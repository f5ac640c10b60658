r"""A2C: an actor that chooses, a critic that says how good the state was.

    L(θ, φ) = −E[ log π_θ(a|s) Â ] + c_v · ½ E[ (V_φ(s) − (Â + V(s)))² ] − c_H · E[ H(π_θ(·|s)) ]

with Â the generalised advantage estimate.  Mnih et al. 2016 (arXiv:1602.01783), synchronous form; GAE: Schulman et al.
2016 (arXiv:1506.02438).

Differences from the paper: (1) all users are stepped together and one update is made, no asynchronous workers;
(2) Adam instead of shared RMSProp; (3) GAE(λ) instead of n-step returns; (4) actor and critic share nothing;
(5) a truncated session bootstraps from its true last state.
"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .. import nets, returns
from ..core import Algorithm, Transition, tree_map
from ..explore import sample_softmax


@dataclass(frozen=True)
class Config:
    learning_rate: float = 1e-3
    """Adam's step size."""
    gamma: float = 0.99
    """Discount a step; 0 chases the next click alone."""
    gae_lambda: float = 0.95
    """λ of the advantage estimate: 0 trusts the critic, 1 the returns."""
    entropy_coef: float = 0.01
    """c_H: reward for staying undecided."""
    value_coef: float = 0.5
    """c_v: weight of the critic's loss."""
    max_grad_norm: float = 0.5
    """The gradient is scaled down to this norm."""
    normalize_advantage: bool = True
    """Bring the advantages of a batch to mean 0 and variance 1."""
    hidden: tuple = (64, 64)
    """Widths of the hidden layers of both networks."""
    activation: str = "tanh"
    """tanh or relu."""
    rollout_steps: int = 8
    """T: steps of every user between two updates."""


class A2C(Algorithm):
    Config = Config
    tasks = "sequences"

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        if not hasattr(action_space, "n"):
            raise ValueError(f"a2c needs a Discrete action space, not {action_space}")
        c, generator, size = self.config, nets.generator_of(seed), nets.flat_size(obs_space)
        self.actor = nets.mlp(size, c.hidden, int(action_space.n), generator, c.activation, last_gain=0.01)
        self.critic = nets.mlp(size, c.hidden, 1, generator, c.activation)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=c.learning_rate)

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        logits = self.actor(self._tensor(obs)).numpy()                                      # [N, A]
        return sample_softmax(logits, rng if explore else None, mask)

    def loss(self, batch: Transition) -> dict[str, torch.Tensor]:
        """The terms of the docstring's equation for a batch ``[T, N]``, and their sum ``total``."""
        c = self.config
        obs = self._tensor(tree_map(lambda x: x.reshape(-1, *x.shape[2:]), batch.obs))      # [T·N, D]
        value = self.critic(obs).squeeze(-1)                                                # [T·N]
        with torch.no_grad():
            after = self._tensor(tree_map(lambda x: x.reshape(-1, *x.shape[2:]), batch.next_obs))
            next_value = self.critic(after).squeeze(-1).numpy().reshape(batch.reward.shape)  # [T, N]
        advantage = nets.tensor(returns.gae(
            batch.reward, value.detach().numpy().reshape(batch.reward.shape), next_value, batch.terminated, batch.ends,
            np.float32(c.gamma), np.float32(c.gae_lambda)).astype(np.float32).reshape(-1))  # [T·N]
        target = advantage + value.detach()                                                 # [T·N]
        if c.normalize_advantage and len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        log_pi = F.log_softmax(self._logits(obs, batch.mask), dim=-1)                       # [T·N, A]
        action = torch.from_numpy(batch.action.reshape(-1, 1))
        policy = -(log_pi.gather(1, action).squeeze(1) * advantage).mean()
        entropy = -(log_pi.exp() * log_pi.clamp_min(-1e9)).sum(-1).mean()                   # 0 · log 0 = 0
        critic = 0.5 * (value - target).pow(2).mean()
        total = policy + c.value_coef * critic - c.entropy_coef * entropy
        return {"total": total, "policy_loss": policy, "value_loss": critic, "entropy": entropy}

    def learn(self, batch):
        if np.isnan(batch.log_prob).any():
            raise ValueError("a2c learns from what its own policy did: it cannot learn from a log")
        losses = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        self.optimizer.step()
        return {"loss": losses["total"].item(), **{k: v.item() for k, v in losses.items() if k != "total"},
                "grad_norm": norm.item()}

    def _tensor(self, obs) -> torch.Tensor:
        return nets.tensor(nets.flat_obs(obs, self.obs_space))

    def _logits(self, obs, mask):
        logits = self.actor(obs)
        return logits if mask is None else logits.masked_fill(~torch.from_numpy(mask.reshape(logits.shape)), -1e9)

    def policy_state(self):
        return nets.snapshot(self.actor)

    def load_policy_state(self, policy):
        nets.load_snapshot(self.actor, policy)

    def state_dict(self):
        return {"actor": nets.snapshot(self.actor), "critic": nets.snapshot(self.critic),
                "optimizer": nets.optimizer_snapshot(self.optimizer)}

    def load_state_dict(self, state):
        nets.load_snapshot(self.actor, state["actor"])
        nets.load_snapshot(self.critic, state["critic"])
        nets.load_optimizer_snapshot(self.optimizer, state["optimizer"])
