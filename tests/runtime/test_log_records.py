"""What `logging` writes to the function's log, in the formats of AWS's own client."""

from __future__ import annotations

import json
import re

import pytest

from tests.runtime.programs import TIME, log_of


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
        ("trace", "WE"),
        ("WARN", "WE"),
        ("FATAL", ""),
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


def test_an_extra_field_changes_nothing_that_a_record_has_anyway():
    text = log_of(
        """
        import logging
        logging.error("m", extra={"errorType": "mine", "requestId": "mine", "more": "mine"})
        """,
        log_format="JSON",
    )

    entry = json.loads(text)
    assert "errorType" not in entry
    assert (entry["requestId"], entry["more"]) == ("8476a536", "mine")


def test_a_level_between_two_is_the_lower_one_in_a_json_log():
    text = log_of(
        """
        import logging
        logging.addLevelName(35, "NOTICE")
        logging.log(35, "m")
        """,
        log_format="JSON",
    )

    assert json.loads(text)["level"] == "WARNING"


def test_a_record_that_cannot_be_formatted_costs_nothing_but_itself():
    text = log_of(
        """
        import io, logging
        sys.stderr = io.StringIO()
        logging.warning("%d", "x")
        print("TypeError" in sys.stderr.getvalue())
        sys.stderr = sys.__stderr__
        """
    )

    assert text == "True\n"


OVERLAP = """
    import logging, threading
    from contextvars import copy_context
    from penstock.runtime.logs import current_invocation

    def handle(request_id, tenant_id):
        current_invocation.set((request_id, tenant_id))
        both_are_there.wait()
        logging.warning("of the invocation")
        logging.getLogger("app").error("of a logger")

    both_are_there = threading.Barrier(2)
    log.tenant_id = "green"
    threads = [
        threading.Thread(target=copy_context().run, args=(handle, *ids))
        for ids in (("first", "blue"), ("second", None))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.error("of none of them")
"""


def test_invocations_that_overlap_have_their_own_ids_in_their_records():
    entries = [json.loads(line) for line in log_of(OVERLAP, log_format="JSON").splitlines()]

    assert sorted((entry["requestId"], entry.get("tenantId")) for entry in entries) == [
        ("8476a536", "green"),
        *[("first", "blue")] * 2,
        *[("second", None)] * 2,
    ]


def test_a_thread_of_the_handler_has_the_id_of_the_one_invocation_there_is():
    text = log_of(
        """
        import logging, threading
        thread = threading.Thread(target=logging.warning, args=("in the background",))
        thread.start()
        thread.join()
        """
    )

    assert text.endswith("\t8476a536\tin the background\n")
