"""`penstock send`: an event of an AWS service, sent to a function of a running emulator."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from .sending.batches import BATCHES
from .sending.singles import SINGLES
from .sending.source import Item, Source, read

_DESCRIPTION = """\
Send an event of an AWS service to a function that `penstock dev` runs, and show the answer.

The event is made from the messages as the service makes it. A batch is one event; services
that deliver one by one (sns, s3, eventbridge, schedule, ses) make an event of each message.
"""

_EXAMPLES = """\
examples:
  penstock send sqs app 'order 17' 'order 18' --attribute origin=web
  penstock send kinesis app --lines events.jsonl --partition-key blue
  penstock send s3 app 'photos/red flower.jpg' --bucket pictures --content flower.jpg
  penstock send eventbridge app '{"order": 17}' --detail-type 'Order Paid' --source shop
  penstock send schedule app
  penstock send sqs --print app 'order 17' > event.json

`penstock send SOURCE --help` shows what each source takes.
The exit status is 1 if the function, or a message of the batch, has failed.
"""


# More than sockets take is no use.
_LONGEST_WAIT = 1e6


class _Parser(argparse.ArgumentParser):
    """Takes messages also after options, which argparse does not by itself."""

    def parse_known_args(  # type: ignore[override]
        self, args: Any = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, unknown = super().parse_known_args(args, namespace)
        later: list[str] = []
        while unknown and not unknown[0].startswith("-"):
            later.append(unknown.pop(0))
        if unknown[:1] == ["--"]:
            later, unknown = [*later, *unknown[1:]], []
        options.messages = [*(options.messages or []), *later]
        return options, unknown


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `send` to the commands."""
    parser = commands.add_parser(
        "send",
        usage="penstock send SOURCE FUNCTION [MESSAGE ...] [options]",
        help="send an event of SQS, S3, EventBridge ... to a function of `penstock dev`",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = parser.add_subparsers(
        metavar="SOURCE", required=True, parser_class=_Parser, prog=parser.prog
    )
    for source in sorted((*BATCHES, *SINGLES), key=lambda source: source.name):
        _add_source(sources, source)


def _add_source(sources: argparse._SubParsersAction[_Parser], source: Source) -> None:
    parser = sources.add_parser(
        source.name,
        help=source.help,
        description=f"Send {source.help} to a function.",
        epilog=f"examples:\n{source.examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("function", metavar="FUNCTION", help="its name: the file's, without .py")
    messages = source.messages
    parser.add_argument("messages", nargs="*", metavar=messages.metavar, help=messages.help)
    if messages.from_files:
        parser.add_argument(
            "--file",
            action="append",
            default=[],
            metavar="FILE",
            help="a file that is one message, whole; - is standard input (repeatable)",
        )
        parser.add_argument(
            "--lines",
            action="append",
            default=[],
            metavar="FILE",
            help="a file with a message in each line; - is standard input (repeatable)",
        )
    source.add_options(parser)
    parser.add_argument("--region", default="us-east-1", help="region of it all (us-east-1)")
    parser.add_argument(
        "--endpoint",
        default="http://localhost:9000",
        metavar="URL",
        help="where penstock dev listens (default http://localhost:9000)",
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        default=920,
        metavar="SECONDS",
        help="how long to wait for the answer (default 920, Lambda's longest and a little)",
    )
    parser.add_argument(
        "--print", action="store_true", dest="only_print", help="print the event, send nothing"
    )
    # Not `source`, which is an option of some.
    parser.set_defaults(run=run, parser=parser, service=source)


def run(options: argparse.Namespace) -> int:
    """Make the events, send them one after the other, and show what became of them."""
    from .sending.delivery import Delivery, as_text

    source: Source = options.service
    items = _items(options)
    if not items and source.messages.required:
        _refuse(
            options,
            f"nothing to send: name a {source.messages.metavar}"
            + (", --file or --lines" if source.messages.from_files else ""),
        )
    events = source.events(items, options)
    if options.only_print:
        for event, _ in events:
            print(as_text(event, indent=2))
        return 0
    succeeded = [
        Delivery(options.function, event, items).run(options.endpoint, options.wait)
        for event, items in events
    ]
    return 0 if all(succeeded) else 1


def _items(options: argparse.Namespace) -> list[Item]:
    items = [Item(os.fsencode(text)) for text in options.messages]
    if not options.service.messages.from_files:
        return items
    if [*options.file, *options.lines].count("-") > 1:
        _refuse(options, "standard input can be read only once")
    items += [Item(_read(name), None if name == "-" else name) for name in options.file]
    for name in options.lines:
        items += [Item(line) for line in _read(name).splitlines() if line.strip()]
    return items


def seconds(text: str) -> float:
    """A time to wait, as argparse reads it."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < _LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f"it is a number of seconds, over 0, not {text!r}")
    return value


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else read(Path(name))


def _refuse(options: argparse.Namespace, what: str) -> NoReturn:
    options.parser.error(what)
    raise AssertionError  # the parser has exited
