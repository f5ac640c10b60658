r"""SlateQ: the value of a slate is put together from the values of its items, so that no slate is an action of its own.

    Q(s, A) = Σ_{i in A} P(i|s, A) Q̄(s, i) + P(⊥|s, A) Q̄(s, ⊥),     P(i|s, A) = w_i(s) / (w_⊥(s) + Σ_{j in A} w_j(s))

    Q̄(s, i) ← r + γ (1 − terminated) Q(s', A')        for the item i that was taken, ⊥ where nothing was

Ie et al. 2019 (arXiv:1905.12767).  It holds where a user takes at most one item, and what follows depends on what was
taken alone.  A' is the best slate of s' (`slates`: exact, greedy, top_k); with target = "sarsa" it is what the policy
would show.  The weights are learnt from the same rows: maximum likelihood of what was taken among what was shown.

Differences from the paper: (1) taking nothing has a value of its own, which is learnt; there it is 0, so that a learner
prefers any click; (2) the choice model is learnt, not given; (3) uniform replay, Adam; (4) a truncated session
bootstraps from its true last state; (5) of several clicks the first counts; (6) SARSA draws A' anew from the policy of
now; (7) an item's value reads the user and the item, not the other candidates.
"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..core import Algorithm, Transition
from ..networks import saving
from ..networks.config import NetConfig
from ..networks.encoders import outcomes
from ..networks.layers import descend, generator_of, tensor
from ..parts.params import param
from ..parts.replay import Replay, Rows, rows_of
from ..parts.schedules import EpsilonConfig, linear
from ..parts.slates import OPTIMISERS, explore_slates, slate_value
from ..parts.spaces import features_of, flat_obs, slate_of
from ..rollout import make_rng


@dataclass(frozen=True)
class Config(NetConfig, EpsilonConfig):
    learning_rate: float = param(1e-3, 0)
    """Adam's step size."""
    gamma: float = param(0.99, 0, 1)
    """Discount per step."""
    slates: str = param("exact", choices=tuple(OPTIMISERS))
    """How the best slate is found: exact, greedy or top_k."""
    target: str = param("optimal", choices=("optimal", "sarsa"))
    """A': optimal, the best slate; or sarsa, a slate of the policy, exploration included."""
    batch_size: int = param(128, 1)
    """Rows of a gradient step."""
    replay_ratio: float = param(4.0, 0)
    """Rows trained on for every env step."""
    buffer_size: int = param(50_000, 1)
    """Rows in memory."""
    learning_starts: int = param(500, 1)
    """Rows in memory before the first gradient step."""
    target_update_every: int = param(100, 1)
    """Gradient steps between two copies into the target network."""
    reward_scale: float = param(1.0)
    """Multiplies every reward: values of about 1 to 10 are learnt fastest.  Any finite number."""
    anneal_steps: int = param(0, 0)
    """Env steps over which the learning rate falls linearly to 0; 0: it stays."""
    rollout_steps: int = param(1, 1)
    """T: steps of every user between two calls of learn."""


class SlateQ(Algorithm):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        self.gamma, self.final_epsilon, generator = c.gamma, c.epsilon_end, generator_of(seed)
        self.actions, self.places = slate_of(action_space)            # A items to choose from, K shown
        features = features_of(c.embedding, items, self.actions)
        worth, choice, target = (outcomes(obs_space, self.actions, generator, c.hidden, features) for _ in range(3))
        target.load_state_dict(worth.state_dict())
        self.target, self.policy = target, nn.ModuleDict({"worth": worth, "choice": choice})   # Q̄, log w: [B, A + 1]
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=c.learning_rate)
        self.memory = Replay(c.buffer_size)
        self.env_steps, self.updates, self.owed = 0, 0, 0.0

    @property
    def epsilon(self) -> float:
        return self.config.epsilon_after(self.env_steps)

    def act(self, obs, rng, explore=True, mask=None):
        weight, worth, nothing = self.scores(self._tensor(obs), self.policy["worth"])
        best = OPTIMISERS[self.config.slates](weight, worth, nothing, self.places, mask)            # [N, K]
        slate, log_prob = explore_slates(best, self.actions, self.epsilon if explore else 0.0, rng, mask)
        return slate.reshape(len(slate), *self.action_space.shape), log_prob

    @torch.no_grad()
    def scores(self, obs, worth):
        """w_i / w_⊥ and Q̄(s, i) ``[N, A]``, Q̄(s, ⊥) ``[N]`` by the network ``worth``."""
        logits, q = self.policy["choice"](obs).double().numpy(), worth(obs).double().numpy()      # [N, A + 1]
        return np.exp(logits[:, :-1] - logits[:, -1:]), q[:, :-1], q[:, -1]

    def rows(self, batch: Transition) -> Rows:
        """The block ``[T, N]`` as rows ``[T·N]`` for the memory; ``taken [T·N]`` is the place of the first click.

        Where the environment has no responses, a slate of one was taken if it paid."""
        if batch.response is None and self.places > 1:
            raise ValueError("slateq needs to know what was taken of a slate: the environment tells no 'response'")
        clicks = batch.reward[..., None] if batch.response is None else batch.response              # [T, N, K]
        taken = np.where((clicks > 0).any(axis=-1), (clicks > 0).argmax(axis=-1), self.places)
        slates = batch.action.reshape(*batch.reward.shape, self.places)
        return rows_of(batch._replace(action=slates, mask=None), self.config.gamma)._replace(taken=taken.reshape(-1))

    def targets(self, rows: Rows, rng) -> np.ndarray:
        """r + γ (1 − terminated) Q(s', A') ``[B]``, in scaled rewards."""
        c = self.config
        weight, worth, nothing = self.scores(self._tensor(rows.next_obs), self.target)           # [B, A], [B, A], [B]
        slate = OPTIMISERS[c.slates](weight, worth, nothing, self.places, rows.next_mask)           # [B, K]
        if c.target == "sarsa":
            gone = (rows.discount == 0.0)[:, None]                # nothing may be left to show to who has gone
            allowed = None if rows.next_mask is None else rows.next_mask | gone
            slate, _ = explore_slates(slate, self.actions, self.epsilon, rng, allowed)
        return c.reward_scale * rows.reward + rows.discount * slate_value(weight, worth, nothing, slate)

    def loss(self, rows: Rows, rng) -> tuple[torch.Tensor, torch.Tensor]:
        """½ (Q̄(s, taken) − target)² and −log P(taken|s, A), means over ``[B]``."""
        obs, target = self._tensor(rows.obs), tensor(self.targets(rows, rng)).float()
        shown = F.pad(tensor(rows.action), (0, 1), value=self.actions)                         # [B, K + 1]
        place = tensor(np.asarray(rows.taken))                                                 # [B]
        worth = self.policy["worth"](obs).gather(1, shown).gather(1, place[:, None]).squeeze(1)     # [B]
        value = 0.5 * (worth - target).pow(2).mean()
        return value, F.cross_entropy(self.policy["choice"](obs).gather(1, shown), place)

    def learn(self, batch):
        c, rows, losses = self.config, self.rows(batch), []
        self.env_steps += 0 if np.isnan(batch.log_prob).any() else len(rows.action)
        self.memory.add(rows)
        if len(self.memory) >= c.learning_starts:
            self.owed += len(rows.action) * c.replay_ratio / c.batch_size
        if c.anneal_steps:
            self.optimizer.param_groups[0]["lr"] = linear(c.learning_rate, 0.0, self.env_steps / c.anneal_steps)
        rng = make_rng(self.seed, self.updates)
        while self.owed >= 1.0:
            self.owed -= 1.0
            value, choice = self.loss(self.memory.sample(rng, c.batch_size)[0], rng)
            descend(self.optimizer, value + choice, 0.0)
            losses.append((value.item(), choice.item()))
            self.updates += 1
            if self.updates % c.target_update_every == 0:
                self.target.load_state_dict(self.policy["worth"].state_dict())
        value_loss, choice_loss = np.mean(losses, axis=0).tolist() if losses else (0.0, 0.0)
        numbers = {"loss": value_loss + choice_loss, "value_loss": value_loss, "choice_loss": choice_loss}
        return {"epsilon": float(self.epsilon), "updates": float(self.updates), **(numbers if losses else {})}

    def _tensor(self, obs) -> torch.Tensor:
        return tensor(flat_obs(obs, self.obs_space))                                      # [N, D]

    def policy_state(self):
        return {"networks": saving.snapshot(self.policy), "env_steps": self.env_steps}

    def load_policy_state(self, policy):
        saving.load_snapshot(self.policy, policy["networks"])
        self.env_steps = int(policy["env_steps"])

    def state_dict(self):
        return {**self.policy_state(), "target": saving.snapshot(self.target), "memory": self.memory.state_dict(),
                "optimizer": saving.optimizer_snapshot(self.optimizer), "updates": self.updates, "owed": self.owed}

    def load_state_dict(self, state):
        self.load_policy_state(state)
        saving.load_snapshot(self.target, state["target"])
        saving.load_optimizer_snapshot(self.optimizer, state["optimizer"])
        self.memory.load_state_dict(state["memory"])
        self.updates, self.owed = int(state["updates"]), float(state["owed"])
