"""HTTP as values: what can be sent is kept as it was given, what cannot is refused at once."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from penstock.errors import PenstockError, PreludeError
from penstock.messages import HOP_BY_HOP, Headers, Prelude, Request

FIELDS = [("Accept", "text/html"), ("X-Tag", "one"), ("x-tag", "two")]


@pytest.mark.parametrize("name", ["X-Tag", "x-tag", "X-TAG"])
def test_headers_are_found_without_regard_to_case(name):
    headers = Headers(FIELDS)

    assert headers.get(name) == "one"
    assert headers.get_all(name) == ["one", "two"]
    assert name in headers


def test_a_header_that_is_not_there_is_none_or_the_default():
    headers = Headers(FIELDS)

    assert headers.get("host") is None
    assert headers.get("host", "localhost") == "localhost"
    assert headers.get_all("host") == []
    assert "host" not in headers


def test_a_header_with_an_empty_value_is_there():
    assert "accept" in Headers([("Accept", "")])


def test_headers_keep_their_order_and_spelling():
    headers = Headers(FIELDS)

    assert list(headers) == FIELDS
    assert len(headers) == 3
    assert repr(headers) == f"Headers({FIELDS})"


def test_headers_are_equal_when_every_field_is():
    assert Headers(FIELDS) == Headers(iter(FIELDS))
    assert hash(Headers(FIELDS)) == hash(Headers(FIELDS))
    assert Headers(FIELDS) != Headers(FIELDS[:2])
    assert Headers(FIELDS) != tuple(FIELDS)


def test_no_headers_are_an_empty_list():
    assert list(Headers()) == []
    assert len(Headers()) == 0


def test_a_request_is_a_method_and_a_path_and_nothing_else_unless_told():
    request = Request(method="GET", path="/p")

    assert (request.method, request.path, request.query) == ("GET", "/p", "")
    assert request.headers == Headers()
    assert request.body == b""
    assert request.source_ip == "127.0.0.1"
    assert request.protocol == "HTTP/1.1"
    assert repr(request) == "<Request GET /p>"


def test_a_request_keeps_what_it_is_given():
    request = Request(
        method="POST",
        path="/a%2Fb",
        query="c=d%20e",
        headers=Headers(FIELDS),
        body=b"body",
        source_ip="203.0.113.7",
        protocol="HTTP/1.0",
    )

    assert (request.path, request.query, request.body) == ("/a%2Fb", "c=d%20e", b"body")
    assert request.headers.get("accept") == "text/html"
    assert (request.source_ip, request.protocol) == ("203.0.113.7", "HTTP/1.0")


def test_a_prelude_is_200_and_nothing_else_unless_told():
    prelude = Prelude()

    assert prelude.status_code == 200
    assert prelude.headers == {}
    assert prelude.cookies == ()
    assert prelude.multi_value_headers == {}


def test_a_prelude_keeps_what_it_is_given():
    prelude = Prelude(
        404,
        {"content-type": "text/plain", "X-Empty": ""},
        (cookie for cookie in ["a=1", "b=2; Path=/"]),
        {"Vary": iter(["Origin", "Accept"])},
    )

    assert prelude.status_code == 404
    assert prelude.headers == {"content-type": "text/plain", "X-Empty": ""}
    assert prelude.cookies == ("a=1", "b=2; Path=/")
    assert prelude.multi_value_headers == {"Vary": ("Origin", "Accept")}


def test_a_prelude_does_not_follow_what_becomes_of_the_headers_it_was_given():
    headers, cookies = {"a": "1"}, ["c=1"]
    prelude = Prelude(200, headers, cookies)

    headers["a"] = "2\r\nInjected: 3"
    cookies.append("d=1")

    assert prelude == Prelude(200, {"a": "1"}, ["c=1"])


@pytest.mark.parametrize("status", [100, 200, 599])
def test_a_status_from_100_to_599_is_taken(status):
    assert Prelude(status).status_code == status


def test_a_status_of_the_standard_library_becomes_a_plain_number():
    assert repr(Prelude(HTTPStatus.NOT_FOUND).status_code) == "404"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (99, "statusCode must be from 100 to 599, not 99"),
        (600, "statusCode must be from 100 to 599, not 600"),
        (-200, "statusCode must be from 100 to 599, not -200"),
        ("200", "statusCode must be an int, not str ('200')"),
        (200.0, "statusCode must be an int, not float (200.0)"),
        (True, "statusCode must be an int, not bool (True)"),
        (None, "statusCode must be an int, not NoneType (None)"),
    ],
)
def test_any_other_status_is_refused(status, message):
    with pytest.raises(PreludeError) as caught:
        Prelude(status)

    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "a\r\nb", "(a)", 5, None, b"a"])
def test_what_is_no_header_name_is_refused(name):
    with pytest.raises(PreludeError) as caught:
        Prelude(200, {name: "1"})
    assert str(caught.value) == f"{name!r} is no HTTP header name"

    with pytest.raises(PreludeError, match="is no HTTP header name"):
        Prelude(200, multi_value_headers={name: ["1"]})


def test_every_character_that_a_header_name_may_have_is_taken():
    name = "!#$%&'*+-.^_`|~09azAZ"

    assert Prelude(200, {name: "1"}).headers == {name: "1"}


@pytest.mark.parametrize(("character", "shown"), [("\r", "\\r"), ("\n", "\\n"), ("\0", "\\x00")])
def test_a_value_that_would_start_another_header_is_refused(character, shown):
    value = f"a{character}Set-Cookie: b"

    with pytest.raises(PreludeError) as caught:
        Prelude(200, {"x-tag": value})
    assert str(caught.value) == (
        f"the value of 'x-tag' has '{shown}' in it, which would start another header; remove it"
    )
    with pytest.raises(PreludeError, match="the value of 'a cookie' has"):
        Prelude(200, cookies=[value])
    with pytest.raises(PreludeError, match="the value of 'x-tag' has"):
        Prelude(200, multi_value_headers={"x-tag": ["fine", value]})


def test_a_value_that_is_no_text_at_all_is_refused():
    with pytest.raises(PreludeError):
        Prelude(200, {"x-tag": "half of a \ud83d"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "the value of 'x-tag' must be a str, not int; write '5'"),
        (True, "the value of 'x-tag' must be a str, not bool; write 'true'"),
        (
            ["a", "b"],
            (
                "the value of 'x-tag' must be a str, not list; "
                "use cookies or multiValueHeaders for several values"
            ),
        ),
    ],
)
def test_a_value_that_is_no_str_is_refused_with_what_to_write_instead(value, message):
    with pytest.raises(PreludeError) as caught:
        Prelude(200, {"x-tag": value})

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"headers": [("a", "b")]}, "headers must be a mapping, not list"),
        ({"headers": "a: b"}, "headers must be a mapping, not str"),
        ({"cookies": "a=1"}, "cookies must be a list of str, not str"),
        ({"cookies": b"a=1"}, "cookies must be a list of str, not bytes"),
        ({"cookies": 5}, "cookies must be a list of str, not int"),
        ({"cookies": [5]}, "the value of 'a cookie' must be a str, not int; write '5'"),
        ({"multi_value_headers": ["a"]}, "multiValueHeaders must be a mapping, not list"),
        (
            {"multi_value_headers": {"vary": "Origin"}},
            "multiValueHeaders['vary'] must be a list of str, not str",
        ),
        (
            {"multi_value_headers": {"vary": None}},
            "multiValueHeaders['vary'] must be a list of str, not NoneType",
        ),
    ],
)
def test_what_is_of_the_wrong_type_is_refused_by_name(arguments, message):
    with pytest.raises(PreludeError) as caught:
        Prelude(200, **arguments)

    assert str(caught.value) == message


def test_what_is_refused_is_a_value_error_and_a_penstock_error():
    with pytest.raises(ValueError, match="statusCode") as caught:
        Prelude(0)

    assert isinstance(caught.value, PenstockError)


def test_metadata_has_the_keys_that_node_has():
    prelude = Prelude.from_metadata(
        {
            "statusCode": 201,
            "headers": {"content-type": "text/plain"},
            "cookies": ["a=1"],
            "multiValueHeaders": {"vary": ["Origin"]},
        }
    )

    assert prelude == Prelude(201, {"content-type": "text/plain"}, ["a=1"], {"vary": ["Origin"]})


@pytest.mark.parametrize(
    "metadata", [{}, {"headers": None, "cookies": None, "multiValueHeaders": None}]
)
def test_metadata_that_says_nothing_is_200(metadata):
    assert Prelude.from_metadata(metadata) == Prelude(200)


def test_metadata_that_is_a_prelude_is_that_prelude():
    prelude = Prelude(204)

    assert Prelude.from_metadata(prelude) is prelude


def test_metadata_with_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(PreludeError) as caught:
        Prelude.from_metadata({"status": 200})

    assert str(caught.value) == (
        "response metadata has the key 'status'; "
        "allowed are statusCode, headers, cookies, multiValueHeaders"
    )


@pytest.mark.parametrize(("metadata", "found"), [([], "list"), ("200", "str"), (200, "int")])
def test_metadata_that_is_no_mapping_is_refused(metadata, found):
    with pytest.raises(PreludeError) as caught:
        Prelude.from_metadata(metadata)

    assert str(caught.value) == f"the metadata must be a mapping, not {found}"


def test_a_prelude_and_its_metadata_are_the_same():
    metadata = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain"},
        "cookies": ["a=1", "b=2"],
        "multiValueHeaders": {"Vary": ["Origin", "Accept"]},
    }

    assert Prelude.from_metadata(metadata).to_metadata() == metadata


def test_what_is_empty_is_left_out_of_the_metadata():
    assert Prelude(200, {}, [], {}).to_metadata() == {"statusCode": 200}


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
@pytest.mark.parametrize("spelled", [str.lower, str.title, str.upper])
def test_what_frames_the_body_is_left_out_of_the_metadata(name, spelled):
    prelude = Prelude(
        200,
        {spelled(name): "1", "x-tag": "2"},
        multi_value_headers={spelled(name): ["3"], "vary": ["4"]},
    )

    assert prelude.to_metadata() == {
        "statusCode": 200,
        "headers": {"x-tag": "2"},
        "multiValueHeaders": {"vary": ["4"]},
    }


def test_a_length_and_a_transfer_encoding_frame_the_body():
    assert {"content-length", "transfer-encoding", "connection", "upgrade"} <= HOP_BY_HOP


@pytest.mark.parametrize(
    "other",
    [
        Prelude(201, {"a": "1"}, ["c=1"], {"v": ["x"]}),
        Prelude(200, {"a": "2"}, ["c=1"], {"v": ["x"]}),
        Prelude(200, {"a": "1"}, ["c=2"], {"v": ["x"]}),
        Prelude(200, {"a": "1"}, ["c=1"], {"v": ["y"]}),
        {"statusCode": 200},
    ],
)
def test_preludes_that_differ_anywhere_are_not_equal(other):
    prelude = Prelude(200, {"a": "1"}, ["c=1"], {"v": ["x"]})

    assert prelude != other
    assert prelude == Prelude(200, {"a": "1"}, ["c=1"], {"v": ["x"]})


def test_preludes_that_are_equal_have_the_same_hash():
    one = Prelude(200, {"a": "1", "b": "2"}, ["c=1"])
    other = Prelude(200, {"b": "2", "a": "1"}, ["c=1"])

    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    ("prelude", "shown"),
    [
        (Prelude(200), "Prelude(200)"),
        (
            Prelude(404, {"a": "1"}, ["c=1"], {"v": ["x"]}),
            "Prelude(404, {'a': '1'}, cookies=['c=1'], multi_value_headers={'v': ('x',)})",
        ),
    ],
)
def test_a_prelude_shows_what_it_says(prelude, shown):
    assert repr(prelude) == shown


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x1f", "\x7f"])
def test_a_value_with_a_control_character_is_refused(character):
    with pytest.raises(PreludeError, match="a control character; remove it"):
        Prelude(200, {"x-tag": f"a{character}b"})


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\t"])
def test_a_value_with_blanks_around_it_is_refused(value):
    with pytest.raises(PreludeError, match="begins or ends with a blank; strip it"):
        Prelude(200, {"x-tag": value})


@pytest.mark.parametrize(
    "value", ["", "a b", "a\tb", "größe", "\N{AUTOMOBILE}", "a\N{NO-BREAK SPACE}b"]
)
def test_blanks_tabs_and_other_letters_inside_a_value_are_fine(value):
    assert Prelude(200, {"x-tag": value}).headers == {"x-tag": value}
