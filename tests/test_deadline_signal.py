"""Where the deadline's signal raises: in the handler's code, and nowhere in ours.

The signal is rung by a trace function, at every bytecode in turn: the real one comes between
any two.
"""

from __future__ import annotations

import _signal
import functools
import gc
import logging
import os
import signal
import sys
import threading
import weakref

import pytest

from penstock import adapt, pipeline, sse, streamify_response
from penstock.buffered import BufferedResponder
from penstock.deadline import DeadlineGuard, GuardedBlock
from penstock.errors import DeadlineApproaching
from penstock.stream import current_responder
from tests.bridge.apps import event
from tests.tools import repeated

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(120, method="thread")


class Plenty:
    """A context with so much time that the timer never rings by itself."""

    aws_request_id = "r1"

    def get_remaining_time_in_millis(self):
        return 10_000_000


# Where there are locks, threads, and an order of things.
OURS = {
    "penstock.bridge.answering",
    "penstock.bridge.server_sent_events",
    "penstock.bridge.wsgi",
    "penstock.event_handlers",
    "penstock.event_streams",
    "penstock.heartbeats",
    "penstock.stream",
}


class Ringing:
    """Rings at a bytecode in the guarded block, and at each one after it until it is heard.

    At those of `OURS` and of functions called `names`. Without a `place` it only lists them.
    """

    def __init__(self, names, place=None):
        self._names = names
        self._place = place
        self.places = {}
        self.has_rung = False

    def __enter__(self):
        sys.settrace(self._called)
        return self

    def __exit__(self, *exc_info):
        sys.settrace(None)

    def _called(self, frame, what, argument):
        if frame.f_globals.get("__name__") in OURS or frame.f_code.co_name in self._names:
            frame.f_trace_opcodes = True
            return self._at
        return None

    def _at(self, frame, what, argument):
        if what == "opcode":
            ring = _signal.getsignal(_signal.SIGALRM)
            if callable(ring):
                place = frame.f_code, frame.f_lasti
                self.places.setdefault(place, f"{frame.f_code.co_qualname}:{frame.f_lineno}")
                if self.has_rung or place == self._place:
                    self.has_rung = True
                    ring(_signal.SIGALRM, frame)
        return self._at


def ring_everywhere(handler, names, check):
    """Call the handler once for each bytecode at which the signal may come.

    Outside CI for some of them: spread over the work, not those of one part of it.
    """
    _, _, listing = rung(handler, Ringing(names))
    assert len(listing.places) > 100
    step = len(listing.places) // repeated(len(listing.places), here=50)
    for place, name in [*listing.places.items()][::step]:
        responder, error, ringing = rung(handler, Ringing(names, place))
        assert ringing.has_rung, name
        check(responder, error, name)


def rung(handler, ringing):
    responder = BufferedResponder()
    token = current_responder.set(responder)
    error = None
    try:
        with ringing:
            handler(event(), Plenty())
    except DeadlineApproaching as exc:
        error = exc
    finally:
        current_responder.reset(token)
    return responder, error, ringing


def is_told(responder, error):
    """Whether a response that is not whole has failed, or is a whole one that says so."""
    if (responder.metadata or {}).get("statusCode") == 504:
        return responder.ended
    return error is not None and (responder.content_type is None or responder.error is error)


def test_a_handler_under_sse_hears_of_it_and_ends_its_stream():
    def work(events):
        events.send("one")
        events.send("two")

    @streamify_response(deadline_margin_ms=1)
    @sse(heartbeat_seconds=3600)
    def handler(event, events, context):
        try:
            work(events)
        except DeadlineApproaching:
            events.send("sorry")

    def check(responder, error, where):
        body = b"".join(responder.chunks)
        assert error is None, where
        assert responder.ended, where
        assert b"two" in body or b"sorry" in body, where
        assert body.endswith(b"event: end\ndata:\n\n"), where

    ring_everywhere(handler, ["work"], check)


@pytest.mark.parametrize("content_type", ["text/plain", "text/event-stream"])
def test_the_iterable_of_a_wsgi_app_is_closed_and_no_part_of_a_response_looks_whole(content_type):
    closed = []

    class Parts:
        def __init__(self):
            self._parts = [b"data: one\n\n", b"data: two\n\n"]

        def __iter__(self):
            return self

        def __next__(self):
            if not self._parts:
                raise StopIteration
            return self._parts.pop(0)

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        closed.clear()
        start_response("200 OK", [("Content-Type", content_type)])
        return Parts()

    def check(responder, error, where):
        assert closed == [True], where
        body = b"".join(responder.chunks)
        assert b"data: two" in body or is_told(responder, error), where

    option = sse(heartbeat_seconds=3600, end="end")
    logging.disable()
    try:
        ring_everywhere(adapt(app, deadline_margin_ms=1, sse=option), ["__next__"], check)
    finally:
        logging.disable(logging.NOTSET)


def ring():
    # Once it was heard there is no timer, and the signal would end the process.
    if callable(signal.getsignal(signal.SIGALRM)):
        signal.raise_signal(signal.SIGALRM)


def heard(work):
    """How often the work, in a guarded block, has heard of the deadline."""
    guard = DeadlineGuard(Plenty(), 1)
    hook = sys.unraisablehook
    times = 0
    with GuardedBlock(guard):
        for _ in range(2):
            try:
                work()
            except DeadlineApproaching:
                times += 1
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert guard.raised is bool(times)
    return times


def test_it_is_heard_in_the_app_and_in_the_library_called_by_it():
    assert heard(ring) == 1
    assert heard(functools.partial(sorted, [1], key=lambda item: ring())) == 1


def test_in_a_finalizer_or_a_callback_of_a_weak_reference_it_waits():
    """Nobody would hear it: Python lets nothing through there."""
    rung = []

    class Finalized:
        def __del__(self):
            rung.append(True)
            inner()

    class Referenced:
        pass

    def inner():
        ring()

    def in_finalizer():
        Finalized()
        gc.collect()

    def in_callback():
        referenced = Referenced()
        weakref.finalize(referenced, inner)
        del referenced
        gc.collect()
        rung.append(True)

    for work in (in_finalizer, in_callback):
        assert heard(work) == 0
        assert rung.pop()


def test_swallowed_where_nobody_could_tell_it_rings_again(capsys):
    class Referenced:
        pass

    called = []

    def callback(reference):
        called.append(True)
        ring()

    guard = DeadlineGuard(Plenty(), 1)
    with pytest.raises(DeadlineApproaching), GuardedBlock(guard):
        referenced = Referenced()
        reference = weakref.ref(referenced, callback)
        del referenced
        assert called
        assert reference() is None
        threading.Event().wait(30)

    assert guard.raised
    assert "Exception ignored" not in capsys.readouterr().err


def test_what_others_have_ignored_goes_to_who_listens(monkeypatch):
    ignored = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda unraisable: ignored.append(unraisable.err_msg)
    )

    class Broken:
        def __del__(self):
            raise OSError

    with pytest.raises(DeadlineApproaching), GuardedBlock(DeadlineGuard(Plenty(), 1)):
        try:
            ring()
        finally:
            Broken()
            gc.collect()

    assert len(ignored) == 1


def test_in_the_handlers_of_a_logger_it_waits():
    """They print what is raised in them and go on."""
    emitted = []

    class Handler(logging.Handler):
        def emit(self, record):
            emitted.append(record)
            ring()

    logger = logging.getLogger("tests.deadline")
    handler = Handler()
    logger.addHandler(handler)
    try:
        assert heard(lambda: logger.error("something")) == 0
    finally:
        logger.removeHandler(handler)
    assert len(emitted) == 2


def test_a_pipe_that_is_read_for_the_app_is_interrupted():
    class Soon(Plenty):
        def get_remaining_time_in_millis(self):
            return 1_030

    reading, writing = os.pipe()
    source = open(reading, "rb")  # noqa: SIM115 - closed by who reads it
    try:

        @streamify_response(deadline_margin_ms=1_000)
        def handler(event, response_stream, context):
            response_stream.write("one")
            pipeline(source, response_stream)

        def app(environ, start_response):
            start_response("200 OK", [("X-Kind", "app")])
            return source

        def wrapping(environ, start_response):
            start_response("200 OK", [("X-Kind", "wrapping")])
            return environ["wsgi.file_wrapper"](source)

        for each in (wrapping, app, handler):
            if source.closed:
                reading, other = os.pipe()
                os.close(writing)
                writing = other
                source = open(reading, "rb")  # noqa: SIM115
            answer = each if each is handler else adapt(each, deadline_margin_ms=1_000)
            responder = BufferedResponder()
            token = current_responder.set(responder)
            try:
                if each is handler:
                    with pytest.raises(DeadlineApproaching):
                        answer({}, Soon())
                else:
                    answer(event(), Soon())
                    assert responder.metadata["statusCode"] == 504
            finally:
                current_responder.reset(token)
            assert source.closed
    finally:
        source.close()
        os.close(writing)


def test_a_module_of_the_app_may_have_the_name_of_one_of_the_library(tmp_path):
    path = tmp_path / "queue.py"
    code = compile("def work():\n    ring()\n", str(path), "exec")
    module = {"__name__": "queue", "ring": ring_here}
    exec(code, module)

    # Called by us, without any other frame of the app in between.
    handler = streamify_response(deadline_margin_ms=1)(
        lambda event, response_stream, context: module["work"]()
    )
    token = current_responder.set(BufferedResponder())
    try:
        with pytest.raises(DeadlineApproaching):
            handler({}, Plenty())
    finally:
        current_responder.reset(token)


def ring_here():
    # Without a frame of this module, as if the signal had come in the caller.
    _signal.getsignal(_signal.SIGALRM)(_signal.SIGALRM, sys._getframe(1))
