r"""Heads: what turns a network's outputs into a distribution over actions.

| head | action | outputs | law |
|---|---|---|---|
| `Categorical` | Discrete(A) | A logits | softmax |
| `PlackettLuce` | MultiDiscrete [A, …, A], a slate of K | A utilities | K choices by softmax, each among what is left |
| `Gaussian` | Box [D] | D means | normal with a standard deviation of its own for each control |

Plackett–Luce (Luce 1959, Plackett 1975):  log P(a₁ … a_K) = Σ_k ( u_{a_k} − log Σ_{j not in a₁ … a_{k−1}} exp u_j ).
Adding Gumbel noise to the utilities and taking the K largest in order draws from it (Yellott 1977).

Every head has ``sample`` (NumPy in, NumPy out, noise from the generator it is given; None: the mode, and it is certain)
and ``score`` (tensors in, the log-probability and the entropy ``[B]`` out, both with a gradient).
"""
import numpy as np
import torch
from gymnasium import spaces
from torch import nn
from torch.nn import functional as F

from ..parts.explore import masked, sample_softmax
from .layers import NEVER

TINY = np.finfo(np.float32).tiny                 # in place of an exponential draw that single precision rounds to 0
EDGE = 1.0 - 1e-6                                # a squashed action comes no closer to its bounds than this
_NODES, _WEIGHTS = (x.astype(np.float32) for x in np.polynomial.hermite_e.hermegauss(32))    # ∫ f(x) exp(−x²/2) dx


def head_of(space, gaussian: str = "plain", log_std: float = 0.0) -> "Categorical | PlackettLuce | Gaussian":
    """The head for an action space; ValueError where there is none."""
    if isinstance(space, spaces.Discrete):
        return Categorical(int(space.n))
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and len(set(space.nvec)) == 1:
        return PlackettLuce(int(space.nvec[0]), len(space.nvec))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return Gaussian(space, gaussian, log_std)
    raise ValueError(f"action space {space} has no head; valid are Discrete, MultiDiscrete with equal sizes (a "
                     "slate from one catalogue) and Box with one axis")


def one_choice(logits: torch.Tensor, action: torch.Tensor):
    """(log-probability, entropy) ``[B]`` of choosing ``action [B]`` by the softmax of ``logits [B, A]``."""
    log_pi = F.log_softmax(logits, dim=-1)                                                  # [B, A]
    log_prob = log_pi.gather(1, action[:, None]).squeeze(1)
    return log_prob, -(log_pi.exp() * log_pi.clamp_min(NEVER)).sum(-1)                      # 0 · log 0 = 0


def allowed(logits: torch.Tensor, mask) -> torch.Tensor:
    return logits if mask is None else logits.masked_fill(~torch.from_numpy(mask.reshape(logits.shape)), NEVER)


class Categorical(nn.Module):
    def __init__(self, actions: int):
        super().__init__()
        self.outputs = actions

    def sample(self, logits, rng, mask=None):
        return sample_softmax(logits, rng, mask)

    def score(self, logits, action, mask=None):
        return one_choice(allowed(logits, mask), torch.from_numpy(action))


class PlackettLuce(nn.Module):
    """The entropy is the sum of those of the K choices, given the items before: its mean over slates is the entropy
    of the slate, and its gradient leaves out how an earlier choice changes the entropy of a later one."""

    def __init__(self, items: int, slate: int):
        super().__init__()
        if slate > items:
            raise ValueError(f"a slate of {slate} different items needs a catalogue of as many, not {items}")
        self.outputs, self.slate = items, slate

    def sample(self, logits, rng, mask=None):
        if mask is not None and (mask.sum(axis=1) < self.slate).any():
            raise ValueError(f"a slate of {self.slate} needs as many allowed items of every user")
        noisy = logits if rng is None else logits - np.log(np.maximum(
            rng.standard_exponential(logits.shape, np.float32), TINY))                      # [N, A] Gumbel noise added
        noisy = masked(noisy, mask)
        best = np.argpartition(-noisy, self.slate - 1, axis=1)[:, :self.slate]              # [N, K] in any order
        order = np.argsort(-np.take_along_axis(noisy, best, axis=1), axis=1)
        action = np.take_along_axis(best, order, axis=1)
        if rng is None:
            return action, np.zeros(len(action), np.float32)
        return action, self.score(torch.from_numpy(logits), action, mask)[0].numpy()

    def score(self, logits, action, mask=None):
        utility, chosen = allowed(logits, mask), torch.from_numpy(action)                   # [B, A], [B, K]
        shown, left = utility.gather(1, chosen), utility.scatter(1, chosen, NEVER)          # [B, K], [B, A]
        total, log_pi = left.logsumexp(1), left.log_softmax(1)
        undecided = -(log_pi.exp() * log_pi.clamp_min(NEVER)).sum(1)                        # among who is left, [B]
        log_prob = entropy = torch.zeros(len(logits))
        for k in reversed(range(self.slate)):               # the shown come back, last first: A items once, not K times
            more = torch.logaddexp(total, shown[:, k])
            log_p, log_q = shown[:, k] - more, total - more                                 # it, or one of the rest
            undecided = log_q.exp() * (undecided - log_q) - log_p.exp() * log_p
            total, log_prob, entropy = more, log_prob + log_p, entropy + undecided
        twice = (np.diff(np.sort(action, axis=1), axis=1) == 0).any(axis=1)                 # never drawn
        return log_prob.masked_fill(torch.from_numpy(twice), NEVER), entropy


class Gaussian(nn.Module):
    """``form``: plain, action = z; tanh, the mean is squashed into the bounds and the action is not (environments clip
    it); squashed, action = tanh(z) between the bounds and log P = log N(z) − Σ log |d action / dz|."""

    def __init__(self, space: spaces.Box, form: str = "plain", log_std: float = 0.0):
        super().__init__()
        self.form, self.outputs = form, space.shape[0]
        if form != "plain" and not space.is_bounded():
            raise ValueError(f"gaussian = '{form}' needs bounds, and {space} has none; valid is: plain")
        self.log_std = nn.Parameter(torch.full(space.shape, float(log_std)))                # [D]
        self.centre = torch.from_numpy((space.high + space.low) / 2 if form != "plain" else space.low * 0)
        self.reach = torch.from_numpy((space.high - space.low) / 2)                          # [D]

    @torch.no_grad()
    def sample(self, outputs, rng, mask=None):
        outputs = torch.from_numpy(outputs)                                                 # [N, D]
        action = self.mean(outputs)
        if rng is not None:
            noise = rng.standard_normal(action.shape, np.float32)
            action = action + self.log_std.exp() * torch.from_numpy(noise)
        if self.form == "squashed":
            action = self.centre + self.reach * torch.tanh(action).clamp(-EDGE, EDGE)
        action = action.numpy()
        return action, np.zeros(len(action), np.float32) if rng is None else self.score(outputs, action)[0].numpy()

    def mean(self, outputs):
        return self.centre + self.reach * torch.tanh(outputs) if self.form == "tanh" else outputs

    def score(self, outputs, action, mask=None):
        mean, z = self.mean(outputs), torch.from_numpy(action)                              # [B, D]
        if self.form == "squashed":
            z = torch.atanh(((z - self.centre) / self.reach).clamp(-EDGE, EDGE))
        normal = torch.distributions.Normal(mean, self.log_std.exp())
        log_prob, entropy = normal.log_prob(z), normal.entropy()                            # [B, D]
        if self.form == "squashed":
            log_prob = log_prob - self.log_slope(z)
            nodes = mean[..., None] + self.log_std.exp()[:, None] * torch.from_numpy(_NODES)          # [B, D, 32]
            weights = torch.from_numpy(_WEIGHTS / _WEIGHTS.sum())
            entropy = entropy + (self.log_slope(nodes.transpose(1, 2)).transpose(1, 2) * weights).sum(-1)
        return log_prob.sum(-1), entropy.sum(-1)

    def log_slope(self, z):
        """log |d action / dz| = log (reach (1 − tanh² z)), in a form that keeps its digits for large z."""
        return self.reach.log() + 2.0 * (np.log(2.0) - z - F.softplus(-2.0 * z))
