"""The event that a REST API makes of a request."""

from __future__ import annotations

import base64

import pytest

from penstock.event_sources.rest_api import RestApi
from penstock.event_sources.rest_api_events import (
    authorizer_event,
    event_from_request,
    token_event,
)
from penstock.messages import Headers, Request


def event_of(is_binary=False, resource="/{proxy+}", parameters=None, **values):
    more = {key: values.pop(key) for key in ("stage_variables", "authorizer") if key in values}
    values = {"method": "GET", "path": "/local/a", "root_path": "/local", **values}
    headers = Headers(values.pop("headers", [("Host", "app.execute-api.localhost:9000")]))
    return event_from_request(
        Request(headers=headers, source_ip="127.0.0.1", **values),
        resource=resource,
        path_parameters={"proxy": "a"} if parameters is None else parameters,
        account_id="123456789012",
        domain_name="app.execute-api.localhost",
        deployment_id="d1",
        resource_id="r1",
        request_id="id",
        extended_request_id="extended=",
        trace_id="Root=1-2-3;Parent=4;Sampled=0",
        port=9000,
        at=1_789_473_342.381,
        is_binary=is_binary,
        **more,
    )


def test_every_key_is_there_and_no_other():
    ours = {
        "X-Amzn-Trace-Id": "Root=1-2-3",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Port": "9000",
        "X-Forwarded-Proto": "http",
    }
    host = "app.execute-api.localhost:9000"

    assert event_of() == {
        "resource": "/{proxy+}",
        "path": "/a",
        "httpMethod": "GET",
        "headers": {"Host": host, **ours},
        "multiValueHeaders": {"Host": [host], **{name: [value] for name, value in ours.items()}},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": "a"},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "app",
            "deploymentId": "d1",
            "domainName": "app.execute-api.localhost",
            "domainPrefix": "app",
            "extendedRequestId": "extended=",
            "httpMethod": "GET",
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": "127.0.0.1",
                "user": None,
                "userAgent": None,
                "userArn": None,
            },
            "path": "/local/a",
            "protocol": "HTTP/1.1",
            "requestId": "id",
            "requestTime": "15/Sep/2026:11:55:42 +0000",
            "requestTimeEpoch": 1_789_473_342_381,
            "resourceId": "r1",
            "resourcePath": "/{proxy+}",
            "stage": "local",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def test_the_query_is_decoded_and_the_last_value_is_the_single_one():
    event = event_of(query="a=1&a=2&plus=a%2Bb&blank=c+d&name=Zo%C3%AB&flag&empty=&&=x")

    assert event["multiValueQueryStringParameters"] == {
        "a": ["1", "2"],
        "plus": ["a+b"],
        "blank": ["c d"],
        "name": ["Zoë"],
        "flag": [""],
        "empty": [""],
        "": ["x"],
    }
    assert event["queryStringParameters"]["a"] == "2"


def test_headers_keep_their_spelling_and_every_value():
    event = event_of(
        headers=[
            ("X-Tag", "one"),
            ("x-tag", "two"),
            ("tEsT", "x"),
            ("authorization", "secret"),
            ("user-agent", "curl"),
            ("Connection", "close"),
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
        ]
    )

    given = {
        name: values
        for name, values in event["multiValueHeaders"].items()
        if not name.startswith(("X-Forwarded", "X-Amzn"))
    }
    assert given == {
        "X-Tag": ["one", "two"],
        "tEsT": ["x"],
        "Authorization": ["secret"],
        "User-Agent": ["curl"],
    }
    assert event["headers"]["X-Tag"] == "two"
    assert event["requestContext"]["identity"]["userAgent"] == "curl"


def test_nobody_can_forge_where_a_request_comes_from():
    forged = [
        (name, "forged")
        for name in ("x-forwarded-for", "X-FORWARDED-PROTO", "x-Forwarded-Port", "x-amzn-trace-id")
    ]

    event = event_of(headers=forged)

    assert event["multiValueHeaders"] == {
        "X-Amzn-Trace-Id": ["Root=1-2-3"],
        "X-Forwarded-For": ["127.0.0.1"],
        "X-Forwarded-Port": ["9000"],
        "X-Forwarded-Proto": ["http"],
    }


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/local", "/"),
        ("/local/", "/"),
        ("/local/a%20b/", "/a%20b/"),
        ("/local/a%2Fb", "/a%2Fb"),
        ("/local/local", "/local"),
    ],
)
def test_the_path_is_without_the_stage_and_as_it_was_sent(sent, path):
    event = event_of(path=sent)

    assert event["path"] == path
    assert event["requestContext"]["path"] == sent


def test_a_path_without_parameters_has_null_for_them():
    assert event_of(resource="/", parameters={})["pathParameters"] is None


@pytest.mark.parametrize(
    ("body", "is_binary", "expected"),
    [
        ("bödy".encode(), False, ("bödy", False)),
        (b"\xff\x00", True, (base64.b64encode(b"\xff\x00").decode(), True)),
        (b"\xff", False, ("\ufffd", False)),
        (b"", True, (None, False)),
    ],
)
def test_a_body_is_text_unless_its_type_is_binary(body, is_binary, expected):
    event = event_of(method="POST", body=body, is_binary=is_binary)

    assert (event["body"], event["isBase64Encoded"]) == expected


@pytest.mark.parametrize("path", ["/local", "/local/", "/local/a%20b/c"])
def test_the_event_source_reads_back_what_was_sent(path):
    event = event_of(
        method="POST",
        path=path,
        query="a=1&a=2",
        headers=[("Host", "app"), ("X-Tag", "1"), ("X-Tag", "2")],
        body=b"body",
    )
    source = RestApi()

    assert source.matches(event)
    request = source.request(event)
    assert (request.method, request.path, request.root_path) == ("POST", path, "/local")
    assert (request.query, request.body) == ("a=1&a=2", b"body")
    assert request.headers.get_all("x-tag") == ["1", "2"]
    assert request.source_ip == "127.0.0.1"


def test_stage_variables_are_in_the_event_if_there_are_any():
    assert event_of(stage_variables={"table": "t"})["stageVariables"] == {"table": "t"}
    assert event_of(stage_variables={})["stageVariables"] is None


def test_what_an_authorizer_has_said_is_in_the_context():
    said = {"principalId": "user", "integrationLatency": 12}
    assert event_of(authorizer=said)["requestContext"]["authorizer"] == said
    assert event_of(authorizer={})["requestContext"]["authorizer"] == {}
    assert "authorizer" not in event_of()["requestContext"]


def test_the_event_for_a_token_authorizer_has_three_keys():
    assert token_event("a", method_arn="arn") == {
        "type": "TOKEN",
        "methodArn": "arn",
        "authorizationToken": "a",
    }


def test_the_event_for_a_request_authorizer_is_the_functions_without_a_body():
    event = event_of(body=b"body", query="a=b")
    made = authorizer_event(event, method_arn="arn")
    assert made.pop("type") == "REQUEST"
    assert made.pop("methodArn") == "arn"
    assert made.pop("stageVariables") == {}
    assert made == {key: event[key] for key in made}
    assert set(event) - set(made) == {"body", "isBase64Encoded", "stageVariables"}
