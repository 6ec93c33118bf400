"""What may happen to a response, and when: one table, held by both ends of the wire.

The runtime asks it before it sends, the emulator before it passes on.
"""

from __future__ import annotations

from enum import Enum

from ..errors import LocalProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class State(Enum):
    """Where a response stands."""

    WAITING = "waiting"
    STREAMING = "streaming"
    ENDED = "ended"
    FAILED = "failed"

    # That of Enum is written in Python, and every part of a response asks the table below.
    __hash__ = object.__hash__


class Event(Enum):
    """What can happen to it."""

    HEAD = "head"
    BODY = "body"
    END = "end"
    FAILURE = "failure"

    __hash__ = object.__hash__


# A failure is legal in two states and travels differently in each: before the head it is a
# POST to /error; after it, only trailers are left to carry it.
TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.WAITING: {Event.HEAD: State.STREAMING, Event.FAILURE: State.FAILED},
    State.STREAMING: {
        Event.BODY: State.STREAMING,
        Event.END: State.ENDED,
        Event.FAILURE: State.FAILED,
    },
    State.ENDED: {},
    State.FAILED: {},
}


def next_state(state: State, event: Event) -> State:
    """The state after `event`.

    Raises:
        LocalProtocolError: the table does not allow `event` in `state`.
    """
    moves = TRANSITIONS[state]
    try:
        return moves[event]
    except KeyError:
        allowed = ", ".join(move.value for move in moves) or "nothing"
        raise LocalProtocolError(
            f"cannot send {event.value}: the response is {state.value}; allowed now: {allowed}"
        ) from None
