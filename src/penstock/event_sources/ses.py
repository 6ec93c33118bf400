"""SES: mail that has come in."""

from __future__ import annotations

from .delivered import Recorded


class Ses(Recorded):
    """Mail that has come in, without its content.

    A receipt rule that waits for the function (`RequestResponse`) reads its `disposition`
    from the result; the app cannot set one, and the rules go on.
    """

    name = "ses"
    looks_for = 'eventSource "aws:ses" in all Records'
    host = "ses.amazonaws.com"
    path = "/ses"
    event_source = "aws:ses"
