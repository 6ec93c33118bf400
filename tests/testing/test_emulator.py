"""`penstock.testing.emulator`: a function behind real addresses, and nothing left of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from penstock import testing
from penstock.emulator.rest_apis import Integration, Method, RestApi, Stage
from penstock.errors import EmulatorError
from tests.conftest import PREAMBLE
from tests.tools import is_running, lambda_client, wait_for

SOURCE = """
@streamify_response
def stream(event, context):
    yield Prelude(201, {"content-type": "text/plain"})
    yield "one "
    if "gate" in event.get("rawPath", ""):
        pass_gate("two")
    yield "two"

@streamify_response
def waits_at_api(event, context):
    yield Prelude(201, {"content-type": "text/plain"})
    yield event["path"] + " "
    pass_gate("two")
    yield "two"

def proxy(event, context):
    return {"body": event["path"]}

def url(event, context):
    return {"body": event["rawPath"]}

def echo(event, context):
    return event

def variables(event, context):
    return {name: os.environ.get(name) for name in event}

def process(event, context):
    return os.getpid()

def fails(event, context):
    print("trying")
    raise ValueError("no more")

@streamify_response
def breaks(event, context):
    yield "half"
    raise ValueError("no more")

def says_nothing(event, context):
    raise ValueError

def waits(event, context):
    pass_gate("wait")

def sleeps(event, context):
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(PREAMBLE + textwrap.dedent(SOURCE))
    return tmp_path


def test_the_function_url_streams(folder, gate):
    variables = {"GATES": str(gate.folder)}
    with (
        testing.emulator("app.py:stream", folder=folder, environment=variables) as function,
        httpx.stream("GET", f"{function.function_url}/gate") as response,
    ):
        chunks = response.iter_text()

        assert response.status_code == 201
        assert next(chunks) == "one "
        gate.open("two")
        assert next(chunks) == "two"


def test_invoke_gives_the_answer(folder):
    with testing.emulator("app.py:echo", folder=folder) as function:
        answer = function.invoke({"name": "Ann"})

        assert answer.json() == {"name": "Ann"}
        assert answer.text == '{"name": "Ann"}'
        assert "START RequestId: " in answer.log
        assert function.invoke().json() == {}


def test_an_aws_client_invokes_it(folder):
    with testing.emulator("app.py:echo", folder=folder) as function:
        client = lambda_client(function.endpoint_url)

        answer = client.invoke(FunctionName=function.function_name, Payload=b"[1]")

        assert function.function_name == "app"
        assert answer["Payload"].read() == b"[1]"


def test_an_error_of_the_function_is_raised(folder):
    with testing.emulator("app.py:fails", folder=folder) as function:
        with pytest.raises(testing.FunctionError) as caught:
            function.invoke()

        assert str(caught.value) == "app failed: ValueError: no more"
        assert caught.value.error_type == "ValueError"
        assert caught.value.error_message == "no more"
        assert 'raise ValueError("no more")' in caught.value.stack_trace[-1]
        assert "trying\n" in caught.value.log
        assert "trying\n" in function.log


def test_an_error_without_a_message_is_told_by_its_type(folder):
    with (
        testing.emulator("app.py:says_nothing", folder=folder) as function,
        pytest.raises(testing.FunctionError, match=r"^app failed: ValueError$"),
    ):
        function.invoke()


def test_an_event_that_is_no_json_is_refused(folder):
    with testing.emulator("app.py:echo", folder=folder) as function:
        with pytest.raises(testing.InvokeError, match="cannot be written as JSON"):
            function.invoke({1, 2})

        assert function.environment_pids == []


def test_the_log_can_be_forgotten(folder):
    with testing.emulator("app.py:fails", folder=folder) as function:
        with pytest.raises(testing.FunctionError):
            function.invoke()
        wait_for(lambda: "REPORT" in function.log, "the end of the invocation's log")

        function.clear_log()

        assert function.log == ""


def test_the_events_can_be_forgotten(folder):
    with testing.emulator("app.py:echo", folder=folder) as function:
        function.invoke()
        wait_for(lambda: reports(function), "the end of the invocation's events")

        function.clear_events()

        assert function.events == []


def test_events_are_told_from_the_very_start_on(folder):
    with testing.emulator("app.py:echo", folder=folder, snap_start=True) as function:
        wait_for(lambda: function.events, "an event")
        assert function.events[0]["type"] == "platform.initStart"


def test_the_options_are_those_of_penstock_dev(folder):
    with testing.emulator(
        "app.py:variables",
        folder=folder,
        function="orders",
        environment={"TABLE": "t-1"},
        timeout=2,
    ) as function:
        assert function.function_name == "orders"
        assert function.invoke(["TABLE", "AWS_LAMBDA_FUNCTION_NAME"]).json() == {
            "TABLE": "t-1",
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
        }


def initialization_type(function):
    name = "AWS_LAMBDA_INITIALIZATION_TYPE"
    return function.invoke([name]).json()[name]


def answer_to_a_page(function):
    origin = {"Origin": "http://localhost:5173"}
    return httpx.get(function.function_url, headers=origin).status_code


def seconds_to_a_retry(function):
    # An event that the handler cannot take.
    lambda_client(function.endpoint_url).invoke(
        FunctionName="app", InvocationType="Event", Payload=b"1"
    )

    def retries():
        told = [each for each in function.events if each["type"] == "penstock.eventInvokeRetry"]
        return [each["record"]["seconds"] for each in told]

    wait_for(retries, "the retry")
    return retries()[0]


@pytest.mark.parametrize(
    ("options", "seen", "value"),
    [
        ({"snap_start": True}, initialization_type, "snap-start"),
        ({"allow_origin": ["http://localhost:5173"]}, answer_to_a_page, 200),
        ({"retry_delay": 600}, seconds_to_a_retry, 600),
    ],
)
def test_an_option_changes_what_it_does_for_penstock_dev(folder, options, seen, value):
    with testing.emulator("app.py:variables", folder=folder) as function:
        assert seen(function) != value
    with testing.emulator("app.py:variables", folder=folder, **options) as function:
        assert seen(function) == value


@pytest.mark.skipif(sys.platform != "linux", reason="ps tells of stopped processes on Linux")
def test_its_processes_are_frozen_if_that_is_asked_for(folder):
    with testing.emulator("app.py:process", folder=folder, freeze=True) as function:
        command = ["ps", "-o", "stat=", "-p", str(function.invoke().json())]
        wait_for(
            lambda: subprocess.run(command, capture_output=True).stdout.startswith(b"T"),
            "the process to be frozen",
        )


def test_the_timeout_is_the_functions(folder):
    with (
        testing.emulator("app.py:sleeps", folder=folder, timeout=0.2) as function,
        pytest.raises(testing.FunctionError, match=r"timed out after 0\.20 seconds"),
    ):
        function.invoke()


def test_no_more_environments_than_there_may_be(folder, gate):
    variables = {"GATES": str(gate.folder)}
    with testing.emulator(
        "app.py:waits", folder=folder, max_environments=1, environment=variables
    ) as function:
        client = lambda_client(function.endpoint_url)
        client.invoke(FunctionName="app", InvocationType="Event")
        wait_for(lambda: "START" in function.log, "the first invocation")

        with pytest.raises(testing.InvokeError, match="TooManyRequestsException: Rate Exceeded"):
            function.invoke()

        gate.open("wait")


def test_a_url_that_wants_signatures(folder):
    with testing.emulator(
        "app.py:echo", folder=folder, auth_type="AWS_IAM", credentials=["me:secret"]
    ) as function:
        url = f"{function.function_url}/"
        request = AWSRequest("GET", url)
        SigV4Auth(Credentials("me", "secret"), "lambda", function.region).add_auth(request)

        assert httpx.get(url).status_code == 403
        answer = httpx.get(url, headers=dict(request.headers))

        iam = answer.json()["requestContext"]["authorizer"]["iam"]
        assert iam["accessKey"] == "me"


@pytest.mark.parametrize(
    "options", [{"strict": True}, {"quirks": {"clean-end-after-failure": False}}]
)
def test_on_request_a_stream_that_failed_does_not_look_whole(folder, options):
    with testing.emulator("app.py:breaks", folder=folder) as function:
        assert httpx.get(function.function_url).text == "half"
    with (
        testing.emulator("app.py:breaks", folder=folder, **options) as function,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(function.function_url)


def test_what_lambda_does_is_told_in_events(folder):
    with testing.emulator("app.py:fails", folder=folder, retry_delay=0.01) as function:
        lambda_client(function.endpoint_url).invoke(FunctionName="app", InvocationType="Event")

        wait_for(lambda: reports(function) == ["error"] * 3, "three tries")
        told = [each for each in function.events if each["type"].startswith("platform.")]
        assert all(event["function"] == "app" for event in told)


def reports(function):
    return [
        event["record"]["status"] for event in function.events if event["type"] == "platform.report"
    ]


def test_an_environment_may_have_several_invocations_at_once(folder):
    with testing.emulator("app.py:variables", folder=folder, max_concurrency=8) as function:
        name = "AWS_LAMBDA_MAX_CONCURRENCY"
        assert function.invoke([name]).json() == {name: "8"}


def test_a_variable_says_how_many_at_once_too(folder):
    name = "AWS_LAMBDA_MAX_CONCURRENCY"
    with testing.emulator("app.py:variables", folder=folder, environment={name: "8"}) as function:
        found = function.invoke([name, "AWS_LAMBDA_INITIALIZATION_TYPE"]).json()
    assert found == {name: "8", "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances"}


def test_buffered_is_buffered(folder):
    with testing.emulator("app.py:echo", folder=folder, invoke_mode="BUFFERED") as function:
        assert httpx.get(f"{function.function_url}/here").json()["rawPath"] == "/here"


def test_a_module_is_found_from_the_folder(folder):
    (folder / "shop").mkdir()
    (folder / "shop/pages.py").write_text("def handler(event, context): return __name__")

    with testing.emulator("shop.pages:handler", folder=folder) as function:
        assert function.function_name == "pages"
        assert function.invoke().json() == "shop.pages"


def test_a_module_imports_from_the_folder_and_a_file_from_its_own(folder):
    (folder / "shop").mkdir()
    (folder / "shop/prices.py").write_text("")
    for target, name in (
        ("shop.pages:handler", "shop.prices"),
        ("shop/pages.py:handler", "prices"),
    ):
        (folder / "shop/pages.py").write_text(
            f"import {name} as prices\ndef handler(event, context): return prices.__name__"
        )
        with testing.emulator(target, folder=folder) as function:
            assert function.invoke().json() == name


def test_the_folder_is_the_working_directory_unless_it_is_said(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with testing.emulator("app.py:echo") as of_file, testing.emulator("app:echo") as of_module:
        assert of_file.invoke(1).json() == of_module.invoke(1).json() == 1


def test_a_rest_api_streams_at_an_address_that_every_client_knows(folder, gate):
    variables = {"GATES": str(gate.folder)}
    with testing.emulator(
        "app.py:waits_at_api", folder=folder, environment=variables, rest_api="STREAM"
    ) as function:
        host, _, rest = function.rest_api_url.removeprefix("http://").partition(":")
        assert (host, rest.partition("/")[2]) == ("127.0.0.1", "local")
        with httpx.stream("GET", f"{function.rest_api_url}/a") as response:
            chunks = response.iter_text()
            assert response.status_code == 201
            assert next(chunks) == "/a "
            gate.open("two")
            assert next(chunks) == "two"
        assert function.function_url not in function.rest_api_url


def test_a_buffered_rest_api(folder):
    with testing.emulator("app.py:proxy", folder=folder, rest_api="BUFFERED") as function:
        assert httpx.get(f"{function.rest_api_url}/a").text == "/a"
        assert function.rest_api_urls == {"app": function.rest_api_url}


def test_rest_apis_and_functions_of_ones_own(folder):
    pets = Method("GET", "/pets/{id}", Integration("AWS_PROXY", "pets"))
    api = RestApi("shop", (pets,), stages=(Stage("live"), Stage("test")))
    with testing.emulator(
        "app.py:echo", folder=folder, rest_apis=[api], functions={"pets": "app.py:proxy"}
    ) as function:
        assert function.rest_api_url == function.rest_api_urls["shop"]
        assert httpx.get(f"{function.rest_api_url}/pets/7").text == "/pets/7"
        assert httpx.get(f"{function.rest_api_url}/pets").status_code == 403


def test_more_functions_have_function_urls_and_may_be_behind_a_rest_api(folder):
    more = Integration("HTTP_PROXY", "http://more.lambda-url.localhost/a", "STREAM")
    api = RestApi("shop", (Method("GET", "/more", more),))
    with testing.emulator(
        "app.py:echo", folder=folder, rest_apis=[api], functions={"more": "app.py:url"}
    ) as function:
        port = httpx.URL(function.function_url).port
        host = {"host": f"more.lambda-url.localhost:{port}"}
        assert httpx.get(f"{function.function_url}/b", headers=host).text == '{"body": "/b"}'
        assert httpx.get(f"{function.rest_api_url}/more").text == '{"body": "/a"}'


def test_without_a_rest_api_there_is_no_address(folder):
    with (
        testing.emulator("app.py:echo", folder=folder) as function,
        pytest.raises(EmulatorError, match=r'app has no REST API; .* rest_api="STREAM"'),
    ):
        _ = function.rest_api_url


def test_several_serve_at_once(folder):
    with (
        testing.emulator("app.py:process", folder=folder) as one,
        testing.emulator("app.py:process", folder=folder) as two,
    ):
        assert one.function_url != two.function_url
        assert one.invoke().json() != two.invoke().json()


def is_refused(url):
    try:
        socket.create_connection(("127.0.0.1", httpx.URL(url).port)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def test_the_processes_end_with_the_block(folder):
    with testing.emulator("app.py:process", folder=folder) as function:
        pid = function.invoke().json()
        assert function.environment_pids == [pid]
        assert is_running(pid)

    wait_for(lambda: not is_running(pid), "the end of the environment")
    wait_for(lambda: is_refused(function.endpoint_url), "the end of the last thread that listens")
    with pytest.raises(
        testing.InvokeError, match="the emulator of app has ended: invoke it within"
    ):
        function.invoke()


def test_the_processes_end_when_the_test_fails(folder):
    with (
        pytest.raises(ZeroDivisionError),
        testing.emulator("app.py:process", folder=folder) as function,
    ):
        pid = function.invoke().json()
        raise ZeroDivisionError

    wait_for(lambda: not is_running(pid), "the end of the environment")


def test_the_processes_end_in_the_middle_of_an_invocation(folder, gate):
    variables = {"GATES": str(gate.folder)}
    with testing.emulator("app.py:waits", folder=folder, environment=variables) as function:
        lambda_client(function.endpoint_url).invoke(FunctionName="app", InvocationType="Event")
        wait_for(lambda: "START" in function.log, "the invocation")
        (pid,) = function.environment_pids

    wait_for(lambda: not is_running(pid), "the end of the environment")


def test_the_package_loads_nothing_of_the_emulator():
    program = """
import sys
import penstock.testing.plugin
print(*sorted(name for name in sys.modules if name.startswith("penstock")))
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.split() == [
        "penstock",
        "penstock.errors",
        "penstock.testing",
        "penstock.testing.emulator",
        "penstock.testing.faults",
        "penstock.testing.plugin",
    ]


def test_every_public_name_of_testing_is_there():
    for name in testing.__all__:
        assert getattr(testing, name) is not None
    assert dir(testing) == sorted(testing.__all__)
    with pytest.raises(AttributeError, match=r"module 'penstock\.testing' has no attribute 'no'"):
        testing.no  # noqa: B018 - it fails
