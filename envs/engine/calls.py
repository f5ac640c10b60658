"""Calls of kernels from one batch, whose arguments have the same types at every step."""
import numpy as np


class Calls(dict):
    """``calls(kernel, *args)`` is ``kernel(*args)`` with the types of the first call of this batch.

    Numba looks up the type of every entry of a NamedTuple at every call, 0.1 µs each; here it does so once.  So the
    arguments must keep their types, but for an array that comes first (an action from outside): its type, and whether
    it is contiguous, is looked at.  A copy of the batch, or another process, makes calls of its own.
    """

    def __call__(self, kernel, *args):
        first = args[0]
        key = (kernel, first.dtype, first.flags.c_contiguous) if isinstance(first, np.ndarray) else (kernel,)
        entry = self.get(key)
        if entry is not None:
            return entry(*args)
        result = kernel(*args)
        self[key] = kernel.overloads[tuple(map(kernel.typeof_pyval, args))].entry_point
        return result

    def __reduce__(self):
        return Calls, ()
