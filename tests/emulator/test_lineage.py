"""The trace header of a chain of calls, and when it is a loop."""

from __future__ import annotations

import pytest

from penstock.emulator.invoke.lineage import MOST_CALLS, RecursiveInvocationError, next_trace_id


def lineage(trace_id: str) -> str:
    return trace_id.rpartition("Lineage=")[2]


def test_a_chain_begins_with_a_first_call() -> None:
    trace_id = next_trace_id(None, "a")
    assert trace_id.startswith("Root=1-")
    assert lineage(trace_id) == "1:e8b7be43:0"


def test_what_a_caller_says_stays() -> None:
    trace_id = next_trace_id("Root=1-2-3; Sampled=1", "a")
    assert trace_id == "Root=1-2-3;Sampled=1;Lineage=1:e8b7be43:0"


def test_each_function_is_counted() -> None:
    trace_id = None
    for name in "abab":
        trace_id = next_trace_id(trace_id, name)
    assert lineage(trace_id or "") == "4:e8b7be43:1|71beeff9:1"


def test_a_function_is_called_sixteen_times_in_a_chain() -> None:
    trace_id = None
    for _ in range(MOST_CALLS):
        trace_id = next_trace_id(trace_id, "a")
    next_trace_id(trace_id, "b")
    with pytest.raises(RecursiveInvocationError, match="in a recursive loop"):
        next_trace_id(trace_id, "a")


def test_botocore_escapes_the_bar() -> None:
    escaped = next_trace_id(next_trace_id(None, "a"), "b").replace("|", "%7C")
    assert lineage(next_trace_id(escaped, "a")) == "3:71beeff9:0|e8b7be43:1"


def test_a_header_does_not_grow_forever() -> None:
    trace_id = None
    for number in range(1000):
        trace_id = next_trace_id(trace_id, f"f{number}")
    assert len(trace_id or "") < 600


@pytest.mark.parametrize(
    "malformed",
    ["Lineage=", "Lineage=x", "Lineage=1:zz:0", "Lineage=1:e8b7be43:0%0d%0ax: y", "Lineage=:"],
)
def test_what_is_no_lineage_begins_a_chain(malformed: str) -> None:
    assert next_trace_id(f"Root=1-2-3;{malformed}", "a") == "Root=1-2-3;Lineage=1:e8b7be43:0"


def test_the_lineage_of_other_times_is_understood() -> None:
    assert lineage(next_trace_id("Root=1-2-3;Lineage=e8b7be43:4", "a")) == "1:e8b7be43:5"
