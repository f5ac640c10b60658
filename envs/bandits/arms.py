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
from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, Discrete

from ..engine.params import param
from ..engine.rng import integer, kernel, normal, session_key, uniform
from ..engine.vector import VectorEnv

REWARD, DELAY, TYPE = 1, 2, 3                    # purposes of the coins
DELAYS = ("none", "fixed", "geometric", "exponential")
_TWO_PI = 2.0 * np.pi


@dataclass(frozen=True)
class Params:
    reward: str = param("bernoulli", choices=("bernoulli", "gaussian"))
    """What an arm pays: a click, or its mean plus normal noise."""
    arms: int = param(10, 1)
    """A, when ``means`` does not say it."""
    means: tuple = ()
    """Mean rewards ``[A]``, ``[segments, A]``, ``[types, A]`` or ``[segments, types, A]``; empty: drawn."""
    prior_a: float = param(1.0, 0.0)
    """a: drawn Bernoulli means are Beta(a, b); drawn Gaussian means are N(0, 1)."""
    prior_b: float = param(1.0, 0.0)
    """b."""
    own_arms: bool = param(False)
    """Each slot draws its own means (a replication is one problem from the prior); otherwise all slots share one."""
    noise: float = param(1.0, 0.0)
    """Standard deviation of a Gaussian reward."""
    changes: tuple = ()
    """Clocks at which the next segment of ``means`` begins, increasing."""
    amplitude: float = param(0.0, 0.0)
    """Size of the slow drift: amplitude · sin(2π (clock / period + a / A)) is added to the mean of arm a."""
    period: float = param(5000.0, 1.0)
    """Steps of one full turn of the drift."""
    types: int = param(1, 1)
    """G, user types; a user's type is uniform and a function of (world_seed, user id)."""
    observe: str = param("nothing", choices=("nothing", "one_hot", "id"))
    """What the agent sees of the type."""
    cycle: int = param(0, 0)
    """Steps after which an arm's presence repeats; 0: every arm is always on offer."""
    stay: int = param(1, 1)
    """Steps of each cycle in which an arm is on offer; the arms take turns, arm a begins a · cycle / A earlier."""
    delay: str = param("none", choices=DELAYS)
    """Law of the steps after which a reward becomes known (exponential: rounded to whole steps)."""
    delay_mean: float = param(100.0, 0.0)
    """Mean of the delay in steps (before rounding)."""
    world_seed: int = param(0, 0)
    """Seed of drawn means and of who has which type."""


@kernel
def on_offer(clock, arm, arms, cycle, stay):
    return cycle == 0 or (clock + arm * cycle // arms) % cycle < stay


@kernel
def draw_delay(law, mean, coin):
    """Steps until the reward is known: fixed, geometric on 0, 1, … with this mean, or a rounded exponential."""
    if law == 1:
        return np.int64(np.rint(mean))
    if law == 2:
        return np.int64(np.log1p(-coin) / np.log(mean / (1.0 + mean)))
    return np.int64(np.rint(-mean * np.log1p(-coin)))


@kernel
def begin_users(rows, user, visits, world_seed, types, kind, clock):
    """A user arrives: who is it, and has the world just begun?"""
    for n in rows:
        if types > 1:
            kind[n] = integer(session_key(world_seed, user[n], 0), 0, TYPE, 0, types)
        if visits[n] == 0:
            clock[n] = 0


@kernel
def look(row, now, action, drift, offer):
    """(mean of ``action``, best mean on offer) at this moment, where the means ``row [A]`` drift or come and go."""
    arms, mine, best = len(row), 0.0, -np.inf
    for arm in range(arms):
        if on_offer(now, arm, arms, offer[0], offer[1]):
            mean = row[arm]
            if drift[0] > 0.0:
                mean += drift[0] * np.sin(_TWO_PI * (now / drift[1] + arm / arms))
            best = max(best, mean)
            if arm == action:
                mine = mean
    return mine, best


@kernel
def score_users(action, active, kind, clock, table, top, changes, drift, offer, expected, regret):
    """One user, one arm: its mean at this moment, and what the best arm on offer would have paid more.

    ``table [1 or N, segments, types, A]`` are the means, ``top`` their maxima over A: within a segment the best arm
    stays the best, unless means drift or arms come and go.
    """
    moving, own = drift[0] > 0.0 or offer[0] > 0, len(table) > 1
    for n in range(len(action)):
        if active[n]:
            segment, world = 0, n if own else 0
            for change in changes:
                segment += clock[n] >= change
            if moving:
                mine, best = look(table[world, segment, kind[n]], clock[n], action[n], drift, offer)
            else:
                mine, best = table[world, segment, kind[n], action[n]], top[world, segment, kind[n]]
            expected[n], regret[n] = mine, best - mine


@kernel
def answer_users(action, active, seed, user, session, clock, arms, offer, gaussian, noise, law, delay_mean, expected,
                 reward, delay):
    """The coins: what the user answers, and when that becomes known."""
    for n in range(len(action)):
        if active[n]:
            life = session_key(seed, user[n], session[n])
            if not gaussian:
                reward[n] = uniform(life, 0, REWARD, 0) < expected[n]
            elif on_offer(clock[n], action[n], arms, offer[0], offer[1]):
                reward[n] = expected[n] + noise * normal(life, 0, REWARD, 0)
            if law > 0:
                delay[n] = draw_delay(law, delay_mean, uniform(life, 0, DELAY, 0))
            clock[n] += 1


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
        self.drift, self.offer = np.array([p.amplitude, p.period]), np.array([p.cycle, p.stay])
        self.law = DELAYS.index(p.delay)
        self.given = given.reshape(1, *self.shape) if given.size else None   # [1, segments, types, A]

    def _spaces(self):
        p = self.params
        seen = Discrete(p.types) if p.observe == "id" else Box(0.0, 1.0, (p.types if p.observe == "one_hot" else 1,))
        return seen, Discrete(self.arms)

    def _allocate(self):
        slots = self._slots if self.params.own_arms else [0]
        self.table = np.stack([self.draw(slot) for slot in slots]) if self.given is None else self.given
        self.nothing = np.ones((self.num_envs, 1), np.float32)
        self.top = self.table.max(axis=3)                                    # [1 or N, segments, types]
        return {"clock": np.zeros(self.num_envs, np.int64), "type": np.zeros(self.num_envs, np.int64)}

    def draw(self, slot) -> np.ndarray:
        """Means of one world from the prior ``[segments, types, A]``."""
        p, rng = self.params, np.random.default_rng([self.params.world_seed, slot])
        if p.reward == "gaussian":
            return rng.standard_normal(self.shape)
        return p.amplitude + (1 - 2 * p.amplitude) * rng.beta(p.prior_a, p.prior_b, self.shape)

    def lai_robbins(self) -> float | None:
        """C: no consistent policy's regret grows slower than C ln t in the long run (Lai & Robbins 1985).

        C = Σ Δ_a / KL(μ_a, μ*) over the arms that are not best; None where the world moves or differs among slots.
        """
        p = self.params
        if self.shape[:2] != (1, 1) or p.amplitude or p.cycle or len(self.table) > 1 or p.delay != "none":
            return None
        mean = self.table[0, 0, 0]
        worse, best = mean[mean < mean.max()], mean.max()
        if p.reward == "gaussian":
            return float((2 * p.noise**2 / (best - worse)).sum())
        if best >= 1.0:
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = np.where(worse > 0, worse * np.log(worse / best), 0.0) + (1 - worse) * np.log((1 - worse) / (1 - best))
        return float(((best - worse) / kl).sum())

    def _begin(self, rows):
        begin_users(rows, self.user, self.visits, self.params.world_seed, self.params.types, self.state["type"],
                    self.state["clock"])

    def _advance(self, action, active):
        p, n = self.params, self.num_envs
        kind, clock = self.state["type"], self.state["clock"]
        reward, expected, regret = np.zeros(n, np.float32), np.zeros(n), np.zeros(n)
        delay = np.zeros(n if self.law else 0, np.int64)
        score_users(action, active, kind, clock, self.table, self.top, self.changes, self.drift, self.offer, expected,
                    regret)
        answer_users(action, active, self.seed, self.user, self.session, clock, self.arms, self.offer,
                     p.reward == "gaussian", p.noise, self.law, p.delay_mean, expected, reward, delay)
        info: dict[str, np.ndarray] = {"expected_reward": expected, "regret": regret}
        if self.law:
            info["delay"] = delay
        return reward, active.copy(), info

    def _observe(self):
        if self.params.observe == "id":
            return self.state["type"].copy()
        if self.params.observe == "one_hot":
            return (self.state["type"][:, None] == np.arange(self.params.types)).astype(np.float32)
        return self.nothing.copy()

    def _now(self):
        """Means of this moment ``[N, A]`` (of arms on offer or not)."""
        p, clock = self.params, self.state["clock"]
        segment = (clock[:, None] >= self.changes).sum(axis=1)
        mean = self.table[np.arange(self.num_envs) % len(self.table), segment, self.state["type"]]
        return mean + p.amplitude * np.sin(_TWO_PI * (clock[:, None] / p.period + np.arange(self.arms) / self.arms))

    def _mask(self):
        p, arm = self.params, np.arange(self.arms)
        if p.cycle:
            return (self.state["clock"][:, None] + arm * p.cycle // self.arms) % p.cycle < p.stay
        return None

    def _oracle(self):
        mask = self._mask()
        return (self._now() if mask is None else np.where(mask, self._now(), -np.inf)).argmax(axis=1)
