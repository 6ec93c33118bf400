"""Function URLs with AWS_IAM: what real signers sign passes, all else gets AWS's 403."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from penstock.emulator.credentials import AccessKey, Credentials
from tests.tools import RawClient, each_value_in_one_test, needs

pytestmark = each_value_in_one_test

KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI")
TEMPORARY = AccessKey("ASIAEXAMPLE", "another/secret", "a+session/token==")
OPTIONS: dict[str, Any] = {"auth_type": "AWS_IAM", "credentials": Credentials((KEY, TEMPORARY))}

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)

ECHO = """
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.content_type = "application/octet-stream"
        response_stream.write(json.dumps(event))
"""


class Signed(httpx.Auth):
    """Has botocore sign what httpx sends."""

    requires_request_body = True

    def __init__(self, key: AccessKey = KEY, region: str = "us-east-1", presigned: bool = False):
        credentials = BotocoreCredentials(key.id, key.secret, key.token)
        kind = SigV4QueryAuth if presigned else SigV4Auth
        self._signer = kind(credentials, "lambda", region)

    def auth_flow(self, request):
        names = ("host", "content-type", "x-tag", "x-amz-content-sha256")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        signed = AWSRequest(request.method, str(request.url), headers, request.content)
        self._signer.add_auth(signed)
        request.headers.update(signed.headers.items())
        request.url = httpx.URL(signed.url)
        yield request


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
@pytest.mark.parametrize("key", [KEY, TEMPORARY], ids=["of a user", "temporary"])
@pytest.mark.parametrize("presigned", [False, True])
def test_what_botocore_has_signed_passes(serve, invoke_mode, key, presigned):
    function = serve(ECHO, invoke_mode=invoke_mode, **OPTIONS)

    answer = httpx.post(
        f"{function.url}/a%20b/c%2Fd?q=1&q=%C3%A9&empty=",
        # botocore presigns no bodies: it moves them into the query.
        content=b"" if presigned else b'{"to": "all"}',
        headers={"x-tag": "one   two"},
        auth=Signed(key, presigned=presigned),
    )

    assert answer.status_code == 200, answer.text
    event = answer.json()
    assert event["rawPath"] == "/a%20b/c%2Fd"
    caller = event["requestContext"]["authorizer"]["iam"]
    assert caller["accessKey"] == key.id


def test_the_event_tells_who_has_signed_key_for_key(serve):
    function = serve(ECHO, **OPTIONS)

    event = httpx.get(function.url, auth=Signed()).json()

    context = event["requestContext"]
    assert list(context) == [
        *("accountId", "apiId", "authorizer", "domainName", "domainPrefix", "http"),
        *("requestId", "routeKey", "stage", "time", "timeEpoch"),
    ]
    assert context["accountId"] == "123456789012"
    assert list(context["authorizer"]) == ["iam"]
    caller = context["authorizer"]["iam"]
    assert list(caller) == [
        *("accessKey", "accountId", "callerId", "cognitoIdentity", "principalOrgId"),
        *("userArn", "userId"),
    ]
    assert caller["accountId"] == "123456789012"
    assert caller["callerId"] == caller["userId"]
    assert caller["userArn"] == "arn:aws:iam::123456789012:user/penstock"
    assert caller["cognitoIdentity"] is caller["principalOrgId"] is None
    # The signature is not the function's business; the rest of it stays.
    assert "authorization" not in event["headers"]
    assert "x-amz-date" in event["headers"]


def test_temporary_keys_are_of_a_role(serve):
    function = serve(ECHO, **OPTIONS)

    event = httpx.get(function.url, auth=Signed(TEMPORARY)).json()

    arn = event["requestContext"]["authorizer"]["iam"]["userArn"]
    assert arn == "arn:aws:sts::123456789012:assumed-role/penstock/penstock"


def test_curls_own_signature_passes(serve):
    import subprocess

    function = serve(ECHO, **OPTIONS)
    sign = ["--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", f"{KEY.id}:{KEY.secret}"]
    url = f"http://app.lambda-url.localhost:{function.port}/path?a=1"

    done = subprocess.run(
        [needs("curl"), "-q", "-sS", "--noproxy", "*", *sign, "-d", "x=1", url],
        capture_output=True,
        timeout=15,
        check=True,
    )

    assert json.loads(done.stdout)["rawQueryString"] == "a=1"


def test_without_a_signature_aws_says_forbidden(serve):
    function = serve(ECHO, **OPTIONS)

    answer = httpx.get(function.url)

    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert answer.headers["content-type"] == "application/json"
    assert "x-amzn-trace-id" not in answer.headers
    assert answer.json() == {"Message": "Forbidden"}
    request_id = answer.headers["x-amzn-requestid"]
    line = function.wait_for_log("AWS answers 403")
    assert f"penstock: {request_id} (Function URL): AWS answers 403, for the URL is AWS_IAM" in line
    assert "START" not in function.log


def altered(send: str, url: str, *, presigned: bool) -> httpx.Response:
    """Send what was signed, but for one thing."""
    content = b"" if presigned else b"body"
    with httpx.Client() as client:
        request = client.build_request("POST", f"{url}/path?a=1", content=content)
        request = next(Signed(presigned=presigned).auth_flow(request))
        headers, method, target = request.headers, "POST", str(request.url)
        if send == "method":
            method = "PUT"
        elif send == "path":
            target = target.replace("/path", "/other")
        elif send == "query":
            target = target.replace("a=1", "a=2")
        elif send == "body":
            content = b"BODY"
            headers["content-length"] = "4"
        elif send == "header":
            headers["host"] = f"localhost:{request.url.port}"
        return client.request(method, target, content=content, headers=headers)


@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize("what", ["method", "path", "query", "body", "header"])
def test_what_was_altered_gets_the_text_of_aws(serve, what, presigned):
    function = serve(ECHO, **OPTIONS)

    answer = altered(what, function.url, presigned=presigned)

    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert answer.json() == {"message": MISMATCH}
    assert "START" not in function.log


@pytest.mark.parametrize(
    ("auth", "error_type", "message"),
    [
        (Signed(AccessKey(KEY.id, "wrong")), "InvalidSignatureException", MISMATCH),
        (
            Signed(AccessKey("AKIDOTHER", KEY.secret)),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            Signed(AccessKey(KEY.id, KEY.secret, "token")),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            Signed(region="eu-west-1"),
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-west-1'. ",
        ),
    ],
    ids=["secret", "key", "token", "region"],
)
def test_another_key_or_region_gets_the_text_of_aws(serve, auth, error_type, message):
    function = serve(ECHO, **OPTIONS)

    answer = httpx.get(function.url, auth=auth)

    assert (answer.status_code, answer.json()) == (403, {"message": message})
    assert answer.headers["x-amzn-errortype"] == error_type
    for secret in (KEY.secret, TEMPORARY.secret, TEMPORARY.token, "wrong"):
        assert secret not in function.log


def test_a_header_that_came_twice_is_signed_as_one_line(serve):
    """What a client sends in two lines, botocore signs joined by a comma."""
    function = serve(ECHO, **OPTIONS)
    request = AWSRequest("GET", f"{function.url}/")
    request.headers.add_header("X-Tag", "one")
    request.headers.add_header("X-Tag", " two   three ")
    SigV4Auth(BotocoreCredentials(KEY.id, KEY.secret), "lambda", "us-east-1").add_auth(request)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())

    with RawClient(function.port) as client:
        host = f"127.0.0.1:{function.port}"
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n".encode())
        assert client.read_until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"


def test_a_body_over_the_limit_is_413_before_its_signature_is_looked_at(serve):
    function = serve(ECHO, **OPTIONS)

    answer = httpx.post(function.url, content=b"x" * 6_291_557)

    assert answer.status_code == 413
    assert "is over the 6 MB that Lambda takes, and AWS answers 413" in function.log


def test_a_url_without_authorization_takes_signed_requests_as_others(serve):
    function = serve(ECHO)

    event = httpx.get(function.url, auth=Signed()).json()

    assert event["requestContext"]["accountId"] == "anonymous"
    assert "authorizer" not in event["requestContext"]
    assert event["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_what_a_page_asks_first_needs_no_signature(serve):
    from penstock.emulator.function_urls import Cors

    cors = Cors(allow_origins=("https://page.example",), allow_methods=("POST",))
    function = serve(ECHO, cors=cors, **OPTIONS)
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}

    answer = httpx.options(function.url, headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert httpx.post(function.url, headers={"Origin": "https://page.example"}).status_code == 403
