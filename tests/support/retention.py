"""Slates for the retention planner, and one episode of everybody."""
import numpy as np


def per_satisfaction(env, slates):
    """``slates [G, K]`` or ``[M, K]`` as what `Planner.value_of` reads, ``[G, S + 1, M, K]``."""
    g, levels = len(env.world.bases), env.params.satisfactions + 1
    slates = slates[:, None] if len(slates) == g else np.broadcast_to(slates, (g, *slates.shape))
    return np.broadcast_to(slates[:, None], (g, levels, *slates.shape[1:])).copy()


def live(env, policy):
    """One episode of everybody: sums ``[N]`` of reward, expected reward, clicks, visits; who left for good."""
    sums, alive = np.zeros((4, env.num_envs)), np.ones(env.num_envs, bool)
    gone = np.zeros(env.num_envs, bool)
    while alive.any():
        _, reward, terminated, truncated, info = env.step(policy(env))
        sums += reward, np.where(alive, info["expected_reward"], 0), info["response"].sum(axis=1), info["left"]
        gone |= terminated
        alive &= ~(terminated | truncated)
    return (*sums, gone)


def random_slates(env, rng):
    return rng.permuted(np.tile(np.arange(len(env.items)), (env.num_envs, 1)), axis=1)[:, :env.params.slate]
