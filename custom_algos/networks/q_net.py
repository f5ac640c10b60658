r"""Action values by a multilayer perceptron whose gradient is written out: NumPy, no automatic differentiation.

    h₀ = x,   h_{i+1} = max(0, h_i W_i + b_i),   z = h_L W_L + b_L

    one output an action    Q(s, ·) = z
    items                   Q(s, a) = z · e_a + b_a      e_a learned, one an action; or the item's features and a 1
    dueling                 Q(s, ·) = v + u − mean(u)    with z = (v, …) and u one of the two above (Wang et al. 2016)

All parameters lie in one vector, all slopes in another of the same layout, so that clipping, Adam, the copy into a
target network and a checkpoint are one line each.  On networks of this size a step of automatic differentiation
costs more than four times the arithmetic (figures: docs/algorithms-dqn.md); the tests compare every slope with it.
"""
from itertools import pairwise

import numpy as np
from numba import njit

from ..parts.border import check_gradient
from ..parts.explore import masked
from ..parts.spaces import features_of, flat_size
from .config import QNetConfig


class QNet:
    """Q(s, ·) ``[B, A]`` of observations ``[B, D]``, float32.

    ``items [A, F]`` are fixed features of the actions, ``width`` > 0 the size of learned ones; neither: one output an
    action.  Weights are uniform in ±1/√inputs, learned embeddings N(0, 0.01²), drawn from ``rng``.
    """

    def __init__(self, inputs: int, actions: int, hidden: tuple, rng: np.random.Generator, dueling: bool = False,
                 items: np.ndarray | None = None, width: int = 0):
        fixed = None if items is None else np.column_stack([items, np.ones(actions)]).astype(np.float32)
        outputs = (width or actions) if fixed is None else fixed.shape[1]
        sizes = (inputs, *hidden, int(dueling) + outputs)
        shapes = [shape for i, o in pairwise(sizes) for shape in ((i, o), (o,))]
        embedding = [(actions, width), (actions,)] if width else []
        self.dueling = int(dueling)
        self.vector, parts = laid_out([*shapes, *embedding])
        self.slope, slopes = laid_out([*shapes, *embedding])
        depth = len(shapes)
        self.layers = list(zip(parts[:depth:2], parts[1:depth:2], strict=True))           # (W [in, out], b [out])
        self.layer_slopes = list(zip(slopes[:depth:2], slopes[1:depth:2], strict=True))
        self.items: np.ndarray | None = parts[depth] if width else fixed                  # [A, F]
        self.bias: np.ndarray | None = parts[depth + 1] if width else None                # [A]
        self.item_slopes = slopes[depth:]                                                 # of both, or nothing
        for weight, bias in self.layers:
            weight[...] = rng.uniform(-1, 1, weight.shape) / np.sqrt(len(weight))
            bias[...] = rng.uniform(-1, 1, bias.shape) / np.sqrt(len(weight))
        if width:
            parts[depth][...] = 0.01 * rng.normal(size=(actions, width))
        self.trace: list[np.ndarray] = []                                                 # h₀ … h_L, z of `forward`

    def values(self, x: np.ndarray) -> np.ndarray:
        """``[B, D] -> [B, A]``."""
        trace, self.trace = self.trace, []
        q = self.forward(x)
        self.trace = trace
        return q

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The same, and remember what `backward` needs."""
        self.trace = [x]
        for weight, bias in self.layers:
            x = x @ weight                                                                # [B, out]
            x += bias
            if len(self.trace) < len(self.layers):
                np.maximum(x, 0.0, out=x)
            self.trace.append(x)
        u = x[:, self.dueling:]                                                           # [B, A] or [B, F]
        if self.items is not None:
            u = u @ self.items.T                                                          # [B, A]
            u = u if self.bias is None else u + self.bias
        return x[:, :1] + u - u.mean(axis=1, keepdims=True) if self.dueling else u

    def backward(self, dq: np.ndarray) -> None:
        """Write into ``slope`` the gradient of a loss whose slope in the values of `forward` is ``dq [B, A]``."""
        dx = np.empty_like(self.trace[-1])                                                # ∂loss/∂z
        if self.dueling:
            dx[:, 0] = dq.sum(axis=1)
            dq = dq - dq.mean(axis=1, keepdims=True)
        if self.item_slopes:
            np.matmul(dq.T, self.trace[-1][:, self.dueling:], out=self.item_slopes[0])
            np.sum(dq, axis=0, out=self.item_slopes[1])
        dx[:, self.dueling:] = dq if self.items is None else dq @ self.items
        for i in reversed(range(len(self.layers))):
            weight_slope, bias_slope = self.layer_slopes[i]
            np.matmul(self.trace[i].T, dx, out=weight_slope)
            np.sum(dx, axis=0, out=bias_slope)
            if i:
                dx = dx @ self.layers[i][0].T
                dx *= self.trace[i] > 0.0                                                 # relu: nothing passes below 0


def q_net(obs_space, actions: int, c: QNetConfig, items: np.ndarray | None, rng: np.random.Generator) -> QNet:
    """The network of ``c`` on flat observations; ValueError where it needs features of ``items`` and there are none."""
    return QNet(flat_size(obs_space), actions, c.hidden, rng, c.dueling, features_of(c.embedding, items, actions),
                c.embedding_size if c.embedding == "learned" else 0)


def huber(error: np.ndarray, knee: float) -> tuple[np.ndarray, np.ndarray]:
    """½ δ² up to ``knee``, beyond it a straight line (Huber 1964), and the slope: both ``[B]``."""
    slope = np.clip(error, -knee, knee)
    return slope * (error - 0.5 * slope), slope


def conservative(q: np.ndarray, action: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """log Σ_a' exp Q(s, a') − Q(s, a) ``[B]`` over what is allowed, and the slope ``[B, A]`` (Kumar et al. 2020)."""
    b, allowed = np.arange(len(q)), masked(q, mask)
    top = allowed.max(axis=1, keepdims=True)
    slope = np.exp(allowed - top)                                                         # [B, A]
    total = slope.sum(axis=1, keepdims=True)
    gap = (top + np.log(total))[:, 0] - q[b, action]
    slope /= total
    slope[b, action] -= 1.0
    return gap, slope


def laid_out(shapes: list[tuple]) -> tuple[np.ndarray, list[np.ndarray]]:
    """One float32 vector of zeros and views into it, one of each shape, end to end."""
    cuts = np.cumsum([0, *map(np.prod, shapes)]).astype(int)
    vector = np.zeros(cuts[-1], np.float32)
    return vector, [vector[a:b].reshape(shape) for (a, b), shape in zip(pairwise(cuts), shapes, strict=True)]


class Adam:
    """Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1, with their β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸."""

    def __init__(self, n: int):
        self.mean, self.square, self.steps = np.zeros(n, np.float32), np.zeros(n, np.float32), 0

    def step(self, vector: np.ndarray, slope: np.ndarray, learning_rate: float, max_norm: float = 0.0) -> float:
        """Move ``vector [P]`` against ``slope [P]``, scaled down to ``max_norm`` (0: as it is); returns the norm."""
        norm = float(np.sqrt(slope @ slope))
        check_gradient(norm)
        scale = max_norm / norm if 0.0 < max_norm < norm else 1.0
        self.steps += 1
        rate, spread = learning_rate / (1.0 - 0.9**self.steps), 1.0 / (1.0 - 0.999**self.steps)
        move(vector, slope, self.mean, self.square, np.float32(scale), np.float32(rate), np.float32(spread))
        return norm

    def state_dict(self):
        return {"mean": self.mean.copy(), "square": self.square.copy(), "steps": self.steps}

    def load_state_dict(self, state):
        self.mean[:], self.square[:], self.steps = state["mean"], state["square"], int(state["steps"])


@njit(cache=True, error_model="numpy")
def move(vector, slope, mean, square, scale, rate, spread):
    """One step of Adam in one pass; ``rate`` and ``spread`` hold the corrections of the first steps.

    An idle unit's moments are cut to 0 at 10⁻³⁰: denormal numbers, into which they would fade, are ten times slower.
    """
    b1, b2, one = np.float32(0.9), np.float32(0.999), np.float32(1.0)
    tiny, nothing, zero = np.float32(1e-8), np.float32(1e-30), np.float32(0.0)
    for i in range(len(vector)):
        g = slope[i] * scale
        m = b1 * mean[i] + (one - b1) * g
        s = b2 * square[i] + (one - b2) * g * g
        m, s = m if abs(m) > nothing else zero, s if s > nothing else zero
        mean[i], square[i] = m, s
        vector[i] -= rate * m / (np.sqrt(s * spread) + tiny)
