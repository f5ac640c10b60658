r"""DQN: the value of every action by a network, learnt from replayed experience towards a network that stands still.

    L(θ) = E_replay[ huber( Q_θ(s, a) − y ) ],      y = r + γ (1 − terminated) max_a' Q_θ⁻(s', a')

Mnih et al. 2015 (Nature 518).  Switches, all off as in that paper: double (van Hasselt et al. 2016, arXiv:1509.06461),
dueling (Wang et al. 2016, arXiv:1511.06581), n_step (Sutton & Barto 2018, 7.1), priority_alpha (Schaul et al. 2016,
arXiv:1511.05952), conservative_coef (CQL, Kumar et al. 2020, arXiv:2006.04779).

Differences from the paper: (1) N users step together, and a call makes the gradient steps that its rows are due;
(2) Adam instead of RMSProp, and the gradient's norm is clipped; (3) a truncated session bootstraps from its true last
state; (4) no frames: observations are arrays, rewards are not clipped; (5) n-step sums are cut at the end of a block of
`rollout_steps`; (6) a delayed reward is taken as known at once.
"""
from dataclasses import dataclass

import numpy as np

from ..core import Algorithm, Transition
from ..networks import layers as nets
from ..networks.q_nets import Adam, QNet, conservative, huber
from ..parts.explore import epsilon_greedy, linear, masked
from ..parts.replay import Replay, Rows, rows_of
from ..rollout import make_rng


@dataclass(frozen=True)
class Config:
    learning_rate: float = 1e-3
    """Adam's step size."""
    gamma: float = 0.99
    """Discount a step."""
    hidden: tuple = (64, 64)
    """Widths of the hidden layers."""
    batch_size: int = 32
    """Rows of a gradient step."""
    replay_ratio: float = 8.0
    """Rows trained on for every env step: replay_ratio / batch_size gradient steps a step (paper: 32 every 4 steps)."""
    buffer_size: int = 50_000
    """Rows in memory; 0: no replay, every gradient step sees the latest block and nothing else."""
    learning_starts: int = 1000
    """Rows in memory before the first gradient step."""
    target_update_every: int = 500
    """Gradient steps between two updates of the target network; 0: no target network."""
    tau: float = 1.0
    """An update of the target network moves it by this share of the way (1: a copy; .005 every step: a soft target)."""
    epsilon: float = 1.0
    """Probability of a random action at the beginning."""
    epsilon_end: float = 0.05
    """Probability of a random action from `epsilon_steps` on."""
    epsilon_steps: int = 10_000
    """Env steps, of all users together, over which ε falls linearly."""
    anneal_steps: int = 0
    """Env steps over which the learning rate falls linearly to 0 and β rises to 1 (0: both stay)."""
    huber: float = 1.0
    """The TD error beyond which its loss is linear (inf: squared error)."""
    max_grad_norm: float = 10.0
    """The gradient is scaled down to this norm (0: as it is)."""
    double: bool = False
    """The online network chooses a', the target network values it: less over-estimation."""
    dueling: bool = False
    """Q = V + advantage − its mean: states are valued without trying every action in them."""
    n_step: int = 1
    """Rewards summed before the bootstrap; at most `rollout_steps`."""
    priority_alpha: float = 0.0
    """α: 0 draws uniformly from memory, 1 in proportion to the TD error."""
    priority_beta: float = 0.4
    """β: how far importance weights undo the bias of priorities (1: fully)."""
    conservative_coef: float = 0.0
    """c: + c · E[log Σ exp Q(s, ·) − Q(s, a)], which pushes down actions that the data does not hold: for logs."""
    embedding: str = "none"
    """none: one output an action; learned: Q = z(s) · e_a + b_a; features: Q = z(s) · (f_a, 1), f_a from the items."""
    embedding_size: int = 16
    """Numbers in a learned embedding."""
    rollout_steps: int = 1
    """T: steps of every user between two calls of learn."""


class DQN(Algorithm):
    Config = Config

    def __init__(self, obs_space, action_space, config=None, seed=0, items=None):
        super().__init__(obs_space, action_space, config, seed, items)
        check(self.config, action_space, items)
        c, size, actions = self.config, nets.flat_size(obs_space), int(action_space.n)
        features = items if c.embedding == "features" else None
        width = c.embedding_size if c.embedding == "learned" else 0
        self.net, twin = (QNet(size, actions, c.hidden, make_rng(seed), c.dueling, features, width) for _ in range(2))
        self.target = twin if c.target_update_every else self.net
        self.optimizer = Adam(len(self.net.vector))
        self.memory = Replay(c.buffer_size, c.priority_alpha)
        self.env_steps, self.updates, self.owed = 0, 0, 0.0         # owed: gradient steps not made yet, with a fraction

    @property
    def epsilon(self) -> float:
        c = self.config
        return linear(c.epsilon, c.epsilon_end, self.env_steps / max(c.epsilon_steps, 1))

    def act(self, obs, rng, explore=True, mask=None):
        return epsilon_greedy(self.action_values(obs), self.epsilon if explore else 0.0, rng, mask)

    def action_values(self, obs) -> np.ndarray:
        """Q of the observations ``[N, …]``: ``[N, A]``."""
        return self.net.values(self._flat(obs))

    def rows(self, batch: Transition) -> Rows:
        """What goes into memory: the block ``[T, N]`` as rows ``[T·N]``, with the masks that are read again."""
        c = self.config
        return rows_of(batch if c.conservative_coef else batch._replace(mask=None), c.gamma, c.n_step)

    def targets(self, rows: Rows) -> np.ndarray:
        """y ``[B]``."""
        after = self._flat(rows.next_obs)
        value = self.target.values(after)                                                   # [B, A]
        chooser = self.net.values(after) if self.config.double else value
        best = masked(chooser, rows.next_mask).argmax(axis=1)                               # [B]
        return rows.reward + rows.discount * value[np.arange(len(best)), best]

    def loss(self, rows: Rows, weight: np.ndarray | None = None) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, its slope in Q(s, ·) ``[B, A]`` and the TD errors ``[B]``; ``weight [B]``: importance weights."""
        c, b = self.config, np.arange(len(rows.action))
        target = self.targets(rows)                                                         # [B]
        q = self.net.forward(self._flat(rows.obs))                                          # [B, A]
        error = q[b, rows.action] - target                                                  # [B]
        loss, slope = huber(error, c.huber)                                                 # [B], [B]
        if weight is not None:
            loss, slope = weight * loss, weight * slope
        total, dq = float(loss.mean()), np.zeros_like(q)
        dq[b, rows.action] = slope / len(b)
        if c.conservative_coef:
            gap, push = conservative(q, rows.action, rows.mask)                             # [B], [B, A]
            total += c.conservative_coef * float(gap.mean())
            dq += c.conservative_coef / len(b) * push
        return total, dq, error

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
        return nets.flat_obs(obs, self.obs_space)                                           # [N, D]

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


def check(c: Config, action_space, items) -> None:
    """ValueError for what cannot be: names the parameter, its value and what is valid."""
    if not hasattr(action_space, "n"):
        raise ValueError(f"dqn needs a Discrete action space, not {action_space}")
    known = ("none", "learned") if items is None else ("none", "features", "learned")
    for name, good, valid in (
            ("embedding", c.embedding in known, f"one of {', '.join(known)} (features: where items have some)"),
            ("n_step", 1 <= c.n_step <= c.rollout_steps, f"in [1, rollout_steps = {c.rollout_steps}]"),
            ("tau", 0.0 < c.tau <= 1.0, "in (0, 1]"), ("batch_size", c.batch_size >= 1, "at least 1"),
            ("embedding_size", c.embedding_size >= 1, "at least 1"),
            ("learning_starts", 1 <= c.learning_starts <= (c.buffer_size or np.inf),
             f"in [1, buffer_size = {c.buffer_size}]"),
            *((name, getattr(c, name) >= 0, "at least 0") for name in
              ("replay_ratio", "buffer_size", "target_update_every", "max_grad_norm", "conservative_coef"))):
        if not good:
            raise ValueError(f"{name} = {getattr(c, name)!r} must be {valid}")
