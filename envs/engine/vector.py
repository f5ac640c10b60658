"""N users stepped together: the one place for seeding, autoreset, time limit, spaces and save/restore.

A user model subclasses `VectorEnv` and writes only what is particular to it (design in `docs/new-environment.md`):

| method | what it does |
|---|---|
| ``_spaces()``            | the Gymnasium spaces of ONE user: (observation, action) |
| ``_allocate()``          | the model's state: a NamedTuple of arrays ``[N, …]``, passed whole into kernels |
| ``_begin(rows)``         | the users in ``rows [n]`` (int64 indices) start a session |
| ``_advance(action, active)`` | one step of users with ``active [N]``: (reward, terminated, info), each ``[N, …]`` |
| ``_observe()``           | a fresh observation ``[N, …]``, or a dict of such arrays |
| ``_mask()``              | allowed actions ``[N, A]`` bool, or None when all are |
| ``_clock()``             | (time ``[N]`` int64, limit or 0), what truncates: steps and ``horizon`` unless overridden |
| ``_oracle()``            | the action ``[N, …]`` of the best policy that knows the hidden state, or None |
"""
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from .actions import valid_actions
from .calls import Calls
from .clock import Who, arrive, chosen_users, places, tick
from .knows import Knows
from .memory import keep_freed_memory
from .params import check_params

SPLIT_SIZE = 2**29                 # users of each split: training, validation and test users never overlap
SPLITS = {"train": 0, "validation": SPLIT_SIZE, "test": 2 * SPLIT_SIZE}      # first user of each split

_LIFE = ("user", "visits", "session", "t", "done")        # the state every model has


class VectorEnv(gym.vector.VectorEnv):
    """A batch of ``num_envs`` simulated users behind Gymnasium's vector interface.

    Arguments: ``autoreset`` is one of next_step (Gymnasium's default, what RLlib assumes), same_step (with a dense
    ``info["final_obs"]``: the true successor of every user) or disabled (a finished user stays finished).
    ``slot0`` and ``stride`` place this batch in a larger one: slot j serves users
    ``first_user + (slot0 + j + visits * stride) mod population``, so a batch cut into shards meets the same users.
    Further keyword arguments are fields of ``Params``.  Raises ValueError for anything that is not valid.
    """

    Params: ClassVar[type]
    horizon: int | None = None                            # steps of a session after which it is truncated
    items: np.ndarray | None = None                       # [A, D] what an agent may see of the catalogue

    def __init__(self, num_envs: int = 1, *, autoreset: str = "next_step", first_user: int = 0,
                 population: int = SPLIT_SIZE, slot0: int = 0, stride: int | None = None, render_mode=None, **params):
        self.params: Any = check_params(self.Params, params)
        self.num_envs, self.render_mode = num_envs, render_mode
        try:
            self.autoreset = AutoresetMode[str(autoreset).upper()]
        except KeyError:
            raise ValueError(f"autoreset = {autoreset!r} must be next_step, same_step or disabled") from None
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset}
        self._build()
        self.single_observation_space, self.single_action_space = self._spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._action_shape = self.action_space.shape
        sizes = np.atleast_1d(getattr(self.single_action_space, "n", getattr(self.single_action_space, "nvec", 0)))
        self._choices = int(sizes.min())                  # actions to choose from; 0: a control, not a choice
        self._rows = np.arange(num_envs, dtype=np.int64)  # every user
        stride = num_envs if stride is None else stride
        self._places = places(slot0 + self._rows, stride, first_user, population)
        self._chosen: np.ndarray | None = None            # users named by reset(options={"users": …})
        self.seed: int | None = None                      # of the coins; the world has params.world_seed
        self.user, self.visits, self.session, self.t = (np.zeros(num_envs, np.int64) for _ in range(4))
        self.done = np.zeros(num_envs, bool)
        self.state: Any = self._allocate()
        self.run = Calls()
        self._meet()
        keep_freed_memory(16 * gym.spaces.flatdim(self.single_observation_space) * num_envs)

    # what a model writes ------------------------------------------------------------------------------------------
    def _build(self):
        """Make the world (items, tables) before the spaces are known."""

    def _spaces(self):
        raise TypeError(f"{type(self).__name__} does not say what its spaces are")

    def _allocate(self):
        return ()

    def _begin(self, rows):
        pass

    def _advance(self, action, active):
        raise TypeError(f"{type(self).__name__} does not say how a user steps")

    def _observe(self):
        raise TypeError(f"{type(self).__name__} does not say what is observed")

    def _mask(self):
        return None

    def _clock(self):
        return self.t, self.horizon or 0

    def _oracle(self):
        return None

    # Gymnasium ----------------------------------------------------------------------------------------------------
    def reset(self, *, seed=None, options=None):
        """Start sessions: (observation, info).  ``options``: users (ids ``[N]``) or reset_mask (``[N]`` bool)."""
        options = options or {}
        if seed is not None or self.seed is None:
            super().reset(seed=seed)
            self.seed = int(self.np_random.integers(2**63)) if seed is None else int(seed)
            self._meet()
            if "reset_mask" not in options:
                self.visits[:] = -1
                self._chosen = None
        if options.get("users") is not None:
            self._chosen = chosen_users(options["users"], self.num_envs)
            self.visits[:] = -1
        rows = np.flatnonzero(options["reset_mask"]) if "reset_mask" in options else self._rows
        self._start(rows)
        return self._observe(), self._info({})

    def step(self, actions):
        """One step of every user: (observation, reward float32, terminated, truncated, info), each ``[N, …]``."""
        action = np.asarray(actions)
        if action.shape != self._action_shape:
            raise ValueError(f"action has shape {action.shape}, must be {self._action_shape}")
        if self._choices:
            action = valid_actions(action, self._choices)
        mode, active = self.autoreset, ~self.done         # in SAME_STEP nobody is ever done between two steps
        if mode is AutoresetMode.NEXT_STEP and self.done.any():
            self._start(np.flatnonzero(self.done))
        reward, terminated, info = self._advance(action, active)
        truncated, rests, (clock, limit) = np.empty(self.num_envs, bool), mode is AutoresetMode.DISABLED, self._clock()
        ended = self.run(tick, active, terminated, clock, limit, rests, self.t, truncated, self.done)
        obs = self._observe()
        if mode is AutoresetMode.SAME_STEP:
            info["final_obs"], final_mask = obs, self._mask()
            if final_mask is not None:
                info["final_mask"] = final_mask
            if ended:
                self._start(self._rows if ended == self.num_envs else self.done.nonzero()[0])
                obs = self._observe()
            elif final_mask is not None:                  # nobody was reset: the two masks are one
                info["action_mask"] = final_mask
        return obs, reward, terminated, truncated, self._info(info)

    # save and restore ---------------------------------------------------------------------------------------------
    def get_state(self) -> dict[str, Any]:
        """A copy of everything that changes: `set_state` continues from it bit for bit."""
        life = {name: getattr(self, name).copy() for name in _LIFE}
        return {"seed": self.seed, "chosen": None if self._chosen is None else self._chosen.copy(), **life,
                **{f"state/{name}": array.copy() for name, array in self._arrays().items()}}

    def set_state(self, saved: dict[str, Any]):
        """Continue from ``saved``; returns (observation, info) as `reset` does."""
        self.seed = saved["seed"]
        self._chosen = None if saved["chosen"] is None else saved["chosen"].copy()
        for name in _LIFE:
            setattr(self, name, saved[name].copy())
        self._meet()
        for name, array in self._arrays().items():
            array[...] = saved[f"state/{name}"]
        return self._observe(), self._info({})

    def _arrays(self) -> dict[str, np.ndarray]:
        return self.state._asdict() if self.state else {}

    def oracle(self):
        """The action ``[N, …]`` of the best policy that sees the hidden state now, or None where none is known."""
        return self._oracle()

    def knows(self) -> Knows:
        """What this model can tell beyond its steps; a model that can tell more overrides and extends it."""
        return Knows(catalogue=self.items, oracle=type(self)._oracle is not VectorEnv._oracle)

    def who(self) -> Who:
        """The users of this step, for a kernel: views of what this batch counts."""
        return self._who

    # inside -------------------------------------------------------------------------------------------------------
    def _meet(self):
        """`who` once for all steps; a seed beyond int64 goes in as the int64 with the same bits."""
        seed = self.seed if self.seed is None or self.seed < 2**63 else self.seed - 2**64
        self._who = Who(seed, self.user, self.session, self.t)

    def _start(self, rows):
        self.run(arrive, rows, self._places, self.visits, self.who(), self.done)
        if self._chosen is not None:                      # the same user comes back for another session
            self.user[rows], self.session[rows] = self._chosen[rows], self.visits[rows]
        self._begin(rows)

    def _info(self, info):
        if "action_mask" not in info and (mask := self._mask()) is not None:
            info["action_mask"] = mask
        info["user"] = self.user.copy()
        return info
