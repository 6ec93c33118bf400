"""`penstock dev` with what it knows of Function URLs, signatures and oddities."""

from __future__ import annotations

import re
import subprocess

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.system.test_dev import PENSTOCK, dev  # noqa: F401 - a fixture
from tests.tools import lambda_client, needs, wait_for

FAILS_EARLY = """
@streamify_response
def handler(event, context):
    raise ValueError("early")
    yield
"""
FAILS_LATE = """
@streamify_response
def handler(event, context):
    yield "partial"
    raise ValueError("late")
"""
EMPTY = """
@streamify_response
def handler(event, context):
    return
    yield
"""
HELLO = 'def handler(event, context): return "hello"\n'


def get_signed(url: str, key_id: str, secret: str, region: str = "us-east-1") -> httpx.Response:
    request = AWSRequest("GET", f"{url}/")
    SigV4Auth(Credentials(key_id, secret), "lambda", region).add_auth(request)
    return httpx.get(f"{url}/", headers=dict(request.headers.items()))


@pytest.fixture
def shell(monkeypatch):
    """Without the keys and the region of whoever runs the tests."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    return monkeypatch


def test_keys_are_those_of_the_options(shell, dev):  # noqa: F811
    shell.setenv("AWS_ACCESS_KEY_ID", "AKIDSHELL")
    shell.setenv("AWS_SECRET_ACCESS_KEY", "secret/shell")
    options = ("--credentials", "one:secret/1", "--credentials", "two:secret/2")
    running = dev(HELLO, "--auth-type", "AWS_IAM", *options)

    assert get_signed(running.url, "one", "secret/1").status_code == 200
    assert get_signed(running.url, "two", "secret/2").status_code == 200
    assert get_signed(running.url, "AKIDSHELL", "secret/shell").status_code == 403
    assert httpx.get(running.url).status_code == 403
    wait_for(lambda: running.text.count("AWS answers 403") == 2, "two lines in the log")
    assert "secret/" not in running.text


def test_else_they_are_those_of_the_shell(shell, dev):  # noqa: F811
    shell.setenv("AWS_ACCESS_KEY_ID", "AKIDSHELL")
    shell.setenv("AWS_SECRET_ACCESS_KEY", "secret/shell")
    shell.setenv("AWS_REGION", "eu-central-1")
    running = dev(HELLO, "--auth-type", "AWS_IAM")

    assert "--user ID:SECRET http://localhost" in running.text
    assert get_signed(running.url, "AKIDSHELL", "secret/shell", "eu-central-1").status_code == 200
    assert get_signed(running.url, "AKIDSHELL", "secret/shell").status_code == 403
    assert get_signed(running.url, "test", "test", "eu-central-1").status_code == 403


def test_else_they_are_test_and_test(shell, dev):  # noqa: F811
    running = dev(HELLO, "--auth-type", "AWS_IAM")

    assert get_signed(running.url, "test", "test").status_code == 200
    curl = "curl -N --aws-sigv4 aws:amz:us-east-1:lambda --user test:test http://"
    assert f"{curl}localhost:{running.port}/\n" in running.text
    assert f"{curl}app.lambda-url.localhost:{running.port}/ " in running.text
    assert "curl -N http://" not in running.text


def test_the_strict_way(dev):  # noqa: F811
    running = dev(FAILS_EARLY, "--strict")

    assert httpx.get(running.url).status_code == 502


def test_one_oddity_less_and_all_but_one(dev):  # noqa: F811
    less = dev(FAILS_EARLY, "--no-quirk", "error-is-200")
    assert httpx.get(less.url).status_code == 502

    strict_but_one = dev(FAILS_LATE, "--strict", "--quirk", "clean-end-after-failure")
    assert httpx.get(strict_but_one.url).text == "partial"
    events = lambda_client(strict_but_one.url).invoke_with_response_stream(
        FunctionName="app", Payload=b"{}"
    )["EventStream"]
    assert list(events)[-1]["InvokeComplete"]["ErrorCode"] == "ValueError"


def test_a_hanging_answer_does_not_keep_it_from_stopping(dev):  # noqa: F811
    running = dev(EMPTY, "--quirk", "empty-body-hang")
    with httpx.stream("GET", running.url, timeout=15) as answer:
        assert answer.status_code == 200
        wait_for(lambda: "the connection is left open" in running.text, "the line in the log")

        running.process.terminate()

        assert running.process.wait(10) == 0


def test_the_bandwidth_needs_no_rest_api(dev):  # noqa: F811
    running = dev(HELLO, "--bandwidth", "aws")

    assert httpx.get(running.url).text == '"hello"'


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--credentials", "SECRETVALUE"], "--credentials takes ID:SECRET"),
        (["--credentials", "a:SECRETVALUE", "--credentials", "a:b"], "two secrets for"),
        (["--quirk", "other"], "there is no quirk 'other'; there are clean-end-after-failure, "),
        (["--no-quirk", "other"], "there is no quirk 'other'"),
        (["--quirk", "dry-run-runs", "--no-quirk", "dry-run-runs"], "cannot be on and off"),
    ],
)
def test_a_bad_value_is_told_at_once(tmp_path, options, text, run_penstock):
    (tmp_path / "app.py").write_text(HELLO)

    done = run_penstock("dev", "app.py:handler", "--port", "0", *options)

    assert done.returncode == 1
    assert text in done.stderr
    assert "SECRETVALUE" not in done.stderr
    assert "Traceback" not in done.stderr


def test_it_tells_how_to_call_a_url_that_wants_signatures(shell, dev):  # noqa: F811
    running = dev(HELLO, "--auth-type", "AWS_IAM")

    found = re.search(r"curl (-N --aws-sigv4 \S+ --user test:test \S+)", running.text)
    assert found, running.text
    done = subprocess.run(
        [needs("curl"), "-q", "-sS", "--noproxy", "*", *found[1].split()],
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )

    assert done.stdout == '"hello"'
