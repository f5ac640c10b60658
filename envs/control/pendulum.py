"""Pendulum: swing a pendulum up with a weak motor and hold it there, at the least cost.

Step for step the dynamics of Gymnasium's `Pendulum-v1` from the same state; only the starts come from counter-based
coins.  Nobody ever leaves: the clock alone ends a session, so whoever takes its end for a departure learns a wrong
value.  Mean return over starts: random −1236, best possible −139.7 ± 1.7 (dynamic programming on a grid).

| | |
|---|---|
| observation | Box [3] float32: cos θ, sin θ, θ̇; θ = 0 is upright |
| action      | Box [1] float32: torque u in [−2, 2], clipped to it |
| reward      | −(θ² + 0.1 θ̇² + 0.001 u²) with θ in [−π, π), before the step |
| start       | θ uniform on (−π, π), θ̇ on (−1, 1) |
| end         | never ``terminated``; ``truncated``: after ``horizon`` steps |

One step of .05 s, the new speed first:  θ̇ ← θ̇ + (3 g / 2ℓ · sin θ + 3 u / m ℓ²) · .05, clipped to ± 8;  θ ← θ + .05 θ̇
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from ..engine.params import kernel_type, param, rules, rules_of
from ..engine.rng import kernel, session_key, uniform
from ..engine.vector import VectorEnv

START = 1                                        # purpose of the coins
STEP, FASTEST, STRONGEST = 0.05, 8.0, 2.0        # s, rad/s, N m; mass and length are 1 kg and 1 m
TURN = 2.0 * np.pi


@dataclass(frozen=True)
class Params:
    horizon: int = param(200, 1)
    """Steps after which a session is truncated."""
    g: float = param(10.0, 0.0)
    """Gravity, m/s²."""


Rules = rules_of(Params)


@kernel_type
class State(NamedTuple):
    angle: np.ndarray              # [N] θ in [−π, π)
    seen: np.ndarray               # [N, 3] cos θ, sin θ, θ̇


@kernel
def first_nan(torque):
    """The index of the first torque that is no number, or −1."""
    for n in range(len(torque)):
        if np.isnan(torque[n, 0]):
            return n
    return -1


@kernel
def begin_users(rows, who, state):
    """Two coins: anywhere, turning slowly."""
    angle, seen = state.angle, state.seen
    for n in rows:
        life = session_key(who.seed, who.user[n], who.session[n])
        angle[n] = np.pi * (2.0 * uniform(life, 0, START, 0) - 1.0)
        seen[n, 0], seen[n, 1] = np.cos(angle[n]), np.sin(angle[n])
        seen[n, 2] = 2.0 * uniform(life, 0, START, 1) - 1.0


@kernel
def step_users(torque, active, rules, state, reward):
    """Pay for where it is, then turn; sine and cosine are kept for the observation and for the next step."""
    angle, seen = state.angle, state.seen
    for n in range(len(torque)):
        if not active[n]:
            continue
        u, speed = np.float32(min(max(torque[n, 0], -STRONGEST), STRONGEST)), seen[n, 2]
        reward[n] = -(angle[n] * angle[n] + 0.1 * speed * speed + 0.001 * u * u)
        speed += (1.5 * rules.g * seen[n, 1] + np.float32(3.0) * u) * STEP    # 3 u in float32, as Gymnasium computes it
        speed = min(max(speed, -FASTEST), FASTEST)
        after = angle[n] + speed * STEP
        after -= TURN * np.floor((after + np.pi) / TURN)                  # back into [−π, π)
        angle[n], seen[n, 0], seen[n, 1], seen[n, 2] = after, np.cos(after), np.sin(after), speed


class Pendulum(VectorEnv):
    Params = Params

    def _build(self):
        self.horizon, self.rules = self.params.horizon, rules(Rules, self.params)

    def _spaces(self):
        most = np.array([1.0, 1.0, FASTEST], np.float32)
        return Box(-most, most), Box(-STRONGEST, STRONGEST, (1,))

    def _allocate(self):
        n = self.num_envs
        return State(np.zeros(n), np.zeros((n, 3)))

    def _begin(self, rows):
        self.run(begin_users, rows, self.who(), self.state)

    def _advance(self, action, active):
        action = np.ascontiguousarray(action, np.float32)
        if (bad := first_nan(action)) >= 0:
            raise ValueError(f"action {action[bad]} (entry {bad}) is no number")
        reward = np.zeros(self.num_envs, np.float32)
        self.run(step_users, action, active, self.rules, self.state, reward)
        return reward, np.zeros(self.num_envs, bool), {}

    def _observe(self):
        return self.state.seen.astype(np.float32)
