"""RLlib's algorithms behind the same face as ours: the same users, real steps counted alike, the same evaluator.

What RLlib needs and we therefore give it: NEXT_STEP autoreset through the vector entry point, flat observations, and
for environments with action masks a network that reads the mask (joined to the observation), so that its policy may
do exactly what ours may do.
"""
import difflib
import importlib
import inspect
import logging
import time
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.spaces.space_utils import unsquash_action
from ray.tune.registry import register_env

from custom_algos.parts.spaces import flat_obs, flat_size
from custom_algos.parts.steps import first_action, outside

from ..trial import checkpoint
from ..trial.build import make_env
from ..trial.trial import Trial
from .watch import Watch

ALGORITHMS = ("PPO", "APPO", "IMPALA", "DQN", "SAC")
OURS = {"learning_rate": "lr", "gae_lambda": "lambda_", "max_grad_norm": "grad_clip", "entropy_coef": "entropy_coeff",
        "target_update_every": "target_network_update_freq", "clip": "clip_param",
        "batch_size": "train_batch_size_per_learner", "double": "double_q"}         # our names of their settings
NEVER = -1e9                                              # logit of an action that is not allowed


class FlatUsers(gym.vector.VectorWrapper):
    """Observations as one flat box, the action mask appended; counts the steps that were real."""

    def __init__(self, env):
        super().__init__(env)
        self.plain_space = env.single_observation_space
        _, info = env.reset(seed=0)
        self.actions = info["action_mask"].shape[1] if "action_mask" in info else 0
        size = flat_size(self.plain_space) + self.actions
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, env.num_envs)
        self.first = first_action(env)                     # RLlib counts actions from 0
        if self.first is not None and isinstance(env.single_action_space, spaces.Discrete):
            self.single_action_space = spaces.Discrete(int(env.single_action_space.n))
            self.action_space = gym.vector.utils.batch_space(self.single_action_space, env.num_envs)
        self.resting, self.real_steps = np.zeros(env.num_envs, bool), 0

    def reset(self, *, seed=None, options=None):
        obs, info = self.env.reset(seed=seed, options=options)
        self.resting[:] = False
        return self._flat(obs, info), {}

    def step(self, actions):
        self.real_steps += int((~self.resting).sum())      # a finished user's next call only resets it
        obs, reward, terminated, truncated, info = self.env.step(outside(actions, self.first))
        self.resting = terminated | truncated
        return self._flat(obs, info), reward, terminated, truncated, {}

    def _flat(self, obs, info):
        flat = flat_obs(obs, self.plain_space)
        return np.concatenate([flat, info["action_mask"].astype(np.float32)], axis=1) if self.actions else flat


class MaskedPPOModule(DefaultPPOTorchRLModule):
    """RLlib's default PPO network over the observation's first part; the rest of it is the mask of its logits."""

    def __init__(self, *args, observation_space=None, action_space=None, **kwargs):
        self.width = observation_space.shape[0] - int(action_space.n)
        plain = spaces.Box(-np.inf, np.inf, (self.width,), np.float32)
        super().__init__(*args, observation_space=plain, action_space=action_space, **kwargs)

    def _forward(self, batch, **kwargs):
        return self._masked(super()._forward(self._plain(batch), **kwargs), batch)

    def _forward_train(self, batch, **kwargs):
        return self._masked(super()._forward_train(self._plain(batch), **kwargs), batch)

    def compute_values(self, batch, embeddings=None):
        return super().compute_values(self._plain(batch), embeddings)

    def _plain(self, batch):
        return {**batch, Columns.OBS: batch[Columns.OBS][..., :self.width]}

    def _masked(self, output, batch):
        allowed = batch[Columns.OBS][..., self.width:] > 0.5
        logits = output[Columns.ACTION_DIST_INPUTS]
        output[Columns.ACTION_DIST_INPUTS] = torch.where(allowed, logits, torch.full_like(logits, NEVER))
        return output


class _Policy:
    """RLlib's trained module with our ``act``."""

    def __init__(self, module, space, action_space, actions: int):
        self.module, self.space, self.actions, self.masked = module, space, actions, actions > 0
        self.action_space = action_space

    @torch.no_grad()
    def act(self, obs, rng, explore=True, mask=None):
        flat = flat_obs(obs, self.space)
        if self.masked:                                    # no mask (rows of a log): everything is allowed
            allowed = np.ones((len(flat), self.actions), np.float32) if mask is None else mask.astype(np.float32)
            flat = np.concatenate([flat, allowed], axis=1)
        output = self.module.forward_inference({Columns.OBS: torch.from_numpy(flat)})
        if Columns.ACTIONS in output:
            action = output[Columns.ACTIONS]
        else:
            dist = self.module.get_inference_action_dist_cls().from_logits(output[Columns.ACTION_DIST_INPUTS])
            action = dist.to_deterministic().sample()
        # What RLlib's own runners do with a control before the environment sees it: from [−1, 1] to its bounds.
        return unsquash_action(action.numpy(), self.action_space), np.zeros(len(flat), np.float32)


def config_class(name: str):
    """RLlib's config class of an algorithm; ValueError lists the valid names."""
    if name not in ALGORITHMS:
        raise ValueError(f"unknown RLlib algorithm '{name}'; valid are: {', '.join(ALGORITHMS)}")
    return getattr(importlib.import_module(f"ray.rllib.algorithms.{name.lower()}"), f"{name}Config")()


def check_params(name: str, params: dict[str, Any]) -> None:
    """ValueError when a parameter is none of the algorithm's training settings."""
    known = settings(name)
    for key in params:
        if key not in known:
            close = [theirs] if (theirs := OURS.get(key)) in known else difflib.get_close_matches(key, known, 5, 0.4)
            raise ValueError(f"unknown RLlib {name} parameter 'params.{key}' = {params[key]!r}; valid are the "
                             f"arguments of {name}Config.training(), closest: {', '.join(close or sorted(known))}")


def settings(name: str) -> set[str]:
    """The keyword arguments of the config's ``training`` method, its own and inherited ones."""
    methods = [vars(cls)["training"] for cls in type(config_class(name)).__mro__ if "training" in vars(cls)]
    return {p.name for m in methods for p in inspect.signature(m).parameters.values() if p.kind is p.KEYWORD_ONLY}


class Baseline:
    """One RLlib algorithm on the trial's users."""

    tally = None                                           # its steps are RLlib's own: nobody counts them run by run

    def __init__(self, trial: Trial, watch: Watch | None = None):
        warnings.filterwarnings("ignore")
        logging.getLogger("ray").setLevel(logging.ERROR)
        logging.getLogger("ray.rllib").setLevel(logging.ERROR)
        self.trial, self.watch, self.wall, self.updates = trial, watch or Watch(), 0.0, 0
        spec = trial.spec
        users = spec.users // max(1, trial.workers)
        config = config_class(spec.algorithm)
        config.debugging(seed=spec.seed, log_level="ERROR")
        config.env_runners(num_env_runners=trial.workers, num_envs_per_env_runner=users,
                           gym_env_vectorize_mode="vector_entry_point")
        name = f"recloop-{spec.env_id}"
        register_env(name, lambda c: FlatUsers(make_env(spec.env_id, spec.env_params, c["num_envs"],
                                                        autoreset="next_step")))
        config.environment(name)
        config.learners(num_learners=0)
        config.training(**spec.params)
        probe = FlatUsers(make_env(spec.env_id, spec.env_params, 1))
        self.space, self.action_space, self.actions = probe.plain_space, probe.single_action_space, probe.actions
        if self.actions:
            if spec.algorithm != "PPO":
                raise ValueError(f"RLlib {spec.algorithm} cannot play {spec.env_id}: it knows no action masks, PPO "
                                 "does")
            config.rl_module(rl_module_spec=RLModuleSpec(module_class=MaskedPPOModule))
        self.algorithm = config.build_algo()
        self.carried = 0                                   # real steps before the last restore

    @property
    def env_steps(self) -> int:
        return self.carried + sum(self.algorithm.env_runner_group.foreach_env_runner(_real_steps))

    def step(self) -> dict[str, Any]:
        before, start = self.env_steps, time.monotonic()
        mark, result = min(self.trial.budget, before + self.trial.report_every), {}
        while self.env_steps < mark:
            with self.watch.at(f"one iteration of RLlib {self.trial.spec.algorithm}", patience=4):
                result = self.algorithm.train()
            self.updates += 1
        elapsed, steps = time.monotonic() - start, self.env_steps
        self.wall += elapsed
        learner = result.get("learners", {}).get("default_policy", {})
        runner, episodes = result.get("env_runners", {}), float("nan")
        if runner.get("episode_len_mean"):
            episodes = float(runner["episode_return_mean"]) / float(runner["episode_len_mean"])
        return {"env_steps": steps, "time_s": self.wall, "updates": self.updates, "rollout/reward_mean": episodes,
                "rollout/return_mean": float(runner.get("episode_return_mean", float("nan"))),
                "time/env_steps_per_s": (steps - before) / elapsed,
                **{f"train/{k}": float(learner[k]) for k in ("total_loss", "policy_loss", "vf_loss", "entropy")
                   if k in learner}}

    @property
    def policy(self) -> _Policy:
        return _Policy(self.algorithm.get_module(), self.space, self.action_space, self.actions)

    def save(self, folder: str) -> None:
        self.algorithm.save_to_path(folder)
        checkpoint.save(folder, {"env_steps": self.env_steps, "wall": self.wall, "updates": self.updates}, "counters")

    def load(self, folder: str) -> None:
        saved = checkpoint.load(folder, "counters")
        try:
            self.algorithm.restore_from_path(str(folder))
        except Exception as error:                         # RLlib's own words for a file that is cut short are many
            raise checkpoint.Broken(f"{folder}: RLlib cannot read it ({type(error).__name__}: {error})") from error
        self.carried = 0
        self.carried = saved["env_steps"] - self.env_steps
        self.wall, self.updates = saved["wall"], saved["updates"]

    def stop(self) -> None:
        self.algorithm.stop()


def _real_steps(runner) -> int:
    env = getattr(runner, "env", None)
    while env is not None and not isinstance(env, FlatUsers):
        env = getattr(env, "env", None)
    return env.real_steps if env is not None else 0
