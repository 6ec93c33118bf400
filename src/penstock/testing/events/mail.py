"""SES: mail that has come in.

Source: AWS documentation, "Lambda function examples" and "Contents of notifications" of
email receiving with Amazon SES.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime, getaddresses
from typing import Any
from uuid import uuid4

from .common import REGION, arn, iso


def ses(
    mail: bytes | None = None,
    *,
    sender: str = "sender@example.com",
    to: Sequence[str] = ("recipient@example.com",),
    subject: str = "Hello",
    function_name: str = "function",
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a mail: what its headers say, and SES's verdicts, but not its content.

    `mail` is a whole one as it is stored in a file; without it one is made of the rest.
    """
    message = _parsed(mail) if mail is not None else _made(sender, to, subject)
    return _event(message, arn("lambda", region, f"function:{function_name}"))


def _event(message: EmailMessage, function_arn: str) -> dict[str, Any]:
    now, identifier = iso(), uuid4().hex + uuid4().hex[:8]
    source = (_addresses(message, "from") or ["sender@example.com"])[0]
    recipients = [address for name in ("to", "cc") for address in _addresses(message, name)]
    common: dict[str, Any] = {"returnPath": source}
    for name, key in (("from", "from"), ("to", "to"), ("cc", "cc")):
        if values := message.get_all(name):
            common[key] = [str(value) for value in values]
    for name, key in (("date", "date"), ("message-id", "messageId"), ("subject", "subject")):
        if (value := message.get(name)) is not None:
            common[key] = str(value)
    passed = {"status": "PASS"}
    return {
        "Records": [
            {
                "eventSource": "aws:ses",
                "eventVersion": "1.0",
                "ses": {
                    "mail": {
                        "timestamp": now,
                        "source": source,
                        "messageId": identifier,
                        "destination": recipients,
                        "headersTruncated": False,
                        "headers": [
                            {"name": "Return-Path", "value": f"<{source}>"},
                            *(
                                {"name": name, "value": str(value)}
                                for name, value in message.items()
                            ),
                        ],
                        "commonHeaders": common,
                    },
                    "receipt": {
                        "timestamp": now,
                        "processingTimeMillis": 574,
                        "recipients": recipients,
                        "spamVerdict": passed,
                        "virusVerdict": passed,
                        "spfVerdict": passed,
                        "dkimVerdict": passed,
                        "dmarcVerdict": passed,
                        "action": {
                            "type": "Lambda",
                            "functionArn": function_arn,
                            "invocationType": "Event",
                        },
                    },
                },
            }
        ]
    }


def _parsed(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=default)


def _made(sender: str, to: Sequence[str], subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{uuid4()}@example.com>"
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = "text/plain; charset=UTF-8"
    return message


def _addresses(message: EmailMessage, name: str) -> list[str]:
    values = [str(value) for value in message.get_all(name, [])]
    return [address for _, address in getaddresses(values) if address]
