r"""Conservative DQN: DQN for logs, which pushes down the actions that the data does not hold.

    L(θ) = E[ huber( Q_θ(s, a) − y ) ] + c · E[ log Σ_a' exp Q_θ(s, a') − Q_θ(s, a) ],     y and huber as in DQN

Kumar et al. 2020 (arXiv:2006.04779), CQL(H); the sum is over the allowed actions.

Difference from the paper: (1) everything that `dqn.py` lists.
"""
from dataclasses import dataclass

from ..networks.q_net import conservative
from ..parts.params import param
from ..parts.replay import rows_of
from . import dqn


@dataclass(frozen=True)
class Config(dqn.Config):
    conservative_coef: float = param(0.1, 0)
    """c: weight of the conservative penalty, in units of reward."""


class ConservativeDQN(dqn.DQN):
    Config = Config

    def rows(self, batch):
        return rows_of(batch, self.config.gamma, self.config.n_step)                        # the penalty reads the mask

    def loss(self, rows, weight=None):
        c, target = self.config.conservative_coef, self.targets(rows)                       # [B]
        q = self.net.forward(self._flat(rows.obs))                                          # [B, A]
        loss, dq, error = self.td_loss(q, target, rows.action, weight)
        gap, push = conservative(q, rows.action, rows.mask)                                 # [B], [B, A]
        return loss + c * float(gap.mean()), dq + c / len(q) * push, error
