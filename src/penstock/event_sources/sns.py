"""SNS: notifications of a topic."""

from __future__ import annotations

from .delivered import Recorded


class Sns(Recorded):
    """The notifications of a topic."""

    name = "sns"
    looks_for = 'EventSource "aws:sns" in all Records'
    host = "sns.amazonaws.com"
    path = "/sns"
    event_source = "aws:sns"
