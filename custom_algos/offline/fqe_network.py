r"""Fitted Q evaluation with a neural network: f(s, ·) is a multilayer perceptron.

    θ_{k+1} = arg min_θ Σ_i [ f_θ(s_i, a_i) − y_i ]²         (y_i: see `custom_algos.offline.fqe`)

Each fit goes on from the last one's weights, for ``epochs`` passes of Adam over the rows.  Targets are scaled to unit
variance before they meet the network, so that its step size fits rewards of any size.
"""
import numpy as np
import torch
from torch.nn import functional as F

from ..networks.layers import generator_of, mlp, tensor
from ..parts.spaces import flat_obs
from ..rollout import make_rng


class Network:
    """One of the function classes of `custom_algos.offline.fqe.fqe`."""

    def __init__(self, obs_space, action_space, hidden=(64, 64), epochs: int = 5, batch_size: int = 256,
                 learning_rate: float = 1e-3, seed: int = 0):
        self.obs_space, self.actions, self.seed = obs_space, int(action_space.n), seed
        self.epochs, self.batch_size, self.learning_rate, self.hidden = epochs, batch_size, learning_rate, hidden

    def look(self, obs):
        return flat_obs(obs, self.obs_space)

    def take(self, x, action):
        self.x, self.action = tensor(x), torch.from_numpy(np.array(action, np.int64))
        self.net = mlp(x.shape[1], self.hidden, self.actions, generator_of(self.seed), "relu", last_gain=0.0)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.learning_rate)
        self.shift, self.scale, self.fits = 0.0, 1.0, 0

    def fit(self, target):
        self.shift, self.scale = float(target.mean()), float(target.std()) or 1.0
        y = tensor(((target - self.shift) / self.scale).astype(np.float32))
        rng, self.fits = make_rng(self.seed, self.fits), self.fits + 1
        for _ in range(self.epochs):
            for rows in torch.from_numpy(rng.permutation(len(y))).split(self.batch_size):
                f = self.net(self.x[rows]).gather(1, self.action[rows, None]).squeeze(1)     # [B]
                loss = F.mse_loss(f, y[rows])
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()

    @torch.no_grad()
    def values(self, x):
        return self.net(tensor(x)).numpy().astype(np.float64) * self.scale + self.shift

    def tried(self, x):
        return np.tile(np.bincount(self.action.numpy(), minlength=self.actions) > 0, (len(x), 1))
