"""Handlers that fail: what the other side is told, what is raised, and what was cleaned up."""

from __future__ import annotations

import asyncio

import pytest

from penstock import pipeline, streamify_response
from penstock.errors import StreamBrokenError, StreamEndedError, StreamError
from tests.handlers import (
    CONTEXT,
    FAILING,
    OCTETS,
    ONE_TWO,
    SHAPES,
    Mishap,
    cleaned,
    failing_async_generator,
    failing_coroutine,
    invocation,
    moves_of,
)


@pytest.fixture(autouse=True)
def clean():
    cleaned.clear()


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_before_the_first_byte_is_raised_and_nothing_is_sent(handler):
    error = Mishap("early")

    with invocation() as moves, pytest.raises(Mishap) as caught:
        handler({"first": [], "then": error}, None)

    assert caught.value is error
    assert moves == []
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_after_the_first_byte_is_told_to_the_other_side_and_raised(handler):
    error = Mishap("half-way")

    with invocation() as moves, pytest.raises(Mishap) as caught:
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves == [("begin", OCTETS, [b"one"]), ("fail", error)]
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_after_only_the_head_counts_as_after_the_first_byte(handler):
    error = Mishap("half-way")

    with invocation() as moves, pytest.raises(Mishap):
        handler({"first": [""], "then": error}, None)

    assert moves == [("begin", OCTETS, []), ("fail", error)]


@pytest.mark.parametrize("handler", FAILING)
def test_the_exception_of_the_handler_is_raised_also_when_it_cannot_be_told(handler):
    error = Mishap("mine")

    with invocation(breaks_at="fail") as moves, pytest.raises(Exception) as caught:  # noqa: PT011
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves[-1] == ("fail", error)


@pytest.mark.parametrize("handler", FAILING)
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_the_end_of_the_process_is_no_failure_of_the_response(handler, error):
    # The connection is then closed in mid-response, and the platform sees a cut.
    with invocation() as moves, pytest.raises(type(error)) as caught:
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves == [("begin", OCTETS, [b"one"])]
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_a_process_that_is_asked_to_end_in_a_write_cleans_up_at_once(handler):
    # Held, so that no generator is closed just because nobody holds it any more.
    with invocation("send", SystemExit) as moves, pytest.raises(SystemExit) as held:
        handler({"first": ["one", "two", "three"], "then": Mishap()}, None)

    assert len(cleaned) == 1
    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]
    assert held.value.code == "the caller is gone"


@pytest.mark.parametrize("handler", [failing_coroutine, failing_async_generator])
def test_a_handler_that_was_cancelled_has_failed(handler):
    error = asyncio.CancelledError("by a task group")

    with invocation() as moves, pytest.raises(asyncio.CancelledError):
        handler({"first": ["one"], "then": error}, None)

    assert [move[0] for move in moves] == ["begin", "fail"]
    assert type(moves[1][1]) is asyncio.CancelledError


@pytest.mark.parametrize("handler", FAILING)
def test_the_next_invocation_is_answered_after_any_failure(handler):
    for error in (Mishap(), SystemExit(1)):
        with invocation(), pytest.raises(type(error)):
            handler({"first": ["one"], "then": error}, None)

    for shape in SHAPES:
        assert moves_of(streamify_response(shape), ["one", "two"]) == ONE_TWO


@pytest.mark.parametrize("handler", FAILING)
def test_a_caller_that_is_gone_is_an_error_in_the_handler(handler):
    with invocation(breaks_at="send") as moves, pytest.raises(StreamBrokenError):
        handler({"first": ["one", "two", "three"], "then": Mishap()}, None)

    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]
    assert len(cleaned) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_response_that_is_not_taken_whole_is_an_error(shape):
    with invocation(breaks_at="end"), pytest.raises(StreamBrokenError):
        streamify_response(shape)(["one"], CONTEXT)


def test_an_exception_after_the_end_is_raised_but_changes_nothing():
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.end("all")
        raise Mishap("late")

    with invocation() as moves, pytest.raises(Mishap):
        handler(None, None)

    assert moves == [("begin", OCTETS, [b"all"]), ("end",)]


def test_a_handler_that_ends_its_stream_itself_ends_it_once():
    @streamify_response
    async def handler(event, response_stream, context):
        await response_stream.end("all")
        with pytest.raises(StreamEndedError):
            await response_stream.write("more")

    assert moves_of(handler) == [("begin", OCTETS, [b"all"]), ("end",)]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("first", [[], ["one"]])
def test_a_write_that_was_not_awaited_is_an_error_and_no_whole_response(first):
    @streamify_response
    async def handler(event, response_stream, context):
        for item in first:
            await response_stream.write(item)
        response_stream.write("two")

    with invocation() as moves, pytest.raises(StreamError) as caught:
        handler(None, CONTEXT)

    assert str(caught.value) == (
        f"1 of {len(first) + 1} writes were never awaited, so what they were to send is "
        "missing; in an async handler write `await response_stream.write(...)`"
    )
    assert ("end",) not in moves
    assert [move[0] for move in moves] == (["begin", "fail"] if first else [])


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_pipeline_that_was_not_awaited_is_an_error_too():
    @streamify_response
    async def handler(event, response_stream, context):
        pipeline(b"two", response_stream)

    with invocation(), pytest.raises(StreamError, match="never awaited"):
        handler(None, CONTEXT)
