r"""REINFORCE: make what was followed by a high return more likely.

    ∇J(θ) ≈ E[ ω λ (G − b(s)) ∇ log π_θ(a|s) ]

Williams 1992 (Machine Learning 8).  G: the return, in total or from this step on; b: a baseline, which lowers the
variance.  ω and λ are 1, unless somebody else chose (Chen et al. 2019, arXiv:1812.02353): ω = min(π_θ(a|s) / β(a|s),
cap) corrects for the propensities β of a log, λ = K (1 − π_θ(a|s))^{K−1} for K items shown, of which one is logged.

Differences from the papers: (1) one step of Adam for all steps of all sessions that have ended since the last one;
(2) the factor γ^t of a step's place in its session is left out; (3) with the learned baseline alone a truncated session
bootstraps; (4) a session that began under an earlier policy counts as it is, or through ω; (5) ω corrects the action,
not the distribution of states; (6) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from ..core import Algorithm, Transition, tree_map
from ..networks import saving
from ..networks.actor_critic import actor_critic, adam
from ..networks.config import PolicyConfig
from ..networks.heads import head_of
from ..networks.layers import descend, generator_of, tensor
from ..parts import returns
from ..parts.params import param
from ..parts.sessions import Sessions
from ..parts.spaces import flat_obs


@dataclass(frozen=True)
class Config(PolicyConfig):
    learning_rate: float = param(3e-3, 0)
    """Adam's step size."""
    critic_learning_rate: float = param(0.0, 0)
    """Adam's step size of the learned baseline; 0: the same."""
    gamma: float = param(0.99, 0, 1)
    """Discount per step; at 0 every step is a session of its own, so that rows of a log can be learnt from."""
    returns: str = param("to_go", choices=("to_go", "total"))
    """to_go, the rewards from this step on; or total, those before it too."""
    baseline: str = param("learned", choices=("none", "constant", "learned"))
    """none; constant, the running mean of earlier returns; or learned, a network V(s)."""
    normalize_advantage: bool = False
    """Divide G − b by its standard deviation in the batch."""
    entropy_coef: float = param(0.0, 0)
    """Reward for staying undecided."""
    max_grad_norm: float = param(0.0, 0, float("inf"))
    """The gradient is scaled down to this norm; 0: it is left as it is."""
    correction: str = param("none", choices=("none", "off_policy"))
    """none, or off_policy: weigh every step by ω."""
    weight_cap: float = param(20.085537, 0, float("inf"))
    """cap: the largest ω (e³ in the paper); inf: none."""
    top_k: int = param(1, 1)
    """K of λ; 1: one item is shown."""
    updates: int = param(1, 1)
    """Gradient steps for the same sessions; from the second on they are another policy's, see `correction`."""
    batch_steps: int = param(1, 1)
    """Steps of ended sessions that an update waits for."""
    rollout_steps: int = param(32, 1)
    """T: steps of every user between two calls of learn."""


class Reinforce(Algorithm):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if c.returns == "total" and c.baseline == "learned":
            raise ValueError("baseline = 'learned' is the value from a state on: it needs returns = 'to_go'")
        if c.top_k > 1 and not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"top_k = {c.top_k} must be 1 where an action is more than one item")
        self.gamma, self.head, generator = c.gamma, head_of(action_space, c.gaussian, c.log_std), generator_of(seed)
        self.actor, self.critic = actor_critic(obs_space, self.head.outputs, c, items, generator)
        self.policy = nn.ModuleDict({"actor": self.actor, "head": self.head})
        self.networks = nn.ModuleDict({"policy": self.policy, "critic": self.critic})
        self.optimizer = adam(self.policy, self.critic, c.learning_rate, c.critic_learning_rate)
        self.sessions, self.mean = Sessions(), np.zeros(2)   # mean: sum and number of the returns before this update

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        outputs = self.actor(tensor(flat_obs(obs, self.obs_space))).numpy()                 # [N, A] or [N, D]
        return self.head.sample(outputs, rng if explore else None, mask)

    def returns(self, batch: Transition) -> np.ndarray:
        """G ``[T, N]``; what it says after the last end of a column is not known yet."""
        c, after = self.config, np.zeros_like(batch.reward)
        cut = batch.truncated & ~batch.terminated
        if c.baseline == "learned" and cut.any():
            x = tensor(flat_obs(tree_map(lambda part: part[cut], batch.next_obs), self.obs_space))
            with torch.no_grad():
                after[cut] = self.critic(x).squeeze(-1).numpy()
        to_go = returns.discounted_returns(batch.reward, batch.terminated, batch.ends, after, c.gamma)
        return to_go if c.returns == "to_go" else returns.of_the_session(to_go, batch.ends)

    def loss(self, rows: Transition, target: np.ndarray) -> dict[str, torch.Tensor]:
        """The surrogate whose gradient is the docstring's, for rows ``[B]`` and their returns ``[B]``; ``total``."""
        c, obs, given = self.config, tensor(flat_obs(rows.obs, self.obs_space)), tensor(target)  # [B, D], [B]
        log_prob, entropy = self.head.score(self.actor(obs), rows.action, rows.mask)        # [B]
        critic, baseline = torch.zeros(()), torch.zeros(())
        if c.baseline == "learned":
            value = self.critic(obs).squeeze(-1)                                            # [B]
            critic, baseline = 0.5 * (value - given).pow(2).mean(), value.detach()
        elif c.baseline == "constant":
            baseline = torch.tensor(self.mean[0] / self.mean[1] if self.mean[1] else target.mean()).float()
        advantage = given - baseline
        if c.normalize_advantage:
            advantage = advantage / (advantage.std(unbiased=False) + 1e-8)
        chance = log_prob.detach()
        if c.correction == "off_policy":
            advantage = advantage * (chance - tensor(rows.log_prob)).exp().clamp_max(c.weight_cap)       # ω
        advantage = advantage * c.top_k * (1.0 - chance.exp()) ** (c.top_k - 1)             # λ
        policy, entropy = -(log_prob * advantage).mean(), entropy.mean()
        return {"total": policy + critic - c.entropy_coef * entropy, "policy_loss": policy, "value_loss": critic,
                "entropy": entropy}

    def learn(self, batch):
        c = self.config
        if np.isnan(batch.log_prob).any():
            raise ValueError("reinforce cannot learn from a log that does not say with which probability it chose")
        batch, ended = self.sessions.add(batch, wait=c.gamma > 0.0)
        if (steps := int(ended.sum())) < c.batch_steps or not steps:
            return {"loss": 0.0, "steps": 0.0}
        self.sessions.drop(ended)
        target = self.returns(batch)[ended]                                                 # [B]
        rows = tree_map(lambda x: x[ended], batch)
        for _ in range(c.updates):
            losses = self.loss(rows, target)
            norm = descend(self.optimizer, losses["total"], c.max_grad_norm)
        self.mean += (target.sum(dtype=np.float64), steps)
        return {"loss": losses["total"].item(), **{k: v.item() for k, v in losses.items() if k != "total"},
                "grad_norm": norm, "steps": float(steps)}

    def policy_state(self):
        return saving.snapshot(self.policy)

    def load_policy_state(self, policy):
        saving.load_snapshot(self.policy, policy)

    def state_dict(self):
        return {"networks": saving.snapshot(self.networks), "mean": self.mean.copy(),
                "optimizer": saving.optimizer_snapshot(self.optimizer), "sessions": self.sessions.state_dict()}

    def load_state_dict(self, state):
        saving.load_snapshot(self.networks, state["networks"])
        saving.load_optimizer_snapshot(self.optimizer, state["optimizer"])
        self.mean = np.array(state["mean"])
        self.sessions.load_state_dict(state["sessions"])
