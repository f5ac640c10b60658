"""``python -m envs.logs FILE``."""
import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
