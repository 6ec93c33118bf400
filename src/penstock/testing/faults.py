"""`inject`: what a test's function has, to make things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from ..errors import EmulatorError


class Injector(Protocol):
    """What an emulator injects faults with."""

    def injected(self, faults: Any, *, times: int | None) -> AbstractContextManager[None]:
        """Have `faults` for every call that begins within the block, or for so many."""


class InjectsFaults:
    """A function whose calls can be made to fail. `_faults` is its emulator's injector."""

    _faults: Injector

    @contextmanager
    def inject(
        self,
        *,
        cut: int | None = None,
        delay: float = 0,
        chunk_delay: float = 0,
        throttle: float | None = None,
        refuse: bool = False,
        kill: int | None = None,
        slow_init: float = 0,
        every: int = 1,
        times: int | None = None,
    ) -> Iterator[None]:
        """Have these faults for every call that begins within the block.

        `cut` breaks the connection after so many bytes of the answer's body; `kill` kills the
        environment after so many of the function's response, 0 as soon as it has the call;
        `throttle` is in bytes a second; `delay` (before the answer), `chunk_delay` (before
        each part of its body) and `slow_init` (when a call starts an environment) are in
        seconds; `refuse` is AWS's 429. Only every nth call has them with `every`, and only
        so many calls with `times`. Of blocks within blocks the innermost counts.

        Raises:
            EmulatorError: a value is out of range, or there is no fault.
        """
        from ..emulator.fault_values import BadFaultError, Faults

        try:
            faults = Faults(
                cut=cut,
                delay=delay,
                chunk_delay=chunk_delay,
                throttle=throttle,
                refuse=refuse,
                kill=kill,
                slow_init=slow_init,
                every=every,
            )
        except BadFaultError as exc:
            raise EmulatorError(str(exc)) from exc
        if not faults:
            raise EmulatorError("there is nothing to inject; name a fault, as in inject(cut=1000)")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise EmulatorError(f"times is a number of calls, 1 or more, not {times!r:.80}")
        with self._faults.injected(faults, times=times):
            yield
