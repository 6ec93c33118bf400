"""An exception as the platform wants to hear of it, with the handler's own frames only."""

from __future__ import annotations

import os
import textwrap

import pytest

from penstock import streamify_response
from penstock.errors import HandlerLoadError
from penstock.runtime.failure_report import FailureReport


def function_from(path, source):
    """The function `handler` of `source`, which seems to come from the file `path`."""
    names = {"streamify_response": streamify_response}
    exec(compile(textwrap.dedent(source), path, "exec"), names)
    return names["handler"]


def report_of(handler):
    """The report of what `handler` raises, without the frame of this function."""
    try:
        handler({}, None)
    except Exception as exc:
        return FailureReport(exc.with_traceback(exc.__traceback__.tb_next))
    raise AssertionError("the handler raised nothing")


FAILS = """
    def handler(event, context):
        look_up({})

    def look_up(table):
        return table["key"]
"""


def test_a_failure_is_its_type_its_message_and_its_frames():
    report = report_of(function_from("/var/task/app.py", FAILS))

    assert report.error_type == "KeyError"
    assert report.message == "'key'"
    assert report.stack_trace == [
        '  File "/var/task/app.py", line 3, in handler\n',
        '  File "/var/task/app.py", line 6, in look_up\n',
    ]


def test_the_frames_show_their_source_without_carets(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(textwrap.dedent(FAILS))

    report = report_of(function_from(str(path), FAILS))

    assert report.stack_trace == [
        f'  File "{path}", line 3, in handler\n    look_up({{}})\n',
        f'  File "{path}", line 6, in look_up\n    return table["key"]\n',
    ]


SHAPES = {
    "coroutine function": """
        @streamify_response
        async def handler(event, response_stream, context):
            raise ValueError("half-way")
    """,
    "plain function": """
        @streamify_response
        def handler(event, response_stream, context):
            raise ValueError("half-way")
    """,
    "generator function": """
        @streamify_response
        def handler(event, context):
            raise ValueError("half-way")
            yield
    """,
    "async generator function": """
        @streamify_response
        async def handler(event, context):
            raise ValueError("half-way")
            yield
    """,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_frames_of_penstock_and_asyncio_above_the_handler_are_left_out(shape):
    report = report_of(function_from("/var/task/app.py", SHAPES[shape]))

    assert report.stack_trace == ['  File "/var/task/app.py", line 4, in handler\n']


def test_frames_of_penstock_below_the_handler_stay():
    handler = function_from(
        "/var/task/app.py",
        """
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write(5)
        """,
    )

    first, *others = report_of(handler).stack_trace

    assert first == '  File "/var/task/app.py", line 4, in handler\n'
    assert all(f"{os.sep}penstock{os.sep}stream.py" in frame for frame in others)
    assert len(others) == 2


def test_a_handler_in_a_folder_that_is_called_asyncio_keeps_its_frames():
    report = report_of(function_from("/var/task/examples/asyncio/app.py", FAILS))

    assert len(report.stack_trace) == 2


def test_a_failure_that_was_never_raised_has_no_frames():
    report = FailureReport(ValueError("new"))

    assert (report.error_type, report.message) == ("ValueError", "new")
    assert report.stack_trace == []


def test_a_failure_to_load_has_the_type_and_the_stack_it_was_given():
    try:
        raise HandlerLoadError("Runtime.UserCodeSyntaxError", "no Python", ["  File ..."])
    except HandlerLoadError as exc:
        report = FailureReport(exc)

    assert report.error_type == "Runtime.UserCodeSyntaxError"
    assert report.message == "no Python"
    assert report.stack_trace == ["  File ..."]


def test_a_failure_to_load_may_have_no_stack():
    assert FailureReport(HandlerLoadError("Runtime.HandlerNotFound", "no")).stack_trace == []


def test_an_exception_that_cannot_be_put_into_words_is_reported_all_the_same():
    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    report = FailureReport(Unspeakable())

    assert report.error_type == "Unspeakable"


def test_the_body_is_what_the_platform_wants():
    report = report_of(function_from("/var/task/app.py", FAILS))

    assert report.body("8476a536") == {
        "errorMessage": "'key'",
        "errorType": "KeyError",
        "requestId": "8476a536",
        "stackTrace": [
            '  File "/var/task/app.py", line 3, in handler\n',
            '  File "/var/task/app.py", line 6, in look_up\n',
        ],
    }


def test_the_request_id_of_an_init_error_is_empty():
    assert FailureReport(ValueError()).body()["requestId"] == ""


def test_the_cause_for_x_ray_has_the_frames_one_by_one():
    report = report_of(function_from("/var/task/app.py", FAILS))

    assert report.xray_error_cause() == {
        "working_directory": os.getcwd(),
        "exceptions": [
            {
                "message": "'key'",
                "type": "KeyError",
                "stack": [
                    {"label": "handler", "path": "/var/task/app.py", "line": 3},
                    {"label": "look_up", "path": "/var/task/app.py", "line": 6},
                ],
            }
        ],
        "paths": ["/var/task/app.py"],
    }


def test_the_paths_for_x_ray_are_named_once_each():
    inner = function_from("/var/task/b.py", "def handler(event, context): 1 / 0")
    outer = function_from(
        "/var/task/a.py",
        """
        def handler(event, context):
            return other(event, context)
        """,
    )
    outer.__globals__["other"] = lambda event, context: inner(event, context)

    report = report_of(outer)

    assert report.xray_error_cause()["paths"] == sorted(
        {"/var/task/a.py", "/var/task/b.py", __file__}
    )


def test_an_error_of_the_handler_that_is_called_like_one_of_the_runtime_stays_its_own():
    report = FailureReport(type("Runtime.Odd", (Exception,), {})("m"))

    (exception,) = report.xray_error_cause()["exceptions"]
    assert exception["type"] == "Runtime.Odd"


def test_a_failure_of_the_runtime_is_a_validation_error_for_x_ray():
    report = FailureReport(HandlerLoadError("Runtime.MarshalError", "no JSON"))

    (exception,) = report.xray_error_cause()["exceptions"]
    assert exception == {"message": "no JSON", "type": "LambdaValidationError", "stack": []}
