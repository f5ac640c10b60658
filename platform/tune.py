"""``python -m platform.tune [EXPERIMENT]``: the same as ``recloop tune``.

The file stays where it is: by it the start-up hook recognises the folder (`_platform_startup`).
"""
import sys

from .commands.tune import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
