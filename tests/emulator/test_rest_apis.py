"""REST APIs as values, and which method a path leads to."""

from __future__ import annotations

import pytest

from penstock.emulator.rest_apis import (
    Authorizer,
    Integration,
    Method,
    RestApi,
    Stage,
    api_of_function,
    function_of,
)
from penstock.errors import EmulatorError

API = api_of_function("app", "STREAM")
FUNCTION = Integration("AWS_PROXY", "app")


def api_with(*methods: str, **options) -> RestApi:
    """An API with these methods, as `GET /a`, all of which lead to the function."""
    pairs = [method.split() for method in methods]
    return RestApi("a", tuple(Method(*pair, FUNCTION) for pair in pairs), **options)


def http(path: str, parameters: dict[str, str]) -> Method:
    return Method("GET", path, Integration("HTTP_PROXY", "http://b", request_parameters=parameters))


def found(api: RestApi, method: str, path: str):
    chosen = api.find(method, path)
    if chosen is None:
        return None
    return f"{chosen[0].http_method} {chosen[0].resource_path}", chosen[1]


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("//", "/", {}),
        ("/a", "/{proxy+}", {"proxy": "a"}),
        ("/a/b%20c", "/{proxy+}", {"proxy": "a/b%20c"}),
        ("/a/", "/{proxy+}", {"proxy": "a"}),
        ("/a//b", "/{proxy+}", {"proxy": "a//b"}),
    ],
)
def test_every_path_of_a_functions_api_leads_to_it(path, resource, parameters):
    for method in ("GET", "POST", "QUERY"):
        assert found(API, method, path) == (f"ANY {resource}", parameters)


PETS = api_with(
    "ANY /{proxy+}",
    "GET /pets/{id}",
    "ANY /pets/{id}",
    "GET /pets/new",
    "GET /pets/{id}/toys/{toy}",
    "GET /files/{path+}",
)


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /pets/new", ("GET /pets/new", {})),
        ("GET /pets/7", ("GET /pets/{id}", {"id": "7"})),
        ("PUT /pets/7", ("ANY /pets/{id}", {"id": "7"})),
        ("GET /pets/7/", ("GET /pets/{id}", {"id": "7"})),
        ("GET /pets/a%2Fb/toys/c", ("GET /pets/{id}/toys/{toy}", {"id": "a%2Fb", "toy": "c"})),
        ("GET /pets/7/toys", ("ANY /{proxy+}", {"proxy": "pets/7/toys"})),
        ("GET /pets/new/toys/1", ("GET /pets/{id}/toys/{toy}", {"id": "new", "toy": "1"})),
        ("GET /files/a/b.txt", ("GET /files/{path+}", {"path": "a/b.txt"})),
        ("GET /files", ("ANY /{proxy+}", {"proxy": "files"})),
        ("GET /pets//toys/1", ("ANY /{proxy+}", {"proxy": "pets//toys/1"})),
        ("GET /", None),
    ],
)
def test_a_literal_goes_before_a_variable_and_that_before_a_greedy_one(request_line, expected):
    assert found(PETS, *request_line.split()) == expected


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
def test_a_resource_hides_those_that_are_less_specific_whatever_its_methods(method):
    assert found(PETS, method, "/pets/new") is None
    assert found(PETS, method, "/files/a") is None
    assert found(PETS, method, "/else") == ("ANY /{proxy+}", {"proxy": "else"})


def test_the_order_in_which_methods_are_written_does_not_matter():
    turned = RestApi("a", PETS.methods[::-1])
    for path in ("/pets/new", "/pets/7", "/files/a", "/b"):
        assert found(turned, "GET", path) == found(PETS, "GET", path)


def test_the_first_segment_is_the_stage():
    api = api_with("GET /", stages=(Stage("one"), Stage("two", {"a": "b"})))
    assert api.split("/one") == (Stage("one"), "/")
    assert api.split("/two/a/b") == (Stage("two", {"a": "b"}), "/a/b")
    assert api.split("/two/") == (Stage("two", {"a": "b"}), "/")
    for path in ("/", "/onetwo", "/three/a", "/ONE"):
        assert api.split(path) is None


@pytest.mark.parametrize(
    ("types", "media_type", "is_binary"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/png",), "image/jpeg", False),
        (("image/png",), None, False),
        (("image/*",), "image/jpeg", True),
        (("image/*",), "text/plain", False),
        (("*/*",), None, True),
    ],
)
def test_binary_media_types(types, media_type, is_binary):
    assert RestApi("a", (), binary_media_types=types).is_binary(media_type) is is_binary


@pytest.mark.parametrize(
    ("endpoint_type", "seconds"), [("REGIONAL", 300), ("PRIVATE", 300), ("EDGE", 30)]
)
def test_how_long_a_stream_may_be_silent_depends_on_the_endpoint(endpoint_type, seconds):
    assert api_with(endpoint_type=endpoint_type).idle_timeout == seconds


def test_a_function_gets_15_minutes_to_stream_and_29_seconds_otherwise():
    times = [api_of_function("a", mode).methods[0].integration.timeout for mode in MODES]
    assert times == [900, 29]


MODES = ("STREAM", "BUFFERED")
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:app"
URI = "arn:aws:apigateway:eu-west-1:lambda:path/{}/functions/{}/{}"


@pytest.mark.parametrize(
    ("uri", "function"),
    [
        ("app", ("app", None)),
        ("app:live", ("app", "live")),
        (ARN, ("app", None)),
        (f"{ARN}:7", ("app", "7")),
        (URI.format("2015-03-31", ARN, "invocations"), ("app", None)),
        (URI.format("2021-11-15", ARN, "response-streaming-invocations"), ("app", None)),
        ("app:${stageVariables.alias}", ("app", "live")),
        (
            URI.format("2015-03-31", f"{ARN}:${{stageVariables.alias}}", "invocations"),
            ("app", "live"),
        ),
    ],
)
def test_the_function_of_a_uri(uri, function):
    assert function_of(uri, Stage("s", {"alias": "live"})) == function


def test_a_uri_of_the_other_kind_of_invocation_is_refused_as_on_aws():
    whole = URI.format("2015-03-31", ARN, "invocations")
    streaming = URI.format("2021-11-15", ARN, "response-streaming-invocations")
    Integration("AWS_PROXY", whole, "BUFFERED")
    Integration("AWS_PROXY", streaming, "STREAM")
    with pytest.raises(EmulatorError, match="ends with /response-streaming-invocations, but"):
        Integration("AWS_PROXY", whole, "STREAM")
    with pytest.raises(EmulatorError, match="ends with /invocations, but"):
        Integration("AWS_PROXY", streaming, "BUFFERED")


REFUSED = {
    "no slash": (lambda: api_with("GET a"), "begins with a slash"),
    "greedy inside": (lambda: api_with("GET /{a+}/b"), "may be at the end only"),
    "one name twice": (lambda: api_with("GET /{a}/{a}"), "have one name"),
    "no method of HTTP": (lambda: api_with("FOO /a"), "not 'FOO'"),
    "small letters": (lambda: api_with("get /a"), "in capitals, not 'get'"),
    "half a variable": (lambda: api_with("GET /x{a}"), "no segment that API Gateway takes"),
    "one method twice": (lambda: api_with("GET /a", "GET /a"), "has GET /a twice"),
    "no stage": (lambda: api_with(stages=()), "has no stage"),
    "stage": (lambda: Stage("a/b"), "cannot be a stage's name"),
    "endpoint": (lambda: api_with(endpoint_type="EDGY"), "REGIONAL, EDGE, PRIVATE"),
    "id": (lambda: RestApi("a.b", ()), "cannot be an API's id"),
    "mode": (lambda: Integration("AWS_PROXY", "a", "RESPONSE_STREAM"), "STREAM or BUFFERED"),
    "type": (lambda: Integration("MOCK", "a"), "'MOCK' is not emulated"),
    "function": (lambda: Integration("AWS_PROXY", "a b"), "is no function's URI"),
    "address": (lambda: Integration("HTTP_PROXY", "example.org"), "is no address"),
    "16 minutes": (
        lambda: Integration("AWS_PROXY", "a", timeout_in_millis=960_000),
        "from 50 to 900000, not 960000",
    ),
    "parameter's name": (
        lambda: http("/", {"integration.request.body.a": "'x'"}),
        "integration.request.body.a: 'x' is none that AWS takes; write integration.request.path",
    ),
    "parameter's value": (
        lambda: http("/", {"integration.request.path.a": "b"}),
        "integration.request.path.a: b is none that AWS takes",
    ),
    "parameter of no path": (
        lambda: http("/{a}", {"integration.request.path.a": "method.request.path.b"}),
        "method.request.path.b is mapped, and the resource /{a} has no such .* it has a$",
    ),
    "sibling": (lambda: api_with("GET /a/{x}", "GET /a/{y}/b"), "where AWS takes one only"),
    "greedy sibling": (lambda: api_with("GET /{x}", "GET /{y+}"), "where AWS takes one only"),
    "greedy in the middle": (
        lambda: Method("GET", "/a/{b+}/c", FUNCTION),
        "may be at the end only",
    ),
    "integration": (lambda: Method("GET", "/", "app"), "an integration is made as Integration"),
    "stages": (lambda: api_with(stages=("live",)), r'stages are made as \(Stage\("live"\),\)'),
    "authorizer's type": (lambda: Authorizer("a", "JWT", "f"), "only TOKEN and REQUEST"),
    "token from two": (
        lambda: Authorizer("a", "TOKEN", "f", "method.request.header.a, method.request.header.b"),
        "is one header",
    ),
    "no identity": (lambda: Authorizer("a", "REQUEST", "f", ""), "needs an identity_source"),
    "ttl": (
        lambda: Authorizer("a", "REQUEST", "f", authorizer_result_ttl_in_seconds=3601),
        "from 0 to 3600",
    ),
    "expression": (
        lambda: Authorizer("a", "TOKEN", "f", identity_validation_expression="("),
        "no regular expression",
    ),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_is_refused_when_it_is_made(which):
    make, reason = REFUSED[which]
    with pytest.raises(EmulatorError, match=reason):
        make()


def test_without_a_cache_a_request_authorizer_needs_no_identity():
    authorizer = Authorizer("a", "REQUEST", "f", "", authorizer_result_ttl_in_seconds=0)
    assert authorizer.identity_sources == []
