"""What a WSGI app may rely on (PEP 3333), and what becomes of one that breaks the rules."""

from __future__ import annotations

import copy
import sys
from wsgiref.validate import validator

import pytest

from penstock import adapt
from penstock.errors import PreludeError
from penstock.event_sources.function_url import FunctionUrl
from penstock.messages import Headers
from penstock.testing import run, stepped
from penstock.testing.event_samples import EVENTS
from tests.bridge.apps import LeavingClient, answered, event, wsgi


def answer_of(app, streamed, given=None):
    """Status, header fields and text of the app's answer."""
    handler = adapt(app)
    if streamed:
        answer = run(handler, given or event())
        return answer.prelude.status_code, dict(answer.prelude.headers), answer.text
    result = handler(given or event(), None)
    return result["statusCode"], result["headers"], result["body"]


class Parts:
    """An iterable that notes when it is closed; an exception among the parts is raised."""

    def __init__(self, *parts):
        self._parts = parts
        self.closed = 0

    def __iter__(self):
        for part in self._parts:
            if isinstance(part, BaseException):
                raise part
            yield part

    def close(self):
        self.closed += 1


def app_of(parts):
    def app(environ, start_response):
        start_response("200 OK", [])
        return parts

    return app


each_way = pytest.mark.parametrize("streamed", [True, False])


# The iterable.


@each_way
@pytest.mark.parametrize("parts", [[b"one", b"two"], []])
def test_the_iterable_is_closed_once_when_it_is_over(parts, streamed):
    parts = Parts(*parts)
    answer_of(app_of(parts), streamed)
    assert parts.closed == 1


@each_way
def test_the_iterable_is_closed_when_it_fails_before_the_first_byte(streamed):
    parts = Parts(ValueError("no database"))
    assert answer_of(app_of(parts), streamed)[0] == 500
    assert parts.closed == 1


def test_the_iterable_is_closed_when_it_fails_in_the_middle():
    parts = Parts(b"one", ValueError("no database"))
    with pytest.raises(ValueError, match="no database"):
        run(adapt(app_of(parts)), event())
    assert parts.closed == 1


@each_way
def test_the_iterable_is_closed_if_it_gives_what_is_no_bytes(streamed):
    parts = Parts("text")
    assert answer_of(app_of(parts), streamed)[0] == 500
    assert parts.closed == 1


@pytest.mark.parametrize("wants_to_end", [SystemExit, KeyboardInterrupt])
def test_the_iterable_is_closed_if_the_process_is_to_end(wants_to_end):
    parts = Parts(b"one", wants_to_end())
    with pytest.raises(wants_to_end):
        run(adapt(app_of(parts)), event())
    assert parts.closed == 1


# The client is gone.


@pytest.mark.parametrize(("taken", "body"), [(0, b""), (1, b"one")])
def test_when_the_client_is_gone_the_iterable_is_asked_for_no_more_and_closed(taken, body, caplog):
    parts = Parts(b"one", b"two", AssertionError("nobody reads what comes now"))
    client = LeavingClient(taken)

    assert answered(adapt(app_of(parts)), client) == body

    assert (parts.closed, client.ended, client.error) == (1, False, None)
    assert "penstock" not in {record.name for record in caplog.records}


@pytest.mark.parametrize(("taken", "body"), [(0, b""), (1, b"one")])
def test_so_it_is_for_an_app_that_calls_write(taken, body, caplog):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one")
        write(b"two")
        raise AssertionError("nobody reads what comes now")

    client = LeavingClient(taken)

    assert answered(adapt(app), client) == body

    assert (client.ended, client.error) == (False, None)
    assert "penstock" not in {record.name for record in caplog.records}


# start_response.


def failing_late(parts, streamed_first=b""):
    """An app that has told a head, and then finds that it has to answer with an error."""

    def app(environ, start_response):
        start_response("200 OK", [("X-First", "1"), ("Content-Type", "text/html")])

        def body():
            if streamed_first:
                yield streamed_first
            try:
                raise ValueError("no database")
            except ValueError:
                start_response("503 Busy", [("X-Second", "2")], sys.exc_info())
            yield from parts

        return body()

    return app


@each_way
def test_a_head_that_has_not_left_is_replaced_by_one_with_exc_info(streamed):
    found = answer_of(failing_late([b"come back ", b"later"]), streamed)
    assert found == (503, {"x-second": "2"}, "come back later")


def test_with_exc_info_after_the_first_byte_the_app_s_own_error_is_raised():
    with pytest.raises(ValueError, match="no database") as caught:
        run(adapt(failing_late([b"never"], streamed_first=b"one")), event())
    assert "[b'one']" in caught.value.__notes__[0]


@each_way
def test_a_second_head_without_exc_info_is_an_error(streamed, caplog):
    def app(environ, start_response):
        start_response("200 OK", [])
        start_response("201 Created", [])
        return [b"never"]

    assert answer_of(app, streamed)[::2] == (500, "Internal Server Error")
    assert "start_response was called twice without exc_info" in caplog.text


@each_way
def test_a_body_before_a_head_is_an_error(streamed, caplog):
    assert answer_of(lambda environ, start_response: [b"never"], streamed)[0] == 500
    assert "sent a body before it called start_response" in caplog.text


@each_way
@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_a_status_that_goes_before_a_response_is_none(status, streamed, caplog):
    assert answer_of(wsgi(status), streamed)[::2] == (500, "Internal Server Error")
    assert f"answered with status {status[:3]}, after which another" in caplog.text


@each_way
def test_a_head_that_cannot_be_sent_is_an_error_where_it_is_told(streamed):
    """So that an app, whose own error it is, can answer with another."""

    def app(environ, start_response):
        try:
            start_response("200 OK", [("x-a", "line\nbreak")])
        except PreludeError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"our page"]

    assert answer_of(app, streamed) == (503, {}, "our page")


@each_way
@pytest.mark.parametrize("body", ["text", b"bytes"])
def test_a_body_that_is_no_iterable_of_bytes_is_an_error(body, streamed, caplog):
    assert answer_of(app_of(body), streamed)[::2] == (500, "Internal Server Error")
    assert f"the WSGI app returned {type(body).__name__}; it should return" in caplog.text


# The environ.


class TwoCookieFields(FunctionUrl):
    """A front door that hands on several fields of one name, as HTTP/2 has cookies."""

    def request(self, event):
        request = super().request(event)
        request.headers = Headers(
            [("Cookie", "sid=1"), ("X-Tag", "a"), ("cookie", "theme=dark"), ("x-tag", "b")]
        )
        return request


def test_repeated_fields_are_joined_and_cookies_as_cookies_are():
    app = wsgi()
    run(adapt(app, sources=[TwoCookieFields()]), event())
    assert app.environ["HTTP_COOKIE"] == "sid=1; theme=dark"
    assert app.environ["HTTP_X_TAG"] == "a,b"


@pytest.mark.parametrize(("at_once", "expected"), [(None, False), ("10", True)])
def test_it_is_said_whether_several_threads_may_be_in_the_app(at_once, expected, monkeypatch):
    if at_once is None:
        monkeypatch.delenv("AWS_LAMBDA_MAX_CONCURRENCY", raising=False)
    else:
        monkeypatch.setenv("AWS_LAMBDA_MAX_CONCURRENCY", at_once)
    app = wsgi()
    run(adapt(app), event())
    assert app.environ["wsgi.multithread"] is expected


def test_the_caller_s_address_and_protocol_are_those_of_the_event():
    app = wsgi()
    given = event()
    given["requestContext"]["http"] |= {"sourceIp": "192.0.2.7", "protocol": "HTTP/2.0"}
    run(adapt(app), given)
    found = app.environ["REMOTE_ADDR"], app.environ["SERVER_PROTOCOL"]
    assert found == ("192.0.2.7", "HTTP/2.0")


def test_a_method_is_in_upper_case():
    app = wsgi()
    given = event()
    given["requestContext"]["http"]["method"] = "pAtch"
    run(adapt(app), given)
    assert app.environ["REQUEST_METHOD"] == "PATCH"


@pytest.mark.parametrize(
    ("value", "as_sent"), [("caf\xe9", b"caf\xe9"), ("caf\u0117", b"caf\xc4\x97")]
)
def test_a_field_s_value_is_its_bytes_as_characters(value, as_sent):
    app = wsgi()
    given = event()
    given["headers"]["x-name"] = value
    run(adapt(app), given)
    assert app.environ["HTTP_X_NAME"].encode("latin-1") == as_sent


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("host", "SERVER_NAME"),
        ("x-forwarded-proto", "wsgi.url_scheme"),
        ("content-type", "CONTENT_TYPE"),
    ],
)
def test_so_is_what_else_is_taken_from_the_fields(field, key):
    app = wsgi()
    given = event()
    given["headers"][field] = "caf\u0117"
    run(adapt(app), given)
    assert app.environ[key].encode("latin-1") == b"caf\xc4\x97"


# The answer's fields.


@each_way
def test_blanks_around_a_field_s_value_are_no_part_of_it(streamed):
    assert answer_of(wsgi(headers=[("X-Padded", " \t a b\t ")]), streamed)[1] == {"x-padded": "a b"}


@pytest.mark.parametrize(
    "field",
    [
        *("Connection", "Content-Length", "keep-alive", "Proxy-Authenticate", "TE"),
        *("proxy-authorization", "Proxy-Connection", "Trailer", "TRANSFER-ENCODING", "Upgrade"),
    ],
)
def test_what_is_of_a_connection_is_no_part_of_a_whole_answer(field):
    app = wsgi(headers=[(field, "6"), ("X-Kept", "yes")])
    assert answer_of(app, streamed=False)[1] == {"x-kept": "yes"}


# A slow client.


def test_an_app_goes_on_only_as_far_as_the_client_has_read():
    """It is held where its part is sent, so no more than that one is made."""
    made = []

    def app(environ, start_response):
        write = start_response("200 OK", [])
        for number in range(3):
            made.append(b"%d" % number)
            write(made[-1])

        def rest():
            for number in range(3, 6):
                made.append(b"%d" % number)
                yield made[-1]

        return rest()

    read = []
    with stepped(adapt(app), event()) as steps:
        for chunk in steps:
            if len(chunk) == 1:
                read.append(chunk)
            assert len(made) <= len(read) + 1

    assert read == made == [b"%d" % number for number in range(6)]


# The reference implementation's checks of both sides. What is added to a body leaves JSON JSON.


def of_a_list(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])), b"\n"]


def of_a_generator(environ, start_response):
    data = environ["wsgi.input"].read(1_000_000)

    def parts():
        yield b""
        yield data
        yield b"\n"

    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1")])
    return parts()


def of_lines(environ, start_response):
    lines = list(environ["wsgi.input"])
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([*lines, b"\n"])


def of_write(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(environ["wsgi.input"].read(1_000_000))
    return [b"\n"]


def of_a_second_head(environ, start_response):
    start_response("500 Oh", [("Content-Type", "text/html")])
    try:
        raise ValueError
    except ValueError:
        start_response("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
    return [environ["wsgi.input"].read(1_000_000), b"\n"]


APPS = [of_a_list, of_a_generator, of_lines, of_write, of_a_second_head]


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("name", EVENTS)
def test_wsgiref_s_validator_finds_nothing_wrong(name, app, caplog):
    was_called = []

    def noted(environ, start_response):
        was_called.append(True)
        return app(environ, start_response)

    handler = adapt(validator(noted), interface="wsgi")
    for given in EVENTS[name]:
        was_called.clear()
        # A complaint is an AssertionError: a logged 500, or the failure of the invocation.
        handler(copy.deepcopy(given), None)
        assert was_called
    assert "penstock" not in {record.name for record in caplog.records}


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nor_does_it_where_the_answer_is_streamed(method, app):
    answer = run(adapt(validator(app), interface="wsgi"), event(method, "/a%20b", "x=1", body=b"x"))

    assert answer.prelude.status_code == 200
    assert answer.prelude.headers == {"content-type": "text/plain"}
    assert answer.text == ("" if method == "HEAD" else "x\n")
