"""CodePipeline: the job of an invoke action.

Source: AWS documentation, "AWS Lambda invoke action reference".
"""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CodePipeline(Delivered):
    """A job of a pipeline.

    The pipeline does not look at the answer: it waits until somebody has called
    `PutJobSuccessResult` or `PutJobFailureResult`, which the app has to do. The event has
    credentials in it (`artifactCredentials`).
    """

    name = "codepipeline"
    looks_for = '"CodePipeline.job" with an id and data'
    host = "codepipeline.amazonaws.com"
    path = "/codepipeline"

    def matches(self, event: Any) -> bool:
        """Whether the event is the job of a pipeline."""
        job = event.get("CodePipeline.job") if isinstance(event, dict) else None
        return (
            isinstance(job, dict)
            and isinstance(job.get("id"), str)
            and isinstance(job.get("data"), dict)
        )
