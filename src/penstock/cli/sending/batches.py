"""The services that put several messages into one event."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from ...errors import PenstockError
from ...testing import events
from .source import DATA, TEXTS, Event, Item, Messages, Source, add_name, add_pairs, pairs


def _sqs_options(parser: ArgumentParser) -> None:
    add_name(parser, "--queue", "queue", "the queue; a FIFO queue if it ends with .fifo")
    add_pairs(parser, "--attribute", "an attribute of each message")
    parser.add_argument("--group-id", metavar="ID", help="the messages' group")


def _sqs(items: Sequence[Item], options: Namespace) -> list[Event]:
    event = events.sqs(
        *(item.text() for item in items),
        queue=options.queue,
        attributes=pairs(options.attribute, "--attribute"),
        group_id=options.group_id,
        region=options.region,
    )
    return [(event, items)]


def _dynamodb_options(parser: ArgumentParser) -> None:
    add_name(parser, "--table", "table", "the table")
    parser.add_argument(
        "--key",
        action="append",
        metavar="NAME",
        help="an attribute of the primary key (default: the items' first; repeatable)",
    )
    parser.add_argument(
        "--event-name",
        choices=["INSERT", "MODIFY", "REMOVE"],
        default="INSERT",
        help="what happened to the items (default INSERT)",
    )
    parser.add_argument(
        "--old", metavar="JSON", help="with MODIFY: what was different in the items before"
    )


def _dynamodb(items: Sequence[Item], options: Namespace) -> list[Event]:
    # A float would lose digits.
    found = [item.json(Decimal) for item in items]
    for item in found:
        if not isinstance(item, dict) or not item:
            raise PenstockError(f"an item is a JSON object with attributes, not {item!r:.80}")
    if (options.old is not None) != (options.event_name == "MODIFY"):
        raise PenstockError(
            "--old goes with --event-name MODIFY, which needs it: the attributes that were "
            """different before, as in --old '{"state": "new"}'"""
        )
    before = Item(os.fsencode(options.old)).json(Decimal) if options.old is not None else {}
    if not isinstance(before, dict):
        raise PenstockError(f"--old takes a JSON object, not {options.old!r:.80}")
    changes: dict[str, Callable[[Any], tuple[Any, Any]]] = {
        "INSERT": lambda item: (None, item),
        "MODIFY": lambda item: ({**item, **before}, item),
        "REMOVE": lambda item: (item, None),
    }
    try:
        event = events.dynamodb(
            *(changes[options.event_name](item) for item in found),
            keys=tuple(options.key or [next(iter(found[0]))]),
            table=options.table,
            region=options.region,
        )
    except (ValueError, TypeError) as exc:
        raise PenstockError(str(exc)) from exc
    return [(event, items)]


def _kinesis_options(parser: ArgumentParser) -> None:
    add_name(parser, "--stream", "stream", "the stream")
    parser.add_argument("--partition-key", default="1", metavar="KEY", help="(default 1)")


def _kinesis(items: Sequence[Item], options: Namespace) -> list[Event]:
    event = events.kinesis(
        *(item.data for item in items),
        stream=options.stream,
        partition_key=options.partition_key,
        region=options.region,
    )
    return [(event, items)]


def _kafka_options(parser: ArgumentParser) -> None:
    add_name(parser, "--topic", "topic", "the topic")
    parser.add_argument("--key", help="of each record")
    add_pairs(parser, "--header", "a header of each record")
    parser.add_argument("--partition", type=_partition, default=0, metavar="N", help="(default 0)")
    parser.add_argument(
        "--self-managed", action="store_true", help="of a cluster that is not Amazon MSK's"
    )


def _partition(text: str) -> int:
    # Not `isdecimal` alone: other scripts' digits are decimal, too.
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"it is a number, 0 or more, not {text!r}")
    return int(text)


def _kafka(items: Sequence[Item], options: Namespace) -> list[Event]:
    event = events.kafka(
        *(item.data for item in items),
        topic=options.topic,
        key=options.key,
        headers=pairs(options.header, "--header"),
        partition=options.partition,
        self_managed=options.self_managed,
        region=options.region,
    )
    return [(event, items)]


def _mq_options(parser: ArgumentParser) -> None:
    add_name(parser, "--queue", "queue", "the queue")
    parser.add_argument("--rabbit", action="store_true", help="of RabbitMQ, not ActiveMQ")
    add_pairs(parser, "--property", "a property (ActiveMQ) or header (RabbitMQ) of each")


def _mq(items: Sequence[Item], options: Namespace) -> list[Event]:
    # What is no text is sent as bytes.
    data = [item.data.decode() if _is_text(item.data) else item.data for item in items]
    values = pairs(options.property, "--property")
    if options.rabbit:
        event = events.rabbit_mq(*data, queue=options.queue, headers=values, region=options.region)
    else:
        event = events.active_mq(
            *data, queue=options.queue, properties=values, region=options.region
        )
    return [(event, items)]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _logs_options(parser: ArgumentParser) -> None:
    add_name(parser, "--log-group", "/aws/lambda/other", "the log group")


def _logs(items: Sequence[Item], options: Namespace) -> list[Event]:
    return [(events.logs(*(item.text() for item in items), log_group=options.log_group), items)]


BATCHES = (
    Source(
        "sqs",
        "messages of a queue of SQS, as one batch",
        TEXTS,
        """\
  penstock send sqs app 'order 17' 'order 18'
  penstock send sqs app --lines orders.txt --queue orders.fifo --group-id blue
  penstock send sqs app --file order.json --attribute origin=web""",
        _sqs_options,
        _sqs,
    ),
    Source(
        "dynamodb",
        "changes of a table of DynamoDB, as one batch",
        Messages("ITEM", "the items, as plain JSON objects"),
        """\
  penstock send dynamodb app '{"id": "17", "state": "paid"}'
  penstock send dynamodb app '{"id": "17", "state": "paid"}' \\
      --event-name MODIFY --old '{"state": "new"}'
  penstock send dynamodb app '{"id": "17"}' --event-name REMOVE --table orders""",
        _dynamodb_options,
        _dynamodb,
    ),
    Source(
        "kinesis",
        "records of a data stream of Kinesis, as one batch",
        DATA,
        """\
  penstock send kinesis app one two --stream clicks --partition-key blue
  penstock send kinesis app --file record.bin""",
        _kinesis_options,
        _kinesis,
    ),
    Source(
        "kafka",
        "records of a topic of Kafka, as one batch",
        DATA,
        """\
  penstock send kafka app one two --topic orders --key blue --header origin=web
  penstock send kafka app --file record.bin --self-managed""",
        _kafka_options,
        _kafka,
    ),
    Source(
        "mq",
        "messages of a queue of Amazon MQ, as one batch",
        Messages("MESSAGE", "the messages; from a file they may be any bytes"),
        """\
  penstock send mq app one two --property origin=web
  penstock send mq app one --rabbit --queue orders""",
        _mq_options,
        _mq,
    ),
    Source(
        "logs",
        "log events of a subscription of CloudWatch Logs, as one batch",
        TEXTS,
        """\
  penstock send logs app 'ERROR no more' --log-group /aws/lambda/orders
  penstock send logs app --lines service.log""",
        _logs_options,
        _logs,
    ),
)
