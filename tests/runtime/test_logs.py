"""The function's log: failures, where it goes, and that it waits for `logging`."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from penstock.errors import HandlerLoadError
from penstock.runtime.failure_report import FailureReport
from penstock.runtime.logs import FunctionLog
from tests.runtime.programs import TIME, log_of


def report(error_type, message, stack_trace=()):
    return FailureReport(HandlerLoadError(error_type, message, list(stack_trace)))


STACK = [
    '  File "/var/task/app.py", line 4, in handler\n    look_up({})\n',
    '  File "/var/task/app.py", line 7, in look_up\n    return table["key"]\n',
]


def test_a_failure_is_one_line_held_together_by_carriage_returns(capsys):
    FunctionLog().error(report("KeyError", "'key'", STACK))

    assert capsys.readouterr().out == (
        "[ERROR] KeyError: 'key'\r"
        "Traceback (most recent call last):\r"
        '\xa0\xa0File "/var/task/app.py", line 4, in handler\r'
        "\xa0\xa0\xa0\xa0look_up({})\r"
        '\xa0\xa0File "/var/task/app.py", line 7, in look_up\r'
        '\xa0\xa0\xa0\xa0return table["key"]\n'
    )


@pytest.mark.parametrize(
    ("error_type", "message", "first"),
    [
        ("KeyError", "", "[ERROR] KeyError"),
        ("", "message", "[ERROR] message"),
        ("", "", "[ERROR]"),
    ],
)
def test_a_failure_says_what_it_knows(capsys, error_type, message, first):
    FunctionLog().error(report(error_type, message))

    assert capsys.readouterr().out == f"{first}\rTraceback (most recent call last):\n"


@pytest.mark.parametrize("log_format", ["JSON", "json"])
def test_a_failure_is_an_object_in_a_json_log(capsys, log_format):
    FunctionLog(log_format).error(report("KeyError", "'größe'", STACK), "8476a536")

    line = capsys.readouterr().out
    entry = json.loads(line)
    assert line.endswith("}\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.pop("timestamp"))
    assert entry == {
        "level": "ERROR",
        "errorMessage": "'größe'",
        "errorType": "KeyError",
        "requestId": "8476a536",
        "stackTrace": STACK,
    }


def test_the_format_and_the_level_come_from_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_LOG_FORMAT", "JSON")
    FunctionLog.from_environment().error(report("E", "m"))
    monkeypatch.delenv("AWS_LAMBDA_LOG_FORMAT")
    FunctionLog.from_environment().error(report("E", "m"))

    first, second = capsys.readouterr().out.splitlines(keepends=True)[:2]
    assert json.loads(first)["errorMessage"] == "m"
    assert second.startswith("[ERROR] E: m\r")


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
@pytest.mark.parametrize(
    "execution_environment", ["AWS_Lambda_python3.11", "AWS_Lambda_python3.13"]
)
def test_a_failure_with_half_of_a_character_is_logged(log_format, execution_environment):
    # As in the name of a file that is no UTF-8.
    text = log_of(
        """
        from penstock.runtime.failure_report import FailureReport
        log.error(FailureReport(FileNotFoundError("caf\\udce9.txt")))
        """,
        log_format=log_format,
        PYTHONIOENCODING="utf-8:strict",
        AWS_EXECUTION_ENV=execution_environment,
    )

    assert "FileNotFoundError" in text
    assert ".txt" in text


def test_the_log_is_set_up_once_however_it_is_imported():
    text = log_of(
        """
        import importlib, logging, logging.handlers
        importlib.import_module("logging")
        logging.warning("once")
        """
    )

    assert text.count("once") == 1


def test_the_log_is_set_up_when_logging_was_there_before():
    text = log_of("import logging; logging.warning('once')", log_format="JSON")
    before = log_of(
        """
        import logging
        second = FunctionLog("JSON")
        second.request_id = "second"
        logging.getLogger().handlers.clear()
        second.install()
        logging.warning("once")
        """
    )

    assert json.loads(text)["requestId"] == "8476a536"
    assert json.loads(before)["requestId"] == "second"


def test_the_log_is_set_up_also_when_somebody_has_only_looked_for_logging():
    text = log_of(
        """
        import importlib.util
        assert importlib.util.find_spec("logging") is not None
        import logging
        logging.warning("set up")
        """
    )

    assert text.startswith("[WARNING]\t")


def test_basic_config_adds_no_second_handler():
    text = log_of("import logging; logging.basicConfig(); logging.warning('once')")

    assert text.count("once") == 1


def test_logging_is_not_imported_by_the_log_itself():
    assert log_of("print('logging' in sys.modules)") == "False\n"


def test_lines_of_threads_do_not_mix():
    text = log_of(
        """
        import logging, sys, threading
        sys.setswitchinterval(1e-6)

        def speak(letter):
            for _ in range(500):
                print(letter * 100)
                logging.warning(letter * 100)

        threads = [threading.Thread(target=speak, args=(letter,)) for letter in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )

    lines = [line.rpartition("\t")[2] for line in text.splitlines()]
    assert len(lines) == 8000
    assert all(line == line[0] * 100 for line in lines)


FRAMED = """
    import os
    readable, writable = os.pipe()
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(writable)
    framed = FunctionLog.from_environment()
    framed.install()
    framed.request_id = "framed"
    print("_LAMBDA_TELEMETRY_LOG_FD" in os.environ)
"""


def test_messages_go_to_the_descriptor_that_lambda_gives():
    text = log_of(
        FRAMED
        + """
    from penstock.runtime.failure_report import FailureReport
    framed.error(FailureReport(ValueError("in lines")))
    import logging
    logging.getLogger().handlers = logging.getLogger().handlers[-1:]
    logging.error("logged")
    print("printed")
    frames = os.read(readable, 10_000)
    while frames:
        length = int.from_bytes(frames[4:8], "big")
        print(frames[:4].hex(), frames[16:16 + length])
        frames = frames[16 + length:]
    """,
        TZ="UTC",
    )

    out, printed, failure, record = text.splitlines()
    assert (out, printed) == ("False", "printed")
    assert (
        failure == r"a55a0017 b'[ERROR] ValueError: in lines\nTraceback (most recent call last):'"
    )
    assert re.fullmatch(rf"a55a0003 b'\[ERROR\]\\t{TIME}\\tframed\\tlogged\\n'", record)


def test_the_context_logs_to_the_descriptor_also_without_logging():
    text = log_of(
        FRAMED
        + """
    from penstock.runtime.invocation import Invocation, LambdaContext
    LambdaContext(Invocation("r", b"")).log("by the context")
    print(os.read(readable, 1000)[16:], "logging" in sys.modules)
    """
    )

    assert text.splitlines()[1] == "b'by the context' False"


@pytest.mark.parametrize("descriptor", ["soon", "999", "-1", "1" * 30])
def test_a_descriptor_that_is_none_is_said_and_standard_output_is_used(descriptor, capfd):
    program = f"""
import os
os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = {descriptor!r}
from penstock.runtime.failure_report import FailureReport
from penstock.runtime.logs import FunctionLog
FunctionLog.from_environment().error(FailureReport(ValueError("x")))
"""
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)

    output, errors = capfd.readouterr()
    assert output.startswith("[ERROR] ValueError: x\r")
    assert f"should name an open descriptor, found {descriptor!r}" in errors


@pytest.mark.parametrize("ending", ["sys.stdout.close()", "sys.stdout = None", "os.close(1)"])
def test_an_output_that_is_gone_does_no_harm(ending):
    assert (
        log_of(
            f"""
            import os
            from penstock.runtime.failure_report import FailureReport
            {ending}
            log.error(FailureReport(ValueError("x")))
            log.flush()
            os._exit(0)
            """
        )
        == ""
    )


def test_the_log_goes_where_standard_output_goes_at_that_moment():
    text = log_of(
        """
        import contextlib, io, logging
        with contextlib.redirect_stdout(io.StringIO()) as caught:
            logging.warning("caught")
        print("caught" in caught.getvalue())
        """
    )

    assert text == "True\n"


def test_lines_leave_when_they_are_printed():
    program = """
    import os
    print("one")
    os.write(1, b"two\\n")
    sys.stdout.write("three")
    log.flush()
    os.write(1, b" four\\n")
    """

    assert log_of(program) == "one\ntwo\nthree four\n"


def test_a_warning_of_the_runtime_is_a_record_of_its_own():
    text = log_of("log.warning('refused')")

    assert re.fullmatch(rf"\[WARNING\]\t{TIME}\t8476a536\trefused\n", text)
