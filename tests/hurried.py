"""Handlers that hear of their deadline, and a context that brings it near."""

from __future__ import annotations

from penstock import streamify_response

MARGIN_MS = 1000
# Long enough for the first lines of a handler on a busy machine.
MOMENT_MS = 200


class Hurried:
    """A context: a moment more than the margin is left."""

    def __init__(self, moment_ms=MOMENT_MS):
        self._left_ms = MARGIN_MS + moment_ms

    def get_remaining_time_in_millis(self):
        return self._left_ms


guarded = streamify_response(deadline_margin_ms=MARGIN_MS)
