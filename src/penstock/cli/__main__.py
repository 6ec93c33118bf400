"""`python -m penstock.cli`, for when the command `penstock` is not on the PATH."""

from __future__ import annotations

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
