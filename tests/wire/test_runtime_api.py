"""The Runtime API as bytes: requests as they must leave, responses wherever they are cut."""

from __future__ import annotations

import pytest

from penstock.errors import RemoteProtocolError
from penstock.wire.runtime_api import (
    MAX_RESPONSE_HEAD,
    MAX_XRAY_ERROR_CAUSE,
    ResponseReader,
    RuntimeApiRequests,
)

REQUESTS = RuntimeApiRequests("127.0.0.1:9001", "penstock/test")


def test_the_next_invocation_is_asked_for():
    assert REQUESTS.next_invocation == (
        b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"\r\n"
    )


def test_a_restore_is_waited_for():
    assert REQUESTS.restore_next == (
        b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"\r\n"
    )


def test_a_restore_error_is_posted_with_its_type():
    head, sent = REQUESTS.restore_error(b"{}", "Runtime.AfterRestoreError")

    assert head == (
        b"POST /2018-06-01/runtime/restore/error HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 2\r\n"
        b"Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError\r\n"
        b"\r\n"
    )
    assert sent == b"{}"


def test_a_buffered_response_is_posted_whole():
    body = b'{"a": 1}'

    head, sent = REQUESTS.response("8476a536", body)

    assert head == (
        b"POST /2018-06-01/runtime/invocation/8476a536/response HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 8\r\n"
        b"\r\n"
    )
    assert sent is body


def test_a_buffered_response_has_its_content_type_and_invocation_id():
    head, _ = REQUESTS.response("8476a536", b"\0", "application/unknown", "attempt-2")

    assert head.endswith(
        b"Content-Type: application/unknown\r\n"
        b"Content-Length: 1\r\n"
        b"Lambda-Runtime-Invocation-Id: attempt-2\r\n"
        b"\r\n"
    )


def test_a_streamed_response_declares_its_mode_and_both_trailers():
    assert REQUESTS.streamed_response_head("8476a536", "text/plain", "attempt-2") == (
        b"POST /2018-06-01/runtime/invocation/8476a536/response HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"Content-Type: text/plain\r\n"
        b"Lambda-Runtime-Function-Response-Mode: streaming\r\n"
        b"Transfer-Encoding: chunked\r\n"
        b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
        b"Lambda-Runtime-Invocation-Id: attempt-2\r\n"
        b"\r\n"
    )


def test_an_error_is_posted_with_its_cause():
    head, sent = REQUESTS.error("8476a536", b"{}", '{"paths":[]}', "attempt-2")

    assert head == (
        b"POST /2018-06-01/runtime/invocation/8476a536/error HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 2\r\n"
        b'Lambda-Runtime-Function-XRay-Error-Cause: {"paths":[]}\r\n'
        b"Lambda-Runtime-Invocation-Id: attempt-2\r\n"
        b"\r\n"
    )
    assert sent == b"{}"


@pytest.mark.parametrize(
    ("cause", "is_sent"),
    [
        ("", False),
        ("x", True),
        ("x" * (MAX_XRAY_ERROR_CAUSE - 1), True),
        ("x" * MAX_XRAY_ERROR_CAUSE, False),
        ("ö" * (MAX_XRAY_ERROR_CAUSE // 2), False),
    ],
)
def test_a_cause_is_left_out_when_there_is_none_or_it_is_1_mib(cause, is_sent):
    head, _ = REQUESTS.error("8476a536", b"{}", cause)

    assert (b"XRay-Error-Cause" in head) is is_sent


def test_an_init_error_is_posted_with_its_type():
    head, sent = REQUESTS.init_error(b"{}", "Runtime.ImportModuleError")

    assert head == (
        b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"
        b"Host: 127.0.0.1:9001\r\n"
        b"User-Agent: penstock/test\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 2\r\n"
        b"Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError\r\n"
        b"\r\n"
    )
    assert sent == b"{}"


def test_the_type_of_an_init_error_is_one_word():
    head, _ = REQUESTS.init_error(b"{}", "My Größe\r\nX: y\x7f~!")

    assert b"\r\nLambda-Runtime-Function-Error-Type: My_Gr__e__X:_y_~!\r\n\r\n" in head


def test_no_value_can_start_another_header():
    heads = [
        REQUESTS.response("r", b"", "text/plain\r\nX: y", "i\nX: y")[0],
        REQUESTS.streamed_response_head("r", "text/plain\rX: y", "i\r\nX: y"),
        REQUESTS.error("r", b"", "cause\r\nX: y", "i\r\nX: y")[0],
    ]

    for head in heads:
        assert b"\r\nX" not in head
        assert b"\nX" not in head
        assert b"\rX" not in head
        assert head.count(b"X: y") == 2
    assert b"Content-Type: text/plain  X: y\r\n" in heads[0]


def test_a_cause_with_half_of_a_character_is_sent_as_json_writes_it():
    head, _ = REQUESTS.error("r", b"", '"a\ud800b größe"')

    assert b'XRay-Error-Cause: "a\\ud800b gr\xc3\xb6\xc3\x9fe"\r\n' in head


# Responses.

NEXT = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"LAMBDA-RUNTIME-AWS-REQUEST-ID:8476a536\r\n"
    b'Lambda-Runtime-Client-Context:   {"custom":"gr\xc3\xb6\xc3\x9fe: a"}  \r\n'
    b"Lambda-Runtime-Cognito-Identity: \r\n"
    b"Content-Length: 13\r\n"
    b"\r\n"
    b'{"a": "\r\n\r\n"}'
)
NEXT_HEADERS = {
    "content-type": "application/json",
    "lambda-runtime-aws-request-id": "8476a536",
    "lambda-runtime-client-context": '{"custom":"größe: a"}',
    "lambda-runtime-cognito-identity": "",
    "content-length": "13",
}

CHUNKED = (
    b"HTTP/1.1 202 Accepted\r\n"
    b"Transfer-Encoding: Chunked\r\n"
    b"\r\n"
    b'4\r\n{"st\r\n'
    b'F\r\natus":"OK"}\r\n\r\n\r\n'
    b"0\r\nTrailer: x\r\n\r\n"
)

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + NEXT


def read(*pieces):
    """The response that the last of `pieces` completes; the others must not."""
    reader = ResponseReader()
    for piece in pieces[:-1]:
        assert reader.receive(piece) is None
    return reader.receive(pieces[-1])


def single_bytes(data):
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("cut", range(len(NEXT)))
def test_a_response_with_a_length_is_the_same_wherever_it_is_cut(cut):
    response = read(NEXT[:cut], NEXT[cut:])

    assert response.status == 200
    assert response.headers == NEXT_HEADERS
    assert response.body == b'{"a": "\r\n\r\n"}'
    assert response.keeps_alive


@pytest.mark.parametrize("cut", range(len(CHUNKED)))
def test_a_chunked_response_is_the_same_wherever_it_is_cut(cut):
    response = read(CHUNKED[:cut], CHUNKED[cut:])

    assert response.status == 202
    assert response.body == b'{"status":"OK"}\r\n\r\n'


@pytest.mark.parametrize("cut", range(len(INTERIM)))
def test_interim_responses_are_passed_over_wherever_they_are_cut(cut):
    response = read(INTERIM[:cut], INTERIM[cut:])

    assert response.status == 200
    assert response.headers == NEXT_HEADERS
    assert response.body == b'{"a": "\r\n\r\n"}'


@pytest.mark.parametrize("data", [NEXT, CHUNKED, INTERIM], ids=["length", "chunked", "interim"])
def test_a_response_is_the_same_byte_by_byte(data):
    response = read(*single_bytes(data))

    assert response.body in (b'{"a": "\r\n\r\n"}', b'{"status":"OK"}\r\n\r\n')


def test_a_header_that_is_no_utf_8_does_no_harm():
    response = read(b"HTTP/1.1 200 OK\r\nX: a\xffb\r\nContent-Length: 1\r\n\r\n\xff")

    assert response.headers["x"] == "a\ufffdb"
    assert response.body == b"\xff"


def test_many_interim_responses_do_no_harm():
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + NEXT).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_response_may_have_no_body(data):
    assert read(data).body == b""
    assert read(*single_bytes(data)).body == b""


@pytest.mark.parametrize(
    ("header", "keeps_alive"),
    [(b"", True), (b"Connection: keep-alive\r\n", True), (b"Connection: Close\r\n", False)],
)
def test_a_response_says_whether_the_connection_is_kept(header, keeps_alive):
    response = read(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n" + header + b"\r\n")

    assert response.keeps_alive is keeps_alive


def test_a_response_shows_its_status_and_size():
    assert repr(read(NEXT)) == "<Response 200, 13 bytes>"


def test_a_response_without_a_length_goes_on_to_the_end_of_the_connection():
    reader = ResponseReader()

    assert reader.receive(b"HTTP/1.1 500 Oops\r\n\r\none") is None
    assert reader.receive(b" two") is None
    response = reader.receive_eof()

    assert (response.status, response.body) == (500, b"one two")


@pytest.mark.parametrize(
    "data",
    [NEXT[:cut] for cut in (0, 1, 15, 100, len(NEXT) - 14, len(NEXT) - 13, len(NEXT) - 1)]
    + [CHUNKED[:cut] for cut in (1, 30, 60, len(CHUNKED) - 1)]
    + [b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_the_end_of_the_connection_in_mid_response_is_an_error(data):
    reader = ResponseReader()
    assert reader.receive(data) is None

    with pytest.raises(RemoteProtocolError) as caught:
        reader.receive_eof()

    assert str(caught.value) == "the Runtime API closed the connection in mid-response"


def test_a_reader_knows_whether_anything_has_arrived():
    reader = ResponseReader()
    assert not reader.began
    reader.receive(b"")
    assert not reader.began
    reader.receive(b"H")
    assert reader.began

    reader = ResponseReader()
    reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
    assert reader.began


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n!",
        b"HTTP/1.1 204 No Content\r\n\r\n!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n!",
    ],
    ids=["length", "no length", "no content", "chunked"],
)
def test_what_follows_behind_a_response_is_refused_and_never_part_of_it(data):
    with pytest.raises(RemoteProtocolError):
        read(data)


MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a word for a status": b"HTTP/1.1 OK 200\r\n\r\n",
    "a negative status": b"HTTP/1.1 -200 OK\r\n\r\n",
    "nothing at all": b"\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nContent-Length 5\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a length with a plus": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    "a length in hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    "a length of 5000 digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a status of 5000 digits": b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n",
    "a wrong chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_wherever_it_is_cut(name):
    data = MALFORMED[name]

    for pieces in ([data], [data[:10], data[10:]], single_bytes(data)):
        with pytest.raises(RemoteProtocolError):
            read(*pieces)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"SSH-2.0\r\n\r\n", "expected an HTTP/1.1 status line, found 'SSH-2.0'"),
        (b"HTTP/1.1 200 OK\r\nabc\r\n\r\n", "expected a header, found 'abc'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "expected a length, found 'x'"),
    ],
)
def test_what_is_malformed_is_shown(data, message):
    with pytest.raises(RemoteProtocolError) as caught:
        read(data)

    assert str(caught.value) == message


def test_a_head_without_end_is_refused():
    reader = ResponseReader()

    with pytest.raises(RemoteProtocolError, match="head of a Runtime API response is over 262144"):
        for _ in range(2 * MAX_RESPONSE_HEAD // 1024):
            assert reader.receive(b"x" * 1024) is None


def test_a_large_event_in_many_pieces_is_read():
    event = bytes(range(256)) * 4096
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(event) + event

    response = read(*(data[i : i + 1000] for i in range(0, len(data), 1000)))

    assert response.body == event
