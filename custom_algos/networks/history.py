r"""Users that are seen in part: what they did lately, read into a few numbers.

The part ``history`` [h, D] of an observation (a row for each of the last steps, rows of zeros where there were none)
becomes a summary of ``width`` numbers beside the rest of the observation.

- ``attention``: e_i = tanh(W h_i + p_i) with a vector p_i for each place, summary = Σ_i softmax_i(q · e_i / √width)
  e_i over the rows that are there, with one learned question q (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473).
- ``gru``: the last state of a gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) that reads the rows in the order
  in which they stand.
"""
import torch
from gymnasium import spaces
from torch import nn

from . import layers as nets
from .heads import NEVER


class Reader(nn.Module):
    """Flat observations ``[B, size of space]`` -> ``[B, outputs]``, the history replaced by its summary."""

    def __init__(self, space, kind: str, width: int, generator: torch.Generator):
        super().__init__()
        part = space.spaces.get("history") if isinstance(space, spaces.Dict) else None
        if not isinstance(part, spaces.Box) or len(part.shape) != 2:
            raise ValueError(f"encoder = '{kind}' reads the part 'history' [h, D] of a Dict, and {space} has none; "
                             "valid is: none")
        self.kind, (self.rows, self.columns) = nets.one_of("encoder", kind, ("attention", "gru")), part.shape
        keys = list(space.spaces)
        self.start = sum(nets.flat_size(space[key]) for key in keys[:keys.index("history")])
        self.stop = self.start + self.rows * self.columns
        self.outputs = nets.flat_size(space) - self.rows * self.columns + width
        if kind == "gru":
            with torch.random.fork_rng(devices=[]):                          # it draws first weights when it is made
                self.gru = nn.GRU(self.columns, width, batch_first=True)
            for weight in self.gru.parameters():
                nn.init.uniform_(weight, -width**-0.5, width**-0.5, generator=generator)
        else:
            self.embed = nets.linear(self.columns, width, generator, 1.0)
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
