"""A handler that does not stream is served as by AWS's client: in front of the same Runtime
API, both clients send, log and print the same, and end the same.

Both run as processes. What ours does otherwise is in `OTHERWISE` and the tests around it,
with the reason; what is left out of every comparison is in `parity/comparing.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runtime.clients import Run
from tests.runtime.recorder import Headers
from tests.system.parity.comparing import assert_alike, both, sent
from tests.system.parity.failures import FAILURES
from tests.system.parity.records import RECORDS
from tests.system.parity.values import VALUES
from tests.tools import each_value_once

pytestmark = each_value_once

PYTHON_311 = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}
PYTHON_313 = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
JSON_LOG = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}


@pytest.mark.parametrize("variables", [PYTHON_311, PYTHON_313], ids=["escaped", "raw"])
def test_what_is_returned_is_sent_as_the_same_bytes(variables):
    aws, penstock = both("values.handler", list(VALUES), variables=variables)

    assert len(aws.posts) == len(VALUES)
    assert_alike(aws, penstock, list(VALUES))


@pytest.mark.parametrize("telemetry", [False, True], ids=["stdout", "frames"])
@pytest.mark.parametrize("variables", [PYTHON_311, PYTHON_313 | JSON_LOG], ids=["text", "json"])
def test_what_is_raised_is_reported_and_logged_alike(variables, telemetry):
    aws, penstock = both(
        "failures.handler", list(FAILURES), variables=variables, telemetry=telemetry
    )

    assert len(aws.posts) == len(FAILURES)
    assert_alike(aws, penstock, list(FAILURES))


LOGS = [
    *({"AWS_LAMBDA_LOG_LEVEL": level} for level in ("", "TRACE", "DEBUG", "INFO", "WARN")),
    *({"AWS_LAMBDA_LOG_LEVEL": level} for level in ("ERROR", "FATAL", "trace", "info", "odd")),
    {"AWS_LAMBDA_LOG_FORMAT": "odd"},
    JSON_LOG,
    {"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    JSON_LOG | {"AWS_LAMBDA_LOG_LEVEL": "FATAL"},
]


@pytest.mark.parametrize("telemetry", [False, True], ids=["stdout", "frames"])
@pytest.mark.parametrize("variables", LOGS, ids=lambda v: "-".join(v.values()) or "default")
def test_what_is_logged_and_printed_is_the_same(variables, telemetry):
    tenant = {"Lambda-Runtime-Aws-Tenant-Id": "blue"}
    events = [(json.dumps(name).encode(), tenant if name == "extra" else {}) for name in RECORDS]
    aws, penstock = both(
        "records.handler", events, variables=PYTHON_313 | variables, telemetry=telemetry
    )

    assert bool(aws.frames) == telemetry
    assert_alike(aws, penstock, list(RECORDS))


def client_context(text: str) -> Headers:
    return {"Lambda-Runtime-Client-Context": text}


EVENTS: dict[str, tuple[bytes, Headers]] = {
    "an object": (b'{"b": [1, 2.5, null, true, "gr\xc3\xb6\xc3\x9fe"], "a": {"a": 1, "a": 2}}', {}),
    "text": (b'"text"', {}),
    "null": (b"null", {}),
    "with a mark of its order of bytes": (b"\xef\xbb\xbf[1]", {}),
    "half of a character": (b'"\\ud83d"', {}),
    "big numbers": (b"[%d, 1e400, 1E5, -0, -0.0]" % 10**300, {}),
    "another type": (b"{}", {"Content-Type": "text/plain"}),
    "a type with a charset": (b"{}", {"Content-Type": "application/json; charset=utf-8"}),
    "nothing of another type": (b"", {"Content-Type": "application/octet-stream"}),
    "everything empty": (
        b"1",
        {
            "Lambda-Runtime-Invoked-Function-Arn": "",
            "Lambda-Runtime-Trace-Id": "",
            "Lambda-Runtime-Client-Context": "",
            "Lambda-Runtime-Cognito-Identity": "",
            "Lambda-Runtime-Aws-Tenant-Id": "",
            "Lambda-Runtime-Invocation-Id": "",
        },
    ),
    "traced again": (b"2", {}),
    "nothing there": (
        b"3",
        {"Lambda-Runtime-Invoked-Function-Arn": None, "Lambda-Runtime-Trace-Id": None},
    ),
    "everything there": (
        b"4",
        {
            **client_context(
                '{"custom":{"a":"b"},"env":{"e":1},"client":{"installation_id":"i","app_title":'
                '"t","app_version_name":"n","app_version_code":"c","app_package_name":"p","x":"y"}'
                ',"services":{},"w3c":{"traceparent":"00-1","tracestate":5,"baggage":"b","x":""}}'
            ),
            "Lambda-Runtime-Cognito-Identity": (
                '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p","other":"o"}'
            ),
            "Lambda-Runtime-Aws-Tenant-Id": "blue",
            "Lambda-Runtime-Invocation-Id": "attempt-1",
        },
    ),
    "an empty client context": (b"5", client_context("{}")),
    "an empty client": (b"6", client_context('{"client":{},"custom":null,"w3c":"none"}')),
    "null as both contexts": (
        b"7",
        {**client_context("null"), "Lambda-Runtime-Cognito-Identity": "null"},
    ),
    "a client context that is no JSON": (b"8", client_context("{")),
    "an identity that is no JSON": (b"9", {"Lambda-Runtime-Cognito-Identity": "cognito"}),
    "a failure with an invocation id": (
        b"10",
        {**client_context("no"), "Lambda-Runtime-Invocation-Id": "attempt-2"},
    ),
}


@pytest.mark.parametrize("telemetry", [False, True], ids=["stdout", "frames"])
def test_what_is_given_to_the_handler_is_the_same(telemetry):
    aws, penstock = both("events.handler", list(EVENTS.values()), telemetry=telemetry)

    assert len(aws.posts) == len(EVENTS)
    assert_alike(aws, penstock, list(EVENTS))


NO_JSON = {
    "nothing": b"",
    "a word": b"no",
    "half an object": b"{",
    "too much": b"{} {}",
    "an infinite number": b"[Infinity]",
    "no number": b"NaN",
    "too big a number": b"1" * 5000,
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "no text": b'"\xff"',
    "too deep": b"[" * 100_000,
}


def test_an_event_that_is_no_json_is_the_same_failure():
    """In other words than simplejson's, after the first ones."""
    aws, penstock = both("events.handler", [(event, {}) for event in NO_JSON.values()])

    for name, theirs, ours in zip(NO_JSON, aws.posts, penstock.posts, strict=True):
        their_failure, failure = json.loads(theirs.body), json.loads(ours.body)
        beginning = "Unable to unmarshal input: "
        for message in (their_failure.pop("errorMessage"), failure.pop("errorMessage")):
            assert message.startswith(beginning)
            assert len(message) > len(beginning)
        assert (name, ours.path, failure) == (name, theirs.path, their_failure)
    assert penstock.status == aws.status == 0


def test_a_response_that_is_nested_too_deeply_is_the_same_failure(tmp_path):
    write_handler(tmp_path, "x = []\n  for _ in range(100_000): x = [x]\n  return x")

    aws, penstock = both("app.handler", ["x"], folder=tmp_path)

    for run in (aws, penstock):
        # The words that follow are Python's.
        assert outcome(run).startswith(
            "error Runtime.MarshalError: Unable to marshal response: maximum recursion depth"
        )
        assert run.status == 0


STARTS = {
    "a module that is not there": ("", "nowhere.handler"),
    "a folder that is not there": ("", "no/where.handler"),
    "a name without a module": ("", "handler"),
    "an empty name": ("", ""),
    "an empty module": ("", ".handler"),
    "an empty function": ("", "app."),
    "a relative module": ("", "..app.handler"),
    "a builtin module": ("", "sys.handler"),
    "a function that is not there": ("x = 1", "app.handler"),
    "no python": ("def handler(:\n  pass", "app.handler"),
    "bad indentation": ("def handler():\npass", "app.handler"),
    "a null character": ("x = '\0'", "app.handler"),
    "an import that fails": ("import nowhere_to_be_found", "app.handler"),
    "a name that cannot be imported": ("from json import nowhere", "app.handler"),
    "an import error of its own": ("raise ImportError('mine', name='x')", "app.handler"),
    "an error": ("def f():\n    raise ValueError('größe €')\nf()", "app.handler"),
    "an error without end": ("def f():\n    f()\nf()", "app.handler"),
    "an error where the function is looked up": (
        "def __getattr__(name):\n    raise ValueError(name)",
        "app.handler",
    ),
    "sys.exit": ("import sys; sys.exit(3)", "app.handler"),
    "sys.exit with words": ("import sys; sys.exit('bye')", "app.handler"),
    "an interrupt": ("raise KeyboardInterrupt", "app.handler"),
    "what is no Exception": ("class B(BaseException): pass\nraise B('x')", "app.handler"),
    "the end of the process": ("import os; print('a line'); os._exit(7)", "app.handler"),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_start_that_fails_is_the_same_failure(start, tmp_path):
    source, handler = STARTS[start]
    (tmp_path / "app.py").write_text(source)

    aws, penstock = both(handler, [], folder=tmp_path)

    assert_alike(aws, penstock, [start])
    assert aws.status != 0


@pytest.mark.parametrize("telemetry", [False, True], ids=["stdout", "frames"])
@pytest.mark.parametrize("log", [{}, JSON_LOG, {"AWS_LAMBDA_LOG_LEVEL": "ERROR"}], ids=str)
def test_a_start_that_fails_is_logged_alike(log, telemetry, tmp_path):
    (tmp_path / "app.py").write_text("raise ValueError('größe €')")

    aws, penstock = both("app.handler", [], folder=tmp_path, variables=log, telemetry=telemetry)

    assert "ValueError" in aws.stdout + str(aws.frames)
    assert_alike(aws, penstock, ["an error"])


ENDS = {
    "sys.exit": "import sys; sys.exit(4)",
    "sys.exit with words": "raise SystemExit('words')",
    "an interrupt": "raise KeyboardInterrupt",
    "the end of the process": "import os; print('a line'); os._exit(9)",
    "a signal": "import os; os.kill(os.getpid(), 15)",
    "an exit with something to do": "import atexit; atexit.register(print, 'x'); raise SystemExit",
    "a signal that is handled": (
        "import os, signal; signal.signal(15, lambda *_: print('!')); os.kill(os.getpid(), 15)"
    ),
    "output that is closed": "import sys; sys.stdout.close()",
    "output that is none": "import sys; sys.stdout = None",
    "an error in a thread": (
        "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_is_ended_by_the_handler_ends_alike(end, tmp_path):
    write_handler(tmp_path, ENDS[end])

    aws, penstock = both("app.handler", ["x"], folder=tmp_path)

    assert_alike(aws, penstock, [end])


def write_handler(folder: Path, body: str) -> None:
    (folder / "app.py").write_text(
        f"def handler(event, context):\n  if event == 'exit': raise SystemExit\n  {body}\n"
    )


SNAPSHOTS = [
    "",
    "before fail",
    "before exit",
    "before more",
    "after fail",
    "after exit",
    "after more",
]


@pytest.mark.parametrize("telemetry", [False, True], ids=["stdout", "frames"])
@pytest.mark.parametrize("extra", SNAPSHOTS)
def test_a_snapshot_is_taken_between_the_same_hooks(extra, telemetry):
    snap_start = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", "EXTRA": extra}
    aws, penstock = both("hooks.handler", [1], variables=snap_start, telemetry=telemetry)

    assert_alike(aws, penstock, [extra])
    (restored,) = [r.connection for r in penstock.requests if r.action == "restore/next"] or [0]
    # What was open before the snapshot is dead after it.
    assert restored not in [r.connection for r in penstock.requests if r.action != "restore/next"]


@pytest.mark.parametrize("source", ["def handler(event): pass", "handler = 5"])
def test_a_function_that_cannot_be_called_shows_no_frame_of_the_runtime(source, tmp_path):
    """AWS's client shows the line of its own that calls the handler."""
    (tmp_path / "app.py").write_text(source)

    failures = [json.loads(run.posts[0].body) for run in both("app.handler", [], folder=tmp_path)]

    theirs, ours = ([*failure.pop("stackTrace")] for failure in failures)
    assert "awslambdaric/bootstrap.py" in theirs[0]
    assert (len(theirs), ours) == (1, [])
    assert failures[0] == failures[1]
    assert failures[0]["errorType"] == "TypeError"


def test_a_line_leaves_whole(tmp_path):
    """AWS's client lets out each piece of a line at once, so that those of threads mix."""
    write_handler(tmp_path, "import os; print('line'); print('half', end=''); os._exit(1)")

    aws, penstock = both("app.handler", ["x"], folder=tmp_path)

    assert (aws.stdout, penstock.stdout) == ("line\nhalf", "line\n")


def test_a_preview_of_aws_runtimes_is_announced_by_them_alone():
    preview = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.15"}
    aws, penstock = both("values.handler", ["nothing"], variables=preview)

    assert "This is a preview runtime version" in aws.stdout
    assert penstock.stdout == ""
    assert [sent(post) for post in penstock.posts] == [sent(post) for post in aws.posts]


@dataclass(frozen=True)
class Otherwise:
    """What the handler does, what AWS's client and ours make of it, and why ours is other."""

    body: str
    aws: str
    penstock: str
    why: str
    headers: Headers | None = None
    variables: dict[str, str] | None = None


TAKES_PART = "a failure of one invocation is reported, and the environment lives on"

OTHERWISE = {
    "what is no Exception is raised": Otherwise(
        "raise type('B', (BaseException,), {})('x')", "exit 1", "error B: x", TAKES_PART
    ),
    "a task is cancelled": Otherwise(
        "import asyncio; raise asyncio.CancelledError('x')",
        "exit 1",
        "error CancelledError: x",
        TAKES_PART,
    ),
    "an error has no words": Otherwise(
        "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
        "exit 1",
        "error Mute: (its message cannot be read: ZeroDivisionError)",
        TAKES_PART,
    ),
    "half of a character is returned": Otherwise(
        "return '\\ud83d'",
        "exit 1",
        r'response "\ud83d"',
        "it is escaped, as it is before Python 3.12",
        variables=PYTHON_313,
    ),
    "half of a character is raised": Otherwise(
        "raise ValueError('\\ud83d')", "exit 1", "error ValueError: \ud83d", TAKES_PART
    ),
    "a log record cannot be formatted": Otherwise(
        "import logging; logging.warning('%d', 'x'); return 1",
        "error TypeError: %d format: a real number is required, not str",
        "response 1",
        "logging says so on stderr, as it does everywhere",
    ),
    "an exception is logged where there is none": Otherwise(
        "import logging; logging.exception('x'); return 1",
        "error AttributeError: 'NoneType' object has no attribute '__name__'",
        "response 1",
        "the message is logged without it",
        variables=JSON_LOG,
    ),
    "a client context is no object": Otherwise(
        "return context.client_context.custom",
        "error AttributeError: 'list' object has no attribute 'get'",
        "response null",
        "a caller cannot make each invocation fail by what it sends there",
        headers=client_context("[]"),
    ),
    "a client is no object": Otherwise(
        "return context.client_context.client",
        "error AttributeError: 'int' object has no attribute 'get'",
        "response null",
        "a caller cannot make each invocation fail by what it sends there",
        headers=client_context('{"client":5}'),
    ),
    "an event has no content type": Otherwise(
        "return type(event).__name__",
        "dies",
        'response "int"',
        "JSON is what the Runtime API means by nothing",
        headers={"Content-Type": None},
    ),
    "an event has no deadline": Otherwise(
        "return context.get_remaining_time_in_millis()",
        "dies",
        "response 0",
        "some emulators have none",
        headers={"Lambda-Runtime-Deadline-Ms": "0"},
    ),
}


def outcome(run: Run) -> str:
    """What became of the first invocation."""
    if not run.posts:
        return f"exit {run.status}" if run.status >= 0 else "dies"
    post = run.posts[0]
    if post.action == "response":
        return f"response {post.body.decode()}"
    failure = json.loads(post.body)
    return f"error {failure['errorType']}: {failure['errorMessage']}"


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_is_done_otherwise_is_so_for_a_reason(case, tmp_path):
    otherwise = OTHERWISE[case]
    write_handler(tmp_path, otherwise.body)

    aws, penstock = both(
        "app.handler",
        [(b"0", otherwise.headers or {})],
        folder=tmp_path,
        variables=otherwise.variables,
    )

    assert otherwise.why
    assert (outcome(aws), outcome(penstock)) == (otherwise.aws, otherwise.penstock)
    assert penstock.status == 0
