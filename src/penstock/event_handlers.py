"""`sse`: handlers that send events instead of bytes.

Whatever shape a handler has, under `sse` it becomes one with a stream: so it runs where it
would run without, in the same thread or task, and what is sent in its silence comes from
beside it.
"""

from __future__ import annotations

from functools import update_wrapper

from .errors import HandlerShapeError
from .event_streams import AsyncEventBody, EventBody
from .handler import shape_of
from .messages import Prelude
from .server_sent_events import ServerSentEvent, event_stream_prelude, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, overload

    from .stream import AsyncResponseStream, ResponseStream

# A day. Longer than any invocation, and not too long for the system's timers.
_LONGEST_SILENCE = 86400.0


class ServerSentEvents:
    """How event streams are sent. A decorator of handlers, and what `adapt` takes as `sse`.

    `end` is None where nothing was said: then handlers send an `end` event, and applications
    behind `adapt`, whose clients have ways of their own, do not.
    """

    __slots__ = ("end", "error", "heartbeat_seconds")

    def __init__(
        self,
        heartbeat_seconds: float | None = 15,
        end: str | bool | None = None,
        error: str | bool = True,
    ) -> None:
        self.heartbeat_seconds = _checked_seconds(heartbeat_seconds)
        self.end: str | None = None if end is None else _checked_name("end", end)
        self.error: str = _checked_name("error", error)

    def __call__(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a handler of one of the four shapes: `sse`."""
        if getattr(handler, "_streamified_by_penstock", False):
            raise HandlerShapeError(
                f"{_name_of(handler)} is decorated with sse above streamify_response; put @sse "
                "below @streamify_response"
            )
        shape = shape_of(handler)
        is_async = shape in ("coroutine", "async generator")
        respond = (self._awaited if is_async else self._plain)(handler, "generator" in shape)
        update_wrapper(respond, handler)
        # It is no longer of its handler's shape.
        del respond.__wrapped__  # type: ignore[attr-defined]
        return respond

    def _ways(self) -> tuple[float | None, str, str]:
        end = "end" if self.end is None else self.end
        return self.heartbeat_seconds, end, self.error

    def _plain(self, handler: Any, is_generator: bool) -> Callable[..., Any]:
        def respond(event: Any, response_stream: ResponseStream, context: Any) -> None:
            with EventBody(response_stream, context, *self._ways()) as body:
                events = EventStream(body)
                if is_generator:
                    _send_all(handler(event, context), events)
                else:
                    handler(event, events, context)
                body.end()

        return respond

    def _awaited(self, handler: Any, is_generator: bool) -> Callable[..., Any]:
        async def respond(event: Any, response_stream: AsyncResponseStream, context: Any) -> None:
            async with AsyncEventBody(response_stream, context, *self._ways()) as body:
                events = AsyncEventStream(body)
                if is_generator:
                    await _send_all_async(handler(event, context), events)
                else:
                    await handler(event, events, context)
                await body.end()

        return respond


if TYPE_CHECKING:

    @overload
    def sse(
        handler: Callable[..., Any],
        *,
        heartbeat_seconds: float | None = 15,
        end: str | bool | None = None,
        error: str | bool = True,
    ) -> Callable[..., Any]: ...

    @overload
    def sse(
        handler: None = None,
        *,
        heartbeat_seconds: float | None = 15,
        end: str | bool | None = None,
        error: str | bool = True,
    ) -> ServerSentEvents: ...


def sse(
    handler: Callable[..., Any] | None = None,
    *,
    heartbeat_seconds: float | None = 15,
    end: str | bool | None = None,
    error: str | bool = True,
) -> Any:
    """Make a handler send server-sent events. Below `streamify_response`, with or without
    options; and, with them, what `adapt` takes as `sse`.

    A handler of two arguments yields events, one of three is given an `EventStream` or an
    `AsyncEventStream` as its second and calls `send`. An event is a `ServerSentEvent`, or
    its data alone: `str`, or a dict, list, number or bool, which is sent as JSON. A
    `Prelude` may be yielded first, for cookies, say; the fields of an event stream are put
    into it.

    While nothing was sent for `heartbeat_seconds` a comment is, which clients ignore and
    which keeps connections open; also before the first event, and then the head leaves with
    it. None: never. Code that blocks an event loop holds them back.

    When the handler returns, the event `end` is sent, so that a client knows a whole answer
    from one that was cut and does not connect again. False: it is not; a `str` is another
    name. (With `adapt` it is not sent unless `end` says so.)

    What the handler raises after the first byte is sent as an event `error` whose data is
    JSON: `message`, which says nothing but whether the time was up, and `requestId`. It is
    raised to the caller as well and fails the invocation. `error` is its name, or False.

    Raises:
        HandlerShapeError: the function has none of the four shapes of a handler.
        TypeError, ValueError: an option is not one of those possible.
    """
    options = ServerSentEvents(heartbeat_seconds, end, error)
    return options if handler is None else options(handler)


class EventStream:
    """What a plain handler under `sse` sends its events to."""

    __slots__ = ("_body",)

    def __init__(self, body: EventBody) -> None:
        self._body = body
        body.head(event_stream_prelude(Prelude()))

    def send(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        retry: int | None = None,
    ) -> None:
        """Send one event; blocks while the caller reads slowly.

        It is made as a `ServerSentEvent` is, and raises what that raises; `data` may be one.
        A `Prelude` is no event: it becomes the head of the response.

        Raises:
            StreamBrokenError: the response can no longer be delivered.
            PreludeError: a `Prelude` after the first byte, or one of another content type.
        """
        if isinstance(data, Prelude):
            self._body.head(event_stream_prelude(data))
        else:
            self._body.write(_encoded(data, {"event": event, "id": id, "retry": retry}))


class AsyncEventStream:
    """What an async handler under `sse` sends its events to: `send` is awaited."""

    __slots__ = ("_body",)

    def __init__(self, body: AsyncEventBody) -> None:
        self._body = body
        body.head(event_stream_prelude(Prelude()))

    def send(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        retry: int | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Send one event: `EventStream.send`, to be awaited."""
        return self._body.to_be_awaited(lambda: self._send(data, event=event, id=id, retry=retry))

    async def _send(self, data: Any, **fields: Any) -> None:
        if isinstance(data, Prelude):
            self._body.head(event_stream_prelude(data))
        else:
            await self._body.write(_encoded(data, fields))


def _send_all(items: Any, events: EventStream) -> None:
    """Send what a generator yields."""
    try:
        item = next(items)
        while True:
            # What cannot be sent is raised at the `yield` that gave it.
            try:
                events.send(item)
            except Exception as exc:
                item = items.throw(exc)
            else:
                item = next(items)
    except StopIteration:
        pass
    finally:
        items.close()


async def _send_all_async(items: Any, events: AsyncEventStream) -> None:
    try:
        item = await anext(items)
        while True:
            try:
                await events._send(item)
            except Exception as exc:
                item = await items.athrow(exc)
            else:
                item = await anext(items)
    except StopAsyncIteration:
        pass
    finally:
        await items.aclose()


def _encoded(data: Any, fields: dict[str, Any]) -> bytes:
    if isinstance(data, ServerSentEvent):
        if any(value is not None for value in fields.values()):
            raise TypeError("a ServerSentEvent has its event, id and retry: give them to it")
        return data.encode()
    return ServerSentEvent(data, **fields).encode()


def _checked_name(what: str, value: object) -> str:
    """The name of an event; "" for none."""
    if isinstance(value, bool):
        return what if value else ""
    if not one_line(what, value):
        raise ValueError(f'{what}="" names no event; for none say {what}=False')
    return str(value)


def _checked_seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"heartbeat_seconds is a number of seconds or None, not {value!r:.80}")
    if not value > 0:
        raise ValueError(f"heartbeat_seconds is above 0, not {value!r}; for no heartbeats say None")
    return min(float(value), _LONGEST_SILENCE)


def _name_of(handler: Any) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)
