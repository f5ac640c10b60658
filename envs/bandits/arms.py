"""Arms: which of A actions pays, when nobody says.  Bernoulli or Gaussian, still or moving, the same for all or not.

A step is an episode: a user arrives, is shown one arm, answers and is gone (``terminated`` at every step).  One
class covers the textbook cases by parameters: stationary arms, piecewise-stationary and slowly drifting ones
(Garivier & Moulines 2011; Besbes, Gur & Zeevi 2014), observed or hidden user types, arms that come and go
(Kleinberg, Niculescu-Mizil & Sharma 2010) and feedback that comes late (Joulani, György & Szepesvári 2013).

| | |
|---|---|
| observation | ``nothing``: Box [1], the constant 1; ``one_hot``: Box [G], the user's type; ``id``: Discrete(G) |
| action      | Discrete(A); an arm that is not on offer pays nothing |
| reward      | Bernoulli: click 0 or 1; Gaussian: mean + noise |
| end         | every step is ``terminated`` |
| info        | ``expected_reward``, ``regret`` ``[N]`` (of the mean, not of the sample); ``delay`` ``[N]`` int64 |

Time is the clock of a slot, the number of users it has served since the reset with a seed; it is part of the state.
"""
from dataclasses import replace

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.knows import Knows
from ..engine.params import rules
from ..engine.vector import VectorEnv
from .arm_users import DELAYS, Out, Params, Rules, State, World, begin_users, step_users


class ArmBandit(VectorEnv):
    Params = Params

    def _build(self):
        p = self.params
        self.changes = np.array(p.changes, np.int64)
        if (np.diff(self.changes, prepend=0) <= 0).any():
            raise ValueError(f"parameter 'changes' = {p.changes} must be positive and increasing")
        given = np.array(p.means, np.float64)
        self.arms = given.shape[-1] if given.size else p.arms
        self.shape = (len(self.changes) + 1, p.types, self.arms)             # segments, types, arms
        if given.size and given.size != np.prod(self.shape):
            raise ValueError(f"parameter 'means' has shape {given.shape}, must hold (segments, types, arms) = "
                             f"{self.shape}")
        if p.cycle and p.stay * self.arms < p.cycle:
            raise ValueError(f"parameter 'stay' = {p.stay} must be at least cycle / arms = {p.cycle / self.arms}, "
                             "so that there is always an arm on offer")
        if p.reward == "bernoulli" and given.size and (given.min() < p.amplitude or given.max() > 1 - p.amplitude):
            raise ValueError("parameter 'means' of Bernoulli arms must lie in [0, 1], also with the drift's amplitude")
        self.rules = rules(Rules, p, arms=self.arms, gaussian=p.reward == "gaussian", law=DELAYS.index(p.delay))
        self.given = given.reshape(1, *self.shape) if given.size else None   # [1, segments, types, A]

    def _spaces(self):
        p = self.params
        seen = Discrete(p.types) if p.observe == "id" else Box(0.0, 1.0, (p.types if p.observe == "one_hot" else 1,))
        return seen, Discrete(self.arms)

    def _allocate(self):
        slots = self._places.slots if self.params.own_arms else [0]
        table = np.stack([self.draw(slot) for slot in slots]) if self.given is None else self.given
        self.world = World(table, table.max(axis=3), self.changes)
        self.nothing = np.ones((self.num_envs, 1), np.float32)
        return State(clock=np.zeros(self.num_envs, np.int64), type=np.zeros(self.num_envs, np.int64))

    def draw(self, slot) -> np.ndarray:
        """Means of one world from the prior ``[segments, types, A]``."""
        p, rng = self.params, np.random.default_rng([self.params.world_seed, slot])
        if p.reward == "gaussian":
            return rng.standard_normal(self.shape)
        return p.amplitude + (1 - 2 * p.amplitude) * rng.beta(p.prior_a, p.prior_b, self.shape)

    def knows(self) -> Knows:
        return replace(super().knows(), regret=True, lai_robbins=self.lai_robbins)

    def lai_robbins(self) -> float | None:
        """C: no consistent policy's regret grows slower than C ln t in the long run (Lai & Robbins 1985).

        C = Σ Δ_a / KL(μ_a, μ*) over the arms that are not best; None where the world moves or differs among slots.
        """
        p = self.params
        if self.shape[:2] != (1, 1) or p.amplitude or p.cycle or len(self.world.table) > 1 or p.delay != "none":
            return None
        mean = self.world.table[0, 0, 0]
        worse, best = mean[mean < mean.max()], mean.max()
        if p.reward == "gaussian":
            return float((2 * p.noise**2 / (best - worse)).sum())
        if best >= 1.0:
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = np.where(worse > 0, worse * np.log(worse / best), 0.0) + (1 - worse) * np.log((1 - worse) / (1 - best))
        return float(((best - worse) / kl).sum())

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.visits, self.state)

    def _advance(self, action, active):
        n, late = self.num_envs, self.rules.law > 0
        out = Out(reward=np.zeros(n, np.float32), expected=np.zeros(n), regret=np.zeros(n),
                  delay=np.zeros(n if late else 0, np.int64))
        self.run(step_users, action, active, self.rules, self.world, self.who(), self.state, out)
        info = {"expected_reward": out.expected, "regret": out.regret} | ({"delay": out.delay} if late else {})
        return out.reward, active.copy(), info

    def _observe(self):
        if self.params.observe == "id":
            return self.state.type.copy()
        if self.params.observe == "one_hot":
            return (self.state.type[:, None] == np.arange(self.params.types)).astype(np.float32)
        return self.nothing.copy()

    def _now(self):
        """Means of this moment ``[N, A]`` (of arms on offer or not)."""
        p, clock = self.params, self.state.clock
        segment = (clock[:, None] >= self.changes).sum(axis=1)
        mean = self.world.table[np.arange(self.num_envs) % len(self.world.table), segment, self.state.type]
        return mean + p.amplitude * np.sin(2.0 * np.pi * (clock[:, None] / p.period + np.arange(self.arms) / self.arms))

    def _mask(self):
        p, arm = self.params, np.arange(self.arms)
        if p.cycle:
            return (self.state.clock[:, None] + arm * p.cycle // self.arms) % p.cycle < p.stay
        return None

    def _oracle(self):
        mask = self._mask()
        return (self._now() if mask is None else np.where(mask, self._now(), -np.inf)).argmax(axis=1)
