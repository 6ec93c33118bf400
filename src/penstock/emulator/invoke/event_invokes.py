"""Asynchronous invocations: accepted at once, tried until they succeed or time is up.

Source: AWS documentation, "How Lambda handles errors and retries with asynchronous
invocation". Its waits are scaled here: a minute there is `retry_delay` here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from ..concurrency import TooManyRequestsError
from ..environments.environments import Environments
from ..functions import LATEST, Function
from ..invocations import Invocation, new_request_id
from ..limits import MIB
from ..log import Log
from ..platform_events import PlatformEvent
from ..registry import Registry
from ..relay import BufferedReceiver, Ending, Outcome
from .destinations import Deliveries, DeliveryError, EndedEvent, FunctionDestination, Result
from .event_queue import EventQueue, QueueFullError, Rest
from .lineage import RecursiveInvocationError, next_trace_id

# AWS's waits in seconds: after the first error, and it grows by as much; after a first
# throttle, which doubles up to the last.
_AFTER_ERROR = 60.0
_AFTER_THROTTLE = 1.0
_AFTER_THROTTLES = 300.0

# However short its waits are made, what is throttled does not keep the processor busy.
_SHORTEST = 0.01

#: What may wait here, in bytes, before more is refused. AWS's queue has no known end.
QUEUED_BYTES = 512 * MIB

# What an event takes besides its payload, roughly.
_RECORD_BYTES = 512


@dataclass(frozen=True)
class EventInvokeConfig:
    """What a function's event-invoke-config says, and its `DeadLetterConfig`.

    The fields have AWS's names and defaults. Destinations are ARNs of functions or
    `file:///path`; for others a line in the log says that they get nothing.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age_in_seconds: int = 21600
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None


#: Tells the configuration for a function's name and the qualifier of a call.
ConfigOf = Callable[[str, "str | None"], EventInvokeConfig]


class Timer(Protocol):
    """Makes calls at a time of the clock; `Deadlines` does, by `time.monotonic`."""

    def at(self, when: float, call: Callable[[], None]) -> object:
        """Make `call` at `when`, from any thread; it is short."""


@dataclass
class _Event:
    """One asynchronous invocation. Every try has its request id.

    It was accepted for `home`, the environments of the function's `$LATEST`, which are as old as
    the function; None where that version cannot be run.
    """

    function: str
    home: Environments | None
    qualifier: str | None
    payload: bytes
    request_id: str
    trace_id: str
    accepted_at: float
    client_context: str | None = None
    tenant_id: str | None = None
    tries: int = 0
    throttles: int = 0
    last: Result | None = None


class EventInvokes:
    """Runs events on the functions of `registry`. From any thread.

    Events for the same function and qualifier start in order, as far as retries let them.
    `config_of` is asked whenever an event has been tried. `retry_delay` is the wait after
    a first error in seconds, where AWS takes 60; all other waits are in proportion. Ages of
    events are real. With `failed_stream_succeeds` (a quirk of AWS) a response that failed
    after its first byte counts as a success.
    """

    def __init__(
        self,
        registry: Registry,
        log: Log,
        timer: Timer,
        *,
        retry_delay: float = 1.0,
        failed_stream_succeeds: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        #: Who knows the configurations; whoever has them sets it.
        self.config_of: ConfigOf = lambda function, qualifier: EventInvokeConfig()
        self._registry = registry
        self._log = log
        self._timer = timer
        self._scale = retry_delay / _AFTER_ERROR
        self._failed_stream_succeeds = failed_stream_succeeds
        self._clock = clock
        self._deliveries = Deliveries(self._invoke_destination, log.line)
        self._lock = threading.Lock()
        self._queues: dict[tuple[str, str | None], EventQueue[_Event]] = {}
        # All that are not done with: in a queue, waiting for a retry, or at work.
        self._undone: dict[int, _Event] = {}
        self._bytes = 0
        self._stopped = False

    @property
    def undone(self) -> int:
        """How many events are not done with."""
        with self._lock:
            return len(self._undone)

    def accept(
        self,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        trace_id: str,
        client_context: str | None = None,
        tenant_id: str | None = None,
    ) -> str:
        """Take an event over and return its request id. The payload is JSON.

        Raises:
            QueueFullError: too much is waiting.
        """
        event = _Event(
            function,
            self._registry.find(function),
            qualifier,
            payload,
            new_request_id(),
            trace_id,
            self._clock(),
            client_context,
            tenant_id,
        )
        with self._lock:
            if self._bytes + len(payload) + _RECORD_BYTES > QUEUED_BYTES:
                raise QueueFullError(
                    f"events that wait: {len(self._undone)}; with this one they have over "
                    f"{QUEUED_BYTES} bytes"
                )
            self._bytes += len(payload) + _RECORD_BYTES
            self._undone[id(event)] = event
        self._tell(event, "Accepted")
        self._queue(event).add(event)
        return event.request_id

    def stop(self) -> None:
        """Try no more, and say how many are lost; may be repeated."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            lost = len(self._undone)
        if lost:
            what = "event is" if lost == 1 else "events are"
            self._log.line(f"stopped: {lost} asynchronous {what} lost; on AWS they are kept")

    def _queue(self, event: _Event) -> EventQueue[_Event]:
        with self._lock:
            key = (event.function, event.qualifier)
            return self._queues.setdefault(key, EventQueue(self._begin))

    def _begin(self, event: _Event) -> Rest | None:
        """Begin the event, or drop it if that breaks; what breaks is told."""
        with self._dropped_if_it_breaks(event):
            rest = self._given(event)
            return None if rest is None else lambda: self._done_with(event, rest)

    def _done_with(self, event: _Event, rest: Rest) -> None:
        with self._dropped_if_it_breaks(event):
            rest()

    @contextmanager
    def _dropped_if_it_breaks(self, event: _Event) -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            self._log.line(
                f"{event.request_id}: the event for {_name(event)} is dropped, because the "
                f"emulator failed: {type(exc).__name__}: {exc}"
            )
            self._forget(event)
            raise

    def _given(self, event: _Event) -> Rest | None:
        """Give the event to an environment, and return what waits for it there."""
        if self._stopped:
            return None
        environments = self._registry.find(event.function, event.qualifier)
        if environments is None:
            self._log.line(
                f"{event.request_id}: there is no {_name(event)} any more; the event is dropped"
            )
            self._forget(event)
            return None
        if self._is_for_another(event):
            self._log.line(
                f"{event.request_id}: {event.function} was deleted, and another function has its "
                "name now; the event is dropped"
            )
            self._forget(event)
            return None
        if self._is_too_old(event, 0, self._config(event)):
            self._finish(event, environments.function, _expired(event.last or _never_run(event)))
            return None
        receiver = BufferedReceiver()
        invocation = Invocation(
            environments.function,
            event.payload,
            receiver,
            is_streaming=False,
            qualifier=event.qualifier,
            request_id=event.request_id,
            trace_id=event.trace_id,
            client_context=event.client_context,
            tenant_id=event.tenant_id,
        )
        try:
            environments.invoke(invocation)
        except TooManyRequestsError:
            self._throttled(event, invocation.function)
            return None
        event.tries += 1
        event.throttles = 0
        return lambda: self._see_through(event, invocation, receiver)

    def _see_through(
        self, event: _Event, invocation: Invocation, receiver: BufferedReceiver
    ) -> None:
        outcome = invocation.relay.wait()
        # The same request id must not run twice: the runtime has to be through with it.
        invocation.finished.wait()
        if outcome is not None and not self._stopped:
            self._tried(event, invocation.function, receiver.content, outcome)

    def _tried(
        self,
        event: _Event,
        function: Function,
        response: bytes,
        outcome: Outcome,
    ) -> None:
        version = function.version
        if outcome.ending is Ending.WHOLE or (
            outcome.ending is Ending.FAILED and self._failed_stream_succeeds
        ):
            result = Result("Success", event.tries, 200, version, response=response)
            self._finish(event, function, result)
            return
        error = Result("RetriesExhausted", event.tries, 200, version, "Unhandled", outcome.payload)
        config = self._config(event)
        wait = _AFTER_ERROR * event.tries * self._scale
        if event.tries > config.maximum_retry_attempts:
            self._log.line(
                f"{event.request_id}: try {event.tries} failed ({outcome.detail}), the last"
            )
            self._finish(event, function, error)
        elif self._is_too_old(event, wait, config):
            self._finish(event, function, _expired(error))
        else:
            self._log.line(
                f"{event.request_id}: try {event.tries} of {config.maximum_retry_attempts + 1} "
                f"failed ({outcome.detail}); the next is in {wait:g} s"
            )
            event.last = error
            self._tell(event, "Retry", error=outcome.error_type, seconds=wait)
            self._timer.at(self._clock() + wait, lambda: self._queue(event).add(event))

    def _throttled(self, event: _Event, function: Function) -> None:
        """All environments are busy: leave it in its place and ask again later."""
        config = self._config(event)
        if function.reserved_concurrency == 0:
            self._finish(event, function, Result("ZeroReservedConcurrency", event.tries))
            return
        wait = min(_AFTER_THROTTLE * 2**event.throttles, _AFTER_THROTTLES) * self._scale
        wait = max(wait, _SHORTEST)
        if self._is_too_old(event, wait, config):
            self._finish(event, function, _expired(event.last or _never_run(event)))
            return
        event.throttles = min(event.throttles + 1, 20)
        queue = self._queue(event)
        queue.hold(event)
        self._timer.at(self._clock() + wait, queue.go_on)

    def _is_for_another(self, event: _Event) -> bool:
        """Whether its name is that of a function made later, which is not to get it."""
        return event.home is not None and self._registry.find(event.function) is not event.home

    def _config(self, event: _Event) -> EventInvokeConfig:
        """What is said of the function that it is for; of one that is gone, nothing is."""
        if self._is_for_another(event):
            return EventInvokeConfig()
        return self.config_of(event.function, event.qualifier)

    def _is_too_old(self, event: _Event, wait: float, config: EventInvokeConfig) -> bool:
        """Whether it will be when its wait is over: AWS does not wait then (captured)."""
        age = self._clock() + wait - event.accepted_at
        return age > config.maximum_event_age_in_seconds

    def _finish(self, event: _Event, function: Function, result: Result) -> None:
        """Say what became of it, where the configuration wants it, and forget it."""
        try:
            if not result.is_success:
                self._log.line(
                    f"{event.request_id}: the event for {_name(event)} is given up: "
                    f"{result.condition} after {result.tries} "
                    f"{'try' if result.tries == 1 else 'tries'}"
                )
            self._tell(event, "Done", condition=result.condition)
            ended = EndedEvent(
                event.request_id,
                f"{function.arn}:{event.qualifier or LATEST}",
                event.payload,
                event.trace_id,
                result,
            )
            config = self._config(event)
            destination = config.on_success if result.is_success else config.on_failure
            if destination is not None:
                self._deliveries.send_record(ended, destination)
            if config.dead_letter is not None and not result.is_success:
                self._deliveries.send_dead_letter(ended, config.dead_letter)
        finally:
            self._forget(event)

    def _invoke_destination(self, to: FunctionDestination, record: bytes, trace_id: str) -> None:
        """Invoke a function with a record.

        Raises:
            DeliveryError: it does not exist, or must not be invoked now.
        """
        if self._registry.find(to.name, to.qualifier) is None:
            raise DeliveryError(
                f"the destination {to.name}:{to.qualifier or LATEST} does not exist"
            )
        try:
            trace_id = next_trace_id(trace_id, to.name)
            self.accept(to.name, to.qualifier, record, trace_id=trace_id)
        except (QueueFullError, RecursiveInvocationError) as exc:
            raise DeliveryError(f"the record for {to.name} is dropped: {exc}") from exc

    def _tell(self, event: _Event, what: str, **more: object) -> None:
        """Tell whoever listens; the types are our own."""
        if not self._log.events.is_heard:
            return
        record = {"requestId": event.request_id, "qualifier": event.qualifier, **more}
        kind = f"penstock.eventInvoke{what}"
        self._log.events.send(
            PlatformEvent(kind, {**record, "tries": event.tries}, event.function, "", time.time())
        )

    def _forget(self, event: _Event) -> None:
        with self._lock:
            if self._undone.pop(id(event), None) is not None:
                self._bytes -= len(event.payload) + _RECORD_BYTES


def _never_run(event: _Event) -> Result:
    return Result("", event.tries, 429)


def _expired(result: Result) -> Result:
    return replace(result, condition="EventAgeExceeded")


def _name(event: _Event) -> str:
    return event.function if event.qualifier is None else f"{event.function}:{event.qualifier}"
