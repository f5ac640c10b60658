"""Returns and advantages: small named recursions over ``[T, N]``, each tested against numbers done by hand.

Two different ends run through all of them: ``terminated`` (the user left, nothing follows) stops the bootstrap;
``ends`` = terminated | truncated cuts the recursion, because the next row belongs to another session.
"""
import numpy as np


def discounted_returns(reward, terminated, ends, next_value, gamma: float) -> np.ndarray:
    r"""``[T, N]``: G_t = r_t + γ G_{t+1} inside a session; r_t + γ (1 − terminated) V(s_{t+1}) at its end and at row T.

    ``next_value [T, N]`` is V(next_obs), read only where the recursion is cut.
    """
    out = np.empty_like(reward)
    following = next_value[-1]
    for t in reversed(range(len(reward))):
        following = np.where(ends[t], next_value[t], following)
        out[t] = reward[t] + gamma * (1.0 - terminated[t]) * following
        following = out[t]
    return out


def gae(reward, value, next_value, terminated, ends, gamma: float | np.floating,
        gae_lambda: float | np.floating) -> np.ndarray:
    r"""``[T, N]`` generalised advantage estimates (Schulman et al. 2016, equation 16).

    δ_t = r_t + γ (1 − terminated) V(s_{t+1}) − V(s_t);   A_t = δ_t + γ λ (1 − ends) A_{t+1}
    """
    delta = reward + gamma * (1.0 - terminated) * next_value - value
    carry = gamma * gae_lambda * (1.0 - ends)
    out = np.empty_like(delta)
    following = np.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        following = out[t] = delta[t] + carry[t] * following
    return out


def n_step_rows(reward, terminated, ends, gamma: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What ``n`` steps from every row ``[T, N]`` make, fewer where a session or the block ends before.

    Returns (Σ γ^k r ``[T, N]``, the bootstrap's factor γ^m (1 − terminated) ``[T, N]``, the row of the last step taken
    ``[T, N]``): the n-step return is the sum plus the factor times V(next_obs) of that row.
    """
    t, latest = np.arange(len(reward))[:, None], len(reward) - 1
    total, discount = reward.copy(), np.full_like(reward, gamma)
    last = np.broadcast_to(t, reward.shape).copy()
    going = ~ends & (t < latest)
    for k in range(1, n):
        row = np.minimum(t[:, 0] + k, latest)
        total += np.where(going, discount * reward[row], 0.0)
        discount = np.where(going, discount * gamma, discount)
        last += going
        going &= ~ends[row] & (t + k < latest)
    return total, discount * (1.0 - terminated[last, np.arange(reward.shape[1])]).astype(reward.dtype), last


def n_step_returns(reward, terminated, ends, next_value, gamma: float, n: int) -> np.ndarray:
    """``[T, N]``: up to ``n`` rewards, then the bootstrap from the last state reached (Sutton & Barto 2018, 7.1)."""
    total, discount, last = n_step_rows(reward, terminated, ends, gamma, n)
    return total + discount * next_value[last, np.arange(reward.shape[1])]
