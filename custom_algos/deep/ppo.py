r"""PPO: a policy gradient that takes many steps on one block, because no step pays for leaving the old policy behind.

    L(θ, φ) = −E[ min( ρ Â, clip(ρ, 1 − ε, 1 + ε) Â ) ] + c_v · ½ E[ (V_φ(s) − (Â + V(s)))² ] − c_H · E[ H(π_θ(·|s)) ]
    ρ = π_θ(a|s) / π_old(a|s)

Schulman et al. 2017 (arXiv:1707.06347), equations 7 and 9, algorithm 1; Â: the generalised advantage estimate.

Differences from the paper: (1) actor and critic share nothing; (2) advantages are brought to mean 0 and variance 1
within each minibatch, and the gradient's norm is clipped; (3) a truncated session bootstraps from its true last state;
(4) a delayed reward is taken as known at once.
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
from ..networks.layers import descend, generator_of, tensor
from ..parts import returns
from ..parts.params import param
from ..parts.schedules import linear
from ..parts.spaces import flat_obs


@dataclass(frozen=True)
class Config(PolicyConfig):
    learning_rate: float = param(1e-3, 0)
    """Adam's step size."""
    critic_learning_rate: float = param(0.0, 0)
    """Adam's step size of the critic; 0: the same."""
    anneal_steps: int = param(0, 0)
    """Env steps of all users together over which both step sizes fall linearly to 0; 0: they stay."""
    clip_range: float = param(0.2, 0)
    """ε: a probability that has changed by more than this share earns nothing for changing further."""
    epochs: int = param(10, 1)
    """Times that every row of a block is learnt from."""
    minibatch_size: int = param(64, 1)
    """Rows of a gradient step; a block's last may hold fewer."""
    gamma: float = param(0.98, 0, 1)
    """Discount per step; 0 chases the next click alone."""
    gae_lambda: float = param(0.95, 0, 1)
    """λ of the advantage estimate: 0 trusts the critic, 1 the returns."""
    entropy_coef: float = param(0.0, 0)
    """c_H: reward for staying undecided."""
    value_coef: float = param(0.5, 0)
    """c_v: weight of the critic's loss."""
    max_grad_norm: float = param(0.5, 0, float("inf"))
    """The gradient is scaled down to this norm; 0: it is left as it is."""
    reward_shift: float = param(0.0)
    """Added to every reward before anything else.  Any finite number."""
    reward_scale: float = param(1.0)
    """Then multiplies it.  Any finite number."""
    rollout_steps: int = param(128, 1)
    """T: steps of every user between two updates."""


class PPO(Algorithm):
    Config = Config
    tasks = "sequences"

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        self.gamma, self.head = c.gamma, head_of(action_space, c.gaussian, c.log_std)
        self.actor, self.critic = actor_critic(obs_space, self.head.outputs, c, items, generator_of(seed))
        self.policy = nn.ModuleDict({"actor": self.actor, "head": self.head})
        self.networks = nn.ModuleDict({"policy": self.policy, "critic": self.critic})
        self.optimizer = adam(self.policy, self.critic, c.learning_rate, c.critic_learning_rate)
        self.env_steps, self.blocks = 0, 0

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        outputs = self.actor(tensor(flat_obs(obs, self.obs_space))).numpy()                 # [N, A] or [N, D]
        return self.head.sample(outputs, rng if explore else None, mask)

    def learn(self, batch):
        c, losses = self.config, []
        if np.isnan(batch.log_prob).any():
            raise ValueError("ppo learns from what its own policy did: it cannot learn from a log")
        for group in self.optimizer.param_groups:
            done = self.env_steps / c.anneal_steps if c.anneal_steps else 0.0
            group["lr"] = linear(group["initial_lr"], 0.0, done)
        rows, rng = self.rows(batch), np.random.default_rng([self.seed, self.blocks])
        for _ in range(c.epochs):
            order = rng.permutation(batch.reward.size)
            for first in range(0, len(order), c.minibatch_size):
                some = order[first:first + c.minibatch_size]
                found = self.loss({name: None if part is None else part[some] for name, part in rows.items()})
                norm = descend(self.optimizer, found["loss"], c.max_grad_norm)
                losses.append({"grad_norm": norm, **{name: value.item() for name, value in found.items()}})
        self.blocks += 1
        self.env_steps += batch.reward.size
        return {name: float(np.mean([one[name] for one in losses])) for name in losses[0]}

    @torch.no_grad()
    def rows(self, batch: Transition) -> dict:
        """What the loss needs of a block, row by row ``[T·N]``: made once, before the policy moves."""
        c, obs, shape = self.config, self._flat(batch.obs), batch.reward.shape
        value, after = (self.critic(x).view(shape).numpy() for x in (obs, self._flat(batch.next_obs)))
        reward = (batch.reward + np.float32(c.reward_shift)) * np.float32(c.reward_scale)
        advantage = returns.gae(reward, value, after, batch.terminated, batch.ends, np.float32(c.gamma),
                                np.float32(c.gae_lambda)).astype(np.float32)                # [T, N]
        mask = None if batch.mask is None else batch.mask.reshape(-1, batch.mask.shape[-1])
        return {"obs": obs, "action": batch.action.reshape(-1, *batch.action.shape[2:]), "mask": mask,
                **{name: tensor(part.reshape(-1)) for name, part in
                   (("log_prob", batch.log_prob), ("advantage", advantage), ("target", advantage + value))}}

    def loss(self, rows: dict) -> dict[str, torch.Tensor]:
        """The docstring's equation for B rows and its terms; ``clipped``: the share of rows with ρ outside 1 ± ε."""
        c, advantage = self.config, rows["advantage"]
        if len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        log_prob, entropy = self.head.score(self.actor(rows["obs"]), rows["action"], rows["mask"])
        ratio = (log_prob - rows["log_prob"]).exp()                                         # ρ [B]
        near = ratio.clamp(1.0 - c.clip_range, 1.0 + c.clip_range)
        policy = -torch.minimum(ratio * advantage, near * advantage).mean()
        critic = 0.5 * (self.critic(rows["obs"]).squeeze(-1) - rows["target"]).pow(2).mean()
        loss = policy + c.value_coef * critic - c.entropy_coef * entropy.mean()
        return {"loss": loss, "policy_loss": policy, "value_loss": critic, "entropy": entropy.mean(),
                "clipped": (ratio != near).float().mean()}

    def _flat(self, obs) -> torch.Tensor:
        """Observations ``[T, N, …]`` as ``[T·N, D]``."""
        return tensor(flat_obs(tree_map(lambda x: x.reshape(-1, *x.shape[2:]), obs), self.obs_space))

    def policy_state(self):
        return saving.snapshot(self.policy)

    def load_policy_state(self, policy):
        saving.load_snapshot(self.policy, policy)

    def state_dict(self):
        return {"networks": saving.snapshot(self.networks), "optimizer": saving.optimizer_snapshot(self.optimizer),
                "env_steps": self.env_steps, "blocks": self.blocks}

    def load_state_dict(self, state):
        saving.load_snapshot(self.networks, state["networks"])
        saving.load_optimizer_snapshot(self.optimizer, state["optimizer"])
        self.env_steps, self.blocks = int(state["env_steps"]), int(state["blocks"])
