"""Both clients at work on the same handlers, and what counts of what they do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.runtime.clients import Client, Run
from tests.runtime.recorder import Recorded

HANDLERS = Path(__file__).parent

EXIT = b'"exit"'


def both(
    handler: str, events: list[Any], *, folder: Path = HANDLERS, **options: Any
) -> tuple[Run, Run]:
    """AWS's client and ours, each with `events`, of which the last makes the handler exit."""
    payloads = [
        event if isinstance(event, tuple) else json.dumps(event).encode() for event in events
    ]
    clients = [
        Client(name, folder, handler, [*payloads, EXIT], **options) for name in ("aws", "penstock")
    ]
    aws, penstock = (client.wait() for client in clients)
    return aws, penstock


# The frame in which AWS's client calls a hook, in JSON or in the log. Ours leaves its own out.
HOOK_FRAME = re.compile(
    r"""
    "?[ \xa0]{2}File\ \\?"[^"\\]*/lambda_runtime_hooks_runner\.py\\?",\ line\ \d+,\ in\ \w+
    (\\n|[\r\n])[ \xa0]{4}func\(\*args,\ \*\*kwargs\)
    (\\n",\ |[\r\n])
    """,
    re.VERBOSE,
)


def said(text: str) -> str:
    """A log without its times, and without what names the runtime or its warning.

    AWS's warning after a failed start speaks of updates of AWS's runtime. How often a line of
    an endless recursion was repeated depends on how deep in the runtime the handler began.
    """
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "<time>", text)
    text = re.sub(r"repeated \d+ more times", "repeated <n> more times", text)
    text = HOOK_FRAME.sub("", text)
    text = re.sub(r"LAMBDA_WARNING: [^\r\"\\]*", "LAMBDA_WARNING", text)
    # One logs it by the root, the other by a logger of its own.
    return re.sub(r"(LAMBDA_WARNING\\r\", \"logger\": )\"[\w.]+\"", r"\1<logger>", text)


def sent(request: Recorded) -> dict[str, object]:
    """What counts of a request.

    User-Agent, Host and Accept are each client's own. AWS's client names no content type for
    failures of the start; X-Ray gets `paths` from a set, in no order.
    """
    cause = request.header("lambda-runtime-function-xray-error-cause")
    xray = json.loads(cause) if cause else {}
    return {
        "request": f"{request.method} {request.path}",
        "complete": request.complete,
        "length": request.header("content-length") == str(len(request.body)),
        "content type": request.header("content-type")
        if request.action in ("response", "error")
        else "any",
        "mode": request.header("lambda-runtime-function-response-mode"),
        "error type": request.header("lambda-runtime-function-error-type"),
        "invocation id": request.header("lambda-runtime-invocation-id"),
        "body": said(request.body.decode("utf-8", "backslashreplace")),
        "cause": said(json.dumps(xray | {"paths": sorted(xray.get("paths", ()))})),
    }


def assert_alike(aws: Run, penstock: Run, names: list[str]) -> None:
    """Compare what was sent name by name, then the logs line by line."""
    sent_by_aws, sent_by_us = ([sent(post) for post in run.posts] for run in (aws, penstock))
    for name, theirs, ours in zip(names, sent_by_aws, sent_by_us, strict=False):
        assert (name, ours) == (name, theirs)
    assert [r.path for r in penstock.requests] == [r.path for r in aws.requests]
    assert said(penstock.stdout).split("\n") == said(aws.stdout).split("\n")
    ours, theirs = ([(kind, said(text)) for kind, text in r.frames] for r in (penstock, aws))
    assert ours == theirs
    # A process that dies of an exception shows the frames of its own code as well.
    assert penstock.stderr.splitlines()[-1:] == aws.stderr.splitlines()[-1:]
    assert penstock.status == aws.status
