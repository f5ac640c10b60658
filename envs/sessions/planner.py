"""The exact optimum of a personal session, by dynamic programming over (boredom per topic, step) for one user.

It knows the interests and the hidden pace of the items.  In a given state the value of an item is linear in its
appeal, with a slope that topic and pace decide: only the most and the least appealing item of each topic and pace can
be best, so that 4 T items are compared, not A.
"""
import numpy as np

from ..engine.rng import kernel
from ..engine.solver import TabularMDP
from .user import after


@kernel
def successors(states, shown, pace, levels, click, skip):
    """Codes of the boredoms after an item of topic ``shown``: ``click [S]`` and ``skip [S]``."""
    for s in range(len(states)):
        click[s] = skip[s] = 0
        for k in range(states.shape[1]):
            base = (levels + 1) ** k
            click[s] += after(states[s, k], k == shown, True, pace, levels) * base
            skip[s] += after(states[s, k], k == shown, False, pace, levels) * base


@kernel
def backward(rate, click, skip, horizon, best):
    """The best column ``best [H, S]`` and the value of the first step ``[S]``, from click probabilities ``rate [C, S]``
    and successors ``click``, ``skip`` ``[C, S]``."""
    columns, states = rate.shape
    value = np.zeros(states)
    for t in range(horizon - 1, -1, -1):
        ahead = value.copy()
        for s in range(states):
            top = -np.inf
            for c in range(columns):
                p = rate[c, s]
                q = p * (1.0 + ahead[click[c, s]]) + (1.0 - p) * ahead[skip[c, s]]
                if q > top:
                    top, best[t, s] = q, c
            value[s] = top
    return value


class Planner:
    """Optimal play for any user of this catalogue; a user is solved when it is first met and kept while it is here.

    ``states [S, T]``: the boredoms by their code, S = (levels + 1)^T.
    """

    def __init__(self, rules, world):
        topic, appeal, pace = self.topic, self.appeal, self.pace = world.topic, world.appeal, world.pace
        topics, levels = rules.topics, rules.levels
        self.levels, self.horizon = levels, rules.horizon
        self.codes = (levels + 1) ** np.arange(topics)
        self.states = np.arange((levels + 1) ** topics)[:, None] // self.codes % (levels + 1)
        groups = [np.flatnonzero((topic == k) & (pace == step)) for k in range(topics) for step in np.unique(pace)]
        self.candidates = np.unique([g[pick(appeal[g])] for g in groups if len(g) for pick in (np.argmax, np.argmin)])
        self.lost = 1.0 - rules.pull_lost * self.states / levels                   # [S, T]
        self.moves = self._moves(self.candidates)
        self.plans: dict[bytes, tuple[np.ndarray, float]] = {}

    def _moves(self, items):
        """Successors after a click and after none ``[C, S]`` of these items."""
        click, skip = np.empty((2, len(items), len(self.states)), np.int64)
        for c, item in enumerate(items):
            successors(self.states, self.topic[item], self.pace[item], self.levels, click[c], skip[c])
        return click, skip

    def solve(self, interest) -> tuple[np.ndarray, float]:
        """(best candidate ``[H, S]`` int8, value of a session) of a user with these interests ``[T]``."""
        about = self.topic[self.candidates]
        rate = (interest[about] * self.appeal[self.candidates])[:, None] * self.lost.T[about]        # [C, S]
        best = np.empty((self.horizon, len(self.states)), np.int8)
        value = backward(rate, *self.moves, self.horizon, best)
        return best, float(value[0])

    def act(self, interest, bored, t) -> np.ndarray:
        """The optimal items ``[N]`` now, of users with ``interest [N, T]``, boredom ``[N, T]`` at steps ``[N]``."""
        keys = [row.tobytes() for row in interest]
        self.plans = {key: self.plans.get(key) or self.solve(row) for key, row in zip(keys, interest, strict=True)}
        codes, step = bored @ self.codes, np.minimum(t, self.horizon - 1)
        return self.candidates[[self.plans[key][0][at, code] for key, at, code in zip(keys, step, codes, strict=True)]]

    def follow(self, interest, actions) -> float:
        """The exact value of a session under the stationary policy with items ``actions [S]``."""
        actions, here = np.asarray(actions), np.arange(len(self.states))
        about, pace = self.topic[actions], self.pace[actions]
        rate = interest[about] * self.appeal[actions] * self.lost[here, about]                       # [S]
        cooled = np.maximum(self.states - 1, 0) @ self.codes
        shown = self.states[here, about]
        skip = cooled + (shown - np.maximum(shown - 1, 0)) * self.codes[about]
        click = skip + (np.minimum(shown + pace, self.levels) - shown) * self.codes[about]
        value = np.zeros(len(here))
        for _ in range(self.horizon):
            value = rate * (1.0 + value[click]) + (1.0 - rate) * value[skip]
        return float(value[0])


def user_table(interest, rules, world) -> TabularMDP:
    """A user with ``interest [T]`` as a `TabularMDP`: S = (levels + 1)^T boredoms, every item an action."""
    (topic, appeal, pace), topics, levels, items = world, len(interest), rules.levels, range(len(world.topic))
    outcomes = []
    for code in range((levels + 1) ** topics):
        bored = [code // (levels + 1) ** k % (levels + 1) for k in range(topics)]
        branches = []
        for i in items:
            p = interest[topic[i]] * appeal[i] * (1.0 - rules.pull_lost * bored[topic[i]] / levels)
            to = [sum(after.py_func(b, k == topic[i], click, pace[i], levels) * (levels + 1) ** k
                      for k, b in enumerate(bored)) for click in (True, False)]
            branches.append([(p, to[0], 1.0), (1.0 - p, to[1], 0.0)])
        outcomes.append(branches)
    return TabularMDP.from_outcomes(outcomes, 0, horizon=rules.horizon)
