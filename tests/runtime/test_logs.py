"""The function's log, in the formats of AWS's own client.

What sets up `logging` for a whole process is tested in processes of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest

from penstock.errors import HandlerLoadError
from penstock.runtime.failure_report import FailureReport
from penstock.runtime.logs import FunctionLog


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


def log_of(program, *, log_format=None, log_level=None, **environment):
    """What `program` prints, with the log of the invocation "8476a536" installed."""
    before = f"""
import sys
from penstock.runtime.logs import FunctionLog
log = FunctionLog({log_format!r}, {log_level!r})
log.install()
log.request_id = "8476a536"
"""
    ended = subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(program)],
        env={name: os.environ.get(name, "") for name in ("PATH", "PYTHONPATH")} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


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


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_a_record_has_its_level_time_and_request():
    text = log_of(
        """
        import logging
        logging.getLogger("app").warning("low on %s", "größe")
        log.request_id = "next"
        logging.error("gone")
        """,
        PYTHONIOENCODING="utf-8",
    )

    first, second = text.splitlines()
    assert re.fullmatch(rf"\[WARNING\]\t{TIME}\t8476a536\tlow on größe", first)
    assert re.fullmatch(rf"\[ERROR\]\t{TIME}\tnext\tgone", second)


def test_the_time_is_utc_wherever_the_machine_is():
    text = log_of(
        """
        import logging, time
        hour = time.gmtime().tm_hour
        logging.warning("x")
        print(f"{hour:02}")
        """,
        TZ="Asia/Kathmandu",
    )

    line, hour = text.splitlines()
    logged = int(re.search(r"T(\d\d):", line)[1])
    assert (logged - int(hour)) % 24 in (0, 1)


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


def test_the_level_of_the_environment_is_the_level_of_the_log():
    text = log_of(
        """
        import logging
        FunctionLog.from_environment().install()
        print(logging.getLogger().level)
        """,
        AWS_LAMBDA_LOG_LEVEL="ERROR",
    )

    assert text == "40\n"


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        (None, "WE"),
        ("", "WE"),
        ("nonsense", "WE"),
        ("TRACE", "DIWE"),
        ("DEBUG", "DIWE"),
        ("info", "IWE"),
        ("WARNING", "WE"),
        ("ERROR", "E"),
        ("CRITICAL", ""),
    ],
)
def test_the_level_is_the_one_that_was_set(level, logged):
    text = log_of(
        """
        import logging
        for method in (logging.debug, logging.info, logging.warning, logging.error):
            method("m")
        """,
        log_level=level,
    )

    assert "".join(line[1] for line in text.splitlines()) == logged


def test_a_record_of_a_json_log_is_one_object_a_line():
    text = log_of(
        """
        import logging
        log.tenant_id = "blue"
        logger = logging.getLogger("app")
        logger.warning("low on %s", "größe", extra={"left": 3, "nothing": None, "odd": {1}})
        logger.warning({"a": 1})
        """,
        log_format="JSON",
        PYTHONIOENCODING="utf-8",
    )

    assert "größe" in text
    first, second = (json.loads(line) for line in text.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.pop("timestamp"))
    assert first == {
        "level": "WARNING",
        "message": "low on größe",
        "logger": "app",
        "requestId": "8476a536",
        "tenantId": "blue",
        "left": 3,
        "odd": "{1}",
    }
    assert second["message"] == {"a": 1}


def test_an_exception_in_a_json_log_has_its_type_its_stack_and_its_place():
    text = log_of(
        """
        import logging
        try:
            {}["key"]
        except KeyError:
            logging.exception("failed")
        """,
        log_format="JSON",
    )

    entry = json.loads(text)
    assert set(entry) == {
        "timestamp",
        "level",
        "message",
        "logger",
        "stackTrace",
        "errorType",
        "errorMessage",
        "requestId",
        "location",
    }
    assert entry["message"] == "failed"
    assert entry["errorType"] == "KeyError"
    assert entry["errorMessage"] == "'key'"
    assert len(entry["stackTrace"]) == 1
    assert entry["stackTrace"][0].startswith('  File "<string>", line ')
    assert re.fullmatch(r"<string>:<module>:\d+", entry["location"])


def test_a_record_with_no_exception_to_show_does_no_harm():
    text = log_of("import logging; logging.warning('m', exc_info=True)", log_format="JSON")

    assert json.loads(text)["message"] == "m"


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
