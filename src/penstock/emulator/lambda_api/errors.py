"""The exceptions of the Lambda API, with AWS's words where they are known.

The words were compared with recorded answers of the live service (the AWS-validated test
snapshots of LocalStack).
"""

from __future__ import annotations

from ...errors import PenstockError


class ApiError(PenstockError):
    """An answer of the API that is an error: its status, its name, its JSON."""

    def __init__(self, status: int, error_type: str, body: dict[str, str]) -> None:
        super().__init__(body.get("message") or body.get("Message") or error_type)
        self.status = status
        self.error_type = error_type
        self.body = body


def invalid(message: str) -> ApiError:
    """A value that the API does not take: `InvalidParameterValueException`."""
    return _of_user(400, "InvalidParameterValueException", message)


def not_valid(problems: list[str]) -> ApiError:
    """Members that break a constraint of the API's model: `ValidationException`."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return ApiError(400, "ValidationException", {"message": f"{count}: {'; '.join(problems)}"})


def not_readable(message: str) -> ApiError:
    """A body that is not what the API's model says: `SerializationException`."""
    return ApiError(400, "SerializationException", {"Message": message})


def not_found(message: str) -> ApiError:
    """Something that does not exist: `ResourceNotFoundException`."""
    body = {"Type": "User", "Message": message}
    return ApiError(404, "ResourceNotFoundException", body)


def conflict(message: str) -> ApiError:
    """Something that is in the way: `ResourceConflictException`."""
    return _of_user(409, "ResourceConflictException", message)


def check_revision(given: str | None, current: str, api: str) -> None:
    """Refuse a change that was meant for another revision; None is meant for any.

    Raises:
        ApiError: 412, `given` is not `current`, which `api` would tell.
    """
    if given not in (None, current):
        raise _of_user(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {api} API to retrieve the latest Revision Id",
        )


def too_large(message: str) -> ApiError:
    """A request or a zip file over AWS's limit: `RequestEntityTooLargeException`."""
    return ApiError(413, "RequestEntityTooLargeException", {"message": message})


def not_emulated(what: str) -> ApiError:
    """What AWS has and this emulator has not: `NotImplementedException`."""
    body = {"Type": "User", "Message": f"{what} is not emulated"}
    return ApiError(501, "NotImplementedException", body)


def _of_user(status: int, error_type: str, message: str) -> ApiError:
    return ApiError(status, error_type, {"Type": "User", "message": message})
