"""`testing.run`: a handler from beginning to end, and everything it sent."""

from __future__ import annotations

import asyncio

import pytest

from penstock import HttpResponseStream, Prelude, pipeline, streamify_response, testing
from penstock.errors import StreamError
from penstock.stream import current_responder


@streamify_response
async def coroutine_function(event, response_stream, context):
    await response_stream.write("one")
    await response_stream.write("two")


@streamify_response
def plain_function(event, response_stream, context):
    response_stream.write("one")
    response_stream.write("two")


@streamify_response
def generator_function(event, context):
    yield "one"
    yield "two"


@streamify_response
async def async_generator_function(event, context):
    yield "one"
    yield "two"


SHAPES = [coroutine_function, plain_function, generator_function, async_generator_function]


@pytest.mark.parametrize("handler", SHAPES)
def test_the_chunks_of_every_shape_come_out_one_by_one(handler):
    answer = testing.run(handler)

    assert answer.chunks == [b"one", b"two"]
    assert answer.body == b"onetwo"
    assert answer.text == "onetwo"
    assert answer.content_type == "application/octet-stream"
    assert answer.prelude is None
    assert answer.is_streamed
    assert answer.result is None


@pytest.mark.parametrize("handler", SHAPES)
def test_a_handler_can_be_run_in_an_async_test(handler):
    async def main():
        return testing.run(handler)

    assert asyncio.run(main()).chunks == [b"one", b"two"]


def test_the_prelude_is_no_chunk():
    @streamify_response
    def handler(event, context):
        yield Prelude(404, {"Content-Type": "text/plain"}, ["a=1"], {"vary": ["x", "y"]})
        yield "not here"

    answer = testing.run(handler)

    assert answer.prelude == Prelude(
        404, {"Content-Type": "text/plain"}, ["a=1"], {"vary": ["x", "y"]}
    )
    assert answer.chunks == [b"not here"]
    assert answer.content_type == "application/vnd.awslambda.http-integration-response"


def test_the_prelude_is_as_the_front_door_sees_it():
    @streamify_response
    def handler(event, response_stream, context):
        HttpResponseStream.from_(
            response_stream, {"headers": {"Content-Length": "3", "x-tag": "a"}}
        )
        response_stream.write("one")

    assert testing.run(handler).prelude == Prelude(200, {"x-tag": "a"})


def test_a_prelude_without_a_body_is_there():
    @streamify_response
    def handler(event, context):
        yield Prelude(204)

    answer = testing.run(handler)

    assert answer.prelude == Prelude(204)
    assert answer.chunks == []


def test_a_response_without_anything_is_streamed_too():
    @streamify_response
    def handler(event, response_stream, context):
        pass

    answer = testing.run(handler)

    assert answer.is_streamed
    assert answer.body == b""


def test_the_content_type_is_the_one_that_was_set():
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.content_type = "text/plain"
        response_stream.write("one")

    assert testing.run(handler).content_type == "text/plain"


def test_a_body_that_is_json_is_parsed():
    @streamify_response
    def handler(event, context):
        yield '{"a": '
        yield "[1, 2]}"

    assert testing.run(handler).json() == {"a": [1, 2]}


def test_the_event_is_the_one_that_was_given():
    @streamify_response
    def handler(event, context):
        yield repr(event)

    assert testing.run(handler, {"name": "Ann"}).text == "{'name': 'Ann'}"
    assert testing.run(handler, 0).text == "0"
    assert testing.run(handler, []).text == "[]"
    assert testing.run(handler).text == "{}"


def test_the_context_is_the_one_that_was_given():
    @streamify_response
    def handler(event, context):
        yield context.function_name

    assert testing.run(handler, context=testing.Context(function_name="orders")).text == "orders"
    assert testing.run(handler).text == "function"


def test_a_handler_that_does_not_stream_gives_its_result():
    def handler(event, context):
        return {"statusCode": 200, "body": event["name"]}

    answer = testing.run(handler, {"name": "Ann"})

    assert answer.result == {"statusCode": 200, "body": "Ann"}
    assert not answer.is_streamed
    assert answer.content_type is None
    assert answer.chunks == []


def test_a_handler_that_streams_sometimes_does_one_or_the_other():
    @streamify_response
    def streams(event, context):
        yield "one"

    def handler(event, context):
        return streams(event, context) if event["stream"] else "plain"

    assert testing.run(handler, {"stream": True}).chunks == [b"one"]
    assert testing.run(handler, {"stream": False}).result == "plain"


@pytest.mark.parametrize("first", SHAPES)
@pytest.mark.parametrize("second", SHAPES)
def test_a_second_stream_is_refused_as_in_lambda(first, second):
    def handler(event, context):
        first(event, context)
        with pytest.raises(StreamError) as caught:
            second(event, context)
        return str(caught.value)

    answer = testing.run(handler)

    assert answer.result == "this invocation has a response stream already"
    assert answer.chunks == [b"one", b"two"]


def test_an_exception_is_raised_as_it_is():
    error = ValueError("early")

    @streamify_response
    def handler(event, response_stream, context):
        raise error

    with pytest.raises(ValueError, match="early") as caught:
        testing.run(handler)

    assert caught.value is error
    assert not hasattr(error, "__notes__")


def test_an_exception_in_mid_response_says_what_was_sent_before():
    @streamify_response
    async def handler(event, context):
        yield "one"
        yield "two"
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way") as caught:
        testing.run(handler)

    assert caught.value.__notes__ == ["penstock.testing: sent before: [b'one', b'two']"]


@pytest.mark.parametrize("handler", [plain_function, lambda event, context: 1 / 0])
def test_afterwards_nothing_streams_any_more(handler):
    try:
        testing.run(handler)
    except ZeroDivisionError:
        pass

    assert current_responder.get(None) is None
    assert plain_function({}, None)["body"] == "onetwo"


def test_a_pipeline_is_run_too():
    @streamify_response
    async def handler(event, response_stream, context):
        await pipeline(["one", "two"], response_stream)

    assert testing.run(handler).chunks == [b"one", b"two"]


def test_an_answer_shows_what_it_is():
    @streamify_response
    def handler(event, context):
        if event:
            yield Prelude(404)
        yield "one"

    assert repr(testing.run(handler)) == "<Answer application/octet-stream, 1 chunks>"
    assert repr(testing.run(handler, {"a": 1})) == (
        "<Answer Prelude(404), application/vnd.awslambda.http-integration-response, 1 chunks>"
    )
    assert repr(testing.run(lambda event, context: "plain")) == "<Answer, not streamed: 'plain'>"


# The context.


def test_a_context_has_what_lambda_gives():
    context = testing.Context()

    assert context.function_name == "function"
    assert context.function_version == "$LATEST"
    assert context.memory_limit_in_mb == "128"
    assert context.invoked_function_arn == (
        "arn:aws:lambda:us-east-1:123456789012:function:function"
    )
    assert context.log_group_name == "/aws/lambda/function"
    assert context.log_stream_name.startswith("2026/01/01/[$LATEST]")
    assert len(context.aws_request_id) == 36
    assert (context.identity, context.client_context, context.tenant_id) == (None, None, None)


def test_a_context_has_what_it_is_given():
    context = testing.Context(
        function_name="orders",
        function_version="7",
        memory_limit_in_mb="512",
        aws_request_id="r",
        tenant_id="blue",
        identity="i",
        client_context="c",
    )

    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:orders"
    assert context.log_group_name == "/aws/lambda/orders"
    assert (context.function_version, context.memory_limit_in_mb) == ("7", "512")
    assert (context.aws_request_id, context.tenant_id) == ("r", "blue")
    assert (context.identity, context.client_context) == ("i", "c")


def test_the_remaining_time_of_a_context_runs_down_to_0_by_its_clock():
    clock = [100.0]
    context = testing.Context(remaining_seconds=2.5, now=lambda: clock[0])

    assert context.get_remaining_time_in_millis() == 2500
    clock[0] = 102.0
    assert context.get_remaining_time_in_millis() == 500
    clock[0] = 200.0
    assert context.get_remaining_time_in_millis() == 0


def test_the_remaining_time_of_a_context_is_that_of_lambda_unless_told():
    assert 2900 < testing.Context().get_remaining_time_in_millis() <= 3000


def test_a_context_logs_what_it_is_given_as_it_is(capsys):
    testing.Context().log("no line end")

    assert capsys.readouterr().out == "no line end"
