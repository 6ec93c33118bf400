"""The services that make an event of each message."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import PenstockError
from ...testing import events
from .source import TEXTS, Event, Item, Messages, Source, add_name, add_pairs, pairs, read


def _sns_options(parser: ArgumentParser) -> None:
    add_name(parser, "--topic", "topic", "the topic")
    parser.add_argument("--subject", help="of the notification")
    add_pairs(parser, "--attribute", "an attribute of the notification")


def _sns(items: Sequence[Item], options: Namespace) -> list[Event]:
    attributes = pairs(options.attribute, "--attribute")
    return [
        (
            events.sns(
                item.text(),
                subject=options.subject,
                topic=options.topic,
                attributes=attributes,
                region=options.region,
            ),
            [item],
        )
        for item in items
    ]


# AWS documentation, "Event notification types and destinations" of Amazon S3, and `Event` of
# its API.
_S3_EVENTS = (
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "ObjectRestore:Post",
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "ReducedRedundancyLostObject",
    "Replication:OperationFailedReplication",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "Replication:OperationNotTracked",
    "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
    "LifecycleTransition",
    "IntelligentTiering",
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectAcl:Put",
    "ObjectRetention:Put",
    "ObjectAnnotation:Put",
    "ObjectAnnotation:Delete",
)


def _s3_event(text: str) -> str:
    name = text.removeprefix("s3:")
    if name not in _S3_EVENTS:
        raise ArgumentTypeError(f"S3 has no event {text!r}; it has {', '.join(_S3_EVENTS)}")
    return name


def _s3_options(parser: ArgumentParser) -> None:
    add_name(parser, "--bucket", "bucket", "the bucket")
    parser.add_argument(
        "--event-name",
        type=_s3_event,
        default="ObjectCreated:Put",
        metavar="NAME",
        help="what happened (default ObjectCreated:Put), for example ObjectRemoved:Delete",
    )
    parser.add_argument(
        "--content",
        type=Path,
        metavar="FILE",
        help="a file with the object's content, for its size and ETag",
    )
    parser.add_argument("--version-id", metavar="ID", help="of the object")


def _s3(items: Sequence[Item], options: Namespace) -> list[Event]:
    content = read(options.content) if options.content is not None else b""
    return [
        (
            events.s3(
                item.text(),
                bucket=options.bucket,
                event_name=options.event_name,
                content=content,
                version_id=options.version_id,
                region=options.region,
            ),
            [item],
        )
        for item in items
    ]


def _eventbridge_options(parser: ArgumentParser) -> None:
    add_name(parser, "--detail-type", "Custom Event", "what has happened")
    add_name(parser, "--source", "custom.application", "who tells of it")
    parser.add_argument(
        "--resource", action="append", default=[], metavar="ARN", help="(repeatable)"
    )


def _detail(item: Item) -> dict[str, Any]:
    detail = item.json()
    # AWS documentation, `Detail` of PutEvents.
    if not isinstance(detail, dict):
        raise PenstockError(
            f"""a detail is a JSON object, as in '{{"order": 17}}', not {detail!r:.80}"""
        )
    return detail


def _eventbridge(items: Sequence[Item], options: Namespace) -> list[Event]:
    return [
        (
            events.eventbridge(
                _detail(item),
                detail_type=options.detail_type,
                source=options.source,
                resources=options.resource,
                region=options.region,
            ),
            [item],
        )
        for item in items
    ]


def _schedule_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler",
        action="store_true",
        help="a schedule of EventBridge Scheduler, not a rule of EventBridge",
    )


def _schedule(items: Sequence[Item], options: Namespace) -> list[Event]:
    make = events.scheduler if options.scheduler else events.schedule_rule
    names = [item.text() for item in items] or ["daily"]
    return [(make(name, region=options.region), []) for name in names]


def _ses_options(parser: ArgumentParser) -> None:
    parser.add_argument("--mail", type=Path, metavar="FILE", help="a mail, as .eml files have it")
    parser.add_argument("--from", dest="sender", default="sender@example.com", metavar="ADDRESS")
    parser.add_argument("--to", action="append", metavar="ADDRESS", help="(repeatable)")


def _ses(items: Sequence[Item], options: Namespace) -> list[Event]:
    if options.mail is None:
        mails: list[bytes | None] = [None] * max(1, len(items))
    else:
        mails = [read(options.mail)]
        if items:
            raise PenstockError("--mail has a subject of its own; leave out SUBJECT")
    subjects = [item.text() for item in items] or ["Hello"]
    return [
        (
            events.ses(
                mail,
                sender=options.sender,
                to=options.to or ["recipient@example.com"],
                subject=subject,
                function_name=options.function,
                region=options.region,
            ),
            [],
        )
        for mail, subject in zip(mails, subjects, strict=True)
    ]


SINGLES = (
    Source(
        "sns",
        "notifications of a topic of SNS",
        TEXTS,
        """\
  penstock send sns app 'it is paid' --subject 'Order 17' --topic orders""",
        _sns_options,
        _sns,
    ),
    Source(
        "s3",
        "what happened to objects of a bucket of S3",
        Messages("KEY", "the objects' keys, as they are (not encoded)", from_files=False),
        """\
  penstock send s3 app 'photos/red flower.jpg' --content flower.jpg
  penstock send s3 app old.txt --event-name ObjectRemoved:Delete""",
        _s3_options,
        _s3,
    ),
    Source(
        "eventbridge",
        "events of a bus of EventBridge",
        Messages("DETAIL", "what the events are about, JSON objects"),
        """\
  penstock send eventbridge app '{"order": 17}' --detail-type 'Order Paid' --source shop""",
        _eventbridge_options,
        _eventbridge,
    ),
    Source(
        "schedule",
        "the events of a schedule, without an input of its own",
        Messages(
            "NAME", "of the rule or schedule (default daily)", from_files=False, required=False
        ),
        """\
  penstock send schedule app
  penstock send schedule app nightly --scheduler""",
        _schedule_options,
        _schedule,
    ),
    Source(
        "ses",
        "mail that SES has received",
        Messages("SUBJECT", "of the mail (default Hello)", from_files=False, required=False),
        """\
  penstock send ses app 'Where is my order?' --from ann@example.com --to shop@example.com
  penstock send ses app --mail question.eml""",
        _ses_options,
        _ses,
    ),
)
