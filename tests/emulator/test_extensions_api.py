"""The Extensions API and the doors to telemetry, spoken to by requests good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator.environments.extensions import Extension, Extensions, State
from penstock.emulator.environments.extensions_api import ExtensionsApi
from penstock.emulator.environments.telemetry_api import Subscription
from penstock.emulator.functions import Function
from penstock.emulator.http.http_server import HttpServer
from tests.tools import wait_for

FUNCTION = Function(name="app", handler="app.handler", folder=Path("/"), command=("true",))
EXTENSION = "/2020-01-01/extension"


class Client:
    """The API of an environment whose folder of extensions has one called `outside`."""

    def __init__(self, function: Function = FUNCTION) -> None:
        self.extensions = Extensions(["outside"])
        self.failed: list[tuple[str, State]] = []
        self.subscriptions: list[tuple[str, Subscription]] = []
        api = ExtensionsApi(
            function, self.extensions, on_failure=self._failed, subscribe=self._subscribe
        )
        self._server = HttpServer(api.handle)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._server.port}")

    def _failed(self, extension: Extension, state: State) -> None:
        self.failed.append((extension.name, state))

    def _subscribe(self, extension: Extension, subscription: Subscription) -> None:
        self.subscriptions.append((extension.name, subscription))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {f"Lambda-Extension-{key.replace('_', '-')}": headers[key] for key in headers}
        return self.client.request(method, path, headers=named, json=body)

    def register(self, name: str, *events: str) -> str:
        answer = self.call("POST", f"{EXTENSION}/register", {"events": events}, Name=name)
        assert answer.status_code == 200, answer.text
        return answer.headers["Lambda-Extension-Identifier"]

    def close(self) -> None:
        self.client.close()
        self._server.stop()


@pytest.fixture
def api() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def test_registering_tells_about_the_function(api):
    answer = api.call(
        "POST",
        f"{EXTENSION}/register",
        {"events": ["INVOKE", "SHUTDOWN"]},
        Name="outside",
        Accept_Feature="accountId",
    )
    assert answer.json() == {
        "functionName": "app",
        "functionVersion": "$LATEST",
        "handler": "app.handler",
        "accountId": "123456789012",
    }
    assert len(answer.headers["Lambda-Extension-Identifier"]) == 36
    assert api.extensions.wait_registered()


@pytest.mark.parametrize(
    ("headers", "body", "error_type"),
    [
        ({}, {"events": []}, "Extension.InvalidExtensionName"),
        ({"Name": "outside"}, [], "InvalidRequestFormat"),
        ({"Name": "outside"}, {"events": [1]}, "InvalidRequestFormat"),
        ({"Name": "outside"}, {"configurationKeys": ["a"]}, "InvalidRequestFormat"),
        ({"Name": "outside"}, {"events": ["LUNCH"]}, "Extension.InvalidEventType"),
        ({"Name": "inside"}, {"events": ["SHUTDOWN"]}, "Extension.InvalidEventType"),
    ],
)
def test_a_bad_registration_is_refused(api, headers, body, error_type):
    answer = api.call("POST", f"{EXTENSION}/register", body, **headers)
    assert (answer.status_code, answer.json()["errorType"]) == (403, error_type)


@pytest.fixture
def shared() -> Iterator[Client]:
    """The API of an environment that has several invocations at once."""
    client = Client(replace(FUNCTION, max_concurrency=2))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("name", "events", "message"),
    [
        ("outside", ["INVOKE"], "INVOKE: Invalid event type"),
        ("outside", ["SHUTDOWN", "INVOKE"], "INVOKE: Invalid event type"),
        ("inside", ["INVOKE"], "No events allowed for internal extensions"),
        ("inside", ["SHUTDOWN"], "No events allowed for internal extensions"),
    ],
)
def test_of_several_invocations_at_once_nobody_hears(shared, name, events, message):
    answer = shared.call("POST", f"{EXTENSION}/register", {"events": events}, Name=name)
    assert answer.status_code == 403
    assert answer.json() == {"errorMessage": message, "errorType": "Extension.InvalidEventType"}
    # With what is allowed it is taken then.
    shared.register("outside", "SHUTDOWN")
    shared.register("inside")


def test_nobody_registers_twice_or_too_many(api):
    api.register("outside")
    for _ in range(9):
        api.register(f"inside{_}")
    for name, error_type in [
        ("outside", "Extension.InvalidExtensionState"),
        ("inside3", "Extension.InvalidExtensionState"),
        ("one-more", "Extension.TooManyExtensions"),
    ]:
        answer = api.call("POST", f"{EXTENSION}/register", {"events": []}, Name=name)
        assert (answer.status_code, answer.json()["errorType"]) == (403, error_type)


@pytest.mark.parametrize(
    ("headers", "error_type"),
    [
        ({}, "Extension.MissingExtensionIdentifier"),
        ({"Identifier": "me"}, "Extension.InvalidExtensionIdentifier"),
        (
            {"Identifier": "8a1cbe9b-7a9c-4a6e-9d0b-0d5a4f6c1a11"},
            "Extension.UnknownExtensionIdentifier",
        ),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{EXTENSION}/event/next"),
        ("POST", f"{EXTENSION}/init/error"),
        ("POST", f"{EXTENSION}/exit/error"),
        ("PUT", "/2022-07-01/telemetry"),
        ("PUT", "/2020-08-15/logs"),
    ],
)
def test_everybody_says_who_they_are(api, method, path, headers, error_type):
    answer = api.call(method, path, {}, **headers)
    assert (answer.status_code, answer.json()["errorType"]) == (403, error_type)


def test_an_error_needs_a_type_and_is_passed_on(api):
    me = api.register("outside")
    answer = api.call("POST", f"{EXTENSION}/init/error", {}, Identifier=me)
    assert answer.json()["errorType"] == "Extension.MissingHeader"
    answer = api.call(
        "POST", f"{EXTENSION}/exit/error", {}, Identifier=me, Function_Error_Type="Extension.No"
    )
    assert (answer.status_code, answer.json()) == (202, {"status": "OK"})
    # It is told of after the answer.
    wait_for(lambda: api.failed == [("outside", State.EXIT_ERROR)], "the failure")
    answer = api.call("GET", f"{EXTENSION}/event/next", Identifier=me)
    assert answer.status_code == 403
    assert "State transition from ExitError to Ready failed" in answer.json()["errorMessage"]


GOOD = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "extension"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/here"},
    "buffering": {"maxItems": 2000, "maxBytes": 300000, "timeoutMs": 100},
}


def test_a_subscription(api):
    me = api.register("outside")
    answer = api.call("PUT", "/2022-07-01/telemetry", GOOD, Identifier=me)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert api.subscriptions == [
        (
            "outside",
            Subscription(
                types=("platform", "extension"),
                protocol="HTTP",
                host="127.0.0.1",
                port=4243,
                path="/here",
                max_items=2000,
                max_bytes=300000,
                timeout=0.1,
            ),
        )
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"types": []}, "types must be some of"),
        ({"types": ["weather"]}, "types must be some of"),
        ({"destination": None}, "destination must be an object"),
        ({"destination": {"protocol": "UDP", "port": 1}}, "protocol must be HTTP or TCP"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "port must be 1 to 65535"),
        ({"destination": {"protocol": "HTTP", "URI": "http://example.com"}}, "URI must lead to"),
        ({"destination": {"protocol": "HTTP", "URI": "http://localhost:x"}}, "URI is no address"),
        ({"destination": {"protocol": "HTTP", "URI": "http://["}}, "URI is no address"),
        (
            {"destination": {"protocol": "HTTP", "URI": "http://localhost:1/h\u00e9"}},
            "the path in URI must be percent-encoded",
        ),
        (
            {"destination": {"protocol": "HTTP", "URI": "http://localhost:1/a b"}},
            "the path in URI must be percent-encoded",
        ),
        ({"buffering": {"maxItems": 1}}, "maxItems must be 1000 to 10000, found 1"),
        ({"buffering": {"timeoutMs": 10**6}}, "timeoutMs must be 25 to 30000"),
    ],
)
def test_a_bad_subscription_is_refused(api, change, says):
    me = api.register("outside")
    answer = api.call("PUT", "/2022-07-01/telemetry", {**GOOD, **change}, Identifier=me)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "ValidationError")
    assert says in answer.json()["errorMessage"]
    assert not api.subscriptions
