"""Several invocations at once: lines that do not mix, tries that wait longer each time."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from penstock.errors import RuntimeApiError
from penstock.runtime.concurrency import WholeLines, serve_concurrently
from penstock.runtime.logs import FunctionLog, current_invocation


@pytest.fixture
def lines():
    stream = io.StringIO()
    token = current_invocation.set(None)
    yield WholeLines(stream), stream
    current_invocation.reset(token)


def test_lines_of_two_invocations_do_not_mix_on_one_thread(lines):
    output, stream = lines
    for text in ("one ", "two "):
        for invocation in ("a", "b"):
            current_invocation.set((invocation, None))
            output.write(f"{invocation} {text}")
    current_invocation.set(("b", None))
    output.writelines(["three\n", "four"])
    current_invocation.set(("a", None))
    output.flush()
    assert stream.getvalue() == "b one b two three\na one a two "


def test_threads_of_no_invocation_print_as_they_do(lines):
    output, stream = lines
    for _ in range(2):
        thread = threading.Thread(target=output.write, args=("half",))
        thread.start()
        thread.join()
    assert stream.getvalue() == "halfhalf"
    assert output.encoding is stream.encoding


@pytest.fixture
def alone(monkeypatch):
    """What serving several at once changes for the whole process is undone afterwards."""
    monkeypatch.delitem(sys.modules, "penstock.event_loop", raising=False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)


class Gone:
    """A client of a Runtime API that is gone."""

    def next_invocation(self):
        raise RuntimeApiError("GET", "/next", 410, b"")


@pytest.mark.usefixtures("alone")
def test_it_waits_twice_as_long_between_tries(monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_MAX_CONCURRENCY", "1")
    waited: list[float] = []

    status = serve_concurrently(lambda event, context: None, Gone, FunctionLog(), waited.append)

    assert (status, waited) == (1, [0.1, 0.2, 0.4, 0.8])


@pytest.mark.parametrize("value", ["0", "-1", "many", ""])
@pytest.mark.usefixtures("alone")
def test_a_number_that_is_none_is_refused(value, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_MAX_CONCURRENCY", value)

    assert serve_concurrently(lambda event, context: None, Gone, FunctionLog()) == 2
    assert f"found {value!r}" in capsys.readouterr().err
