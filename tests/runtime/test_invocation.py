"""One invocation, as the Runtime API hands it out and as the handler's context shows it."""

from __future__ import annotations

import pytest

from penstock.errors import MarshalError, RemoteProtocolError
from penstock.runtime.invocation import Invocation, LambdaContext
from penstock.wire.runtime_api import Response, ResponseReader

REQUEST_ID = "Lambda-Runtime-Aws-Request-Id: 8476a536"


def invocation_of(*lines, event=b"{}", request_id=REQUEST_ID):
    """What comes of an answer to `/next` with these header lines."""
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", request_id, *lines))
    response = ResponseReader().receive(
        head.encode() + b"Content-Length: %d\r\n\r\n" % len(event) + event
    )
    return Invocation.from_response(response)


def context_of(*lines, **more):
    return LambdaContext(invocation_of(*lines), **more)


def test_an_invocation_has_what_the_headers_say():
    invocation = invocation_of(
        "Lambda-Runtime-Deadline-Ms: 1789473345381",
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:1:function:f",
        "Lambda-Runtime-Trace-Id: Root=1-5759e988",
        'Lambda-Runtime-Client-Context: {"custom":{}}',
        'Lambda-Runtime-Cognito-Identity: {"cognitoIdentityId":"i"}',
        "Lambda-Runtime-Aws-Tenant-Id: blue",
        "Lambda-Runtime-Invocation-Id: attempt-2",
        "Content-Type: application/octet-stream",
        event=b"event",
    )

    assert invocation.request_id == "8476a536"
    assert invocation.event == b"event"
    assert invocation.content_type == "application/octet-stream"
    assert invocation.deadline_ms == 1789473345381
    assert invocation.function_arn == "arn:aws:lambda:us-east-1:1:function:f"
    assert invocation.trace_id == "Root=1-5759e988"
    assert invocation.client_context == '{"custom":{}}'
    assert invocation.cognito_identity == '{"cognitoIdentityId":"i"}'
    assert invocation.tenant_id == "blue"
    assert invocation.invocation_id == "attempt-2"


@pytest.mark.parametrize("line", ["X: y", "Lambda-Runtime-Aws-Request-Id:"])
def test_an_invocation_that_cannot_be_answered_is_refused(line):
    with pytest.raises(RemoteProtocolError, match="without Lambda-Runtime-Aws-Request-Id"):
        invocation_of(request_id=line)


@pytest.mark.parametrize("lines", [[], ["Lambda-Runtime-Invoked-Function-Arn:"]])
def test_a_function_without_an_arn_has_an_empty_one(lines):
    assert context_of(*lines).invoked_function_arn == ""


EMPTY = [
    "Lambda-Runtime-Trace-Id:",
    "Lambda-Runtime-Client-Context:",
    "Lambda-Runtime-Cognito-Identity: ",
    "Lambda-Runtime-Aws-Tenant-Id:",
    "Lambda-Runtime-Invocation-Id:",
]


@pytest.mark.parametrize("lines", [[], EMPTY], ids=["absent", "empty"])
def test_a_header_that_is_absent_or_empty_is_none(lines):
    invocation = invocation_of(*lines)

    assert invocation.trace_id is None
    assert invocation.client_context is None
    assert invocation.cognito_identity is None
    assert invocation.tenant_id is None
    assert invocation.invocation_id is None


def test_an_event_is_json_unless_the_headers_say_otherwise():
    assert invocation_of().content_type == "application/json"


@pytest.mark.parametrize("deadline", ["", "soon", "-5", "1.5"])
def test_a_deadline_that_is_no_number_is_0(deadline):
    assert invocation_of(f"Lambda-Runtime-Deadline-Ms: {deadline}").deadline_ms == 0


def test_the_context_has_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/orders")
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")

    context = context_of(
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:1:function:orders",
        "Lambda-Runtime-Aws-Tenant-Id: blue",
    )

    assert context.aws_request_id == "8476a536"
    assert context.log_group_name == "/aws/lambda/orders"
    assert context.log_stream_name == "2026/01/01/[$LATEST]0"
    assert context.function_name == "orders"
    assert context.memory_limit_in_mb == "512"
    assert context.function_version == "$LATEST"
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:1:function:orders"
    assert context.tenant_id == "blue"


def test_the_context_has_none_for_what_nobody_says(monkeypatch):
    for name in ("LOG_GROUP_NAME", "FUNCTION_NAME", "FUNCTION_MEMORY_SIZE"):
        monkeypatch.delenv(f"AWS_LAMBDA_{name}", raising=False)

    context = context_of()

    assert context.log_group_name is None
    assert context.function_name is None
    assert context.memory_limit_in_mb is None
    assert context.tenant_id is None
    assert context.client_context is None


def test_the_remaining_time_runs_down_to_0_by_the_clock():
    clock = [1789473342.381]
    context = context_of("Lambda-Runtime-Deadline-Ms: 1789473345381", now=lambda: clock[0])

    assert context.get_remaining_time_in_millis() == 3000
    clock[0] += 2.5
    assert context.get_remaining_time_in_millis() == 500
    clock[0] += 100
    assert context.get_remaining_time_in_millis() == 0


def test_the_remaining_time_is_0_without_a_deadline():
    assert context_of().get_remaining_time_in_millis() == 0


def test_the_client_context_has_what_the_mobile_sdks_send():
    context = context_of(
        'Lambda-Runtime-Client-Context: {"custom":{"a":"b"},"env":{"locale":"de"},'
        '"client":{"installation_id":"i","app_title":"t","app_version_name":"n",'
        '"app_version_code":"c","app_package_name":"p"},"services":{}}'
    )

    assert context.client_context.custom == {"a": "b"}
    assert context.client_context.env == {"locale": "de"}
    client = context.client_context.client
    assert client.installation_id == "i"
    assert client.app_title == "t"
    assert client.app_version_name == "n"
    assert client.app_version_code == "c"
    assert client.app_package_name == "p"


def test_what_the_client_context_does_not_say_is_none():
    context = context_of('Lambda-Runtime-Client-Context: {"client":{"app_title":"t"}}')

    assert context.client_context.custom is None
    assert context.client_context.env is None
    assert context.client_context.client.installation_id is None
    assert context_of("Lambda-Runtime-Client-Context: {}").client_context.client is None


@pytest.mark.parametrize("value", ["[]", "5", '"text"'])
def test_a_client_context_that_is_no_object_is_an_empty_one(value):
    assert context_of(f"Lambda-Runtime-Client-Context: {value}").client_context.custom is None


def test_null_as_client_context_and_identity_is_the_same_as_nothing():
    context = context_of(
        "Lambda-Runtime-Client-Context: null", "Lambda-Runtime-Cognito-Identity: null"
    )

    assert context.client_context is None
    assert context.identity.cognito_identity_id is None


def test_the_identity_has_what_cognito_says():
    identity = context_of(
        'Lambda-Runtime-Cognito-Identity: {"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'
    ).identity

    assert (identity.cognito_identity_id, identity.cognito_identity_pool_id) == ("i", "p")


def test_the_identity_of_nobody_is_none_in_both():
    identity = context_of().identity

    assert (identity.cognito_identity_id, identity.cognito_identity_pool_id) == (None, None)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Lambda-Runtime-Client-Context", "Client Context"),
        ("Lambda-Runtime-Cognito-Identity", "Cognito Identity"),
    ],
)
def test_what_is_no_json_is_an_error_with_the_name_of_aws(header, name):
    with pytest.raises(MarshalError) as caught:
        context_of(f"{header}: {{")

    assert caught.value.error_type == "Runtime.LambdaContextUnmarshalError"
    assert str(caught.value).startswith(f"Unable to parse {name} JSON: Expecting property name")


W3C = '{"custom":{},"w3c":{"traceparent":"00-1","tracestate":"a=b","baggage":"c=d","other":"e"}}'


def test_the_trace_context_is_taken_out_of_the_client_context():
    context = context_of(f"Lambda-Runtime-Client-Context: {W3C}")

    assert context.w3c() == {"traceparent": "00-1", "tracestate": "a=b", "baggage": "c=d"}
    assert not hasattr(context.client_context, "w3c")


@pytest.mark.parametrize("w3c", ['"text"', "null", "[]", '{"traceparent":5}'])
def test_a_trace_context_that_is_none_is_empty(w3c):
    assert context_of(f'Lambda-Runtime-Client-Context: {{"w3c":{w3c}}}').w3c() == {}


def test_the_trace_context_cannot_be_changed_by_the_handler():
    context = context_of(f"Lambda-Runtime-Client-Context: {W3C}")
    context.w3c().clear()

    assert context.w3c() != {}
    assert context_of().w3c() == {}


def test_the_context_holds_nothing_but_what_it_says():
    assert set(vars(context_of())) == {
        *("aws_request_id", "invoked_function_arn", "tenant_id", "client_context", "identity"),
        *("log_group_name", "log_stream_name", "function_name", "function_version"),
        *("memory_limit_in_mb", "_w3c_fields", "_epoch_deadline_time_in_ms"),
    }


def test_the_context_logs_what_it_is_given_as_it_is(capsys):
    context = context_of()
    context.log("no line end")
    context.log(5)

    assert capsys.readouterr().out == "no line end5"


def test_the_context_shows_everything(monkeypatch):
    for name in ("LOG_GROUP_NAME", "LOG_STREAM_NAME", "FUNCTION_MEMORY_SIZE", "FUNCTION_VERSION"):
        monkeypatch.delenv(f"AWS_LAMBDA_{name}", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")

    context = context_of(
        'Lambda-Runtime-Client-Context: {"client":{"app_title":"t"}}',
    )

    assert repr(context) == (
        "LambdaContext([aws_request_id=8476a536,log_group_name=None,log_stream_name=None,"
        "function_name=orders,memory_limit_in_mb=None,function_version=None,"
        "invoked_function_arn=,client_context=ClientContext([custom=None,env=None,"
        "client=Client([installation_id=None,app_title=t,app_version_name=None,"
        "app_version_code=None,app_package_name=None])]),"
        "identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None]),"
        "tenant_id=None])"
    )


ID = {"lambda-runtime-aws-request-id": "r1"}


@pytest.mark.parametrize("deadline", ["9" * 4500, "9" * 19, "soon", "-5", ""])
def test_a_deadline_that_is_none_leaves_no_time(deadline):
    invocation = Invocation.from_response(
        Response(200, {**ID, "lambda-runtime-deadline-ms": deadline}, keeps_alive=True)
    )

    assert invocation.deadline_ms == 0


@pytest.mark.parametrize("trace_id", ["Root=1\0", "Root=1\x7f", ""])
def test_a_trace_id_that_no_environment_can_hold_is_none(trace_id):
    invocation = Invocation.from_response(
        Response(200, {**ID, "lambda-runtime-trace-id": trace_id}, keeps_alive=True)
    )

    assert invocation.trace_id is None
