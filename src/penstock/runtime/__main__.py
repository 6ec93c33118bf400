"""`python -m penstock.runtime module.handler`."""

from __future__ import annotations

import sys

from .bootstrap import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
