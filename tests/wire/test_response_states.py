"""The table of a response's states: what it allows, and that it refuses everything else."""

from __future__ import annotations

import itertools

import pytest

from penstock.errors import LocalProtocolError
from penstock.wire.response_states import TRANSITIONS, Event, State, next_state

ALLOWED = {
    ("waiting", "head"): "streaming",
    ("waiting", "failure"): "failed",
    ("streaming", "body"): "streaming",
    ("streaming", "end"): "ended",
    ("streaming", "failure"): "failed",
}
EVERY_MOVE = list(itertools.product(State, Event))


@pytest.mark.parametrize(
    ("state", "event"), [move for move in EVERY_MOVE if (move[0].value, move[1].value) in ALLOWED]
)
def test_a_move_in_the_table_is_made(state, event):
    assert next_state(state, event) is State(ALLOWED[state.value, event.value])


@pytest.mark.parametrize(
    ("state", "event"),
    [move for move in EVERY_MOVE if (move[0].value, move[1].value) not in ALLOWED],
)
def test_all_moves_not_in_the_table_are_refused(state, event):
    with pytest.raises(LocalProtocolError):
        next_state(state, event)


def test_the_table_has_every_state_and_every_allowed_move():
    assert set(TRANSITIONS) == set(State)
    assert {
        (state.value, event.value): after.value
        for state, moves in TRANSITIONS.items()
        for event, after in moves.items()
    } == ALLOWED
    assert len(EVERY_MOVE) == 16


@pytest.mark.parametrize(
    ("state", "event", "message"),
    [
        (
            State.WAITING,
            Event.BODY,
            "cannot send body: the response is waiting; allowed now: head, failure",
        ),
        (
            State.STREAMING,
            Event.HEAD,
            "cannot send head: the response is streaming; allowed now: body, end, failure",
        ),
        (State.ENDED, Event.END, "cannot send end: the response is ended; allowed now: nothing"),
        (
            State.FAILED,
            Event.FAILURE,
            "cannot send failure: the response is failed; allowed now: nothing",
        ),
    ],
)
def test_a_refusal_says_what_was_tried_and_what_is_allowed(state, event, message):
    with pytest.raises(LocalProtocolError) as caught:
        next_state(state, event)

    assert str(caught.value) == message
