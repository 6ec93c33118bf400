"""A function behind a REST API of the emulator, for tests."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import function_from_target
from penstock.emulator.quirks import Quirks
from penstock.emulator.rest_apis import RestApi, api_of_function
from tests.conftest import PREAMBLE, LocalFunction
from tests.tools import RawClient

# What AWS says with 500 and 502.
ERROR = b'{"message": "Internal server error"}'

STREAM = """
@streamify_response
def handler(event, context):
    yield Prelude(201, {"x-own": "header"}, ["a=1", "b=2"], {"x-list": ["1", "2"]})
    yield "one"
    pass_gate("1")
    yield "two"
"""


class Api(LocalFunction):
    """A function behind a REST API."""

    @property
    def host(self) -> str:
        return f"app.execute-api.localhost:{self.port}"

    def options(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        return {"headers": {"Host": self.host, **(headers or {})}, "timeout": 15}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", None)
        url = f"{self.url}{path}"
        return httpx.request(method, url, **self.options(headers), **options)

    def get(self, path: str = "/local/", **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def stream(self, path: str = "/local/") -> Any:
        return httpx.stream("GET", f"{self.url}{path}", **self.options())

    def raw(self, line: str = "GET /local/ HTTP/1.1") -> RawClient:
        client = RawClient(self.port)
        client.send(f"{line}\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
        return client


@contextmanager
def serving_apis(tmp_path: Path) -> Iterator[Any]:
    """Serve handlers behind REST APIs; `change` makes another API of the usual one.

    `functions` are more functions, by name, of handlers in the same source.
    """
    emulators: list[Emulator] = []

    def serve(
        source: str,
        mode: str = "STREAM",
        change: Any = None,
        functions: dict[str, str] | None = None,
        quirks: Quirks | None = None,
        **options: Any,
    ) -> Api:
        folder = tmp_path / f"api{len(emulators)}"
        folder.mkdir()
        (folder / "app.py").write_text(PREAMBLE + textwrap.dedent(source))
        environment = {"GATES": str(tmp_path / "gates")}
        function = function_from_target(
            f"{folder / 'app.py'}:handler", environment=environment, **options
        )
        api = api_of_function("app", mode)
        if change is not None:
            api = change(api)
        log: list[str] = []
        emulator = Emulator(
            function, host="127.0.0.1", write_log=log.append, rest_apis=[api], quirks=quirks
        )
        emulators.append(emulator)
        for name, handler in (functions or {}).items():
            target = f"{folder / 'app.py'}:{handler}"
            emulator.registry.put(
                function_from_target(target, name=name, environment=environment, **options)
            )
        return Api(emulator, log)

    try:
        yield serve
    finally:
        for emulator in emulators:
            emulator.stop()


def with_timeout(seconds: float) -> Any:
    """The same API, with another timeout of its integrations."""

    def change(api: RestApi) -> RestApi:
        methods = tuple(
            dataclasses.replace(
                method,
                integration=dataclasses.replace(
                    method.integration, timeout_in_millis=round(seconds * 1000)
                ),
            )
            for method in api.methods
        )
        return dataclasses.replace(api, methods=methods)

    return change
