"""Step Functions: tasks of a state machine.

What a task sends is its author's affair. Known are the events that carry the context object,
whole: `"Payload": {"Context.$": "$$", "input.$": "$"}`, or merged with the input. That may
be an event of another service; `detect` then gives it to this source.

Source: AWS documentation, "Accessing execution data from the Context object".
"""

from __future__ import annotations

from ..errors import DeliveryError
from .delivered import Delivered, json_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class StepFunctions(Delivered):
    """A task of a state machine, told by the context object; the app's JSON is its output."""

    name = "step_functions"
    looks_for = "the context object of Step Functions, at the top or as context"
    host = "states.amazonaws.com"
    path = "/stepfunctions"

    def matches(self, event: Any) -> bool:
        """Whether the event carries the context object."""
        if not isinstance(event, dict):
            return False
        return _is_context(event) or any(
            isinstance(key, str) and key.lower() == "context" and _is_context(value)
            for key, value in event.items()
        )

    def result(self, response: Response, event: Any) -> Any:
        """The app's JSON; null for an empty body.

        Raises:
            DeliveryError: the status is not from 200 to 299, or the body is no JSON. The
                task fails then, with this error's name as `Error` for `Retry` and `Catch`.
        """
        self.check_status(response)
        try:
            return json_of(response)
        except ValueError:
            raise DeliveryError(
                f"the app's answer to POST {self.path} is not JSON, which a task's output has to be"
            ) from None


def _is_context(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    execution = value.get("Execution")
    identifier = execution.get("Id") if isinstance(execution, dict) else None
    return (
        isinstance(identifier, str)
        and identifier.startswith("arn:")
        and ":states:" in identifier
        and isinstance(value.get("State"), dict)
        and isinstance(value.get("StateMachine"), dict)
    )
