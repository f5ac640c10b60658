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


def of_the_session(to_go, ends) -> np.ndarray:
    """``[T, N]``: at every step the return ``to_go`` of the first step of its session (row 0, or after an end)."""
    out = to_go.copy()
    for t in range(1, len(out)):
        out[t] = np.where(ends[t - 1], to_go[t], out[t - 1])
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


class ReturnScale:
    """The running standard deviation of the discounted returns so far, R_t = γ R_{t−1} + r_t inside a session.

    Rewards times ``factor`` have returns of about unit size, whatever the unit of the reward; they keep their sign.
    The column n of one block ``[T, N]`` continues in the next.
    """

    def __init__(self, gamma: float):
        self.gamma, self.carry = gamma, np.zeros(0)                          # R of every user now
        self.moments = np.zeros(3)                                           # count, Σ R, Σ R²

    @property
    def factor(self) -> float:
        """1 / standard deviation; 1 before anything is known."""
        count, total, squares = self.moments
        variance = squares / count - (total / count) ** 2 if count else 1.0
        return 1.0 / max(variance, 1e-8) ** 0.5

    def update(self, reward, ends) -> None:
        """Add a block of rewards and ends ``[T, N]``."""
        running = self.carry if len(self.carry) == reward.shape[1] else np.zeros(reward.shape[1])
        for now, end in zip(reward, ends, strict=True):
            running = self.gamma * running + now
            self.moments = self.moments + np.array([len(running), running.sum(), (running**2).sum()])
            running = np.where(end, 0.0, running)
        self.carry = running

    def state_dict(self):
        return {"carry": self.carry.copy(), "moments": self.moments.copy()}

    def load_state_dict(self, state):
        self.carry, self.moments = np.array(state["carry"]), np.array(state["moments"])
