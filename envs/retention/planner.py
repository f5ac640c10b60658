"""The exact optimum of the retention shop, by dynamic programming over (day, step of the visit, satisfaction).

It knows the satisfaction that an agent may not see, so its value is an upper bound for every agent.  With W(s) the
value of having satisfaction s after the step (going on, or leaving and coming back on a later day),

    V(s) = v_0 + max over slates of  Σ_j a_j gain_j Π_{i<j} patience (1 - a_i)
    gain_i = click_weight + |q_i| W(s ± 1) + (1 - |q_i|) W(s) - v_0,    v_0 = annoyance W(s - 1) + (1 - annoyance) W(s)

whose best order and choice `envs.engine.cascade.best_slate` finds without enumeration.  Any other policy that looks at
type and satisfaction alone is evaluated by the same recursion without the maximum.
"""
import itertools

import numpy as np

from ..engine.cascade import best_slate, slate_gain
from ..engine.rng import kernel
from .user import attraction, leave_probability, mean_bonus, return_probability


@kernel
def after_step(r, base, day, step, value):
    """W ``[S + 1]``: the value of the end of this step, from ``value [D, visit_steps, S + 1]`` of what comes later."""
    ahead = np.zeros(r.satisfactions + 1)
    for s in range(r.satisfactions + 1):
        leave, p, back = leave_probability(r, s, step), return_probability(r, base, s), 0.0
        for days in range(1, min(r.patience_days, r.calendar - day - 1) + 1):
            back += p * (1.0 - p) ** (days - 1) * value[day + days, 0, s]
        ahead[s] = leave * (back + r.return_weight * mean_bonus(r, p))
        if step + 1 < r.visit_steps:
            ahead[s] += (1.0 - leave) * value[day, step + 1, s]
    return ahead


@kernel
def worth(r, quality, s, ahead, gain):
    """``gain [A]`` of a click on each item over no click, whose value is returned."""
    down, up = max(0, s - 1), min(r.satisfactions, s + 1)
    nothing = r.annoyance * ahead[down] + (1.0 - r.annoyance) * ahead[s]
    for i in range(len(quality)):
        q = quality[i]
        gain[i] = r.click_weight + abs(q) * ahead[up if q > 0.0 else down] + (1.0 - abs(q)) * ahead[s] - nothing
    return nothing


@kernel
def solve(r, base, pulls, quality, places):
    """(value ``[D, visit_steps, S + 1]``, best slates ``[D, visit_steps, S + 1, K]``) for one type of user."""
    shape = (r.calendar, r.visit_steps, r.satisfactions + 1)
    value, best, gain = np.zeros(shape), np.zeros((*shape, places), np.int64), np.empty(len(pulls))
    for day in range(r.calendar - 1, -1, -1):
        for step in range(r.visit_steps - 1, -1, -1):
            ahead = after_step(r, base, day, step, value)
            for s in range(r.satisfactions + 1):
                nothing = worth(r, quality, s, ahead, gain)
                gained = best_slate(pulls, gain, r.patience, best[day, step, s])
                if gained <= 0.0:                                            # every click does harm: show the least one
                    least = np.argmax(pulls * gain)
                    best[day, step, s], gained = least, pulls[least] * gain[least]
                value[day, step, s] = nothing + gained
    return value, best


@kernel
def evaluate(r, base, pulls, quality, slates):
    """The value ``[D, visit_steps, S + 1]`` of showing one of ``slates [S + 1, M, K]`` at random, by satisfaction."""
    value, gain = np.zeros((r.calendar, r.visit_steps, r.satisfactions + 1)), np.empty(len(pulls))
    for day in range(r.calendar - 1, -1, -1):
        for step in range(r.visit_steps - 1, -1, -1):
            ahead = after_step(r, base, day, step, value)
            for s in range(r.satisfactions + 1):
                nothing, total = worth(r, quality, s, ahead, gain), 0.0
                for m in range(slates.shape[1]):
                    total += slate_gain(slates[s, m], pulls, gain, r.patience)
                value[day, step, s] = nothing + total / slates.shape[1]
    return value


class Planner:
    """Optimal play, and the value of other policies, in the shop with ``rules`` and this catalogue."""

    def __init__(self, rules, world, places: int):
        self.rules, self.world, self.places = rules, world, places
        self.pulls = np.array([[attraction(rules, g, k, a) for k, a in zip(world.topic, world.appeal, strict=True)]
                               for g in range(rules.types)])                                # [G, A]
        plans = [solve(rules, base, pulls, world.quality, places)
                 for base, pulls in zip(world.bases, self.pulls, strict=True)]
        self.ahead, self.best = (np.stack(part) for part in zip(*plans, strict=True))       # [G, D, steps, S + 1 (, K)]

    def value(self) -> float:
        """The expected return of the best policy, types being fair dice: the upper bound of every agent."""
        return float(self.ahead[:, 0, 0, self.rules.satisfactions // 2].mean())

    def act(self, state) -> np.ndarray:
        """The optimal slates ``[N, K]`` of users in ``state`` (`envs.retention.user.State`)."""
        day = np.minimum(state.day, self.rules.calendar - 1)
        return self.best[state.kind, day, state.step, state.satisfaction]

    def value_of(self, slates: np.ndarray) -> np.ndarray:
        """The expected return ``[G]`` of showing one of ``slates [G, S + 1, M, K]`` (type, satisfaction) at random."""
        start = self.rules.satisfactions // 2
        return np.array([evaluate(self.rules, base, pulls, self.world.quality, s)[0, 0, start]
                         for base, pulls, s in zip(self.world.bases, self.pulls, slates, strict=True)])

    def next_click(self) -> np.ndarray:
        """The slate ``[G, K]`` that is clicked most, type by type: what is best if nothing follows."""
        slates = np.zeros((self.rules.types, self.places), np.int64)
        for pulls, slate in zip(self.pulls, slates, strict=True):
            best_slate(pulls, np.ones(len(pulls)), self.rules.patience, slate)
        return slates

    def random(self) -> np.ndarray:
        """Every slate without a repeated item ``[M, K]``."""
        return np.array(list(itertools.permutations(range(len(self.world.topic)), self.places)))
