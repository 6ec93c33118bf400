"""Faults on request: what can go wrong between a function and its caller, made to happen.

A call's faults come with it in the header `X-Penstock-Fault`, or from a plan that stands for
all calls: the command line's, or a test's. The fronts know nothing of them: what a call
sends to its client passes through `FaultyExchange`, and its invocation finds them in a
context variable, for it is made in the thread that serves the call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from shutil import which

from ..errors import RemoteProtocolError
from ..messages import Headers
from .bandwidth import Bandwidth
from .fault_values import NONE, BadFaultError, Faults, faults_from_text
from .http.http_server import ClientGoneError, Exchange, HeaderList, with_length
from .relay import Receiver, Relay

HEADER = "X-Penstock-Fault"

# A slow line delivers often: this many pieces a second.
_PIECES = 10

# The shell is the environment's process for so long, and then becomes the runtime. Where
# `sleep` is, it is told: the function's PATH may lead anywhere.
_SLOW_START = ("/bin/sh", "-c", '"$0" "$1" && shift && exec "$@"')


class Injection:
    """The faults of one call, and what they are done to."""

    def __init__(
        self,
        choose: Callable[[], Faults],
        *,
        say: Callable[[str], object] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._choose = choose
        self._say = say
        self._clock = clock
        self.sleep = sleep
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        #: Nothing goes wrong before a function is called.
        self.faults = NONE
        self.has_begun = False

    def begin(self) -> None:
        """The call has come to a function: from here on it has its faults."""
        self.has_begun = True
        self.faults = self._choose()

    def bandwidth(self) -> Bandwidth | None:
        """What throttles the answer, if something does."""
        rate = self.faults.throttle
        if rate is None:
            return None
        return Bandwidth(0, rate, clock=self._clock, sleep=self.sleep)

    def say(self, what: str) -> None:
        """Tell the log of a fault."""
        self._say(f"injected fault: {what}")

    @property
    def refuses(self) -> bool:
        """Whether the call is refused as one too many; says so in the log if it is."""
        if self.faults.refuse:
            self.say("refused, as if all environments were busy")
        return self.faults.refuse

    def start_command(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """What starts an environment for this call, in place of `command`."""
        seconds = self.faults.slow_init
        if not seconds:
            return command
        self.say(f"the start of the environment takes {seconds:g} s more")
        return (*_SLOW_START, which("sleep") or "/bin/sleep", f"{seconds:f}", *command)

    @property
    def is_harmless(self) -> bool:
        """Whether the environment lives on."""
        return self.faults.kill is None

    def delivered(self, kill: Callable[[], None]) -> bool:
        """The runtime is given the call; `kill` kills its environment. Whether that was done."""
        with self._lock:
            self._kill = kill
        if self.faults.kill != 0:
            return False
        self.kill_environment()
        return True

    def relay(self, receiver: Receiver, max_size: int, *, is_streaming: bool) -> Relay:
        """The way of the response."""
        if self.faults.kill:
            return _KillingRelay(receiver, max_size, self, is_streaming=is_streaming)
        return Relay(receiver, max_size, is_streaming=is_streaming)

    def kill_environment(self) -> None:
        """Kill the environment that has the call."""
        with self._lock:
            kill, self._kill = self._kill, None
        if kill is not None:
            after = self.faults.kill
            when = f"after {after} bytes of its response" if after else "with the call in its hands"
            self.say(f"the environment is killed {when}")
            kill()


_current: ContextVar[Injection | None] = ContextVar("penstock_faults", default=None)

_NOTHING = Injection(lambda: NONE)


def injection_of_this_call() -> Injection:
    """What goes wrong with the invocation that is made now; it counts as a call."""
    injection = _current.get()
    if injection is None:
        return _NOTHING
    injection.begin()
    return injection


class FaultInjector:
    """Decides which calls have which faults, and injects them.

    `faults` stand for every call, until others do for a while. `write_line` takes lines for
    the log; `clock` and `sleep` count seconds.
    """

    def __init__(
        self,
        write_line: Callable[[str], object],
        *,
        faults: Faults = NONE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._stopped = threading.Event()
        self._write_line = write_line
        self._clock = clock
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        self._plans = [_Plan(faults)] if faults else []

    @contextmanager
    def injected(self, faults: Faults, *, times: int | None = None) -> Iterator[None]:
        """Have `faults` for every call that begins within the block, or for `times` of them.

        Inside another such block, and beside the faults that it was made with, the
        innermost counts; a call that has faults of its own has these alone.
        """
        plan = _Plan(faults, times)
        with self._lock:
            self._plans.append(plan)
        try:
            yield
        finally:
            with self._lock:
                self._plans.remove(plan)

    def stop(self) -> None:
        """Wake what is late on purpose, and make nothing late any more; may be repeated."""
        self._stopped.set()

    def handle(self, exchange: Exchange, handle: Callable[[Exchange], None]) -> None:
        """Let `handle` answer the request, with what is to go wrong. The header is taken off."""
        written = exchange.headers.get_all(HEADER)
        if not written and not self._plans:
            handle(exchange)
            return
        choose, are_wanted = self._next, True
        if written:
            try:
                own = faults_from_text(*written, of_one_call=True)
            except BadFaultError as exc:
                text = f"{HEADER}: {exc}\n".encode()
                exchange.respond(400, [("Content-Type", "text/plain; charset=utf-8")], text)
                return
            exchange.headers = without_faults(exchange.headers)
            choose, are_wanted = _always(own), bool(own)
        request = f"{exchange.method} {exchange.path}"
        injection = Injection(
            choose,
            say=lambda text: self._write_line(f"{request}: {text}"),
            clock=self._clock,
            sleep=self._sleep,
        )
        token = _current.set(injection)
        try:
            handle(FaultyExchange(exchange, injection))
        finally:
            _current.reset(token)
        if are_wanted and not injection.has_begun and _is_asynchronous(exchange):
            self._write_line(f"{request}: no fault is injected: asynchronous invocations have none")

    def _next(self) -> Faults:
        with self._lock:
            return self._plans[-1].next() if self._plans else NONE


class FaultyExchange(Exchange):
    """An exchange whose answer is late, slow, or cut; `injection` says how."""

    def __init__(self, exchange: Exchange, injection: Injection) -> None:
        # One and the same exchange: what the server and the front know of it is shared.
        self.__dict__ = exchange.__dict__
        self._injection = injection
        self._bandwidth: Bandwidth | None = None
        self._sent = 0

    def respond(self, status: int, headers: HeaderList, body: bytes = b"") -> None:
        """Send a whole answer, step by step: something may go wrong at each."""
        self.begin(status, with_length(status, headers, body))
        if body and self.method != "HEAD":
            self.send(body)
        self.end()

    def begin(self, status: int, headers: HeaderList) -> None:
        """Send the head, late if it is to be."""
        faults = self._injection.faults
        self._bandwidth = self._injection.bandwidth()
        if faults.throttle is not None:
            self._injection.say(f"the answer has {faults.throttle:g} bytes a second")
        if faults.chunk_delay:
            self._injection.say(f"each part of the answer is {faults.chunk_delay:g} s late")
        if faults.delay:
            self._injection.say(f"the answer is {faults.delay:g} s late")
            self._injection.sleep(faults.delay)
        super().begin(status, headers)
        self._cut_if_due()

    def send(self, *pieces: bytes) -> None:
        """Send a part of the body, or what is to arrive of it, as slowly as it is to."""
        faults = self._injection.faults
        if faults.chunk_delay:
            self._injection.sleep(faults.chunk_delay)
        data = b"".join(pieces)
        if faults.cut is not None:
            data = data[: faults.cut - self._sent]
        for piece in self._pieces(data):
            super().send(piece)
            self._sent += len(piece)
        self._cut_if_due()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._bandwidth is None:
            if data:
                yield data
            return
        size = max(1, int((self._injection.faults.throttle or 0) / _PIECES))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._bandwidth.take(len(piece))
            yield piece

    def _cut_if_due(self) -> None:
        cut = self._injection.faults.cut
        if cut is None or self._sent < cut:
            return
        self._injection.say(f"the answer is cut after {self._sent} bytes of its body")
        self.abort()
        raise ClientGoneError("the answer was cut, as asked for")


class _KillingRelay(Relay):
    """Passes a part of the response on, and then has its environment killed."""

    def __init__(
        self, receiver: Receiver, max_size: int, injection: Injection, *, is_streaming: bool
    ) -> None:
        super().__init__(receiver, max_size, is_streaming=is_streaming)
        self._injection = injection
        self._before_kill = injection.faults.kill or 0

    def body(self, data: bytes) -> bool:
        """Pass a part on. What the runtime has sent beyond the end of its life counts as lost.

        Raises:
            RemoteProtocolError: as if the connection had broken with it.
        """
        wanted = data[: self._before_kill]
        self._before_kill -= len(wanted)
        is_welcome = super().body(wanted)
        if self._before_kill == 0:
            self._injection.kill_environment()
            raise RemoteProtocolError("the environment was killed")
        return is_welcome


class _Plan:
    """Faults that stand for a number of calls, or for every nth."""

    def __init__(self, faults: Faults, times: int | None = None) -> None:
        self._faults = faults
        self._left = times
        self._calls = 0

    def next(self) -> Faults:
        self._calls += 1
        if self._calls % self._faults.every or self._left == 0:
            return NONE
        if self._left is not None:
            self._left -= 1
        return self._faults


def _always(faults: Faults) -> Callable[[], Faults]:
    return lambda: faults


def _is_asynchronous(exchange: Exchange) -> bool:
    """Whether the request, if it is one for the Lambda API, wants no answer of the function."""
    is_event = exchange.headers.get("X-Amz-Invocation-Type") == "Event"
    return is_event or exchange.path.rstrip("/").endswith("/invoke-async")


def without_faults(headers: Headers) -> Headers:
    """The headers of a call, without what it wants to go wrong."""
    return Headers((name, value) for name, value in headers if name.lower() != HEADER.lower())
