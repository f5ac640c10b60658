"""Endings that are no fault of the experiment: a SIGTERM, a full disk.  Both can be resumed."""
import errno
import signal
import threading

SIGTERM_CAME = threading.Event()     # a flag: Ray catches a KeyboardInterrupt and raises one of its own


def end_on_sigterm() -> None:
    """From now on SIGTERM ends the command as Ctrl-C does (only the main thread may set a handler)."""
    SIGTERM_CAME.clear()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def keep_sigterm(handler) -> None:
    """Put a handler back after Ray has set its own, which dumps a stack."""
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGTERM, handler)


def _terminate(number, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)          # one is enough: the clean-up is on its way
    SIGTERM_CAME.set()
    raise KeyboardInterrupt


def disk_full(error: BaseException | None) -> bool:
    """Whether a full disk is what an error comes from (Tune wraps what its callbacks raise)."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
