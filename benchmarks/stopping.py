"""A benchmark that is stopped ends what it has started.

SIGTERM and SIGHUP are made what SIGINT is: a KeyboardInterrupt, on whose way out every process
is ended by whoever has started it.
"""

import signal
import sys
from collections.abc import Callable
from typing import Final, NoReturn

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(main: Callable[[], int]) -> NoReturn:
    """Exit with the status that `main` gives, or with 1 if it is stopped."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _stop)
    try:
        status = main()
    except KeyboardInterrupt:
        print("error: stopped", file=sys.stderr)
        status = 1
    sys.exit(status)


def _stop(*_: object) -> NoReturn:
    # One is enough: the next must not interrupt the ending.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
