"""The emulator: one port, functions behind it, and everything stopped at the end."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Callable, Collection
from types import TracebackType

from ..errors import EmulatorError
from . import limits
from .access import AccessRules
from .concurrency import ACCOUNT_CONCURRENCY
from .credentials import Credentials, credentials_from
from .deadlines import Deadlines
from .fault_values import NONE as NO_FAULTS
from .fault_values import Faults
from .faults import FaultInjector, without_faults
from .fronts.api_gateway import ApiGateway
from .fronts.cors import allows_origin, is_preflight
from .fronts.function_url import FunctionUrls, refuse_unknown
from .function_urls import DOMAIN as _URL_DOMAIN
from .function_urls import FunctionUrl
from .functions import Function, region_here
from .handler_check import problem_of
from .http.http_server import Exchange, HttpServer
from .invoke.event_invokes import EventInvokes
from .invoke.invoke_api import InvokeApi
from .invoke.invoke_oddities import Oddities
from .lambda_api.api import CODE_PATH, LambdaApi
from .lambda_api.settings import ApiSettings
from .log import Log
from .own_requests import OwnRequests
from .platform_events import Listener
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
    that run the old one. `rest_apis` lead to functions by their names. `retry_delay` is the
    wait before an asynchronous invocation is tried again, in seconds; AWS's is 60.
    Function URLs with AWS_IAM take what `credentials` have signed, by default the keys of
    this process. With `bandwidth` streams of Lambda are as slow as on AWS.
    All functions share `account_concurrency`. `listener` is told what happens from the very
    start on, as by `subscribe`.

    Functions come and go through the Lambda API as well; `api` says how they are kept and run.

    A context manager: it stops at the end of a `with` block.

    Raises:
        EmulatorError: the port is taken, the host is none of this machine's, or the folder
            cannot be used.
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
        credentials: Credentials | None = None,
        bandwidth: bool = False,
        retry_delay: float = 1.0,
        faults: Faults = NO_FAULTS,
        api: ApiSettings | None = None,
        account_concurrency: int = ACCOUNT_CONCURRENCY,
        listener: Listener | None = None,
    ) -> None:
        if not host:
            # To the sockets it would mean every address of this machine.
            raise EmulatorError(
                "the host to listen on is empty; write localhost for this machine only, or "
                "0.0.0.0 for everybody who reaches it"
            )
        #: The function that it was made with.
        self.function = function
        self.rest_apis = tuple(rest_apis)
        _check_ids([api.id for api in self.rest_apis])
        #: Their own ports, by their ids, if they have any: see `open_port`.
        self.rest_api_ports: dict[str, int] = {}
        self._access = AccessRules(hosts=[host], origins=origins)
        #: Which of AWS's oddities it shows.
        self.quirks = quirks or Quirks()
        self._log = Log(write_log)
        if listener is not None:
            self.subscribe(listener)
        #: What makes things go wrong on request.
        self.faults = FaultInjector(self._log.line, faults=faults)
        self._deadlines = Deadlines()
        self.registry = Registry(
            self._log, self._deadlines, account_concurrency=account_concurrency
        )
        self.function_url = function_url
        if function is not None:
            self.function_url = function_url or FunctionUrl(function.name)
            self.registry.put(function)
            self.registry.put_url(self.function_url)
        #: Runs asynchronous invocations.
        self.event_invokes = EventInvokes(
            self.registry,
            self._log,
            self._deadlines,
            retry_delay=retry_delay,
            failed_stream_succeeds=self.quirks.failed_stream_succeeds,
        )
        self._invoke_api = InvokeApi(
            self.registry,
            self.event_invokes,
            alone=function.name if function is not None else None,
            region=function.region if function is not None else region_here(),
            oddities=Oddities(self.quirks, self._log.line, is_slow=bandwidth),
        )
        self._function_urls = FunctionUrls(
            quirks=self.quirks,
            credentials=credentials or credentials_from((), os.environ),
            write_line=self._log.line,
            is_slow=bandwidth,
        )
        self._own_requests = OwnRequests()
        self._api_gateway = ApiGateway(
            self.rest_apis,
            self.registry.find,
            self._log.line,
            failed_stream_succeeds=self.quirks.failed_stream_succeeds,
            own_requests=self._own_requests,
            deadlines=self._deadlines,
        )
        self._stopped = threading.Event()
        self._api_servers: list[HttpServer] = []
        self.host = host
        self.port = port
        self._lambda_api = LambdaApi(
            self.registry,
            self._log.line,
            region=self.region,
            port=lambda: self.port,
            settings=api or ApiSettings(),
        )
        self.event_invokes.config_of = self._lambda_api.event_invoke_config
        try:
            self._lambda_api.start(function)
            self._server = self._listen(self._handle, port, name="front")
        except BaseException:
            self._lambda_api.stop()
            self.registry.stop()
            self._deadlines.stop()
            raise
        self.port = self._own_requests.port = self._server.port
        self._watcher = (
            SourceWatcher(
                function.folder,
                self._source_changed,
                any_runtime=function.execution_env is None,
                apart=api.state if api is not None else None,
            )
            if watch and function is not None
            else None
        )

    @property
    def region(self) -> str:
        """The AWS region that it is in."""
        return self.function.region if self.function is not None else region_here()

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

    def open_port(self, rest_api: str, port: int = 0) -> int:
        """Serve the REST API of this id at a port of its own as well, whatever the host.

        For clients that do not know names under `localhost`. 0 takes any free port; the
        result is the port.

        Raises:
            EmulatorError: there is no such API, or the port is taken.
        """
        if all(rest_api != api.id for api in self.rest_apis):
            known = ", ".join(api.id for api in self.rest_apis) or "none"
            raise EmulatorError(f"there is no REST API {rest_api!r}; there are: {known}")

        # A request may be there before the port is known here.
        is_open = threading.Event()

        def answer(exchange: Exchange) -> None:
            is_open.wait()
            self._api_gateway.handle(exchange, rest_api, port=server.port)

        server = self._listen(lambda exchange: self._admit(exchange, answer), port, name=rest_api)
        is_open.set()
        self._api_servers.append(server)
        self.rest_api_ports.setdefault(rest_api, server.port)
        return server.port

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with everything that happens from now on, in whatever thread it does.

        It should be quick. What is returned ends it.
        """
        return self._log.events.subscribe(listener)

    def stop(self) -> None:
        """End every environment and close every connection; may be repeated."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.stop()
        if running := sum(each.load for each in self.registry.environments):
            self._log.stopping(f"stopped with {running} invocation{'s' * (running > 1)} running")
        self.event_invokes.stop()
        self.registry.stop()
        self._server.stop()
        for server in self._api_servers:
            server.stop()
        self._api_gateway.stop()
        self.faults.stop()
        self._lambda_api.stop()
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

    def _listen(self, handle: Callable[[Exchange], None], port: int, *, name: str) -> HttpServer:
        try:
            return HttpServer(
                handle,
                host=self.host,
                port=port,
                max_header_size=limits.CALLER_HEADERS,
                name=name,
            )
        except OverflowError as exc:
            raise EmulatorError(
                f"a port is a number from 0 (any free one) to 65535, not {port}"
            ) from exc
        except OSError as exc:
            reason = exc.strerror or exc
            advice = (
                "; try another port (0 takes any free one)" if exc.errno == errno.EADDRINUSE else ""
            )
            raise EmulatorError(f"cannot listen on {self.host}:{port}: {reason}{advice}") from exc

    def _handle(self, exchange: Exchange) -> None:
        self._admit(exchange, self._answer)

    def _admit(self, exchange: Exchange, answer: Callable[[Exchange], None]) -> None:
        """Let `answer` have the request, if its client may use the emulator."""
        is_own = self._own_requests.accepts(exchange)
        refusal = None if is_own else self._access.refusal(exchange.headers)
        if refusal is not None and (url := self._open_url(exchange)) is not None:
            # The page reaches this URL and nothing else, whatever the path.
            refusal, answer = None, lambda exchange: self._to_function_url(exchange, url)
            exchange.headers = without_faults(exchange.headers)
        if refusal is not None:
            self._log.line(f"refused {exchange.method} {exchange.path}: {refusal}")
            exchange.respond(
                403, [("Content-Type", "text/plain; charset=utf-8")], f"{refusal}\n".encode()
            )
            return
        if exchange.method == "CONNECT":
            exchange.respond(405, [("Content-Type", "text/plain")], b"This is no proxy.\n")
            return
        self.faults.handle(exchange, answer)

    def _answer(self, exchange: Exchange) -> None:
        host = _host_of(exchange)
        if host.endswith(_URL_DOMAIN):
            self._to_function_url(exchange, self._url_at(host))
        elif host.endswith(_API_DOMAIN):
            api_id = host.removesuffix(_API_DOMAIN)
            self._api_gateway.handle(exchange, api_id, port=self.port)
        elif exchange.path == "/_penstock/health":
            body = json.dumps({"status": "ok", "functions": self.registry.names})
            exchange.respond(200, [("Content-Type", "application/json")], body.encode())
        elif exchange.path.startswith(CODE_PATH):
            self._lambda_api.send_code(exchange)
        elif f"{exchange.path}/".startswith("/_penstock/"):
            exchange.respond(404, [("Content-Type", "text/plain")], b"There is nothing here.\n")
        elif self._invoke_api.is_invocation(exchange.path):
            if not self._lambda_api.refuses_call(exchange):
                self._invoke_api.handle(exchange)
        elif _AWS_API.match(exchange.path):
            self._lambda_api.handle(exchange)
        else:
            self._to_function_url(exchange, self._url_at(host))

    def _url_at(self, host: str) -> FunctionUrl | None:
        """The Function URL at `host`, where there may be other things besides."""
        if host.endswith(_URL_DOMAIN):
            return self.registry.find_url(host.removesuffix(_URL_DOMAIN))
        if host.endswith(_API_DOMAIN) or self.function_url is None:
            return None
        # Its configuration may have changed since, or be gone.
        return self.registry.find_url(self.function_url.id)

    def _open_url(self, exchange: Exchange) -> FunctionUrl | None:
        """The Function URL whose `Cors` lets a page of another origin send this, if any.

        A preflight runs nothing, so the answer to it may be had from everywhere.
        """
        url = self._url_at(_host_of(exchange))
        if url is None or url.cors is None:
            return None
        cors, headers = url.cors, exchange.headers
        asks = is_preflight(exchange.method, headers)
        refusal = self._access.refusal(
            headers, opens_to=lambda origin: asks or allows_origin(cors, origin)
        )
        return url if refusal is None else None

    def _to_function_url(self, exchange: Exchange, url: FunctionUrl | None) -> None:
        environments = self.registry.find(url.function, url.qualifier) if url else None
        if url is not None and self._lambda_api.refuses_url(exchange, url):
            return
        if url is not None and environments is not None:
            self._function_urls.handle(
                exchange,
                environments,
                url,
                port=self.port,
                trusted_origin=self._access.trusted_origin(exchange.headers),
            )
            return
        known = [each.domain_name for each in self.registry.urls]
        self._log.line(refuse_unknown(exchange, _host_of(exchange), known, self.port))

    def _source_changed(self, paths: Collection[str]) -> None:
        first = sorted(paths)[0]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self._log.line(f"{first}{more} changed: the next call starts a new environment")
        # Its configuration may have changed since it came, or it may be gone.
        known = self.registry.find(self.function.name) if self.function is not None else None
        if known is not None and not self._stopped.is_set():
            self.registry.put(known.function)
            if problem := problem_of(known.function):
                self._log.line(problem)


def _check_ids(ids: list[str]) -> None:
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        raise EmulatorError(
            f"there are two REST APIs with the id {twice!r}, by which each has its host; give one "
            "of them another"
        )


def _host_of(exchange: Exchange) -> str:
    """The host that a request is for, without a port, in lower case."""
    host = exchange.headers.get("host") or ""
    return (host.rpartition(":")[0] or host).lower()
