"""One event on its way to a function, and what became of each of its messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from ...event_sources.batches import Batched, Shard
from ...event_sources.detect import all_sources, source_of
from ...event_sources.kafka import Kafka
from ...testing.invoking import FunctionError, Invoked, invoke
from .source import Item


class Delivery:
    """Sends an event to a function and tells of its answer, `items` being its messages."""

    def __init__(self, function: str, event: dict[str, Any], items: Sequence[Item]) -> None:
        self._function = function
        self._event = event
        self._items = items

    def run(self, endpoint: str, wait: float) -> bool:
        """Invoke the function; whether all has gone well.

        Raises:
            InvokeError: the function was not run, or its answer did not arrive whole.
        """
        try:
            answer = invoke(endpoint, self._function, self._event, timeout=wait)
        except FunctionError as exc:
            print(f"penstock: {exc}", file=sys.stderr)
            for line in exc.stack_trace:
                print(line.rstrip("\n"), file=sys.stderr)
            return False
        print(_shown(answer))
        source = source_of(self._event, all_sources())
        if not isinstance(source, Batched):
            return True
        try:
            report = _report_in(answer)
        except (ValueError, RecursionError) as exc:
            # So it is for SQS: AWS documentation, "Implementing partial batch responses". For
            # the others it is unconfirmed.
            print(
                f"The answer to a batch is no JSON ({exc}): to AWS the whole batch has failed, if "
                "the event source mapping has ReportBatchItemFailures. Answer JSON, as in "
                '{"batchItemFailures": []}.',
                file=sys.stderr,
            )
            return False
        return report is None or self._tell(source, report)

    def _tell(self, source: Batched, report: Any) -> bool:
        records = [(group, identifier) for group, identifier, _ in source.records_of(self._event)]
        try:
            failed = _failed(source, report, [identifier for _, identifier in records])
        except ValueError as exc:
            print(
                f"The report of failures {exc}: to AWS the whole batch has failed.",
                file=sys.stderr,
            )
            return False
        # Streams go back to the first failure, and everything from there on comes again.
        goes_back = isinstance(source, (Shard, Kafka))
        is_behind = False
        for number, ((_, identifier), item) in enumerate(zip(records, self._items, strict=True), 1):
            state = "failed" if identifier in failed else "handled"
            if goes_back and is_behind and state == "handled":
                state = "handled, but comes again"
            is_behind = is_behind or state == "failed"
            print(f"  {number}  {state}: {_short(item)}")
        if failed:
            print(
                f"{len(failed)} of {len(records)} failed. AWS reads this report only if the "
                "event source mapping has ReportBatchItemFailures."
            )
        return not failed


def _report_in(answer: Invoked) -> Any:
    """The `batchItemFailures` of the answer; None if it has none.

    Raises:
        ValueError, RecursionError: the answer is no JSON, and not empty either.
    """
    value = answer.json() if answer.payload.strip() else None
    return value.get("batchItemFailures") if isinstance(value, dict) else None


def _failed(source: Batched, report: Any, known: Sequence[str | None]) -> set[str]:
    """The identifiers of the messages that failed.

    Raises:
        ValueError: the report is malformed; the text says how.
    """
    if not isinstance(report, list):
        raise ValueError(f"is no list but {report!r:.80}")
    failed = set()
    for failure in report:
        item = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        identifier = source.identifier_in(item)
        if identifier is None:
            right = next(source.item_identifier(each) for each in known if each is not None)
            raise ValueError(
                f"has {failure!r:.80}; for the first message of the batch it would be "
                f"{as_text({'itemIdentifier': right})}"
            )
        if identifier not in known:
            raise ValueError(f"names {item!r:.80}, which no message of the batch has")
        failed.add(identifier)
    return failed


def as_text(value: Any, indent: int | None = None) -> str:
    """JSON to be read by people."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which cannot be printed.
        return json.dumps(value, indent=indent)
    return text


def _shown(answer: Invoked) -> str:
    try:
        return as_text(answer.json())
    except (ValueError, RecursionError):
        return answer.payload.decode("utf-8", "replace")


def _short(item: Item) -> str:
    if item.file is not None:
        return item.file
    text = item.data.decode("utf-8", "replace")
    return text if len(text) <= 60 else f"{text[:57]}..."
