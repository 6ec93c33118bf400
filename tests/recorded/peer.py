"""Records of what @h4ad/serverless-adapter 4.4.0 did, and what Penstock does with the same.

A record has the event, what the web app saw of it, what it answered and what the platform
got. Requests and answers are compared in a form in which only what matters to somebody is
left: names without case, lists of values joined, nothing that a connection needs.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from penstock import adapt
from penstock.errors import PenstockError
from penstock.event_sources.detect import all_sources
from penstock.testing import Answer, Context, run

Record = dict[str, Any]

# Added by Node.js, or of a connection that a platform's answer does not have.
_OF_A_CONNECTION = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}

# Where the peer's path of a source is another, it is said in its own way.
_PATHS = {"dynamodb": "/dynamo"}
_PATH_OPTIONS = {
    "sqsForwardPath": "sqs",
    "snsForwardPath": "sns",
    "s3ForwardPath": "s3",
    "dynamoDBForwardPath": "dynamodb",
    "eventBridgeForwardPath": "eventbridge",
}


def load(folder: Path, *names: str) -> list[Record]:
    """The records of some files of the folder."""
    return [record for name in names for record in json.loads((folder / name).read_text())]


class App:
    """An app of either kind that keeps what it sees and answers as the record's app did.

    What was told to fail in the peer's framework raises here, at the same place. `target` is
    the path as it was sent, which only ASGI has.
    """

    def __init__(self, kind: str, told: Record) -> None:
        self.kind = kind
        self.seen: Record | None = None
        self.target: str | None = None
        self._told = told
        mode = told.get("mode")
        self._raises = mode in ("framework_throws", "response_emits_error", "destroy")
        self.status, self.headers, self.chunks = _told_response(told)

    @property
    def callable(self) -> Any:
        """The app, as `adapt` takes it."""
        return self._asgi if self.kind == "asgi" else self._wsgi

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.target = scope["raw_path"].decode()
        body = (await receive())["body"]
        fields = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        self.seen = {
            "method": scope["method"],
            "path": scope["path"],
            "root_path": scope["root_path"],
            "query": _pairs(scope["query_string"].decode()),
            "headers": _request_fields(fields),
            "body": body,
            "client": scope["client"][0] if scope["client"] else "",
        }
        if self._raises:
            raise RuntimeError(self._told.get("message", "kaboom"))
        if self._told.get("async"):
            await asyncio.sleep(0)
        fields = [(name.encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": fields})
        for index, chunk in enumerate(self.chunks):
            if index == self._told.get("fail_after_chunks"):
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if "fail_after_chunks" in self._told:
            raise RuntimeError("the app failed in the middle")
        await send({"type": "http.response.body"})

    def _wsgi(self, environ: Any, start_response: Any) -> Any:
        fields = [
            (name.removeprefix("HTTP_").replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        ]
        root_path, path = _utf8(environ["SCRIPT_NAME"]), _utf8(environ["PATH_INFO"])
        self.seen = {
            "method": environ["REQUEST_METHOD"],
            "path": root_path + path,
            "root_path": root_path,
            "query": _pairs(environ["QUERY_STRING"]),
            "headers": _request_fields(fields),
            "body": environ["wsgi.input"].read(),
            "client": environ["REMOTE_ADDR"],
        }
        if self._raises:
            raise RuntimeError(self._told.get("message", "kaboom"))
        start_response(f"{self.status} -", list(self.headers))
        for index, chunk in enumerate(self.chunks):
            if index == self._told.get("fail_after_chunks"):
                break
            yield chunk
        if "fail_after_chunks" in self._told:
            raise RuntimeError("the app failed in the middle")


class Outcome:
    """What an app of ours saw of a record's event, and what the platform got.

    `result` is the JSON of a buffered answer, `streamed` an answer that streamed, `error`
    what the invocation failed with; the others are None.
    """

    def __init__(
        self, app: App, result: Any, streamed: Answer | None, error: BaseException | None
    ) -> None:
        self.app = app
        self.result = result
        self.streamed = streamed
        self.error = error


def event_of(record: Record) -> Any:
    """The record's event; JavaScript's `undefined` is None."""
    event = copy.deepcopy(record.get("event"))
    return None if event == {"__undefined": True} else event


def function_url_event_of(record: Record) -> Any:
    """The event, a Function URL's if it was an HTTP API's.

    The peer streams to HTTP APIs. AWS does not, but to Function URLs, with such events.
    """
    event = event_of(record)
    if event.get("version") == "2.0":
        event["requestContext"]["domainName"] = "abc.lambda-url.us-east-1.on.aws"
    return event


def outcome_of(record: Record, kind: str, event: Any = None, **options: Any) -> Outcome:
    """Give the record's event, or another, to an adapted app that answers as was recorded."""
    event = event_of(record) if event is None else event
    before = copy.deepcopy(event)
    app = App(kind, record.get("app_response") or {})
    told = record.get("options") or {}
    options = {"mode": "buffer", "base_path": told.get("stripBasePath", "")} | options
    options.setdefault("sources", _sources(told))
    try:
        answer = run(adapt(app.callable, interface=kind, **options), event, Context())
    except PenstockError as exc:
        found = Outcome(app, None, None, exc)
    else:
        found = Outcome(app, answer.result, answer if answer.is_streamed else None, None)
    assert event == before, f"{record['id']}: the event was changed"
    return found


def request_differences(record: Record, found: Outcome) -> set[str]:
    """The parts of the request that our app saw differently."""
    recorded = record.get("request")
    if not recorded or not recorded.get("reached_app"):
        return set()
    seen = found.app.seen
    if seen is None:
        return {"request"}
    raw_path, _, query = recorded["url"].partition("?")
    path = seen["path"]
    if (record.get("options") or {}).get("stripBasePath"):
        path = path[len(seen["root_path"]) :]
    ours = seen | {"path": path or "/"}
    theirs = {
        "method": recorded["method"].upper(),
        "path": unquote(raw_path) or "/",
        "query": _pairs(query),
        "headers": _request_fields(recorded["headers"].items()),
        "body": b64decode(recorded["body_base64"]),
        "client": recorded.get("remote_address") or "",
    }
    return {part for part, value in theirs.items() if ours[part] != value}


def answer_differences(record: Record, found: Outcome) -> set[str]:
    """The parts of the platform's answer that differ, or {"outcome"}."""
    if record["outcome"] == "hang":
        return {"outcome"}
    if record["outcome"] == "rejected" or found.error is not None:
        return set() if record["outcome"] == "rejected" and found.error else {"outcome"}
    if "prelude" in record:
        ours = None if found.streamed is None else streamed_form(found.streamed)
        theirs = _recorded_stream_form(record)
    else:
        ours, theirs = answer_form(found.result), answer_form(record["lambda_response"])
    if ours is None or theirs is None:
        return set() if ours is theirs else {"answer"}
    return {part for part, value in theirs.items() if ours[part] != value}


def answer_form(result: Any) -> Record | None:
    """A proxy response, or the answer to an event from within AWS, to be compared."""
    if result is None:
        return None
    if "statusCode" not in result and "status" not in result:
        # AWS takes an empty list of failures for an empty object.
        return {"json": {} if result == {"batchItemFailures": []} else result}
    fields = []
    for name, value in (result.get("headers") or {}).items():
        for one in value if isinstance(value, list) else [value]:
            fields.append((name, one["value"] if isinstance(one, dict) else one))
    for name, values in (result.get("multiValueHeaders") or {}).items():
        fields += [(name, value) for value in values]
    fields += [("set-cookie", cookie) for cookie in result.get("cookies") or []]
    body = result.get("body") or ""
    is_base64 = result.get("isBase64Encoded") or result.get("bodyEncoding") == "base64"
    return {
        "json": None,
        "status": int(result["statusCode"] if "statusCode" in result else result["status"]),
        **_response_fields(fields),
        "body": b64decode(body) if is_base64 else str(body).encode("utf-8", "surrogatepass"),
    }


def streamed_form(answer: Answer) -> Record:
    """What a streamed answer carries, to be compared."""
    assert answer.prelude is not None
    fields = [*answer.prelude.headers.items()]
    fields += [("set-cookie", cookie) for cookie in answer.prelude.cookies]
    return {
        "status": answer.prelude.status_code,
        **_response_fields(fields),
        "body": answer.body,
    }


def _recorded_stream_form(record: Record) -> Record | None:
    prelude = record["prelude"]
    if prelude is None:
        return None
    fields = [*prelude.get("headers", {}).items()]
    fields += [("set-cookie", cookie) for cookie in prelude.get("cookies", [])]
    form = {"status": prelude["statusCode"], **_response_fields(fields)}
    if "body_base64" in record:
        form["body"] = b64decode(record["body_base64"])
    return form


def _sources(options: Record) -> list[Any]:
    moved = _PATHS | {name: options[key] for key, name in _PATH_OPTIONS.items() if key in options}
    return [type(source)(moved[source.name]) for source in all_sources() if source.name in moved]


def _told_response(told: Record) -> tuple[int, list[tuple[str, str]], list[bytes]]:
    if told.get("mode") == "throw":
        # Handled by the framework, with an answer of its own.
        text = f"framework error handler: {told['message']}"
        return 500, [("content-type", "text/plain")], [text.encode()]
    headers = [
        (name, str(value))
        for name, values in told.get("headers", [])
        for value in (values if isinstance(values, list) else [values])
    ]
    chunks = told.get("chunks", [told.get("body")])
    if isinstance(chunks, str):
        count, size = map(int, re.findall(r"\d+", chunks))
        chunks = ["a" * size] * count
    return told.get("status", 200), headers, [_told_bytes(chunk) for chunk in chunks]


def _told_bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if "base64" in body:
        return b64decode(body["base64"])
    return json.dumps(body["json"], separators=(",", ":"), ensure_ascii=False).encode()


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode()


def _request_fields(fields: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        if value == "" or (key == "content-length" and value == "0"):
            continue
        joint = "; " if key == "cookie" else ","
        joined[key] = joined[key] + joint + value if key in joined else value
    return {
        key: value if key == "cookie" else re.sub(r"\s*,\s*", ",", value)
        for key, value in joined.items()
    }


def _response_fields(fields: Any) -> Record:
    headers: dict[str, str] = {}
    cookies = []
    for name, value in fields:
        key, text = name.lower(), re.sub(r"\s*,\s*", ",", str(value))
        if key == "set-cookie":
            cookies.append(str(value))
        elif key not in _OF_A_CONNECTION:
            headers[key] = f"{headers[key]},{text}" if key in headers else text
    return {"headers": headers, "cookies": sorted(cookies)}
