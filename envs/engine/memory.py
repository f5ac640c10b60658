"""Memory of dropped observations, kept for the next ones."""
import numpy as np


def keep_freed_memory(numbers: int) -> None:
    """Let the process reuse the memory of dropped observations instead of asking the system for it at every step.

    glibc's rule: what is freed goes back to the system, and is paged in anew, unless a larger block was freed before.
    """
    np.empty(min(numbers, 2**22 - 2**10), np.float64)     # the rule looks at blocks below 32 MB
