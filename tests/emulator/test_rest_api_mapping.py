"""The request that an HTTP_PROXY integration makes for its backend."""

from __future__ import annotations

import pytest

from penstock.emulator.fronts.rest_api_call import RefusedError
from penstock.emulator.fronts.rest_api_mapping import backend_request
from penstock.emulator.rest_apis import Integration, Stage
from penstock.messages import Headers, Request

HEADERS = [
    ("Host", "api.execute-api.localhost"),
    ("user-agent", "test"),
    ("Connection", "keep-alive"),
    ("Expect", "100-continue"),
    ("Transfer-Encoding", "chunked"),
    ("X-Own", "1"),
    ("X-Own", "2"),
    ("X-Forwarded-For", "8.8.8.8"),
]


def ask(uri="http://back/{id}/x", *, query="", method="GET", parameters=None, more=(), **options):
    """What the backend is asked, and what the log says."""
    said: list[str] = []
    integration = Integration("HTTP_PROXY", uri, request_parameters=parameters or {}, **options)
    asked = backend_request(
        integration,
        Request(
            method=method,
            path="/local/pets/a%20b",
            root_path="/local",
            query=query,
            headers=Headers([*HEADERS, *more]),
            source_ip="127.0.0.1",
        ),
        stage=Stage("local", {"host": "other", "v": "2"}),
        path_parameters={"id": "a%20b", "proxy": "c/d%2Fe%25"},
        context={"stage": "local", "authorizer": {"principalId": "user"}},
        api_id="api",
        port=9000,
        trace_id="Root=1-2-3;Parent=4",
        say=said.append,
    )
    return *asked, said


PROXY = {"integration.request.path.proxy": "method.request.path.proxy"}


@pytest.mark.parametrize(
    ("uri", "parameters", "query", "url"),
    [
        ("http://back", {}, "", "http://back"),
        ("http://back/a", {}, "x=1&x=%2B+&y", "http://back/a?x=1&x=%2B%20&y="),
        ("http://back/a?b=c", {}, "x=1", "http://back/a?b=c&x=1"),
        ("http://back/{proxy}", PROXY, "", "http://back/c/d/e%25"),
        (
            "http://back/{id}",
            {"integration.request.path.id": "method.request.path.id"},
            "",
            "http://back/a%20b",
        ),
        (
            "http://back/{name}",
            {"integration.request.path.name": "method.request.querystring.x"},
            "x=1&x=2",
            "http://back/2?x=1&x=2",
        ),
        ("http://${stageVariables.host}/v${stageVariables.v}", {}, "", "http://other/v2"),
        (
            "http://back/",
            {"integration.request.querystring.who": "context.authorizer.principalId"},
            "",
            "http://back/?who=user",
        ),
        (
            "http://back/",
            {"integration.request.querystring.x": "'static'"},
            "x=1",
            "http://back/?x=static",
        ),
    ],
)
def test_the_address_of_the_backend(uri, parameters, query, url):
    _, found, _, said = ask(uri, parameters=parameters, query=query)
    assert (found, said) == (url, [])


def test_what_aws_fills_in_on_request_only_is_filled_in_and_said():
    _, url, _, said = ask("http://back/{id}")
    assert url == "http://back/a%20b"
    assert "AWS does so only with the request parameter integration.request.path.id" in said[0]


def test_headers_are_the_clients_but_for_those_of_the_connection():
    _, _, fields, _ = ask()
    assert fields == [
        ("User-Agent", "test"),
        ("X-Own", "1"),
        ("X-Own", "2"),
        ("X-Amzn-Trace-Id", "Root=1-2-3"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Port", "9000"),
        ("X-Forwarded-Proto", "http"),
        ("x-amzn-apigateway-api-id", "api"),
    ]


def test_headers_may_be_set_by_request_parameters():
    parameters = {
        "integration.request.header.x-own": "'one'",
        "integration.request.header.stage": "context.stage",
        "integration.request.header.variable": "stageVariables.v",
        "integration.request.header.copy": "method.request.header.User-Agent",
        "integration.request.header.none": "method.request.header.nothing",
    }
    _, _, fields, _ = ask(parameters=parameters)
    assert [field for field in fields if field[0].lower() == "x-own"] == [("x-own", "one")]
    assert {("stage", "local"), ("variable", "2"), ("copy", "test")} <= set(fields)
    assert "none" not in dict(fields)


def test_no_client_says_which_api_has_asked():
    _, _, fields, _ = ask(more=[("X-Amzn-ApiGateway-Api-Id", "other")])
    found = [value for name, value in fields if name.lower() == "x-amzn-apigateway-api-id"]
    assert found == ["api"]


def test_what_the_connection_header_names_is_for_api_gateway_alone():
    _, _, fields, _ = ask(more=[("Connection", "X-Hop, x-own"), ("X-Hop", "1")])
    assert not {"x-hop", "x-own"} & {name.lower() for name, _ in fields}


@pytest.mark.parametrize("name", ["Transfer-Encoding", "content-length", "Connection"])
def test_no_request_parameter_frames_the_request(name):
    _, _, fields, said = ask(
        "http://back/", parameters={f"integration.request.header.{name}": "'chunked'"}
    )
    assert name.lower() not in {each.lower() for each, _ in fields}
    assert len(said) == 1
    assert "is ignored: how a request is framed" in said[0]


@pytest.mark.parametrize("value", ["a%0D%0Ab: c", "%20a", "a%09", "a%00", "a%7F"])
def test_a_mapped_value_that_no_header_can_have_is_the_clients_fault(value):
    parameters = {"integration.request.header.a": "method.request.querystring.a"}
    with pytest.raises(RefusedError, match="no header may have control characters") as raised:
        ask(parameters=parameters, query=f"a={value}")
    assert raised.value.status == 400


@pytest.mark.parametrize(("own", "sent"), [("ANY", "PUT"), ("", "PUT"), ("POST", "POST")])
def test_the_method_is_the_clients_unless_the_integration_has_one(own, sent):
    assert ask(method="PUT", integration_http_method=own)[0] == sent
