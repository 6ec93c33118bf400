"""The emulator: one port, functions behind it, and everything stopped at the end."""

from __future__ import annotations

import errno
import json
import re
import threading
from collections.abc import Callable, Collection
from types import TracebackType

from ..errors import EmulatorError
from . import limits
from .access import AccessRules
from .api_errors import refuse
from .deadlines import Deadlines
from .fronts import function_url
from .fronts.api_gateway import ApiGateway
from .function_urls import DOMAIN as _URL_DOMAIN
from .function_urls import FunctionUrl
from .functions import REGION_DEFAULT, Function
from .http_server import Exchange, HttpServer
from .invoke_api import InvokeApi
from .log import Log
from .quirks import Quirks
from .registry import Registry
from .reload import SourceWatcher
from .rest_apis import DOMAIN as _API_DOMAIN
from .rest_apis import RestApi

# The Lambda API: all its paths begin with the date of a version.
_AWS_API = re.compile(r"/20\d\d-\d\d-\d\d/")


class Emulator:
    """Lambda on this machine, serving `function` from construction until `stop`.

    The function has a Function URL, which is `function_url`, or a streaming one without
    authorization; it is at the emulator's own address, too. `registry` has this function,
    if there is one, and takes more.

    `port` 0 takes any free port; `port` then tells which. `host` is what to listen on
    ("localhost" is both loopback addresses); `origins` are web origins that may use it
    besides its own. `write_log` gets the log in pieces that end with a line end; without
    it the log goes to standard output. With `watch` a changed source ends the environments
    that run the old one. `rest_apis` lead to functions by their names.

    A context manager: it stops at the end of a `with` block.

    Raises:
        EmulatorError: the port is taken, or the host is none of this machine's.
    """

    def __init__(
        self,
        function: Function | None = None,
        *,
        function_url: FunctionUrl | None = None,
        port: int = 0,
        host: str = "localhost",
        origins: Collection[str] = (),
        write_log: Callable[[str], object] | None = None,
        watch: bool = False,
        rest_apis: Collection[RestApi] = (),
        quirks: Quirks | None = None,
    ) -> None:
        #: The function that it was made with.
        self.function = function
        self.rest_apis = tuple(rest_apis)
        self._access = AccessRules(hosts=[host], origins=origins)
        #: Which of AWS's oddities it shows.
        self.quirks = quirks or Quirks()
        self._log = Log(write_log)
        self._deadlines = Deadlines()
        self.registry = Registry(self._log, self._deadlines)
        self.function_url = function_url
        if function is not None:
            self.function_url = function_url or FunctionUrl(function.name)
            self.registry.put(function)
            self.registry.put_url(self.function_url)
        self._invoke_api = InvokeApi(
            self.registry,
            alone=function.name if function is not None else None,
            region=function.region if function is not None else REGION_DEFAULT,
        )
        self._api_gateway = ApiGateway(self.rest_apis, self.registry.find, self._log.line)
        self._stopped = threading.Event()
        try:
            self._server = HttpServer(
                self._handle,
                host=host,
                port=port,
                max_header_size=limits.CALLER_HEADERS,
                name="front",
            )
        except (OSError, OverflowError) as exc:
            self._deadlines.stop()
            reason = getattr(exc, "strerror", None) or exc
            advice = (
                "; try another --port (0 takes any free one)"
                if getattr(exc, "errno", None) == errno.EADDRINUSE
                else ""
            )
            raise EmulatorError(f"cannot listen on {host}:{port}: {reason}{advice}") from exc
        self.host = host
        self.port = self._server.port
        self._watcher = (
            SourceWatcher(function.folder, self._source_changed)
            if watch and function is not None
            else None
        )

    @property
    def url(self) -> str:
        """The endpoint for AWS clients, and the address of `function_url`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def environment_pids(self) -> list[int]:
        """The ids of the environments' processes."""
        return [pid for each in self.registry.environments for pid in each.pids]

    @property
    def is_busy(self) -> bool:
        """Whether an environment is starting or at work."""
        return any(each.is_busy for each in self.registry.environments)

    def stop(self) -> None:
        """End every environment and close every connection; may be repeated."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.stop()
        self.registry.stop()
        self._server.stop()
        self._deadlines.stop()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _handle(self, exchange: Exchange) -> None:
        refusal = self._access.refusal(exchange.headers)
        if refusal is not None:
            self._log.line(f"refused {exchange.method} {exchange.path}: {refusal}")
            exchange.respond(
                403, [("Content-Type", "text/plain; charset=utf-8")], f"{refusal}\n".encode()
            )
            return
        if exchange.method == "CONNECT":
            exchange.respond(405, [("Content-Type", "text/plain")], b"This is no proxy.\n")
            return
        host = (exchange.headers.get("host") or "").rpartition(":")[0] or (
            exchange.headers.get("host") or ""
        )
        host = host.lower()
        if host.endswith(_URL_DOMAIN):
            self._to_function_url(exchange, self.registry.find_url(host.removesuffix(_URL_DOMAIN)))
        elif host.endswith(_API_DOMAIN):
            api_id = host.removesuffix(_API_DOMAIN)
            self._api_gateway.handle(exchange, api_id, port=self.port)
        elif exchange.path == "/_penstock/health":
            body = json.dumps({"status": "ok", "functions": self.registry.names})
            exchange.respond(200, [("Content-Type", "application/json")], body.encode())
        elif f"{exchange.path}/".startswith("/_penstock/"):
            exchange.respond(404, [("Content-Type", "text/plain")], b"There is nothing here.\n")
        elif self._invoke_api.is_invocation(exchange.path):
            self._invoke_api.handle(exchange)
        elif _AWS_API.match(exchange.path):
            message = f"{exchange.method} {exchange.path} is not emulated"
            refuse(exchange, 501, "NotImplementedException", {"Message": message})
        else:
            self._to_function_url(exchange, self.function_url)

    def _to_function_url(self, exchange: Exchange, url: FunctionUrl | None) -> None:
        environments = self.registry.find(url.function, url.qualifier) if url else None
        if url is not None and environments is not None:
            function_url.handle(
                exchange,
                environments,
                url,
                port=self.port,
                trusted_origin=self._access.trusted_origin(exchange.headers),
            )
            return
        # As AWS answers for a URL that does not exist.
        exchange.respond(
            403,
            [
                ("Content-Type", "application/json"),
                ("x-amzn-ErrorType", "AccessDeniedException"),
            ],
            b'{"Message":null}',
        )

    def _source_changed(self, paths: Collection[str]) -> None:
        first = sorted(paths)[0]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self._log.line(f"{first}{more} changed: the next call starts a new environment")
        if self.function is not None:
            self.registry.put(self.function)
