"""Counter-based randomness: every random number is a hash of *who*, *when* and *what for*.

A user's life depends on the seeds, on the user's id and on what was recommended, never on the batch the user
is in, on the process that runs it or on what other users did.  Two policies evaluated on the same users meet the
same coins (common random numbers), and nobody has to store a generator.

The idea is that of Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3"); the mixing function is the
finaliser of SplitMix64 (Steele, Lea & Flood 2014).  The functions below are compiled and meant to be called inside
the environments' kernels::

    life = session_key(seed, user, session)        # once per user and session
    u = uniform(life, step, CLICK, slot)           # in [0, 1)

``purpose`` is a named constant of the environment, so that adding a new random quantity never shifts an old one.
"""
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TWO_PI = 2.0 * np.pi


def kernel_cache() -> Path:
    """The folder of the compiled kernels, named by a hash of every file in ``envs/`` and the Numba version.

    Numba's own cache looks only at the file a function stands in: it would miss an edit of a function that a
    kernel calls from another file.  ``RECLOOP_CACHE`` moves it; where the home folder cannot be written, the
    temporary folder serves.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    folder = Path(__file__).parents[1]
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    name = f"numba-{digest.hexdigest()[:16]}"
    roots = [os.environ.get("RECLOOP_CACHE"), os.path.join(os.path.expanduser("~"), ".cache", "recloop"),
             os.path.join(tempfile.gettempdir(), f"recloop-{os.getuid() if hasattr(os, 'getuid') else 0}")]
    for root in filter(None, roots):
        try:
            (folder := Path(root) / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise OSError(f"no writable folder for compiled kernels among {[r for r in roots if r]}; set RECLOOP_CACHE")


_CACHE = str(kernel_cache())


def kernel(function):
    """Compile ``function`` with Numba (nopython, no fastmath), cached in `kernel_cache`."""
    config: Any = numba.config                          # its attributes are made at run time, unknown to type checkers
    before, config.CACHE_DIR = config.CACHE_DIR, _CACHE                  # read when the function is decorated
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


@kernel
def mix(z):
    """The finaliser of SplitMix64: a bijection of uint64 in which every input bit moves every output bit."""
    z = np.uint64(z) + _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_A
    z = (z ^ (z >> _S27)) * _MIX_B
    return z ^ (z >> _S31)


@kernel
def combine(key, word):
    """A new key from a key and one more word (order matters: the key is mixed before they meet, the word is not)."""
    return mix(mix(key) ^ np.uint64(word))


@kernel
def session_key(seed, user, session):
    """The key of one session of one user: hash of (reset seed, user id, number of the session)."""
    return combine(combine(mix(np.uint64(seed)), user), session)


@kernel
def bits(key, step, purpose, slot):
    """64 random bits for (step of the session, purpose, slot); ``0 <= purpose < 2^16``, ``0 <= slot < 2^24``."""
    word = (np.uint64(step) << np.uint64(40)) | (np.uint64(purpose) << np.uint64(24)) | np.uint64(slot)
    return mix(key ^ mix(word))


@kernel
def uniform(key, step, purpose, slot):
    """A float64 uniform on [0, 1), 53 bits."""
    return np.float64(bits(key, step, purpose, slot) >> _S11) * (1.0 / 9007199254740992.0)


@kernel
def normal(key, step, purpose, slot):
    """A standard normal float64 (Box & Muller 1958), from the coin's bits and their hash."""
    first = bits(key, step, purpose, slot)
    u = (np.float64(first >> _S11) + 0.5) * (1.0 / 9007199254740992.0)            # in (0, 1): the logarithm is finite
    v = np.float64(mix(first) >> _S11) * (1.0 / 9007199254740992.0)
    return np.sqrt(-2.0 * np.log(u)) * np.cos(_TWO_PI * v)


@kernel
def normal_pair(key, step, purpose, slot):
    """Two independent standard normals of one coin, the first as `normal` gives it: a third cheaper than two coins."""
    first = bits(key, step, purpose, slot)
    u = (np.float64(first >> _S11) + 0.5) * (1.0 / 9007199254740992.0)
    v = np.float64(mix(first) >> _S11) * (1.0 / 9007199254740992.0)
    length = np.sqrt(-2.0 * np.log(u))
    return length * np.cos(_TWO_PI * v), length * np.sin(_TWO_PI * v)


@kernel
def integer(key, step, purpose, slot, n):
    """An int64 uniform on 0 … n-1."""
    return np.int64(uniform(key, step, purpose, slot) * n)
