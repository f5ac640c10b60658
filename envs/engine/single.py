"""One user behind Gymnasium's single interface, and the entry points of every id."""
import importlib

import gymnasium as gym
import numpy as np

from .vector import VectorEnv


class ScalarView(gym.Env):
    """One user of a `VectorEnv` behind Gymnasium's single interface: a view with N = 1, no second implementation."""

    def __init__(self, batch: VectorEnv):
        self.batch = batch
        self.observation_space, self.action_space = batch.single_observation_space, batch.single_action_space
        self.metadata, self.render_mode = {"render_modes": []}, batch.render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        options = {key: np.atleast_1d(value) for key, value in (options or {}).items()}
        obs, info = self.batch.reset(seed=seed, options=options)
        return _first(obs), _first(info)

    def step(self, action):
        if self.batch._choices and not self.action_space.contains(action):    # a control is clipped, as in a batch
            raise ValueError(f"action {action!r} is not in {self.action_space}")
        obs, reward, terminated, truncated, info = self.batch.step(np.asarray(action)[None])
        return _first(obs), float(reward[0]), bool(terminated[0]), bool(truncated[0]), _first(info)


def _first(tree):
    """Row 0 of an array or of a dict of arrays."""
    return {key: _first(value) for key, value in tree.items()} if isinstance(tree, dict) else tree[0]


def _model(path: str) -> type[VectorEnv]:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def make_vector(model: str, num_envs: int = 1, **kwargs) -> VectorEnv:
    """The ``vector_entry_point`` of every id: ``model`` is the class's path, ``module:Class``."""
    return _model(model)(num_envs, **kwargs)


def make_scalar(model: str, **kwargs) -> ScalarView:
    """The ``entry_point`` of every id."""
    return ScalarView(_model(model)(1, **{"autoreset": "disabled"} | kwargs))
