"""Environments that are not ours: made once before Ray starts, so that what is wrong with them ends in a sentence."""
import difflib
import time

from ..trial.build import Task, is_ours, task_of
from .model import Experiment, Problem
from .names import among

PROBE = 10_000, 3.0                                       # steps and seconds in which a session should end
JUDGED = 1_000                                            # a slow environment that took fewer is not judged


def first_task(e: Experiment, path: str) -> Task:
    """The experiment's task; `Problem` where its environment is unknown, cannot be made, breaks, or never ends."""
    import gymnasium as gym

    import envs

    if e.env.id.startswith("recloop/") and not is_ours(e.env.id):
        raise Problem(f"{path}: env.id = '{e.env.id}' is none of ours; {among(e.env.id, envs.MODELS)}")
    try:
        task = task_of(e.env.id, e.env.params)
    except gym.error.Error as error:
        close = difflib.get_close_matches(e.env.id, [*envs.MODELS, *gym.registry], 3)
        raise Problem(f"{path}: env.id = '{e.env.id}': {error}; ours are: {', '.join(envs.MODELS)}"
                      + (f"; close: {', '.join(close)}" if close else "")) from None
    except ImportError as error:
        module = e.env.id.partition(":")[0]
        advice = f" (is the folder of '{module}' on PYTHONPATH, or the package installed?)" if ":" in e.env.id else ""
        raise Problem(f"{path}: env ({e.env.id}): {error}{advice}") from None
    except Exception as error:                            # a constructor of somebody else's: anything may come
        raise Problem(f"{path}: env ({e.env.id}): {said(error)}") from None
    if not is_ours(e.env.id):
        try:
            _probe(e, task, path)
        except Problem:
            raise
        except Exception as error:
            raise Problem(f"{path}: env ({e.env.id}): its first steps: {said(error)}") from None
    return task


def said(error: Exception) -> str:
    """An error in words; its kind where the words alone would not tell."""
    text = " ".join(str(error).split())[:300]
    plain = isinstance(error, ValueError | TypeError) and text
    return text if plain else f"{type(error).__name__}: {text}".rstrip(": ")


def _probe(e: Experiment, task: Task, path: str) -> None:
    """A few random steps; where no clock ends a session, so many that one should have ended by itself."""
    from custom_algos import find_algorithm
    from custom_algos.rollout import begin, collect, make_rng

    from ..trial.build import make_env

    try:
        random = find_algorithm("random")(*task.spaces)
    except ValueError:                                    # the rows' own checks name the space
        return
    env, start, steps = make_env(e.env.id, e.env.params, 1), time.monotonic(), 0
    seen, limited = begin(env, 0), _limit(e)
    while steps < (50 if limited else PROBE[0]) and time.monotonic() - start < PROBE[1]:
        _, seen, totals = collect(env, random, seen, 10, make_rng(0, steps))
        steps += 10
        if totals["sessions"].any():
            env.close()
            return
    env.close()
    if not limited and steps >= JUDGED:
        raise Problem(f"{path}: env.id = '{e.env.id}': no session ended in {steps:,} random steps, and none may ever "
                      "end; set env.params.max_episode_steps, or give max_episode_steps when it is registered")


def _limit(e: Experiment) -> bool:
    """Whether a clock ends the sessions."""
    import gymnasium as gym

    spec = gym.registry.get(e.env.id.rpartition(":")[2])
    return "max_episode_steps" in e.env.params or (spec is not None and spec.max_episode_steps is not None)
