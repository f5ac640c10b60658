r"""SAC: controls learnt from memory, by a policy that is paid for staying undecided.

    y    = r + γ (1 − terminated) ( min_i Q_ψ⁻ᵢ(s′, a′) − α log π_θ(a′|s′) ),                      a′ ~ π_θ(·|s′)
    L(ψ) = ½ Σ_i E[ (Q_ψᵢ(s, a) − y)² ]
    L(θ) = E[ α log π_θ(a|s) − min_i Q_ψᵢ(s, a) ],                            a = tanh(μ + σ ξ), ξ ~ N(0, I)
    L(α) = −E[ log α · (log π_θ(a|s) + H̄) ]

Haarnoja et al. 2018 (arXiv:1801.01290, arXiv:1812.05905).  Controls are brought to (−1, 1), where
log π is taken; H̄ = −D.

Differences from the paper: (1) N users step together, and a call makes the gradient steps that its rows are due; (2) a
truncated session bootstraps from its true last state; (3) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from ..core import Algorithm
from ..networks import saving
from ..networks.control import TwinCritic, actor_of, squashed
from ..networks.layers import descend, generator_of, tensor
from ..parts.params import param
from ..parts.replay import Replay, rows_of
from ..parts.spaces import flat_obs, flat_size


@dataclass(frozen=True)
class Config:
    hidden: tuple = param((128, 128), 1)
    """Widths of the hidden layers of actor and critics."""
    learning_rate: float = param(1e-3, 0)
    """Adam's step size, of all three."""
    gamma: float = param(0.98, 0, 1)
    """Discount per step."""
    tau: float = param(0.01, above=0, high=1)
    """Share of the way that the target critics go to the critics after every gradient step."""
    first_alpha: float = param(0.2, above=0, high=float("inf"))
    """α at first: what a nat of indecision is worth in units of reward; 0 is no temperature."""
    batch_size: int = param(256, 1)
    """Rows of a gradient step."""
    replay_ratio: float = param(256.0, 0)
    """Rows trained on for every env step: replay_ratio / batch_size gradient steps each."""
    buffer_size: int = param(100_000, 1)
    """Rows in memory."""
    random_steps: int = param(500, 1)
    """Env steps, of all users together, of uniform actions; nothing is learnt before."""


class SAC(Algorithm):
    Config = Config
    tasks = "sequences"

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if not (isinstance(action_space, spaces.Box) and len(action_space.shape) == 1 and action_space.is_bounded()):
            raise ValueError(f"sac needs controls between bounds, a Box with one axis, not {action_space}")
        self.gamma, self.size = c.gamma, action_space.shape[0]
        self.centre, self.reach = (action_space.high + action_space.low) / 2, (action_space.high - action_space.low) / 2
        generator, inputs = generator_of(seed), flat_size(obs_space)
        self.actor = actor_of(inputs, c.hidden, self.size, generator)
        self.critic, self.target = (TwinCritic(inputs + self.size, c.hidden, generator) for _ in range(2))
        self.target.load_state_dict(self.critic.state_dict())
        self.log_alpha = nn.Parameter(torch.tensor(float(np.log(c.first_alpha))))
        self.networks = nn.ModuleDict({"actor": self.actor, "critic": self.critic, "target": self.target,
                                       "alpha": nn.ParameterList([self.log_alpha])})
        self.optimizers = {name: torch.optim.Adam(self.networks[name].parameters(), c.learning_rate, fused=True)
                           for name in ("critic", "actor", "alpha")}
        self.memory = Replay(c.buffer_size)
        self.env_steps, self.updates, self.owed = 0, 0, 0.0         # owed: gradient steps not made yet, with a fraction

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        seen = tensor(flat_obs(obs, self.obs_space))                                        # [N, D']
        if explore and self.env_steps < self.config.random_steps:
            action = rng.uniform(-1.0, 1.0, (len(seen), self.size)).astype(np.float32)
            log_prob = np.full(len(seen), -self.size * np.log(2.0), np.float32)
        else:
            noise = rng.standard_normal((len(seen), self.size), np.float32) if explore else None
            action, log_prob = (part.numpy() for part in squashed(self.actor(seen), noise))
        return self.centre + self.reach * action, log_prob - (np.log(self.reach).sum() if explore else np.float32(0))

    def learn(self, batch):
        c = self.config
        if np.isnan(batch.log_prob).any():
            raise ValueError("sac needs rows whose policy is known: it cannot learn from a log")
        rows = rows_of(batch._replace(action=(batch.action - self.centre) / self.reach), c.gamma)
        self.memory.add(rows._replace(obs=flat_obs(rows.obs, self.obs_space),
                                      next_obs=flat_obs(rows.next_obs, self.obs_space)))
        self.env_steps += len(rows.action)
        due = min(len(rows.action), max(0, self.env_steps - c.random_steps))                # rows after the random ones
        self.owed += due * c.replay_ratio / c.batch_size
        steps = [self.gradient_step() for _ in range(int(self.owed))]
        self.owed -= len(steps)
        return {"updates": float(self.updates), "alpha": float(self.log_alpha.detach().exp()),
                **{name: float(np.mean([one[name] for one in steps])) for name in (steps[0] if steps else ())}}

    def gradient_step(self) -> dict[str, float]:
        """One step of the critics, the actor, α and the targets on rows from memory."""
        rng = np.random.default_rng([self.seed, self.updates])
        rows, _, _ = self.memory.sample(rng, self.config.batch_size)
        noise = rng.standard_normal((2, len(rows.action), self.size), np.float32)
        critic = self.critic_loss(rows, noise[0])
        descend(self.optimizers["critic"], critic, 0.0)
        self.critic.requires_grad_(False)                                                   # it only tells the actor
        actor, log_prob = self.actor_loss(tensor(rows.obs), noise[1])
        descend(self.optimizers["actor"], actor, 0.0)
        self.critic.requires_grad_(True)
        descend(self.optimizers["alpha"], -self.log_alpha * (log_prob.mean() - self.size), 0.0)
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), self.critic.parameters(), strict=True):
                old.lerp_(new, self.config.tau)
        self.updates += 1
        return {"critic_loss": critic.item(), "actor_loss": actor.item(), "entropy": -float(log_prob.mean())}

    def critic_loss(self, rows, noise: np.ndarray) -> torch.Tensor:
        """L(ψ) for B rows; ``noise [B, D]`` draws a′."""
        with torch.no_grad():
            action, log_prob = squashed(self.actor(after := tensor(rows.next_obs)), noise)
            value = self.target(after, action).amin(0) - self.log_alpha.exp() * log_prob    # [B]
            y = tensor(rows.reward) + tensor(rows.discount) * value
        return 0.5 * (self.critic(tensor(rows.obs), tensor(rows.action)) - y).pow(2).mean(1).sum()

    def actor_loss(self, obs: torch.Tensor, noise: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """(L(θ), log π ``[B]`` without a gradient) of the actions that ``noise [B, D]`` draws."""
        action, log_prob = squashed(self.actor(obs), noise)
        value = self.critic(obs, action).amin(0)                                            # [B]
        return (self.log_alpha.exp().detach() * log_prob - value).mean(), log_prob.detach()

    def policy_state(self):
        return saving.snapshot(self.actor) | {"env_steps": self.env_steps}

    def load_policy_state(self, policy):
        saving.load_snapshot(self.actor, {name: part for name, part in policy.items() if name != "env_steps"})
        self.env_steps = int(policy["env_steps"])

    def state_dict(self):
        return {"networks": saving.snapshot(self.networks), "memory": self.memory.state_dict(),
                "optimizer": {name: saving.optimizer_snapshot(one) for name, one in self.optimizers.items()},
                "env_steps": self.env_steps, "updates": self.updates, "owed": self.owed}

    def load_state_dict(self, state):
        saving.load_snapshot(self.networks, state["networks"])
        for name, one in self.optimizers.items():
            saving.load_optimizer_snapshot(one, state["optimizer"].get(name, {}))
        self.memory.load_state_dict(state["memory"])
        self.env_steps, self.updates, self.owed = int(state["env_steps"]), int(state["updates"]), float(state["owed"])
