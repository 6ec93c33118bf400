"""An exception as the platform wants to hear of it."""

from __future__ import annotations

import os
import sys

from ..errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class FailureReport:
    """What failed: `error_type`, `message`, `stack_trace` (formatted, outermost first).

    Frames of Penstock and of asyncio above the handler are left out.
    """

    __slots__ = ("_frames", "_is_fault", "error_type", "message", "stack_trace")

    def __init__(self, error: BaseException) -> None:
        self.message = _words(error)
        # (label, path, line, source) of each frame
        self._frames: list[tuple[str, str, int, str]] = []
        self._is_fault = isinstance(error, FaultError)
        if isinstance(error, FaultError):
            self.error_type = error.error_type
            self.stack_trace = list(error.stack_trace or [])
            return
        from traceback import extract_tb, format_list

        self.error_type = type(error).__name__
        frames = extract_tb(error.__traceback__)
        while frames and _is_ours(frames[0].filename):
            del frames[0]
        self._frames = [
            (frame.name, frame.filename, frame.lineno or 0, frame.line or "") for frame in frames
        ]
        # As AWS's client: without the carets under a part of a line.
        self.stack_trace = format_list(
            [(path, line, label, source) for label, path, line, source in self._frames]
        )

    def body(self, request_id: str = "") -> dict[str, Any]:
        """The JSON object of a POST to `/error` or `/init/error`."""
        return {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": request_id,
            "stackTrace": self.stack_trace,
        }

    def xray_error_cause(self) -> dict[str, Any]:
        """The JSON object of `Lambda-Runtime-Function-XRay-Error-Cause`."""
        return {
            "working_directory": os.getcwd(),
            "exceptions": [
                {
                    "message": self.message,
                    # AWS's client names every failure of its own like this, for X-Ray only.
                    "type": "LambdaValidationError" if self._is_fault else self.error_type,
                    "stack": [
                        {"label": label, "path": path, "line": line}
                        for label, path, line, _ in self._frames
                    ],
                }
            ],
            "paths": sorted({path for _, path, _, _ in self._frames}),
        }


def _is_ours(filename: str) -> bool:
    asyncio = getattr(sys.modules.get("asyncio"), "__path__", None)
    return filename.startswith(_OUR_FOLDER) or (
        asyncio is not None and filename.startswith(asyncio[0] + os.sep)
    )


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as exc:
        return f"(its message cannot be read: {type(exc).__name__})"
