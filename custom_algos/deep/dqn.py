r"""DQN: the value of every action by a network, learnt from replayed experience towards a network that stands still.

    L(θ) = E_replay[ huber( Q_θ(s, a) − y ) ],      y = r + γ (1 − terminated) max_a' Q_θ⁻(s', a')

Mnih et al. 2015 (Nature 518).  Switches, all off as in that paper: double (van Hasselt et al. 2016, arXiv:1509.06461),
dueling (Wang et al. 2016, arXiv:1511.06581), n_step (Sutton & Barto 2018, 7.1), priority_alpha (Schaul et al. 2016,
arXiv:1511.05952).

Differences from the paper: (1) N users step together, and a call makes the gradient steps that its rows are due;
(2) Adam instead of RMSProp, and the gradient's norm is clipped; (3) a truncated session bootstraps from its true last
state; (4) no frames: observations are arrays, rewards are not clipped; (5) n-step sums are cut at the end of a block of
`rollout_steps`; (6) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ..core import Algorithm, Transition
from ..networks.config import QNetConfig
from ..networks.q_net import Adam, huber, q_net
from ..parts.explore import epsilon_greedy, masked
from ..parts.params import param
from ..parts.replay import Replay, ReplayConfig, Rows, rows_of
from ..parts.schedules import EpsilonConfig, linear
from ..parts.spaces import flat_obs
from ..rollout import make_rng


@dataclass(frozen=True)
class Config(QNetConfig, ReplayConfig, EpsilonConfig):
    learning_rate: float = param(1e-3, 0)
    """Adam's step size."""
    gamma: float = param(0.99, 0, 1)
    """Discount per step."""
    target_update_every: int = param(500, 0)
    """Gradient steps between two updates of the target network; 0: no target network."""
    tau: float = param(1.0, above=0, high=1)
    """An update moves the target network by this share of the way (1: a copy; 0.005 every step: a soft target)."""
    anneal_steps: int = param(0, 0)
    """Env steps over which the learning rate falls linearly to 0 and β rises to 1 (0: both stay)."""
    huber: float = param(float("inf"), 0, float("inf"))
    """The TD error beyond which its loss is linear: inf learns the mean return, 1 is Mnih et al.'s choice, which pulls
    values towards the median where outcomes are random."""
    max_grad_norm: float = param(10.0, 0, float("inf"))
    """The gradient is scaled down to this norm (0: as it is)."""
    double: bool = False
    """The online network chooses a', the target network values it: less over-estimation."""
    n_step: int = param(1, 1)
    """Rewards summed before the bootstrap; at most `rollout_steps`."""
    rollout_steps: int = param(1, 1)
    """T: steps of every user between two calls of learn."""


class DQN(Algorithm):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        c = self.config
        if not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"dqn needs a Discrete action space, not {action_space}")
        if c.n_step > c.rollout_steps:
            raise ValueError(f"n_step = {c.n_step} must lie in [1, rollout_steps = {c.rollout_steps}]")
        if c.buffer_size and c.learning_starts > c.buffer_size:
            raise ValueError(f"learning_starts = {c.learning_starts} must lie in [1, buffer_size = {c.buffer_size}]")
        self.gamma, self.final_epsilon = c.gamma, c.epsilon_end
        self.net, twin = (q_net(obs_space, int(action_space.n), c, items, make_rng(seed)) for _ in range(2))
        self.target = twin if c.target_update_every else self.net
        self.optimizer = Adam(len(self.net.vector))
        self.memory = Replay(c.buffer_size, c.priority_alpha)
        self.env_steps, self.updates, self.owed = 0, 0, 0.0         # owed: gradient steps not made yet, with a fraction

    @property
    def epsilon(self) -> float:
        return self.config.epsilon_after(self.env_steps)

    def act(self, obs, rng, explore=True, mask=None):
        return epsilon_greedy(self.action_values(obs), self.epsilon if explore else 0.0, rng, mask)

    def action_values(self, obs) -> np.ndarray:
        """Q of the observations ``[N, …]``: ``[N, A]``."""
        return self.net.values(self._flat(obs))

    def rows(self, batch: Transition) -> Rows:
        """What goes into memory: the block ``[T, N]`` as rows ``[T·N]``, with the masks that are read again."""
        return rows_of(batch._replace(mask=None), self.config.gamma, self.config.n_step)

    def targets(self, rows: Rows) -> np.ndarray:
        """y ``[B]``."""
        after = self._flat(rows.next_obs)
        value = self.target.values(after)                                                   # [B, A]
        chooser = self.net.values(after) if self.config.double else value
        best = masked(chooser, rows.next_mask).argmax(axis=1)                               # [B]
        return rows.reward + rows.discount * value[np.arange(len(best)), best]

    def loss(self, rows: Rows, weight: np.ndarray | None = None) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, its slope in Q(s, ·) ``[B, A]`` and the TD errors ``[B]``; ``weight [B]``: importance weights."""
        target = self.targets(rows)                                                         # [B]
        return self.td_loss(self.net.forward(self._flat(rows.obs)), target, rows.action, weight)

    def td_loss(self, q: np.ndarray, target: np.ndarray, action: np.ndarray, weight: np.ndarray | None):
        """The docstring's equation for the values ``q [B, A]`` and y = ``target [B]``."""
        b, dq = np.arange(len(q)), np.zeros_like(q)
        error = q[b, action] - target                                                       # [B]
        loss, slope = huber(error, self.config.huber)                                       # [B], [B]
        if weight is not None:
            loss, slope = weight * loss, weight * slope
        dq[b, action] = slope / len(b)
        return float(loss.mean()), dq, error

    def learn(self, batch):
        c, from_log = self.config, bool(np.isnan(batch.log_prob).any())
        if from_log and c.n_step > 1:
            raise ValueError(f"n_step = {c.n_step}: a log has no sequences, valid is 1")
        rows = self.rows(batch)
        self.env_steps += 0 if from_log else len(rows.action)
        if c.buffer_size:
            self.memory.add(rows)
        if len(self.memory) >= c.learning_starts or not c.buffer_size:
            self.owed += len(rows.action) * c.replay_ratio / c.batch_size
        rng, losses = make_rng(self.seed, self.updates), []
        while self.owed >= 1.0:
            self.owed -= 1.0
            losses.append(self.gradient_step(rows, rng))
        numbers = {"epsilon": float(self.epsilon), "updates": float(self.updates)}
        return numbers | ({"loss": float(np.mean(losses))} if losses else {})

    def gradient_step(self, latest: Rows, rng) -> float:
        """One step on rows from memory (without one: on the ``latest``); returns the loss before it."""
        c, rows, where, weight = self.config, latest, None, None
        done = self.env_steps / c.anneal_steps if c.anneal_steps else 0.0
        if c.buffer_size:
            rows, where, weight = self.memory.sample(rng, c.batch_size, linear(c.priority_beta, 1.0, done))
        loss, dq, error = self.loss(rows, weight)
        self.net.backward(dq)
        self.optimizer.step(self.net.vector, self.net.slope, linear(c.learning_rate, 0.0, done), c.max_grad_norm)
        self.updates += 1
        if where is not None:
            self.memory.update(where, error)
        if c.target_update_every and self.updates % c.target_update_every == 0:
            self.target.vector[:] = (1.0 - c.tau) * self.target.vector + c.tau * self.net.vector
        return loss

    def _flat(self, obs) -> np.ndarray:
        return flat_obs(obs, self.obs_space)                                           # [N, D]

    def policy_state(self):
        return {"q": self.net.vector.copy(), "env_steps": self.env_steps}

    def load_policy_state(self, policy):
        self.net.vector[:], self.env_steps = policy["q"], int(policy["env_steps"])

    def state_dict(self):
        return {**self.policy_state(), "target": self.target.vector.copy(), "optimizer": self.optimizer.state_dict(),
                "memory": self.memory.state_dict(), "updates": self.updates, "owed": self.owed}

    def load_state_dict(self, state):
        self.load_policy_state(state)
        self.target.vector[:] = state["target"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.memory.load_state_dict(state["memory"])
        self.updates, self.owed = int(state["updates"]), float(state["owed"])
