r"""Encoders: networks that read the structure of an observation instead of one flat row of numbers.

`Reader` is for users that are seen in part: what they did lately, read into a few numbers.  The part ``history`` [h, D]
of an observation (a row for each of the last steps, rows of zeros where there were none) becomes a summary of ``width``
numbers beside the rest of the observation.

- ``attention``: e_i = tanh(W h_i + p_i) with a vector p_i for each place, summary = Σ_i softmax_i(q · e_i / √width)
  e_i over the rows that are there, with one learned question q (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473).
- ``gru``: the last state of a gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) that reads the rows in the order
  in which they stand.

`Scores` and `Match` give items utilities by their features: a network for each item, or an inner product.
"""
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from ..parts.spaces import candidates_of, flat_size, place_of
from .layers import NEVER, hidden_layers, linear, mlp, tensor


class Reader(nn.Module):
    """Flat observations ``[B, size of space]`` -> ``[B, outputs]``, the history replaced by its summary."""

    def __init__(self, space, kind: str, width: int, generator: torch.Generator):
        super().__init__()
        part = space.spaces.get("history") if isinstance(space, spaces.Dict) else None
        if not isinstance(part, spaces.Box) or len(part.shape) != 2:
            raise ValueError(f"encoder = '{kind}' reads the part 'history' [h, D] of a Dict, and {space} has none; "
                             "valid is: none")
        self.kind, (self.rows, self.columns) = kind, part.shape
        where = place_of(space, "history")
        self.start, self.stop = where.start, where.stop
        self.outputs = flat_size(space) - self.rows * self.columns + width
        if kind == "gru":
            with torch.random.fork_rng(devices=[]):                          # it draws first weights when it is made
                self.gru = nn.GRU(self.columns, width, batch_first=True)
            for weight in self.gru.parameters():
                nn.init.uniform_(weight, -width**-0.5, width**-0.5, generator=generator)
        else:
            self.embed = linear(self.columns, width, generator, 1.0)
            self.place, self.question = nn.Parameter(torch.empty(self.rows, width)), nn.Parameter(torch.empty(width))
            nn.init.normal_(self.place, 0.0, 0.1, generator=generator)
            nn.init.normal_(self.question, generator=generator)              # of a size at which rows differ

    def forward(self, x):
        past = x[:, self.start:self.stop].reshape(len(x), self.rows, self.columns)          # [B, h, D]
        summary = self.gru(past)[1][-1] if self.kind == "gru" else self.attend(past)        # [B, width]
        return torch.cat([x[:, :self.start], x[:, self.stop:], summary], dim=1)

    def attend(self, past):
        there = (past != 0.0).any(2)                                                        # [B, h]
        embedded = torch.tanh(self.embed(past) + self.place)                                # [B, h, width]
        score = embedded @ self.question / len(self.question)**0.5                          # [B, h]
        share = torch.softmax(score.masked_fill(~there, NEVER), dim=1) * there               # nobody there: 0
        return (share[:, :, None] * embedded).sum(1)


class Scores(nn.Module):
    """A number for each of m candidates, by one network of (what else is seen, the candidate): ``[B, D] -> [B, m]``.

    The candidates are the part ``candidates`` [m, F] of the flat observations, or ``items [m, F]``, always the same.
    ``nothing``: one number more, ``[B, m + 1]``, for taking none of them; it is a candidate with a sign of its own.
    """

    items: torch.Tensor | None

    def __init__(self, space, hidden, generator, activation: str = "tanh", init: str = "orthogonal",
                 last_gain: float = 1.0, items: np.ndarray | None = None, nothing: bool = False):
        super().__init__()
        self.nothing, self.start, self.stop = nothing, 0, 0                  # the candidates in a flat observation
        self.register_buffer("items", None if items is None else tensor(np.asarray(items, np.float32)),
                             persistent=False)
        self.shape = candidates_of(space) if items is None else items.shape                 # (m, F)
        if items is None:
            where = place_of(space, "candidates")
            self.start, self.stop = where.start, where.stop
        inputs = flat_size(space) - (self.stop - self.start) + self.shape[1] + nothing
        self.net = nn.Sequential(*hidden_layers(inputs, hidden, generator, activation, init),
                                 linear((inputs, *hidden)[-1], 1, generator, last_gain, init))

    def forward(self, x):
        user = torch.cat([x[:, :self.start], x[:, self.stop:]], dim=1)                      # [B, U]
        items = x[:, self.start:self.stop].reshape(len(x), *self.shape) if self.items is None else \
            self.items.expand(len(x), -1, -1)                                               # [B, m, F]
        if self.nothing:
            items = nn.functional.pad(items, (0, 1, 0, 1))                                  # [B, m + 1, F + 1]
            items[:, -1, -1] = 1.0
        return self.net(torch.cat([user[:, None].expand(-1, items.shape[1], -1), items], dim=2)).squeeze(2)


class Match(nn.Module):
    """Utilities ``[B, A]`` of the ``items [A, F]``, which stay as they are, for what is wanted, ``[B, F]``."""

    items: torch.Tensor

    def __init__(self, items: np.ndarray):
        super().__init__()
        self.register_buffer("items", tensor(np.asarray(items, np.float32).T), persistent=False)        # [F, A]

    def forward(self, x):
        return x @ self.items


def outcomes(space, actions: int, generator: torch.Generator, hidden=(64, 64), items=None) -> nn.Module:
    """A number for each of ``actions`` items and for taking none: ``[B, D] -> [B, A + 1]``; see `Scores` for who has
    candidates or ``items``."""
    if items is None and candidates_of(space)[0] != actions:
        return mlp(flat_size(space), hidden, actions + 1, generator, "relu")
    return Scores(space, hidden, generator, "relu", items=items, nothing=True)
