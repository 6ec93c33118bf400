"""S3: what happened to objects of a bucket."""

from __future__ import annotations

from .delivered import Recorded


class S3(Recorded):
    """The notifications of a bucket, if it sends them to the function itself."""

    name = "s3"
    looks_for = 'eventSource "aws:s3" in all Records'
    host = "s3.amazonaws.com"
    path = "/s3"
    event_source = "aws:s3"
