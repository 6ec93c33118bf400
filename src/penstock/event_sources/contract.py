"""What an event source is: what it does with the events of one AWS service.

Sources are plain objects. They are asked one after the other whether an event is theirs,
which exactly one may affirm (but for the tasks of `step_functions`, which may hold the event
of another source); none changes the event.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..messages import Request, Response

    class EventSource(Protocol):
        """The events of one service, as requests, and responses as that service's answers.

        `name` is what options and variables call it ("rest_api"), `looks_for` says in a line
        by what it knows its events. `can_stream`: its caller can take a prelude and a body in
        pieces. `is_internal`: its events come from within AWS and are delivered to the app
        as requests to `path`, which no outside caller may make; else `path` is "".

        Three more attributes may be there, and be true. `has_paths_below`: the requests of an
        internal source are to paths below `path`, which is as closed to outside callers.
        `is_fallback`: the source is asked only when no other has taken an event.
        `per_record`: the events hold records that are to be delivered one by one, which
        `result_by_record` does (see `batches.Batched`).
        """

        name: str
        looks_for: str
        can_stream: bool
        is_internal: bool
        path: str

        def matches(self, event: Any) -> bool:
            """Whether this source has made `event`; never raises, whatever the event is."""

        def request(self, event: Any) -> Request:
            """The request that a matching event tells of.

            Raises:
                EventError: something in it is not as this source makes it.
            """

        def result(self, response: Response, event: Any) -> Any:
            """The JSON that answers a matching event.

            Raises:
                DeliveryError: the response says that an internal event was not handled, so
                    that the invocation is to fail. It has nothing of the event in its text.
            """
