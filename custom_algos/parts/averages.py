"""One step of many table cells at once: errors are gathered per cell, then every cell moves along its mean error.

Tables are ``[R, S, A]``; ``error`` and ``rows`` have the same shape and are zero between two updates.
"""
import numba


@numba.njit(cache=True, error_model="numpy")
def gather(q, learner, state, action, target, error, rows):
    """Add every row's y − Q(s, a) to ``error`` of its cell, 1 to ``rows``; returns the sum of the squared errors."""
    squares = 0.0
    for i in range(len(action)):
        r, s, a = learner[i], state[i], action[i]
        delta = target[i] - q[r, s, a]
        error[r, s, a] += delta
        rows[r, s, a] += 1
        squares += delta * delta
    return squares


@numba.njit(cache=True, error_model="numpy")
def average(q, seen, learner, state, action, error, rows, learning_rate, power):
    """Every cell of the batch takes one step along its mean error; ``error`` and ``rows`` are zero again afterwards."""
    for i in range(len(action)):
        r, s, a = learner[i], state[i], action[i]
        m = rows[r, s, a]
        if m > 0:                                    # the first row of the cell moves it for all of them
            seen[r, s, a] += m
            step = learning_rate if power == 0.0 else (m / seen[r, s, a]) ** power
            q[r, s, a] += step * error[r, s, a] / m
            error[r, s, a], rows[r, s, a] = 0.0, 0
