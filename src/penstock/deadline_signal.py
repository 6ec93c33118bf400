"""The deadline guard's timer signal: where it may raise, and where it has to wait."""

from __future__ import annotations

# What `signal` is made of: that makes enumerations of all it takes and gives, which costs
# more than the rest of a small request.
import _signal  # type: ignore[import-not-found]
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from .deadline import DeadlineGuard

# How often a signal that came where nothing may be raised comes again.
_AGAIN_SECONDS = 0.005

# Functions of ours that only wait for what the app has given them, which need not be Python:
# a pipe, say. There it may be raised.
_WAITING_FOR_APP = frozenset(
    {
        "penstock.pipelines._chunks",
        "penstock.pipelines._transformed",
        "penstock.bridge.wsgi._each",
        "penstock.bridge.wsgi.FileWrapper.__next__",
    }
)

# Modules that let nothing through of what is raised in them: callbacks of weak references,
# and the handlers of a logger.
_SWALLOWING = frozenset({"weakref", "_weakrefset", "logging", "logging.handlers"})

NEVER = float("inf")


class Timer:
    """Raises on the main thread by way of a signal, while the block runs; else does nothing.

    A function that uses SIGALRM itself keeps it: then only writes and yields raise.
    """

    def __init__(self, guard: DeadlineGuard) -> None:
        self._guard = guard
        self._is_set = False
        self._error: BaseException | None = None
        self._unraisablehook: Any = None

    def __enter__(self) -> None:
        import threading

        seconds = self._guard.seconds_left()
        if (
            self._guard.raised
            or seconds == NEVER
            or get_ident() != threading.main_thread().ident
            or _signal.getsignal(_signal.SIGALRM) != _signal.SIG_DFL
        ):
            return
        # 0 would turn the timer off.
        self._start(max(seconds, 1e-6))

    def __exit__(self, *exc_info: object) -> None:
        self._stop()
        if self._error is not None:
            self._error = None
            if sys.unraisablehook == self._hear_unraisable:
                sys.unraisablehook = self._unraisablehook

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._guard.raised or self._guard.writing or not _is_in_app(frame):
            return
        self._stop()
        if self._error is None:
            self._unraisablehook = sys.unraisablehook
            sys.unraisablehook = self._hear_unraisable
        self._error = self._guard.approaching()
        raise self._error

    def _hear_unraisable(self, unraisable: Any) -> None:
        """Ring again if it was raised where Python lets nothing through: in a callback, say."""
        if self._error is None or unraisable.exc_value is not self._error:
            self._unraisablehook(unraisable)
            return
        self._guard.raised = False
        self._start(_AGAIN_SECONDS)

    def _start(self, seconds: float) -> None:
        self._is_set = True
        _signal.signal(_signal.SIGALRM, self._ring)
        _signal.setitimer(_signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)

    def _stop(self) -> None:
        if self._is_set:
            self._is_set = False
            if _signal.getsignal(_signal.SIGALRM) == self._ring:
                _signal.setitimer(_signal.ITIMER_REAL, 0)
                _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)


def _is_in_app(frame: FrameType | None) -> bool:
    """Whether what a signal has interrupted is the app's code, and lets an error through.

    Code of the standard library belongs to whoever has called it.
    """
    is_of_app: bool | None = None
    while frame is not None:
        code, module = frame.f_code, str(frame.f_globals.get("__name__"))
        if code.co_name == "__del__" or module in _SWALLOWING:
            return False
        if is_of_app is None:
            if module.partition(".")[0] == "penstock":
                is_of_app = f"{module}.{code.co_qualname}" in _WAITING_FOR_APP
            elif not _is_of_library(code.co_filename):
                is_of_app = True
        if module == "penstock.deadline":
            break
        frame = frame.f_back
    return bool(is_of_app)


def _is_of_library(filename: str) -> bool:
    # By its place and not its name: an app may well have a `queue.py` of its own.
    import os
    import threading

    library = os.path.join(os.path.dirname(threading.__file__), "")
    return filename.startswith("<frozen ") or (
        filename.startswith(library)
        and not filename.startswith((f"{library}site-packages", f"{library}dist-packages"))
    )
