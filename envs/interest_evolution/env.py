"""Interest evolution: what is watched shapes what is liked, and how long there is an evening to watch.

A user with an interest u in [−1, 1] in every topic and an evening's budget meets k of m fresh videos a step, watches at
most one and pays for it; a good video gives most of its price back, a bad one costs extra, so quality, which nobody
sees, decides how long the user stays.  RecSim's ``interest_evolution`` and the environment of SlateQ (Ie et al. 2019,
arXiv:1909.04847; arXiv:1905.12767, section 6).

| | |
|---|---|
| observation | Dict, ``candidates`` [m, T] topic one-hot (``quality_seen``: [m, T + 1]); of the user, by ``observe``: |
|             | ``full``: ``user`` [T] interests; ``history``: ``history`` [h, T + 1], the last watched, newest last, |
|             | topic and share watched; ``counts``: ``user`` [2 T], clicks and skips a topic as n / (n + 5) |
| action      | a slate of k candidates, see `envs.engine.slates`; each copy of a repeated one is an item to choose |
| reward      | ``watch``: time watched; ``clicks``: 1 for a click (``expected_reward`` in info: over the choice) |
| end         | ``terminated``: the budget is used up |
| info        | ``response`` [N, K] clicks; hidden ``quality`` [N, K] of the slate and ``budget`` [N] |

P(i) = w_i / (w_0 + Σ w_j), w = score + 1, score = u_topic, w_0 = 2.  Watching for w = min(B, 4) minutes changes the
budget by w (a q − 1) and the interest in the topic by ±y (1 − |u|)(1 − u), up with probability (u + 1) / 2.
"""
import numpy as np
from gymnasium.spaces import Box, Dict

from ..engine.params import rules
from ..engine.rng import kernel
from ..engine.slates import SlateView
from ..engine.vector import VectorEnv
from .user import CHOICES, FLOOR, Out, Params, Rules, State, World, begin_users, qualities_of, step_users

HALF = 5.0                                       # counts n are shown as n / (n + HALF)


@kernel
def show_topics(topic, out):
    """One-hot topics of the candidates into zeros ``out [N, m, T ...]``."""
    for n in range(len(topic)):
        for j in range(topic.shape[1]):
            out[n, j, topic[n, j]] = 1.0


class InterestEvolution(VectorEnv):
    """Attributes: ``world.mean_quality [T]``; ``view``, how actions name slates (`envs.engine.slates`)."""

    Params = Params

    def _build(self):
        p = self.params
        if p.choice == "proportional" and not p.no_click >= FLOOR:
            raise ValueError(f"parameter 'no_click' = {p.no_click} must be at least {FLOOR} in the proportional model")
        most = {"exponential_cascade": np.e, "proportional_cascade": 1.0 - FLOOR}.get(p.choice, 0.0)
        if p.attention * p.scaling * most > 1.0:
            raise ValueError(f"parameter 'scaling' = {p.scaling} makes a click more than certain; at most "
                             f"{1.0 / (p.attention * most):.4g} with attention {p.attention}")
        low = int(0.7 * p.topics)
        self.world = World(np.concatenate([np.linspace(-3.0, 0.0, low), np.linspace(0.0, 3.0, p.topics - low)]))
        self.view = SlateView(p.action, p.candidates, p.slate)
        self.rules = rules(Rules, p, clicks=p.reward == "clicks", choice=CHOICES.index(p.choice))

    def _spaces(self):
        p, t = self.params, self.params.topics
        items = Box(-np.inf, np.inf, (p.candidates, t + 1)) if p.quality_seen else Box(0.0, 1.0, (p.candidates, t))
        seen = {"full": {"user": Box(-1.0, 1.0, (t,))}, "history": {"history": Box(0.0, 1.0, (p.window, t + 1))},
                "counts": {"user": Box(0.0, 1.0, (2 * t,))}}[p.observe]
        return Dict({"candidates": items, **seen}), self.view.space

    def _allocate(self):
        p, n = self.params, self.num_envs
        window, counts = p.window * (p.observe == "history"), 2 * p.topics * (p.observe == "counts")
        return State(topic=np.zeros((n, p.candidates), np.int64), interest=np.zeros((n, p.topics)), budget=np.zeros(n),
                     history=np.zeros((n, window, p.topics + 1), np.float32),
                     counts=np.zeros((n, counts), np.float32))

    def _begin(self, rows):
        self.run(begin_users, rows, self.rules, self.who(), self.state)

    def _advance(self, action, active):
        slate, n = self.view.slates(action), self.num_envs                   # [N, K]
        out = Out(response=np.zeros(slate.shape, np.int8), reward=np.zeros(n, np.float32), expected=np.zeros(n),
                  quality=np.zeros(slate.shape), terminated=np.zeros(n, bool))
        self.run(step_users, slate, active, self.rules, self.world, self.who(), self.state, out)
        return out.reward, out.terminated, {"expected_reward": out.expected, "response": out.response,
                                            "quality": out.quality, "budget": self.state.budget.copy()}

    def _qualities(self, quality):
        qualities_of(self.rules, self.world, self.who(), self.state, quality)
        return quality

    def _observe(self):
        p, s, n = self.params, self.state, self.num_envs
        items = np.zeros((n, p.candidates, p.topics + p.quality_seen), np.float32)
        show_topics(s.topic, items)
        seen = {"candidates": self._qualities(items) if p.quality_seen else items}
        if p.observe == "full":
            return seen | {"user": s.interest.astype(np.float32)}
        if p.observe == "counts":
            return seen | {"user": s.counts / (s.counts + np.float32(HALF))}
        return seen | {"history": s.history.copy()}

    def qualities(self) -> np.ndarray:
        """The hidden quality ``[N, m]`` of the candidates on offer now."""
        return self._qualities(np.zeros((*self.state.topic.shape, 1)))[:, :, 0]

    def myopic(self) -> np.ndarray:
        """The action ``[N, …]`` that is most likely to be clicked: the k candidates of the greatest interest."""
        return self.view.best(np.take_along_axis(self.state.interest, self.state.topic, axis=1))

    def _oracle(self):
        """A rule, not the optimum, which nobody knows: the k candidates whose topics have the best mean quality."""
        return self.view.best(self.world.mean_quality[self.state.topic])
