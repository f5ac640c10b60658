"""Calls of kernels from one batch, whose arguments have the same types at every step."""


class Calls(dict):
    """``calls(kernel, *args)`` is ``kernel(*args)`` with the types of the first call of this batch.

    Numba looks up the type of every entry of a NamedTuple at every call, 0.1 µs each; here it does so once.  So the
    arguments must keep their types: `VectorEnv.step` sees to it for choices, a model for its controls.  A copy of
    the batch, or another process, makes calls of its own.
    """

    def __call__(self, kernel, *args):
        entry = self.get(kernel)
        if entry is not None:
            return entry(*args)
        result = kernel(*args)
        self[kernel] = kernel.overloads[tuple(map(kernel.typeof_pyval, args))].entry_point
        return result

    def __reduce__(self):
        return Calls, ()
