"""What the events of several HTTP sources have in common."""

from __future__ import annotations

from ..errors import EventError
from ..messages import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response

# RFC 3986 section 3.3; letters, digits and "-._~" are never encoded.
_PATH_CHARACTERS = "/!$&'()*+,;=:@"

# What clients also send as it is, though they should not. "%" is of what they have encoded.
_SENT_IN_PATHS = _PATH_CHARACTERS + '%"<>[\\]^`{|}'
_SENT_IN_QUERIES = _SENT_IN_PATHS + "?"

# Names of headers that were found to be such; each environment sees the same few.
_seen_names: set[str] = set()
_MOST_NAMES = 1000

# RFC 9110 section 5.6.2: what a token may have besides letters and digits.
_WITHOUT_MARKS = str.maketrans(dict.fromkeys("!#$%&'*+-.^_`|~", "a"))


def text_of(values: dict[str, Any], key: str, default: str) -> str:
    """The text under `key`, or `default` if there is nothing, or null."""
    value = values.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise EventError(f"{key} should be text, found {type(value).__name__}")
    return value


def line_of(values: dict[str, Any], key: str, default: str) -> str:
    """As `text_of`, and with nothing in it that could end a line: see `has_line_break`."""
    value = text_of(values, key, default)
    if has_line_break(value):
        raise EventError(f"{key} should be one line, found a line break or NUL in it")
    return value


def method_of(values: dict[str, Any], key: str) -> str:
    """The request's method under `key`; GET if there is nothing."""
    method = text_of(values, key, "GET")
    if not is_token(method):
        raise EventError(f"{key} should be a method like GET, found characters that none has")
    return method


def object_of(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`, empty if there is nothing, or null."""
    value = values.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EventError(f"{key} should be an object, found {type(value).__name__}")
    return value


def texts_of(values: dict[str, Any], key: str) -> list[str]:
    """The list of texts under `key`, empty if there is nothing, or null."""
    texts = values.get(key)
    if texts is None:
        return []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise EventError(f"{key} should be a list of text, and is not")
    return texts


def pairs_of(event: dict[str, Any], key: str) -> list[tuple[str, str]]:
    """The names and values of a map to texts, or to lists of texts; nulls are left out."""
    pairs = []
    for name, values in object_of(event, key).items():
        for value in values if isinstance(values, list) else [values]:
            if value is None:
                continue
            if not isinstance(value, str):
                raise EventError(
                    f"each value in {key} should be text, or a list of it, "
                    f"found {type(value).__name__}"
                )
            pairs.append((name, value))
    return pairs


def headers_of(
    pairs: list[tuple[str, str]],
    cookies: list[str] | None = None,
    body: bytes | None = None,
) -> Headers:
    """The fields of a request, with one of cookies at most (RFC 6265 section 5.4).

    Repeated ones are joined as cookies are, with "; ". `cookies` take the field's place.

    With `body` they say how long it is, or frameworks would not read it: some events have no
    `content-length`, and a `transfer-encoding` is of a connection that the front door ended.

    Raises:
        EventError: a name is no token, or a value has a line break or NUL in it, and could
            become another field. No front door takes such.
    """
    sent: list[str] = []
    fields: list[tuple[str, str]] = []
    has_length = False
    for pair in pairs:
        name, value = pair
        if name not in _seen_names:
            _check_name(name)
        # Nearly always true, and quicker than to look for the three.
        if not value.isprintable() and has_line_break(value):
            raise EventError("a header has a line break or NUL in it")
        key = name.lower()
        if key == "cookie":
            sent.append(value)
        elif body is None or key not in ("content-length", "transfer-encoding"):
            fields.append(pair)
        elif key == "content-length" and not has_length:
            has_length = True
            fields.append((name, str(len(body))))
    if cookies:
        sent = cookies
        if any(map(has_line_break, cookies)):
            raise EventError("a cookie has a line break or NUL in it")
    if sent:
        fields.append(("cookie", "; ".join(sent)))
    if body and not has_length:
        fields.append(("content-length", str(len(body))))
    return Headers.of_texts(fields)


def _check_name(name: str) -> None:
    if not is_token(name):
        raise EventError("a header's name should be a token (RFC 9110), and one is not")
    if len(_seen_names) < _MOST_NAMES:
        _seen_names.add(name)


def is_token(text: str) -> bool:
    """Whether a text can be a header's name, or a method (RFC 9110 section 5.6.2)."""
    return text.isascii() and text.translate(_WITHOUT_MARKS).isalnum()


def has_line_break(text: str) -> bool:
    """Whether a text has CR, LF or NUL in it, which no field may have (RFC 9110 section 5.5)."""
    return "\n" in text or "\r" in text or "\0" in text


def encoded_path(path: str, *, is_decoded: bool = False) -> str:
    """A path with what none may have in it percent-encoded.

    What is already encoded stays as it is, unless the source has decoded the path: then a
    percent sign, or a line break, is one that the client has sent encoded.

    Raises:
        EventError: it begins with no slash, or has a line break that nobody can have sent.
    """
    if not path:
        return "/"
    if not path.startswith("/"):
        raise EventError("the path should begin with a slash, and does not")
    if is_decoded:
        return _quoted(path, _PATH_CHARACTERS)
    if has_line_break(path):
        raise EventError("the path has a line break or NUL in it, which nobody can send")
    return path if is_sendable(path, "?#") else _quoted(path, _SENT_IN_PATHS)


def sent_query(values: dict[str, Any], key: str) -> str:
    """The query under `key`, which is as it was sent, without what can be in none."""
    query = line_of(values, key, "")
    return query if is_sendable(query) else _quoted(query, _SENT_IN_QUERIES)


def is_sendable(text: str, unless: str = "#") -> bool:
    """Whether a text can be in a request as it is, but for what `unless` has: "?#" for a path."""
    return text.isascii() and text.isprintable() and not set(" " + unless) & set(text)


def _quoted(text: str, safe: str) -> str:
    from urllib.parse import quote

    return quote(text, safe=safe, errors="replace")


def multi_value_result(response: Response) -> dict[str, Any]:
    """The JSON of a whole response with every field in `multiValueHeaders`."""
    body, is_base64 = body_as_text(response)
    fields: dict[str, list[str]] = {}
    for name, value in response.headers:
        fields.setdefault(name.lower(), []).append(value)
    return {
        "statusCode": response.status,
        "multiValueHeaders": fields,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def joined_fields(headers: Headers) -> dict[str, str]:
    """Every field but the cookies, by its name in lower case, repeated ones joined."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key != "set-cookie":
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return fields


def format_2_result(response: Response) -> dict[str, Any]:
    """The answer to an event of payload format 2.0, with a whole response.

    The format has no lists: repeated fields are joined, cookies have a key of their own.
    """
    body, is_base64 = body_as_text(response)
    result: dict[str, Any] = {
        "statusCode": response.status,
        "headers": joined_fields(response.headers),
        "body": body,
        "isBase64Encoded": is_base64,
    }
    cookies = response.headers.get_all("set-cookie")
    if cookies:
        result["cookies"] = cookies
    return result


def single_value_fields(headers: Headers) -> dict[str, str]:
    """Every field, one value for each name.

    Cookies cannot be joined (RFC 6265 section 3), so each has the name in another case.
    """
    fields = joined_fields(headers)
    for index, cookie in enumerate(headers.get_all("set-cookie")):
        fields[_in_another_case("set-cookie", index)] = cookie
    return fields


def last_address(headers: Headers) -> str:
    """The last address of `x-forwarded-for`, which the front door itself has put there.

    Without the port that a load balancer can be told to add.
    """
    lines = headers.get_all("x-forwarded-for")
    address = lines[-1].rpartition(",")[2].strip() if lines else ""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def status_description(status: int) -> str:
    """The status with its phrase, if it has one."""
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def body_of(event: dict[str, Any]) -> bytes:
    """The body of an event, which says whether it is in base64."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise EventError(f"body should be text, found {type(body).__name__}")
    is_base64 = event.get("isBase64Encoded")
    if is_base64 is not None and not isinstance(is_base64, bool):
        raise EventError(
            f"isBase64Encoded should be true or false, found {type(is_base64).__name__}"
        )
    if not is_base64:
        return body.encode("utf-8", "replace")
    from base64 import b64decode

    try:
        return b64decode(body, validate=True)
    except ValueError as exc:
        raise EventError(f"isBase64Encoded is true, but the body is no base64: {exc}") from exc


def body_as_text(response: Response) -> tuple[str, bool]:
    """The body as text by evidence: not encoded, no NUL, valid UTF-8; else in base64."""
    if "content-encoding" not in response.headers and b"\0" not in response.body:
        try:
            return response.body.decode(), False
        except UnicodeDecodeError:
            pass
    from base64 import b64encode

    return b64encode(response.body).decode(), True


def _in_another_case(name: str, index: int) -> str:
    """The name with the letters in upper case that have a bit in `index`; 0 has none.

    `set-cookie` has nine letters: 512 cookies, more than fit into a response's head.
    """
    letters = []
    for character in name:
        if character.isalpha():
            letters.append(character.upper() if index & 1 else character)
            index >>= 1
        else:
            letters.append(character)
    return "".join(letters)
