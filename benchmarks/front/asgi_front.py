"""The same front as an ASGI app, the fastest kind there is: no framework, no middleware.

Served by uvicorn, it is the Runtime API and the front in one. BENCHMARK_COMMAND is the
runtime's command, BENCHMARK_PORT the port that the server listens on.
"""

import asyncio
import os
import shlex
from typing import Any

_HEAD = [(b"content-type", b"application/octet-stream")]
_EVENT_HEAD = [
    (b"content-type", b"application/json"),
    (b"lambda-runtime-aws-request-id", b"00000000-0000-4000-8000-000000000000"),
    (b"lambda-runtime-deadline-ms", b"9999999999999"),
    (
        b"lambda-runtime-invoked-function-arn",
        b"arn:aws:lambda:us-east-1:123456789012:function:benchmark",
    ),
    (b"lambda-runtime-trace-id", b"Root=1-00000000-000000000000000000000000;Sampled=0"),
]


class Call:
    """A caller who waits."""

    def __init__(self, event: bytes, send: Any) -> None:
        self.event = event
        self.send = send
        self.ended = asyncio.Event()


class Front:
    """One runtime, one caller at a time."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.call: Call | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request of a caller's or of the runtime's."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["path"].endswith("/invocation/next"):
            self.call = await self.calls.get()
            await _answer(send, 200, _EVENT_HEAD, self.call.event)
        elif scope["path"].endswith("/response"):
            await self._relay(receive, send)
        else:
            event = b""
            more = True
            while more:
                message = await receive()
                event += message.get("body", b"")
                more = message.get("more_body", False)
            call = Call(event, send)
            await self.calls.put(call)
            await call.ended.wait()

    async def _relay(self, receive: Any, send: Any) -> None:
        call = self.call
        assert call is not None
        await call.send({"type": "http.response.start", "status": 200, "headers": _HEAD})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            body = message.get("body", b"")
            if body or not more:
                await call.send({"type": "http.response.body", "body": body, "more_body": more})
        call.ended.set()
        await _answer(send, 202, [(b"content-type", b"application/json")], b'{"status":"OK"}\n')


async def _live(receive: Any, send: Any) -> None:
    await receive()
    environment = os.environ | {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{os.environ['BENCHMARK_PORT']}"
    }
    command = shlex.split(os.environ["BENCHMARK_COMMAND"])

    async def start_when_served() -> None:
        # The server listens only when this app has started.
        while True:
            try:
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", int(environment["BENCHMARK_PORT"])
                )
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break
        await asyncio.create_subprocess_exec(*command, env=environment)

    starting = asyncio.create_task(start_when_served())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await starting
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(send: Any, status: int, headers: Any, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


app = Front()
