"""API Gateway WebSocket APIs: connections, messages and ends as requests."""

from __future__ import annotations

import json

import pytest

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.websocket import WebSocket
from penstock.messages import Response
from penstock.testing.event_samples import EVENTS

from .http_events import changed

CONNECT, MESSAGE, CUSTOM, DISCONNECT = EVENTS["websocket"]


def with_route(route):
    return changed(CUSTOM, requestContext={**CUSTOM["requestContext"], "routeKey": route})


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (CONNECT, "/websocket/connect"),
        (MESSAGE, "/websocket/default"),
        (CUSTOM, "/websocket/sendMessage"),
        (DISCONNECT, "/websocket/disconnect"),
        (with_route("rooms/red room?"), "/websocket/rooms%2Fred%20room%3F"),
        (with_route("grüße"), "/websocket/gr%C3%BC%C3%9Fe"),
        (with_route("$$"), "/websocket/%24"),
        (with_route("%2e%2e"), "/websocket/%252e%252e"),
        (with_route("a\r\nb"), "/websocket/a%0D%0Ab"),
        (with_route("\ud83d"), "/websocket/%3F"),
    ],
)
def test_an_event_is_posted_below_one_path_by_its_route(event, path):
    request = WebSocket().request(event)

    assert (request.method, request.path) == ("POST", path)
    assert json.loads(request.body) == event
    assert request.headers.get("host") == "apigateway.amazonaws.com"


def test_the_path_can_be_chosen_and_what_is_below_it_is_said_to_be_taken():
    assert WebSocket("/chat/").request(CONNECT).path == "/chat/connect"
    assert WebSocket.has_paths_below


@pytest.mark.parametrize("route", ["", "$", ".", "..", "$..", "../sqs", "a/../../sqs", "a/."])
def test_a_route_that_would_leave_the_path_is_refused(route):
    with pytest.raises(EventError, match="routeKey of a WebSocket API's event is empty, or has"):
        WebSocket().request(with_route(route))


@pytest.mark.parametrize(
    "event",
    [
        changed(CONNECT, methodArn="arn:aws:execute-api:eu-west-1:1:w1/live/$connect"),
        changed(CONNECT, requestContext=None),
        changed(CONNECT, requestContext={**CONNECT["requestContext"], "eventType": "MESSAGED"}),
        changed(CONNECT, requestContext={**CONNECT["requestContext"], "eventType": ["CONNECT"]}),
        changed(CONNECT, requestContext={**CONNECT["requestContext"], "connectionId": None}),
        changed(CONNECT, requestContext={**CONNECT["requestContext"], "routeKey": 5}),
    ],
)
def test_authorizers_and_others_are_not_taken(event):
    assert not WebSocket().matches(event)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 429])
@pytest.mark.parametrize("event", EVENTS["websocket"])
def test_a_status_below_500_and_the_text_are_the_answer(event, status):
    response = Response(status, [("x-other", "1")], "sent: Zoë".encode())

    assert WebSocket().result(response, event) == {"statusCode": status, "body": "sent: Zoë"}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("event", EVENTS["websocket"])
def test_a_status_of_500_or_more_fails_the_invocation(event, status):
    with pytest.raises(DeliveryError) as caught:
        WebSocket().result(Response(status, [], b"secret"), event)

    assert str(caught.value) == f"the app answered POST /websocket with status {status}"


def test_a_body_that_is_no_text_cannot_be_sent():
    with pytest.raises(DeliveryError, match="no text in UTF-8"):
        WebSocket().result(Response(200, [], b"\xff\0"), MESSAGE)


def test_the_subprotocol_of_a_connection_is_passed_on():
    response = Response(200, [("sec-websocket-protocol", "chat.v2")])

    assert WebSocket().result(response, CONNECT) == {
        "statusCode": 200,
        "body": "",
        "headers": {"Sec-WebSocket-Protocol": "chat.v2"},
    }
    assert "headers" not in WebSocket().result(response, MESSAGE)


def test_a_connect_event_that_looks_like_a_request_is_no_rest_api_s():
    from penstock.event_sources.detect import all_sources, source_of

    event = changed(
        CONNECT, httpMethod="GET", multiValueHeaders={"Host": ["w1"]}, path="/", resource="/"
    )
    assert source_of(event, all_sources()).name == "websocket"


def test_not_every_path_can_be_one_of_its_routes():
    with pytest.raises(ValueError, match="the path of WebSocket is like '/websocket', not '/'"):
        WebSocket("/")
