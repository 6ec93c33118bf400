"""The odd ends of a response: handlers, and what every front makes of each.

Shown by `test_what_happens_when.py`; the table in docs/reference/what-happens-when.md is made
of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BINARY = "application/octet-stream"
JSON = "application/json"
ISE = "Internal Server Error"
GATEWAY_ERROR = '{"message": "Internal server error"}'


def shown(text: str) -> str:
    """An error JSON by its type; everything else as it is."""
    found = re.match(r"((?:Runtime\.|Sandbox\.)?[A-Z]\w+): ", text)
    return f"error JSON `{found[1]}`" if found else f"`{text}`"


@dataclass(frozen=True)
class Url:
    """What an HTTP client has in the end. `whole` is False if it can tell that it is cut."""

    status: int
    body: str
    content_type: str = JSON
    whole: bool = True

    def __str__(self) -> str:
        if self.body == GATEWAY_ERROR:
            return str(self.status)
        body = shown(self.body) if self.body else "no body"
        end = "" if self.whole else ", then the connection is cut"
        return f"{self.status}, {body}{end}"


@dataclass(frozen=True)
class Invoked:
    """What `Invoke` gives."""

    payload: str
    function_error: str | None = None

    def __str__(self) -> str:
        payload = shown(self.payload) if self.payload else "empty payload"
        return f"{payload}, `FunctionError`" if self.function_error else payload


@dataclass(frozen=True)
class Streamed:
    """What `InvokeWithResponseStream` gives: the chunks joined, then `InvokeComplete`."""

    payload: str

    def __str__(self) -> str:
        return shown(self.payload) if self.payload else "no chunk"


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    when: str
    source: str
    url_stream: Url
    url_buffered: Url
    invoke: Invoked
    stream: Streamed
    rest_stream: Url = Url(502, GATEWAY_ERROR)
    rest_buffered: Url = Url(502, GATEWAY_ERROR)
    method: str = "GET"
    timeout: float = 30


def error(error_type: str, message: str) -> str:
    """The error JSON, as `simplified` shows it."""
    return f"{error_type}: {message}"


STREAM_THEN = """
    @streamify_response
    async def handler(event, response_stream, context):
        await response_stream.write("partial ")
        {}
"""
TOO_LATE = error("Sandbox.Timedout", "RequestId: <id> Error: Task timed out after 0.40 seconds")
EXITED = error("Runtime.ExitError", "RequestId: <id> Error: Runtime exited with error: {}")
PRELUDE = '{"statusCode":202,"headers":{"x-a":"b"}}' + "\\0" * 8


def failing(error_text: str) -> dict[str, Url | Invoked | Streamed]:
    """What the fronts make of a failure before the first byte."""
    return {
        "url_stream": Url(200, error_text),
        "url_buffered": Url(502, ISE),
        "invoke": Invoked(error_text, "Unhandled"),
        "stream": Streamed(error_text),
    }


def cut(text: str = "partial ") -> dict[str, Url | Streamed]:
    """What streaming fronts make of a response that is cut."""
    return {"url_stream": Url(200, text, BINARY, whole=False), "stream": Streamed(text)}


CASES = [
    Case(
        "the handler raises before the first byte",
        """
        @streamify_response
        async def handler(event, response_stream, context):
            raise ValueError("too early")
        """,
        **failing(error("ValueError", "too early")),
    ),
    Case(
        "the handler raises after the first byte",
        STREAM_THEN.format('raise ValueError("too late")'),
        url_stream=Url(200, "partial ", BINARY),
        url_buffered=Url(200, "partial ", BINARY),
        invoke=Invoked("partial "),
        stream=Streamed("partial "),
    ),
    Case(
        "the handler raises after a prelude and the first byte",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(202, {"x-a": "b"})
            yield "partial "
            raise ValueError("too late")
        """,
        url_stream=Url(202, "partial "),
        url_buffered=Url(202, ""),
        rest_stream=Url(202, "partial ", whole=False),
        rest_buffered=Url(202, ""),
        invoke=Invoked(PRELUDE + "partial "),
        stream=Streamed(PRELUDE + "partial "),
    ),
    Case(
        "it returns without a write",
        """
        @streamify_response
        async def handler(event, response_stream, context):
            pass
        """,
        url_stream=Url(200, "", BINARY),
        url_buffered=Url(200, ""),
        invoke=Invoked(""),
        stream=Streamed(""),
    ),
    Case(
        "a prelude without a body",
        """
        @streamify_response
        def handler(event, response_stream, context):
            HttpResponseStream.from_(
                response_stream, {"statusCode": 202, "headers": {"x-a": "b"}}
            )
        """,
        url_stream=Url(202, ""),
        url_buffered=Url(202, ""),
        rest_stream=Url(202, ""),
        rest_buffered=Url(202, ""),
        invoke=Invoked(PRELUDE),
        stream=Streamed(PRELUDE),
    ),
    Case(
        "a prelude that is announced and does not come",
        """
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.content_type = "application/vnd.awslambda.http-integration-response"
        """,
        url_stream=Url(200, "", BINARY),
        url_buffered=Url(200, ""),
        invoke=Invoked(""),
        stream=Streamed(""),
    ),
    Case(
        "an empty generator",
        """
        @streamify_response
        def handler(event, context):
            yield from ()
        """,
        url_stream=Url(200, "", BINARY),
        url_buffered=Url(200, ""),
        invoke=Invoked(""),
        stream=Streamed(""),
    ),
    Case(
        "an empty async generator",
        """
        @streamify_response
        async def handler(event, context):
            if False:
                yield
        """,
        url_stream=Url(200, "", BINARY),
        url_buffered=Url(200, ""),
        invoke=Invoked(""),
        stream=Streamed(""),
    ),
    Case(
        "a HEAD request",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(202, {"x-a": "b"})
            yield "body"
        """,
        method="HEAD",
        url_stream=Url(202, ""),
        url_buffered=Url(202, ""),
        rest_stream=Url(202, ""),
        rest_buffered=Url(202, ""),
        invoke=Invoked(PRELUDE + "body"),
        stream=Streamed(PRELUDE + "body"),
    ),
    Case(
        "status 204, with a body all the same",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(204)
            yield "body"
        """,
        url_stream=Url(204, ""),
        url_buffered=Url(204, ""),
        rest_stream=Url(204, ""),
        rest_buffered=Url(204, ""),
        invoke=Invoked('{"statusCode":204}' + "\\0" * 8 + "body"),
        stream=Streamed('{"statusCode":204}' + "\\0" * 8 + "body"),
    ),
    Case(
        "status 304",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(304)
        """,
        url_stream=Url(304, ""),
        url_buffered=Url(304, ""),
        rest_stream=Url(304, ""),
        rest_buffered=Url(304, ""),
        invoke=Invoked('{"statusCode":304}' + "\\0" * 8),
        stream=Streamed('{"statusCode":304}' + "\\0" * 8),
    ),
    Case(
        "a write after the end",
        """
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.end("whole")
            await response_stream.write("more")
        """,
        url_stream=Url(200, "whole", BINARY),
        url_buffered=Url(200, "whole", BINARY),
        invoke=Invoked("whole"),
        stream=Streamed("whole"),
    ),
    Case(
        "a value that is no `str` or bytes, first",
        """
        @streamify_response
        def handler(event, context):
            yield 42
        """,
        **failing(
            error(
                "TypeError",
                "a response stream takes str, bytes, bytearray or memoryview, not int",
            )
        ),
    ),
    Case(
        "a value that is no `str` or bytes, later",
        STREAM_THEN.format('await response_stream.write({"a": 1})'),
        url_stream=Url(200, "partial ", BINARY),
        url_buffered=Url(200, "partial ", BINARY),
        invoke=Invoked("partial "),
        stream=Streamed("partial "),
    ),
    Case(
        "a prelude over 16 KiB",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(200, {"x-a": "b" * 16384})
        """,
        **failing(
            error(
                "PreludeError",
                "the status, headers and cookies make a prelude of 16431 bytes; "
                "Lambda's front doors read at most 16384",
            )
        ),
    ),
    Case(
        "a prelude with CR/LF in a header",
        """
        @streamify_response
        def handler(event, response_stream, context):
            HttpResponseStream.from_(response_stream, {"headers": {"x-a": "b\\r\\nx-c: d"}})
        """,
        **failing(
            error(
                "PreludeError",
                "the value of 'x-a' has '\\r' in it, which would start another header; remove it",
            )
        ),
    ),
    Case(
        "a prelude with a value of a wrong type",
        """
        @streamify_response
        def handler(event, response_stream, context):
            HttpResponseStream.from_(response_stream, {"headers": {"x-a": 1}})
        """,
        **failing(error("PreludeError", "the value of 'x-a' must be a str, not int; write '1'")),
    ),
    Case(
        "the handler's module imports what is missing",
        "import no_such_module\n\ndef handler(event, context): pass",
        **failing(
            error(
                "Runtime.ImportModuleError",
                "Unable to import module 'app': No module named 'no_such_module'",
            )
        ),
    ),
    Case(
        "the handler is missing in its module",
        "def other(event, context): pass",
        **failing(error("Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'")),
    ),
    Case(
        "a syntax error",
        "def handler(event, context) return 1",
        **failing(
            error(
                "Runtime.UserCodeSyntaxError",
                "Syntax error in module 'app': expected ':' (app.py, line 16)",
            )
        ),
    ),
    Case(
        "the module raises at import",
        'raise ValueError("no table")',
        **failing(error("ValueError", "no table")),
    ),
    Case(
        "the process exits at import",
        "os._exit(7)",
        **failing(EXITED.format("exit status 7")),
    ),
    Case(
        "the process is killed before the first byte",
        """
        @streamify_response
        async def handler(event, response_stream, context):
            os.kill(os.getpid(), 9)
        """,
        **failing(EXITED.format("signal: killed")),
    ),
    Case(
        "the process is killed in mid-stream",
        STREAM_THEN.format("os.kill(os.getpid(), 9)"),
        **cut(),
        url_buffered=Url(502, ISE),
        invoke=Invoked(EXITED.format("signal: killed"), "Unhandled"),
    ),
    Case(
        "the process exits in mid-stream (`sys.exit(3)`)",
        STREAM_THEN.format("sys.exit(3)"),
        **cut(),
        url_buffered=Url(502, ISE),
        invoke=Invoked(EXITED.format("exit status 3"), "Unhandled"),
    ),
    Case(
        "the process is killed after a prelude and the first byte",
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(202, {"x-a": "b"})
            yield "partial "
            os.kill(os.getpid(), 9)
        """,
        url_stream=Url(202, "partial ", whole=False),
        url_buffered=Url(502, ISE),
        rest_stream=Url(202, "partial ", whole=False),
        invoke=Invoked(EXITED.format("signal: killed"), "Unhandled"),
        stream=Streamed(PRELUDE + "partial "),
    ),
    Case(
        "a timeout before the first byte",
        """
        @streamify_response
        async def handler(event, response_stream, context):
            await asyncio.sleep(30)
        """,
        timeout=0.4,
        **failing(TOO_LATE),
    ),
    Case(
        "a timeout after the first byte",
        STREAM_THEN.format("time.sleep(30)"),
        timeout=0.8,  # long enough for a first byte on a busy machine
        **cut(),
        url_buffered=Url(502, ISE),
        invoke=Invoked(TOO_LATE.replace("0.40", "0.80"), "Unhandled"),
    ),
    Case(
        "a plain handler returns JSON",
        'def handler(event, context): return {"a": "b"}',
        url_stream=Url(200, '{"a": "b"}'),
        url_buffered=Url(200, '{"a":"b"}'),
        invoke=Invoked('{"a": "b"}'),
        stream=Streamed('{"a": "b"}'),
    ),
    Case(
        "a plain handler returns a proxy response",
        'def handler(event, context): return {"statusCode": 202, "body": "hello"}',
        url_stream=Url(202, '{"statusCode": 202, "body": "hello"}'),
        url_buffered=Url(202, "hello"),
        rest_buffered=Url(202, "hello"),
        invoke=Invoked('{"statusCode": 202, "body": "hello"}'),
        stream=Streamed('{"statusCode": 202, "body": "hello"}'),
    ),
    Case(
        "a plain handler raises",
        'def handler(event, context): raise ValueError("plain")',
        **failing(error("ValueError", "plain")),
    ),
]
