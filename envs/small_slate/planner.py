"""The exact optimum of the small shop of slates, with and without enumerating them.

A slate is worth (nothing + Σ w_i worth_i) / (1 + Σ w_i): the sum over its items is what SlateQ learns, and the best
one is found by sorting (`best_slate`).  `slate_table` writes the same shop as a `TabularMDP` with a slate an action.
"""
import numpy as np

from ..engine.rng import kernel
from ..engine.solver import TabularMDP


@kernel
def best_slate(weight, worth, nothing, slate):
    """The K items with the largest λ = (nothing + Σ w_i worth_i) / (1 + Σ w_i), into ``slate [K]``; returns λ.

    A slate reaches λ exactly when Σ w_i (worth_i - λ) ≥ λ - nothing, and the best such sum takes the K largest terms:
    repeat with the λ they reach until it stays (Dinkelbach 1967; Rusmevichientong, Shen & Shmoys 2010).
    """
    value, reached = np.inf, nothing
    free = np.empty(len(weight), np.bool_)
    while abs(reached - value) > 1e-13 * (1.0 + abs(reached)):
        value = reached
        free[:] = True
        top, mass = nothing, 1.0
        for j in range(len(slate)):
            best, gain = -1, -np.inf
            for i in range(len(weight)):
                if free[i] and weight[i] * (worth[i] - value) > gain:
                    best, gain = i, weight[i] * (worth[i] - value)
            free[best], slate[j] = False, best
            top += weight[best] * worth[best]
            mass += weight[best]
        reached = top / mass
    return reached


@kernel
def plan_slates(rules, world):
    """Backward induction: the best slates ``[H, S, K]`` and the values of the first step ``[S]``."""
    weight, topic, rise, stay, levels = world.weight, world.topic, world.rise, world.stay, rules.levels
    states, items = weight.shape
    slates = np.zeros((rules.horizon, states, rules.slate), np.int64)
    value, worth = np.zeros(states), np.empty(items)
    for t in range(rules.horizon - 1, -1, -1):
        after = value.copy()
        for s in range(states):
            for i in range(items):
                about = topic[i]
                base = levels**about
                level = s // base % levels
                up = after[s + (min(level + 1, levels - 1) - level) * base]
                down = after[s + (max(level - 1, 0) - level) * base]
                worth[i] = 1.0 + stay[about] * (rise[about] * up + (1.0 - rise[about]) * down)
            value[s] = best_slate(weight[s], worth, stay[-1] * after[s], slates[t, s])
    return slates, value


def slate_table(slates, rules, world, interest) -> TabularMDP:
    """The MDP in which only ``slates [S or 1, A, K]`` are shown: L^T states and, last, the user who is gone.

    ``interest [S, T]``: the interests of every state.
    """
    (weight, topic, rise, stay), levels = world, rules.levels
    states, topics = interest.shape
    slates = np.broadcast_to(slates, (states, *slates.shape[1:]))
    picked = weight[np.arange(states)[:, None, None], slates]       # [S, A, K]
    for j in range(1, slates.shape[2]):
        picked[..., j] *= (slates[..., :j] != slates[..., j:j + 1]).all(axis=-1)
    chance = picked / (1.0 + picked.sum(axis=-1, keepdims=True))
    by_topic = np.stack([np.where(topic[slates] == z, chance, 0.0).sum(axis=-1) for z in range(topics)], -1)
    nothing, here = 1.0 - by_topic.sum(axis=-1), np.arange(states)
    outcomes = [(nothing * stay[-1], here, 0.0), (nothing * (1 - stay[-1]), states, 0.0),
                (by_topic @ (1 - stay[:-1]), states, 1.0)]
    for z in range(topics):
        for step, share in ((1, rise[z]), (-1, 1 - rise[z])):
            level = np.clip(interest[:, z] + step, 0, levels - 1)
            to = here + (level - interest[:, z]) * levels**z
            outcomes.append((by_topic[..., z] * share * stay[z], to, 1.0))
    shape = (states + 1, slates.shape[1], len(outcomes))
    table = np.zeros(shape), np.full(shape, states), np.zeros(shape)
    for k, (share, to, pay) in enumerate(outcomes):
        table[0][:-1, :, k], table[2][:-1, :, k] = share, pay
        table[1][:-1, :, k] = np.broadcast_to(to, states)[:, None]
    table[0][-1, :, 0] = 1.0
    start = np.append(np.full(states, 1.0 / states), 0.0)
    return TabularMDP(*table, start, np.arange(states + 1) == states, horizon=rules.horizon)
