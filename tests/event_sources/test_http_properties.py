"""Any request arrives as it was sent, any response leaves as it was meant, whatever the source.

Requests are made events as each service does it, and responses taken apart as it would.
"""

from __future__ import annotations

import copy
import json
from base64 import b64decode, b64encode
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from penstock.errors import EventError
from penstock.event_sources import lambda_edge
from penstock.event_sources.detect import all_sources, source_of
from penstock.event_sources.function_url_events import event_from_request, response_from_result
from penstock.messages import Headers, Request, Response
from tests.tools import repeated

from .http_events import (
    FUNCTION_URL,
    HTTP_API,
    HTTP_API_V1,
    LAMBDA_EDGE,
    LATTICE,
    LATTICE_V1,
    LOAD_BALANCER,
    LOAD_BALANCER_WITH_LISTS,
    REST_API,
    changed,
)

EVENTS = {
    "function_url": FUNCTION_URL,
    "http_api": HTTP_API,
    "http_api_v1": HTTP_API_V1,
    "rest_api": REST_API,
    "load_balancer": LOAD_BALANCER,
    "load_balancer, with lists": LOAD_BALANCER_WITH_LISTS,
    "vpc_lattice": LATTICE,
    "vpc_lattice_v1": LATTICE_V1,
    "lambda_edge": LAMBDA_EDGE,
}
SOURCES = all_sources()

bounded = settings(
    derandomize=True, deadline=None, max_examples=repeated(60, here=15), database=None
)

TOKENS = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~"
tokens = st.text(TOKENS, min_size=1, max_size=8)
# What stands in a field between its commas.
words = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=',;"'), max_size=12
).map(str.strip)
texts = st.text(st.characters(codec="utf-8"), max_size=8)


# Requests, and the events that the services make of them.

OF_THE_FRONT_DOOR = {
    *("connection", "content-length", "content-type", "cookie", "host", "transfer-encoding"),
    *("x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"),
}
names = tokens.filter(lambda name: name not in OF_THE_FRONT_DOOR)
cookies = st.lists(st.tuples(tokens, tokens).map("=".join), max_size=3)
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
content_types = st.sampled_from(["text/plain", "application/json", "image/png"])


@st.composite
def requests(draw):
    """A request as a client sends it."""
    segments = draw(st.lists(texts | st.sampled_from(["", ".", "..", "%2F", "a+b"]), max_size=4))
    pairs = draw(st.lists(st.tuples(texts, texts), max_size=4))
    fields = [
        ("host", "rooms.example.org"),
        ("content-type", draw(content_types)),
        *draw(st.lists(st.tuples(names, words.filter(bool)), max_size=4)),
        *(("cookie", cookie) for cookie in draw(cookies)),
    ]
    return Request(
        method=draw(methods),
        path="/" + "/".join(quote(segment, safe="!$&'()*+,;=:@") for segment in segments),
        query="&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs),
        headers=Headers(fields),
        body=draw(st.binary(max_size=20) | texts.map(str.encode)),
    )


def in_lists(pairs):
    """A map of every name to its values."""
    lists = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def decoded_pairs(query):
    return [
        (unquote_plus(name), unquote_plus(value))
        for name, _, value in (part.partition("=") for part in query.split("&") if part)
    ]


def raw_pairs(query):
    return [tuple(part.split("=", 1)) for part in query.split("&") if part]


def body_parts(request):
    """A body is text, if it is; else in base64."""
    try:
        return {"body": request.body.decode() or None, "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(request.body).decode(), "isBase64Encoded": True}


def joined(request, but=()):
    return {
        name: ",".join(values)
        for name, values in in_lists(request.headers).items()
        if name not in but
    }


def function_url_event(request):
    return event_from_request(
        request,
        request_id="1",
        domain_name="abc.lambda-url.eu-west-1.on.aws",
        port=443,
        trace_id="Root=1",
        at=0,
    )


def http_api_event(request):
    path = unquote(request.path)
    http = HTTP_API["requestContext"]["http"] | {"method": request.method, "path": path}
    return changed(
        HTTP_API,
        rawPath=path,
        rawQueryString=request.query,
        headers=joined(request, but=("cookie",)),
        cookies=request.headers.get_all("cookie") or ...,
        requestContext=HTTP_API["requestContext"] | {"http": http},
        **body_parts(request),
    )


def maps_event(event, request, path):
    fields = in_lists(request.headers)
    pairs = in_lists(decoded_pairs(request.query))
    return changed(
        event,
        path=path,
        httpMethod=request.method,
        headers={name: values[-1] for name, values in fields.items()},
        multiValueHeaders=fields,
        queryStringParameters={name: values[-1] for name, values in pairs.items()} or None,
        multiValueQueryStringParameters=pairs or None,
        **body_parts(request),
    )


def http_api_v1_event(request):
    return maps_event(HTTP_API_V1, request, unquote(request.path))


def rest_api_event(request):
    return maps_event(REST_API, request, request.path)


def load_balancer_event(request):
    assume(all(len(values) == 1 for values in in_lists(request.headers).values()))
    assume(all(len(values) == 1 for values in in_lists(raw_pairs(request.query)).values()))
    return changed(
        LOAD_BALANCER,
        path=request.path,
        httpMethod=request.method,
        headers=dict(request.headers),
        queryStringParameters=dict(raw_pairs(request.query)),
        **body_parts(request),
    )


def load_balancer_event_with_lists(request):
    return changed(
        LOAD_BALANCER_WITH_LISTS,
        path=request.path,
        httpMethod=request.method,
        multiValueHeaders=in_lists(request.headers),
        multiValueQueryStringParameters=in_lists(raw_pairs(request.query)),
        **body_parts(request),
    )


def lattice_event(request):
    return changed(
        LATTICE,
        path=f"{request.path}?{request.query}" if request.query else request.path,
        method=request.method,
        headers=in_lists(request.headers),
        queryStringParameters=in_lists(decoded_pairs(request.query)),
        **body_parts(request),
    )


def lattice_v1_event(request):
    body = body_parts(request)
    return {
        "raw_path": f"{request.path}?{request.query}" if request.query else request.path,
        "method": request.method,
        "headers": joined(request, but=("cookie",))
        | (
            {"cookie": "; ".join(request.headers.get_all("cookie"))}
            if "cookie" in request.headers
            else {}
        ),
        "query_string_parameters": dict(decoded_pairs(request.query)),
        "body": body["body"],
        "is_base64_encoded": body["isBase64Encoded"],
    }


def lambda_edge_event(request):
    event = copy.deepcopy(LAMBDA_EDGE)
    event["Records"][0]["cf"]["request"] |= {
        "method": request.method,
        "uri": request.path,
        "querystring": request.query,
        "headers": in_lists(
            (name.lower(), {"key": name, "value": value}) for name, value in request.headers
        ),
        "body": {
            "inputTruncated": False,
            "action": "read-only",
            "encoding": "base64",
            "data": b64encode(request.body).decode(),
        },
    }
    return event


MADE_BY = {
    "function_url": function_url_event,
    "http_api": http_api_event,
    "http_api_v1": http_api_v1_event,
    "rest_api": rest_api_event,
    "load_balancer": load_balancer_event,
    "load_balancer, with lists": load_balancer_event_with_lists,
    "vpc_lattice": lattice_event,
    "vpc_lattice_v1": lattice_v1_event,
    "lambda_edge": lambda_edge_event,
}


def seen(request):
    """What an app sees of a request: decoded, pairs of one name together, no commas between."""
    fields = in_lists((name.lower(), value) for name, value in request.headers)
    return {
        "method": request.method,
        "path": unquote(request.path),
        "query": in_lists(parse_qsl(request.query, keep_blank_values=True)),
        "headers": {
            name: ",".join(values)
            for name, values in fields.items()
            if name == "content-type" or name not in OF_THE_FRONT_DOOR
        },
        "cookie": "; ".join(fields.get("cookie", [])),
        "body": request.body,
    }


@pytest.mark.parametrize("which", MADE_BY)
def test_a_request_comes_out_of_the_event_as_it_was_sent(which):
    @bounded
    @given(requests())
    @example(Request(method="GET", path="//a//%2e%2e/%25/", query="a=&=b&a=%26%3D%2B%20"))
    def check(request):
        event = json.loads(json.dumps(MADE_BY[which](request)))
        source = source_of(event, SOURCES)
        found = source.request(event)

        assert source.name == which.partition(",")[0]
        assert seen(found) == seen(request)
        assert found.headers.get("content-length", "0") == str(len(request.body))

    check()


# Responses, and what the services make of the results.

responses = st.builds(
    lambda status, fields, cookies, body: Response(
        status, [*fields, *(("Set-Cookie", cookie) for cookie in cookies)], body
    ),
    st.integers(200, 599),
    st.lists(
        st.tuples(
            tokens.filter(lambda name: name != "set-cookie").flatmap(
                lambda name: st.sampled_from([name, name.title()])
            ),
            words,
        ),
        max_size=5,
    ),
    st.lists(words.filter(bool), max_size=4),
    st.binary(max_size=30) | texts.map(str.encode),
)


def sent_fields(result):
    """The fields that a load balancer, or Lattice, sends for maps of texts or of lists."""
    lists = result.get("multiValueHeaders")
    if lists is not None:
        return [(name, value) for name, values in lists.items() for value in values]
    return list(result["headers"].items())


def sent_response(name, result):
    """What the client gets of a result: status, fields, body."""
    if name == "function_url":
        response = response_from_result(json.dumps(result).encode())
        return response.status, response.headers, response.body
    if name == "lambda_edge":
        fields = [
            (field["key"], field["value"]) for each in result["headers"].values() for field in each
        ]
        body = result.get("body", "").encode()
        is_base64 = result.get("bodyEncoding") == "base64"
        return int(result["status"]), fields, b64decode(body) if is_base64 else body
    fields = sent_fields(result)
    if "multiValueHeaders" not in result:
        fields += [("set-cookie", cookie) for cookie in result.get("cookies", ())]
    body = result["body"]
    return (
        result["statusCode"],
        fields,
        b64decode(body) if result["isBase64Encoded"] else body.encode(),
    )


def meant(fields):
    """Fields with names in lower case, lists of values as one; and the cookies."""
    lists = in_lists((name.lower(), value) for name, value in fields)
    cookies = lists.pop("set-cookie", [])
    return {name: ", ".join(values) for name, values in lists.items()}, cookies


def is_cloudfronts(name, which):
    """Whether CloudFront takes a header of this name from no function."""
    kind = EVENTS[which]["Records"][0]["cf"]["config"]["eventType"]
    return (
        name in lambda_edge._DISALLOWED
        or name in lambda_edge._READ_ONLY[kind]
        or name.startswith(lambda_edge._DISALLOWED_PREFIXES)
    )


@pytest.mark.parametrize("which", EVENTS)
def test_a_response_comes_out_of_the_result_as_it_was_meant(which):
    source = source_of(EVENTS[which], SOURCES)

    @bounded
    @given(responses)
    @example(Response(200, [("Upgrade", "a"), ("x-edge-b", "c"), ("via", "d"), ("e", "f")], b""))
    def check(response):
        before = Response(response.status, list(response.headers), response.body)
        result = json.loads(json.dumps(source.result(response, EVENTS[which]), allow_nan=False))
        status, fields, body = sent_response(source.name, result)
        headers, cookies = meant(fields)
        wanted, wanted_cookies = meant(response.headers)
        if source.name == "function_url":
            # The service's own, where an app gives none.
            wanted.setdefault("content-type", "application/json")
        if source.name == "lambda_edge":
            wanted = {name: wanted[name] for name in wanted if not is_cloudfronts(name, which)}

        assert (status, body) == (response.status, response.body)
        assert (headers, cookies) == (wanted, wanted_cookies)
        assert (before.headers, before.body) == (response.headers, response.body)

    check()


# Events that something is wrong with.

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 10**9)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud83d", "\r\n", "/a\0", "%2e%2e", "//sqs", "2.0", "1.0", "/live", "="]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3)
    ),
    max_leaves=5,
)


def maps_in(value):
    """Every map in an event, with itself."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from maps_in(inside)


@st.composite
def spoilt(draw, event):
    """The event with some keys gone, of another value, or under another name."""
    event = copy.deepcopy(event)
    for _ in range(draw(st.integers(1, 3))):
        inside = draw(st.sampled_from([found for found in maps_in(event) if found] or [{"": 0}]))
        key = draw(st.sampled_from(sorted(inside)))
        value = inside.pop(key)
        how = draw(st.sampled_from(["gone", "changed", "renamed"]))
        if how == "changed":
            inside[key] = draw(anything)
        elif how == "renamed":
            inside[draw(st.text(max_size=8) | st.sampled_from(["version", "elb"]))] = value
    return event


def check_request(request):
    """A request is of the right types, and nothing in it can end a line."""
    assert request.path.startswith(request.root_path + "/") or request.path == request.root_path
    for text in (request.method, request.path, request.root_path, request.query):
        assert text.isascii()
        assert not text or text.isprintable()
        assert " " not in text
    for name, value in request.headers:
        assert name.isascii()
        assert name.isprintable()
        assert not {"\r", "\n", "\0"} & set(value)
    assert type(request.body) is bytes
    assert isinstance(request.source_ip, str)
    assert isinstance(request.protocol, str)


@pytest.mark.parametrize("which", EVENTS)
def test_a_spoilt_event_is_a_request_or_an_error_and_stays_as_it_is(which):
    @bounded
    @given(spoilt(EVENTS[which]))
    def check(event):
        before = copy.deepcopy(event)
        for source in SOURCES:
            if not source.matches(event) or source.is_internal:
                continue
            try:
                check_request(source.request(event))
            except EventError:
                pass
            json.dumps(source.result(Response(200, [("set-cookie", "a=1")], b"\xff"), event))
        assert repr(event) == repr(before)

    check()
