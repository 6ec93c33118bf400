"""`run`: a handler from beginning to end, and everything it sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..buffered import BufferedResponder
from ..messages import Prelude
from ..stream import current_responder
from .context import Context


class Answer:
    """What a handler sent.

    `is_streamed` tells whether it used its stream. If so, `prelude` is its HTTP head or
    None, `content_type` what it set, `chunks` the body as it was written, piece by piece.
    `result` is what the handler returned, None for a streamed answer.
    """

    def __init__(self, responder: BufferedResponder, result: Any) -> None:
        self.is_streamed = responder.content_type is not None
        self.content_type = responder.content_type
        self.prelude = (
            Prelude.from_metadata(responder.metadata) if responder.metadata is not None else None
        )
        self.chunks = responder.chunks
        self.result = result

    @property
    def body(self) -> bytes:
        """All chunks, joined."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body, as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        if not self.is_streamed:
            return f"<Answer, not streamed: {self.result!r:.80}>"
        head = f"{self.prelude}, " if self.prelude is not None else ""
        return f"<Answer {head}{self.content_type}, {len(self.chunks)} chunks>"


def run(handler: Callable[[Any, Any], Any], event: Any = None, context: Any = None) -> Answer:
    """Call `handler` as the runtime would and return what it sent.

    The handler is one decorated with `streamify_response`, whatever its shape, or a plain
    callable of `(event, context)`; `event` defaults to an empty dict, `context` to a
    `Context`. Blocks until the handler has returned; may be called from an async test, too.

    Raises:
        BaseException: whatever the handler raises, also if somebody around it caught that
            after the first byte. What it had sent before is in the exception's `__notes__`.
    """
    responder = BufferedResponder()
    token = current_responder.set(responder)
    try:
        result = handler({} if event is None else event, context or Context())
    except BaseException as exc:
        if responder.content_type is not None:
            exc.add_note(f"penstock.testing: sent before: {responder.chunks!r:.500}")
        raise
    finally:
        current_responder.reset(token)
    if responder.error is not None:
        # Somebody around the handler has caught it, but the response was cut.
        raise responder.error
    return Answer(responder, result)
