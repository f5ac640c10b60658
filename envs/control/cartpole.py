"""CartPole: push a cart left or right so that the pole on it does not fall (Barto, Sutton & Anderson 1983).

Step for step the dynamics of Gymnasium's `CartPole-v1` from the same state; only the starts come from counter-based
coins.  The testbed for what is known of an algorithm elsewhere: random ≈ 22, solved at 475, the most is 500.

| | |
|---|---|
| observation | Box [4] float32: place x, speed ẋ, angle θ, turn θ̇ |
| action      | Discrete(2): 0 pushes left, 1 right, with 10 N |
| reward      | 1 a step, also for the one on which it falls |
| start       | each of the four uniform on (−0.05, 0.05) |
| end         | ``terminated``: abs(x) > 2.4 m or abs(θ) > 12°; ``truncated``: after ``horizon`` steps |

One Euler step of 0.02 s with the accelerations (Florian 2007, without friction); m is the mass of cart and pole, m_p
that of the pole, ℓ half its length:

    f = (F + m_p ℓ θ̇² sin θ) / m,   θ̈ = (g sin θ − f cos θ) / (ℓ (4/3 − m_p cos² θ / m)),   ẍ = f − m_p ℓ θ̈ cos θ / m
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.params import kernel_type, param
from ..engine.rng import kernel, session_key, uniform
from ..engine.vector import VectorEnv

START = 1                                        # purpose of the coins
GRAVITY, FORCE, STEP = 9.8, 10.0, 0.02           # m/s², N, s
POLE, MASS, HALF = 0.1, 1.1, 0.5                 # kg of the pole, kg of cart and pole, m of half the pole
THRUST, SHARE, LEVER = FORCE / MASS, POLE / MASS, POLE * HALF / MASS         # m/s², -, m
FAR, TILT = 2.4, 12 * 2 * np.pi / 360            # m and rad at which it is over
NEAR = 0.05                                      # every start lies within it


@dataclass(frozen=True)
class Params:
    horizon: int = param(500, 1)
    """Steps after which a session is truncated."""


@kernel_type
class State(NamedTuple):
    body: np.ndarray               # [N, 4] as observed, in float64


@kernel_type
class Out(NamedTuple):
    reward: np.ndarray             # [N] float32
    terminated: np.ndarray         # [N] bool


@kernel
def begin_users(rows, who, state):
    """Four coins: nearly upright, nearly still."""
    for n in rows:
        life = session_key(who.seed, who.user[n], who.session[n])
        for i in range(4):
            state.body[n, i] = NEAR * (2.0 * uniform(life, 0, START, i) - 1.0)


@kernel
def step_users(action, active, state, out):
    """Push, accelerate, move by the old speeds, then change the speeds."""
    body, reward, terminated = state.body, out.reward, out.terminated
    for n in range(len(action)):
        if not active[n]:
            continue
        x, speed, angle, turn = body[n, 0], body[n, 1], body[n, 2], body[n, 3]
        sine = np.sin(angle)
        cosine = np.sqrt(1.0 - sine * sine)                               # while it stands, θ is within 12° of 0
        push = (THRUST if action[n] == 1 else -THRUST) + LEVER * turn * turn * sine
        turning = (GRAVITY * sine - push * cosine) / (HALF * (4.0 / 3.0 - SHARE * cosine * cosine))
        x += STEP * speed
        angle += STEP * turn
        body[n, 0], body[n, 2] = x, angle
        body[n, 1] = speed + STEP * (push - LEVER * turning * cosine)
        body[n, 3] = turn + STEP * turning
        reward[n], terminated[n] = 1.0, abs(x) > FAR or abs(angle) > TILT


class CartPole(VectorEnv):
    Params = Params

    def _build(self):
        self.horizon = self.params.horizon

    def _spaces(self):
        most = np.array([2 * FAR, np.inf, 2 * TILT, np.inf], np.float32)
        return Box(-most, most), Discrete(2)

    def _allocate(self):
        return State(np.zeros((self.num_envs, 4)))

    def _begin(self, rows):
        self.run(begin_users, rows, self.who(), self.state)

    def _advance(self, action, active):
        out = Out(reward=np.zeros(self.num_envs, np.float32), terminated=np.zeros(self.num_envs, bool))
        self.run(step_users, action, active, self.state, out)
        return out.reward, out.terminated, {}

    def _observe(self):
        return self.state.body.astype(np.float32)
