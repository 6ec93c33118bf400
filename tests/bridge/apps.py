"""Small applications of both kinds, events for them, and a client that leaves."""

from __future__ import annotations

from penstock.buffered import BufferedResponder
from penstock.errors import StreamBrokenError
from penstock.event_sources.function_url_events import event_from_request
from penstock.messages import Headers, Request
from penstock.stream import current_responder


def event(method="GET", path="/", query="", headers=(), body=b""):
    """An event as the emulator's Function URL makes it."""
    return event_from_request(
        Request(method=method, path=path, query=query, headers=Headers(headers), body=body),
        request_id="r1",
        domain_name="abc.lambda-url.us-east-1.on.aws",
        port=443,
        trace_id="Root=1",
        at=0,
    )


def asgi(status=200, headers=((b"content-type", b"text/plain"),), body=(b"one", b"two")):
    async def app(scope, receive, send):
        app.scope = scope
        app.request = await receive()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    return app


def wsgi(status="200 OK", headers=(("Content-Type", "text/plain"),), body=(b"one", b"two")):
    def app(environ, start_response):
        app.environ = environ
        app.input = environ["wsgi.input"].read()
        start_response(status, list(headers))
        return iter(body)

    return app


KINDS = {"asgi": asgi, "wsgi": wsgi}


class LeavingClient(BufferedResponder):
    """Takes so many chunks of the body, and is gone."""

    def __init__(self, taken=0):
        super().__init__()
        self._left = taken

    def begin(self, content_type, chunks):
        prelude, *rest = chunks
        super().begin(content_type, [prelude])
        for chunk in rest:
            self.send(chunk)

    def send(self, data):
        if self.content_type is not None and self.metadata is not None:
            if self._left == 0:
                raise StreamBrokenError("the client is gone")
            self._left -= 1
        super().send(data)


def answered(handler, responder, context=None):
    """Let the handler answer to the responder; returns its body."""
    token = current_responder.set(responder)
    try:
        handler(event(), context)
    finally:
        current_responder.reset(token)
    return b"".join(responder.chunks)
