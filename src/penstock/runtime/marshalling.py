"""Events and buffered responses as JSON, by the rules of AWS's own client.

That client uses simplejson (`awslambdaric` 4.2.2: `lambda_runtime_marshaller.py`), which
differs from `json` in what it takes: objects with `_asdict()` (named tuples, rows of
databases) are JSON objects, `bytes` are text also as keys, events are without NaN.
"""

from __future__ import annotations

import json
import marshal
import os
import sys
from json.encoder import encode_basestring, encode_basestring_ascii

from ..errors import MarshalError
from ..wire.runtime_api import JSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# AWS's client writes non-ASCII text as it is from Python 3.12 on, and escapes it before.
_RAW_UNICODE = frozenset(f"AWS_Lambda_python3.{minor}" for minor in range(12, 30))


def event_from_bytes(body: bytes, content_type: str) -> Any:
    """The event that the handler gets: parsed JSON, or bytes for any other content type.

    Raises:
        MarshalError: `Runtime.UnmarshalError`, it is no JSON.
    """
    if content_type != JSON:
        return body
    try:
        return _DECODER.decode(str(body, "utf-8").removeprefix("\ufeff"))
    except Exception as exc:
        raise MarshalError("Runtime.UnmarshalError", f"Unable to unmarshal input: {exc}") from exc


def response_to_bytes(response: object) -> tuple[bytes, str]:
    """A buffered response and its content type.

    `bytes` go as they are, with AWS's `application/unknown`; everything else is JSON.

    Raises:
        MarshalError: `Runtime.MarshalError`, it cannot be JSON.
    """
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return to_json_bytes(response), JSON
    except Exception as exc:  # the handler's objects may raise anything
        raise MarshalError("Runtime.MarshalError", f"Unable to marshal response: {exc}") from exc


def to_json_bytes(value: object) -> bytes:
    """JSON as UTF-8. Half of a character, which UTF-8 has no bytes for, is escaped."""
    # What this error handler writes is `\ud83d`, which is JSON's own notation.
    return to_json(value).encode("utf-8", "backslashreplace")


def to_json(value: Any) -> str:
    """JSON as AWS's client writes it: NaN bare, `Decimal` as a number."""
    escapes = os.environ.get("AWS_EXECUTION_ENV") not in _RAW_UNICODE
    try:
        # `json` would write a named tuple as an array. `marshal` refuses it, as it does any
        # subclass of a builtin type, and costs a fraction of what the writing costs.
        marshal.dumps(value)
        return _dumps(value, escapes)
    except (TypeError, ValueError, RecursionError):
        pieces: list[str] = []
        quoted = encode_basestring_ascii if escapes else encode_basestring
        _write(value, pieces.append, quoted, set())
        return "".join(pieces)


# Text of this length is worth a look at whether it needs no escapes, which takes a fifth of
# the time of escaping it. Encoded files in buffered responses are such text.
_LONG = 16384
_PLAIN = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')


def _dumps(value: object, escapes: bool) -> str:
    """JSON by `json`, but for long plain text, alone or in an object."""
    if type(value) is str and len(value) > _LONG:
        if value.isascii() and not value.encode().translate(None, _PLAIN):
            return f'"{value}"'
    elif (
        type(value) is dict
        and any(type(item) is str and len(item) > _LONG for item in value.values())
        and all(type(key) is str for key in value)
    ):
        items = [f"{_dumps(key, escapes)}: {_dumps(item, escapes)}" for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    return json.dumps(value, ensure_ascii=escapes)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"Expecting value: found {name}")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _write(
    value: Any, write: Callable[[str], object], quoted: Callable[[str], str], above: set[int]
) -> None:
    """Write what `json` does not know how to; `above` has the containers that `value` is in."""
    if isinstance(value, str):
        write(quoted(value))
    elif isinstance(value, bytes):
        write(quoted(str(value, "utf-8")))
    elif value is None or isinstance(value, (int, float)):
        write(_plain(value))
    else:
        if id(value) in above:
            raise ValueError("Circular reference detected")
        above.add(id(value))
        fields = _as_dict(value)
        if fields is not None:
            _write_object(fields, write, quoted, above)
        elif isinstance(value, (list, tuple)):
            separator = "["
            for item in value:
                write(separator)
                _write(item, write, quoted, above)
                separator = ", "
            write("]" if separator == ", " else "[]")
        elif isinstance(value, dict):
            _write_object(value, write, quoted, above)
        else:
            write(_number(value))
        above.discard(id(value))


def _write_object(
    fields: dict[Any, Any],
    write: Callable[[str], object],
    quoted: Callable[[str], str],
    above: set[int],
) -> None:
    separator = "{"
    for key, value in fields.items():
        write(separator)
        write(quoted(_key(key)))
        write(": ")
        _write(value, write, quoted, above)
        separator = ", "
    write("}" if separator == ", " else "{}")


def _plain(value: float | None) -> str:
    """A number, true, false or null."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if value != value:
        return "NaN"
    if value in (_INFINITY, -_INFINITY):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


_INFINITY = float("inf")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return str(key, "utf-8")
    if key is None or isinstance(key, (int, float)):
        return _plain(key)
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


def _as_dict(value: Any) -> dict[Any, Any] | None:
    """The fields of a named tuple or of what else has `_asdict()`; None without it."""
    method = getattr(value, "_asdict", None)
    if not callable(method):
        return None
    try:
        fields = method()
    except TypeError:
        return None
    if not isinstance(fields, dict):
        raise TypeError(f"_asdict() must return a dict, not {type(fields).__name__}")
    return fields


def _number(value: Any) -> str:
    """A `Decimal`, or JSON that simplejson was told to write as it is."""
    # Whoever has such an object has imported its module.
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return "NaN" if value.is_nan() else str(value)
    simplejson = sys.modules.get("simplejson.raw_json")
    if simplejson is not None and isinstance(value, simplejson.RawJSON):
        return str(value.encoded_json)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
