"""What a REST API makes of a function's response: the head, and of a whole one the body.

What is no proxy response is refused as on AWS, with a sentence for the log: what is wrong,
and what would be right. What no source tells of AWS is a `ValueError`, and refused as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import PenstockError, PreludeError, RemoteProtocolError
from ...messages import HOP_BY_HOP, Prelude, Response, check_field
from ...wire.prelude import DELIMITER, PreludeDecoder
from .answering import check_final

# "None of the fields are mandatory, but no others may be there": AWS documentation,
# "Lambda proxy integrations in API Gateway"; tried on AWS (localstack/localstack,
# test_aws_proxy_response_payload_format_validation).
_ALLOWED = ("statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded")

# What API Gateway says itself it renames in the function's answer (AWS documentation,
# "Important notes"; seen in answers of live REST APIs).
_REMAPPED = {"connection", "date", "server", "www-authenticate", "x-amzn-requestid"}

_DROPPED = HOP_BY_HOP - {"connection", "content-length"}

_STREAM_MEND = (
    "give the integration STREAM (--rest-api STREAM), or leave rest_api out of what adapt streams"
)
NO_PRELUDE_MEND = (
    "yield a Prelude first (or use HttpResponseStream.from_); an app behind adapt needs "
    'stream=["function_url", "rest_api"]; a handler that does not stream needs BUFFERED '
    "(--rest-api BUFFERED)"
)


class MalformedResponseError(PenstockError):
    """The function's response is none that API Gateway takes; the text is for the log."""


def head_of_stream(metadata: Mapping[str, Any]) -> Response:
    """The head that the metadata of a streamed response asks for, without a body.

    A `Content-Length` in it stands: only without one does API Gateway use chunks.

    Raises:
        MalformedResponseError: something in it is not as API Gateway takes it.
        ValueError: HTTP cannot carry it, and what API Gateway does then is not known.
    """
    _check_streamed_status(metadata.get("statusCode", 200))
    _check_streamed_fields(metadata)
    try:
        prelude = Prelude.from_metadata(metadata)
    except PreludeError as exc:
        raise MalformedResponseError(f"{exc}; mend the metadata") from exc
    lists = {name: list(values) for name, values in prelude.multi_value_headers.items()}
    fields = _lists_win(prelude.headers, lists)
    fields += [("Set-Cookie", cookie) for cookie in prelude.cookies]
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    if lengths and (len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdecimal())):
        raise MalformedResponseError(
            f"its Content-Length is {', '.join(lengths)!r}, which is no number; leave it out"
        )
    return Response(prelude.status_code, sent_fields(fields, keeps_length=True))


def response_from_result(
    content: bytes, *, accepts_binary: bool, say: Callable[[str], object]
) -> Response:
    """What a BUFFERED integration makes of the function's whole response.

    `accepts_binary` says that the client's `Accept` begins with one of the API's binary
    media types; only then is base64 decoded. `say` gets a line for every oddity of AWS's
    that the client will notice.

    Raises:
        MalformedResponseError: it is no proxy response.
        ValueError: HTTP cannot carry it, and what API Gateway does then is not known.
    """
    if DELIMITER in content:
        return _head_alone(content, say)
    try:
        result = json.loads(content)
    except (ValueError, RecursionError):
        raise MalformedResponseError(
            "the response is no JSON; return an object like "
            '{"statusCode": 200, "headers": {...}, "body": "..."}, or, to stream, '
            + _STREAM_MEND.partition(",")[0]
        ) from None
    if not isinstance(result, dict):
        raise MalformedResponseError(
            f"the response is JSON, but no object ({type(result).__name__}); return one like "
            '{"statusCode": 200, "headers": {...}, "body": "..."}'
        )
    unknown = [key for key in result if key not in _ALLOWED]
    if unknown:
        hint = "; use multiValueHeaders and Set-Cookie" if unknown[0] == "cookies" else ""
        raise MalformedResponseError(
            f"the response has the key {unknown[0]!r}; allowed are {', '.join(_ALLOWED)}{hint}"
        )
    response = Response(_status(result), sent_fields(_fields(result), keeps_length=False))
    response.body = _body(result, accepts_binary=accepts_binary, say=say)
    return response


def sent_fields(fields: list[tuple[str, str]], *, keeps_length: bool) -> list[tuple[str, str]]:
    """The fields of a function, or of a backend, as the client gets them."""
    sent = []
    for name, value in fields:
        key = name.lower()
        if key in _DROPPED:
            continue
        is_remapped = key in _REMAPPED or (key == "content-length" and not keeps_length)
        sent.append((f"x-amzn-Remapped-{key}" if is_remapped else name, value.strip(" \t")))
    if not any(name.lower() == "content-type" for name, _ in sent):
        sent.append(("Content-Type", "application/json"))
    return sent


def _head_alone(content: bytes, say: Callable[[str], object]) -> Response:
    decoder = PreludeDecoder()
    try:
        decoder.receive(content)
        if decoder.metadata is None:
            raise RemoteProtocolError("the metadata has no end")
    except RemoteProtocolError as exc:
        raise MalformedResponseError(f"{exc}; {_STREAM_MEND}") from exc
    response = head_of_stream(decoder.metadata)
    say(
        "the function streams, the integration is BUFFERED: AWS applies status and headers "
        f"and drops the body; {_STREAM_MEND}"
    )
    # The length that the function has told is of the body that is dropped.
    fields = [field for field in response.headers if field[0].lower() != "content-length"]
    return Response(response.status, fields)


def _check_streamed_status(value: object) -> None:
    """Raise `ValueError` unless it is a number that a status may be.

    A whole response may have it as text, or null; of a stream's metadata that is not known.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        shown = json.dumps(value)
        raise ValueError(
            f"statusCode is {shown:.80}; write a number from 200 to 599, without quotes"
        )
    check_final(value)


def _check_streamed_fields(metadata: Mapping[str, Any]) -> None:
    """Raise `ValueError` for text that no header can be; what is no text is looked at later."""
    cookies = metadata.get("cookies")
    kinds = [metadata.get("headers"), metadata.get("multiValueHeaders"), {"Set-Cookie": cookies}]
    for fields in kinds:
        for name, values in fields.items() if isinstance(fields, dict) else ():
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str):
                    check_field(name, value)


def _status(result: dict[str, Any]) -> int:
    value = result.get("statusCode")
    try:
        status = 200 if value is None else int(str(value))
    except ValueError:
        # As recorded for a text that is no number.
        raise MalformedResponseError(
            f"statusCode is {value!r:.80}; write a number from 200 to 599"
        ) from None
    if 100 <= status < 200:
        check_final(status)
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode is {value!r:.80}; write a number from 200 to 599")
    return status


def _fields(result: dict[str, Any]) -> list[tuple[str, str]]:
    single = _mapping(result, "headers")
    lists = _mapping(result, "multiValueHeaders")
    values: dict[str, str] = {}
    for name, value in single.items():
        if isinstance(value, bool):
            values[name] = str(value).lower()
        elif isinstance(value, str):
            values[name] = value
        elif value is not None:
            raise MalformedResponseError(
                f"the header {name!r:.80} is {value!r:.80}; write text, and lists into "
                "multiValueHeaders"
            )
    for name, items in lists.items():
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise MalformedResponseError(
                f"multiValueHeaders has {items!r:.80} for {name!r:.80}; write a list of text"
            )
    fields = _merged(values, lists)
    for name, value in fields:
        check_field(name, value.strip(" \t"))
    return fields


def _mapping(result: dict[str, Any], key: str) -> dict[str, Any]:
    value = result.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedResponseError(f"{key} is {value!r:.80}; write an object")
    return value


def _lists_win(single: Mapping[str, str], lists: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Both in one list, for a stream: of a header that is in both, what the lists have."""
    listed = {name.lower() for name in lists}
    fields = [(name, value) for name, value in single.items() if name.lower() not in listed]
    fields += [(name, value) for name, values in lists.items() for value in values]
    return fields


def _merged(single: Mapping[str, str], lists: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Both in one list, for a whole response: of a header in both, the list, then the other.

    The list decides how the name is written, as recorded on AWS (localstack/localstack,
    test_aws_proxy_response_payload_format_validation, 2024-11-15). A value that is in both
    goes out once: AWS documentation, "Lambda proxy integrations in API Gateway".
    """
    spellings = {name.lower(): name for name in lists}
    fields = [(name, value) for name, value in single.items() if name.lower() not in spellings]
    joined = {name: list(values) for name, values in lists.items()}
    for name, value in single.items():
        spelling = spellings.get(name.lower())
        if spelling is not None and value not in joined[spelling]:
            joined[spelling].append(value)
    fields += [(name, value) for name, values in joined.items() for value in values]
    return fields


def _body(result: dict[str, Any], *, accepts_binary: bool, say: Callable[[str], object]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponseError(
            f"body is of type {type(body).__name__}; write text, as by json.dumps(...)"
        )
    encoded = body.encode("utf-8", "replace")
    if result.get("isBase64Encoded") is not True:
        return encoded
    if not accepts_binary:
        say(
            "the body is in base64 and goes out so, as text: on AWS it is decoded only if the "
            "client's Accept begins with one of the API's binaryMediaTypes (--rest-api has none); "
            "a STREAM integration passes bytes as they are"
        )
        return encoded
    from base64 import b64decode

    try:
        return b64decode(encoded, validate=True)
    except ValueError as exc:
        raise MalformedResponseError(
            f"isBase64Encoded is true, but the body is not: {exc}"
        ) from exc
