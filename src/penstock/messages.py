"""HTTP as values: `Request`, `Response`, `Prelude` and `Headers`.

This module is loaded inside every function, so it imports nothing but the tree of errors:
the values are plain classes, to be treated as immutable.
"""

from __future__ import annotations

from .errors import PreludeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

# RFC 9110 section 5.6.2: the characters of a header name.
_NAME_CHARACTERS = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

# RFC 9110 section 7.6.1 and what Lambda's front doors frame themselves. A `content-length`
# would reach the client as `x-amzn-remapped-content-length` (cargo-lambda#862) and a
# `transfer-encoding` breaks clients (the AWS Lambda Web Adapter removes it, too).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_METADATA_KEYS = ("statusCode", "headers", "cookies", "multiValueHeaders")


class Headers:
    """An ordered list of header fields, looked up without regard to case.

    Repeated fields are kept. `Headers([("A", "1"), ("a", "2")]).get_all("A")` is
    `["1", "2"]`; `get` gives the first.
    """

    __slots__ = ("_by_name", "_fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple((str(name), str(value)) for name, value in fields)
        self._by_name: dict[str, list[str]] | None = None

    @classmethod
    def of_texts(cls, fields: Iterable[tuple[str, str]]) -> Headers:
        """The same of what is known to be pairs of `str`, which spares looking."""
        headers = cls.__new__(cls)
        headers._fields = tuple(fields)
        headers._by_name = None
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`, or `default`."""
        by_name = self._by_name
        values = (self._indexed() if by_name is None else by_name).get(name.lower())
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """Every value of `name`, in order."""
        return [*self._indexed().get(name.lower(), ())]

    def _indexed(self) -> dict[str, list[str]]:
        # Made for the first look-up; the emulator has the same headers many times over.
        if (by_name := self._by_name) is None:
            by_name = {}
            for field, value in self._fields:
                by_name.setdefault(field.lower(), []).append(value)
            self._by_name = by_name
        return by_name

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._indexed()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Headers({list(self._fields)!r})"


class Request:
    """An HTTP request as a front door received it, body and all.

    `path` and `query` are as they were sent, still percent-encoded; `query` has no `?`.
    `root_path` is the start of `path` below which an app is found, like the stage of an API:
    whole segments of it, without a slash at the end, or "".
    """

    __slots__ = (
        "body",
        "headers",
        "method",
        "path",
        "protocol",
        "query",
        "root_path",
        "source_ip",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: str = "",
        headers: Headers | None = None,
        body: bytes = b"",
        source_ip: str = "127.0.0.1",
        protocol: str = "HTTP/1.1",
        root_path: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.root_path = root_path
        self.query = query
        self.headers = headers if headers is not None else Headers()
        self.body = body
        self.source_ip = source_ip
        self.protocol = protocol

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"


class Response:
    """A whole HTTP response: `status`, `headers` (repeated fields kept) and `body`."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        self.status = status
        self.headers = Headers(headers)
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


class Prelude:
    """The HTTP head of a streamed response: status, headers, cookies.

    `headers` maps names to single values; `cookies` are whole `Set-Cookie` values, one
    each; `multi_value_headers` maps names to lists and is honoured by API Gateway REST
    APIs only, where it wins over `headers`.
    Everything is checked here, at construction.

    Raises:
        PreludeError: a status outside 100 to 599, a header or cookie that is no `str`, a
            header name that is no HTTP token, or a value with a line break or another
            control character in it, or with blanks around it.
    """

    __slots__ = ("cookies", "headers", "multi_value_headers", "status_code")

    def __init__(
        self,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] = (),
        multi_value_headers: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.status_code = _checked_status(status_code)
        self.headers = {
            _checked_name(name): _checked_value(name, value)
            for name, value in _checked_mapping("headers", headers).items()
        }
        self.cookies = tuple(
            _checked_value("a cookie", cookie) for cookie in _checked_list("cookies", cookies)
        )
        self.multi_value_headers = {
            _checked_name(name): tuple(
                _checked_value(name, value)
                for value in _checked_list(f"multiValueHeaders[{name!r}]", values)
            )
            for name, values in _checked_mapping("multiValueHeaders", multi_value_headers).items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any] | Prelude) -> Prelude:
        """A prelude from the JSON shape of Node's `HttpResponseStream.from`.

        Raises:
            PreludeError: as the constructor does, and for a key that is none of
                `statusCode`, `headers`, `cookies`, `multiValueHeaders`.
        """
        if isinstance(metadata, Prelude):
            return metadata
        metadata = _checked_mapping("the metadata", metadata)
        unknown = [key for key in metadata if key not in _METADATA_KEYS]
        if unknown:
            raise PreludeError(
                f"response metadata has the key {unknown[0]!r}; "
                f"allowed are {', '.join(_METADATA_KEYS)}"
            )
        return cls(
            metadata.get("statusCode", 200),
            metadata.get("headers"),
            metadata.get("cookies") or (),
            metadata.get("multiValueHeaders"),
        )

    def to_metadata(self) -> dict[str, Any]:
        """The JSON shape of Node's metadata, without what may not be sent on a stream.

        Hop-by-hop fields and `Content-Length` are left out: the front door frames the body.
        """
        metadata: dict[str, Any] = {"statusCode": self.status_code}
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP
        }
        multi = {
            name: list(values)
            for name, values in self.multi_value_headers.items()
            if name.lower() not in HOP_BY_HOP
        }
        if headers:
            metadata["headers"] = headers
        if self.cookies:
            metadata["cookies"] = list(self.cookies)
        if multi:
            metadata["multiValueHeaders"] = multi
        return metadata

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prelude) and (
            self.status_code,
            self.headers,
            self.cookies,
            self.multi_value_headers,
        ) == (other.status_code, other.headers, other.cookies, other.multi_value_headers)

    def __hash__(self) -> int:
        return hash((self.status_code, frozenset(self.headers.items()), self.cookies))

    def __repr__(self) -> str:
        parts = [repr(self.status_code)]
        if self.headers:
            parts.append(repr(self.headers))
        if self.cookies:
            parts.append(f"cookies={list(self.cookies)!r}")
        if self.multi_value_headers:
            parts.append(f"multi_value_headers={self.multi_value_headers!r}")
        return f"Prelude({', '.join(parts)})"


def check_field(name: object, value: object) -> None:
    """Raise `PreludeError` for a header field that cannot be sent."""
    _checked_value(_checked_name(name), value)


def _checked_status(status: object) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise PreludeError(
            f"statusCode must be an int, not {type(status).__name__} ({status!r:.80})"
        )
    if not 100 <= status <= 599:
        raise PreludeError(f"statusCode must be from 100 to 599, not {status}")
    # `http.HTTPStatus.OK` and other enumerations become plain numbers.
    return int(status)


def _checked_mapping(what: str, value: Any) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise PreludeError(f"{what} must be a mapping, not {type(value).__name__}")
    mapping: Mapping[Any, Any] = value
    return mapping


def _checked_list(what: str, value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise PreludeError(f"{what} must be a list of str, not {type(value).__name__}")
    values: Iterable[Any] = value
    return values


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name or not _NAME_CHARACTERS.issuperset(name):
        raise PreludeError(f"{name!r:.80} is no HTTP header name")
    return name


def _checked_value(name: object, value: object) -> str:
    if not isinstance(value, str):
        hint = ""
        if isinstance(value, (list, tuple)):
            hint = "; use cookies or multiValueHeaders for several values"
        elif isinstance(value, bool):
            # As in JSON: what reads a header knows no `True`.
            hint = f"; write {str(value).lower()!r}"
        elif isinstance(value, (int, float)):
            hint = f"; write {str(value)!r}"
        raise PreludeError(
            f"the value of {name!r:.80} must be a str, not {type(value).__name__}{hint}"
        )
    for forbidden in ("\r", "\n", "\0"):
        if forbidden in value:
            raise PreludeError(
                f"the value of {name!r:.80} has {forbidden!r} in it, "
                "which would start another header; remove it"
            )
    if not value.isprintable():
        for character in value:
            if (character < " " and character != "\t") or character == "\x7f":
                raise PreludeError(
                    f"the value of {name!r:.80} has {character!r} in it, a control character; "
                    "remove it"
                )
    if value != value.strip(" \t"):
        raise PreludeError(f"the value of {name!r:.80} begins or ends with a blank; strip it")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise PreludeError(f"the value of {name!r:.80} is no text: {exc}") from exc
    return value
