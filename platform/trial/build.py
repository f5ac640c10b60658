"""From a trial's `Spec` to its environment and its algorithm, and the seeds and threads that make them repeatable."""
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeGuard, runtime_checkable

import gymnasium as gym

from custom_algos import find_algorithm
from custom_algos.core import make_config
from envs.engine.knows import Knows

from .trial import Spec


def stable_seed(*parts) -> int:
    """A 31-bit seed from names and numbers, the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "big") >> 1


@runtime_checkable
class KeepsState(Protocol):
    """A vector environment whose state can be taken out and put back."""

    def get_state(self) -> Any: ...

    def set_state(self, state) -> tuple[Any, dict[str, Any]]: ...


def keeps_state(env) -> TypeGuard[KeepsState]:
    """Whether an environment says that it can save its state."""
    return isinstance(env, KeepsState)


def is_ours(env_id: str) -> bool:
    """Whether the id is one of ours, which know users by their number."""
    import envs

    return env_id in envs.MODELS


def make_env(env_id: str, params: dict[str, Any], users: int, autoreset: str = "same_step", **place):
    """``users`` parallel users of any Gymnasium id; ``place`` (first_user, slot0, stride) is for our ids."""
    if is_ours(env_id):
        env = gym.make_vec(env_id, users, vectorization_mode="vector_entry_point", autoreset=autoreset, **place,
                           **params)
        return env.unwrapped
    mode = gym.vector.AutoresetMode["NEXT_STEP" if autoreset == "next_step" else "SAME_STEP"]
    return gym.make_vec(env_id, users, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **params)


@dataclass(frozen=True, eq=False)
class Task:
    """What a learner is built from, and what is known beforehand: one environment a process."""

    env: Any
    """of one user; not to be stepped"""
    knows: Knows

    @property
    def spaces(self) -> tuple[gym.Space, gym.Space]:
        """(observation, action) of one user."""
        return self.env.single_observation_space, self.env.single_action_space


def task_of(env_id: str, params: dict[str, Any]) -> Task:
    """The task behind an id with these parameters; made once a process."""
    return _task(env_id, json.dumps(params, sort_keys=True))


@lru_cache(maxsize=16)
def _task(env_id: str, params: str) -> Task:
    env = make_env(env_id, json.loads(params), 1)
    return Task(env, env.knows() if is_ours(env_id) else Knows())


def make_algorithm(spec: Spec, task: Task | None = None):
    """The algorithm of a trial, built from its task's two spaces."""
    task = task or task_of(spec.env_id, spec.env_params)
    found = find_algorithm(spec.algorithm)                 # imports torch where it is needed …
    one_thread()                                           # … whose initial weights depend on the threads, too
    return found(*task.spaces, make_config(found, spec.params), spec.seed, task.knows.catalogue)


def one_thread() -> None:
    """Keep this process's BLAS, OpenMP and torch on one thread: sums depend on how many there are."""
    import sys

    import threadpoolctl

    threadpoolctl.threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
