"""What may be meant by an error that is easy to make and hard to read."""

from __future__ import annotations

import re
import sys

_DECORATE = "to stream, decorate it: @streamify_response above the handler"

_INSTALL = (
    f"the function runs on the Python that runs penstock, {sys.executable}: install the module "
    "there, or serve a folder that `pip install --target` has filled"
)

_NO_HANDLER_MODULE = (
    "the module of the handler itself is not in the function's folder: is its name right?"
)

_ADAPT = "to serve a web app: handler = penstock.adapt(app)"

# Parts of the texts of Python and of AWS's clients.
_HINTS = (
    (r"Object of type (async_)?generator is not JSON", f"the handler is a generator; {_DECORATE}"),
    (r"Object of type coroutine is not JSON", f"the handler is an async def; {_DECORATE}"),
    (r"Unable to import module '([^'.]+)[^']*'.*No module named '\1'", _NO_HANDLER_MODULE),
    (r"Unable to import module .*No module named", _INSTALL),
    (r"Runtime\.MalformedHandlerName", "what the runtime is to load is --handler index.handler"),
    (
        r"missing 1 required positional argument: 'context'",
        f"the handler takes a response stream; {_DECORATE}",
    ),
    (r"missing 1 required positional argument: 'send'", f"this is an ASGI app; {_ADAPT}"),
    (
        r"'(wsgi\.\w+|REQUEST_METHOD|PATH_INFO)'|'LambdaContext' object is not callable",
        f"this is a WSGI app; {_ADAPT}",
    ),
    (
        r"'(LambdaContext|Context)' object has no attribute '(write|end|content_type)'",
        "the second argument of a handler is the stream, the third the context",
    ),
    (
        r"ResponseStream' object has no attribute '(status_code|statusCode|headers|cookies)'",
        "set status, headers and cookies with HttpResponseStream.from_(response_stream, {...})",
    ),
)


def hint_for(detail: str) -> str | None:
    """A sentence that may help with the error that `detail` tells of, or None."""
    for pattern, hint in _HINTS if detail else ():
        if re.search(pattern, detail):
            return hint
    return None
