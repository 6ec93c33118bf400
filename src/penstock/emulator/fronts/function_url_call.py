"""One request to a Function URL: what stands in every answer to it, and its lines in the log."""

from __future__ import annotations

import json
from collections.abc import Callable

from ...event_sources.function_url_events import UrlResponse, internal_server_error
from ..api_errors import platform_headers
from ..function_urls import FunctionUrl
from ..http.http_server import Exchange, HeaderList
from ..invocations import new_request_id, new_trace_id
from .answering import REFUSED_HERE, begin, respond
from .cors import allows_origin, is_preflight, preflight_headers, with_cors

# What the front door says itself. `content-length` was seen on AWS (cargo-lambda#862), the
# others are by report, and as API Gateway does it.
_REMAPPED = {"connection", "content-length", "date", "server", "www-authenticate"}
_DROPPED = {"transfer-encoding", "keep-alive", "upgrade", "x-amzn-requestid"}


class UrlCall:
    """A request to `url`; `exchange` carries it.

    A page of `trusted_origin` may read the answer whatever the `Cors` of the URL is.
    `write_line` takes lines for the log.
    """

    def __init__(
        self,
        exchange: Exchange,
        url: FunctionUrl,
        *,
        write_line: Callable[[str], object],
        trusted_origin: str | None = None,
    ) -> None:
        self.exchange = exchange
        self.url = url
        self.request_id = new_request_id()
        self.trace_id = new_trace_id()
        self._write_line = write_line
        self._trusted_origin = trusted_origin

    def say(self, line: str) -> None:
        """Explain what becomes of this request, in the log."""
        self._write_line(f"{self.request_id} (Function URL): {line}")

    def begin(self, response: UrlResponse, *more: tuple[str, str]) -> None:
        """Send the head of `response`, and `more` headers.

        Raises:
            ValueError: HTTP cannot carry it; nothing was sent.
            ClientGoneError: nobody is there to take it.
        """
        self._say_unheeded(response)
        fields = self._composed(_functions_own(response))
        begin(self.exchange, response.status, [*fields, *more])

    def answer(self, response: UrlResponse) -> None:
        """Send `response` as a whole, or a 502 if it cannot be sent."""
        if response.refusal:
            self.say(response.refusal)
        self._say_unheeded(response)
        fields = self._composed(_functions_own(response))
        try:
            respond(self.exchange, response.status, fields, response.body)
        except ValueError as exc:
            self.say(f"{REFUSED_HERE} {exc}")
            failed = internal_server_error()
            self.exchange.respond(failed.status, self._composed(failed.headers), failed.body)

    def _say_unheeded(self, response: UrlResponse) -> None:
        if response.unheeded:
            self.say(
                "not heeded in the answer, for a Function URL is not known to take it: "
                + "; ".join(response.unheeded)
            )

    def refuse(self, status: int, error_type: str, body: dict[str, str]) -> None:
        """Answer with an error of AWS's own, before the function is called."""
        fields = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error_type)]
        # On AWS an error of authorization has no trace id (awsdocs/aws-lambda-developer-guide#494).
        composed = self._composed(fields, is_traced=status != 403)
        self.exchange.respond(status, composed, json.dumps(body, separators=(",", ":")).encode())

    def answer_preflight(self) -> bool:
        """Answer what browsers ask first; False if this is no such request.

        AWS does it if the URL has a `Cors`, and does not look for a signature. What a
        trusted page may do needs no `Cors`.
        """
        asked, cors = self.exchange.headers, self.url.cors
        is_asking = is_preflight(self.exchange.method, asked)
        if not is_asking or (cors is None and self._trusted_origin is None):
            return False
        allowed = preflight_headers(cors, asked) if cors is not None else []
        if not allowed and self._trusted_origin is not None:
            allowed = [
                *_trusting(self._trusted_origin),
                ("Access-Control-Allow-Methods", asked.get("access-control-request-method") or "*"),
                (
                    "Access-Control-Allow-Headers",
                    asked.get("access-control-request-headers") or "*",
                ),
            ]
        elif not allowed:
            self.say(
                f"a page of {asked.get('origin')} asks for more than the URL's Cors allows, and "
                "AWS answers without a header of CORS, so that the browser refuses; see its "
                "AllowOrigins, AllowMethods and AllowHeaders"
            )
        content_type = ("Content-Type", "application/json")
        self.exchange.respond(200, [*self._platform_headers(), content_type, *allowed])
        return True

    def _composed(self, theirs: HeaderList, *, is_traced: bool = True) -> HeaderList:
        """The platform's headers, then the function's, then those of CORS."""
        fields = [*self._platform_headers(is_traced=is_traced), *theirs]
        origin, cors = self.exchange.headers.get("origin"), self.url.cors
        if cors is not None and origin is not None and allows_origin(cors, origin):
            own = [value for name, value in theirs if name.lower() == _ALLOW_ORIGIN]
            if own:
                self.say(
                    "the function sends Access-Control-Allow-Origin, and so does the URL for its "
                    "Cors: as on AWS the answer has both, which browsers refuse; leave one out"
                )
            is_buffered = self.url.invoke_mode == "BUFFERED"
            return with_cors(cors, origin, fields, merges=is_buffered)
        if self._trusted_origin is None or any(name.lower() == _ALLOW_ORIGIN for name, _ in theirs):
            return fields
        return [*fields, *_trusting(self._trusted_origin)]

    def _platform_headers(self, *, is_traced: bool = True) -> HeaderList:
        fields = platform_headers(self.request_id)
        return [*fields, ("X-Amzn-Trace-Id", self.trace_id)] if is_traced else fields


_ALLOW_ORIGIN = "access-control-allow-origin"


def _trusting(origin: str) -> HeaderList:
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


def _functions_own(response: UrlResponse) -> HeaderList:
    return [
        (f"x-amzn-remapped-{name}" if name in _REMAPPED else name, value)
        for name, value in response.headers
        if name not in _DROPPED
    ]
