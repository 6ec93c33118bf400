"""Events that hold several records, of which some may fail.

A mapping with `ReportBatchItemFailures` reads from the answer which records are to be tried
again. Without it any answer is a success of the whole batch.

Sources: AWS documentation, "Implementing partial batch responses" (SQS), "Configuring
partial batch response" (Kinesis, DynamoDB), "Configuring error handling controls for Kafka
event sources".
"""

from __future__ import annotations

from ..errors import DeliveryError, EventError
from .delivered import Delivered, Recorded, json_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NotRequired, TypedDict

    from ..messages import Response

    class KafkaOffset(TypedDict):
        """The place of a record of a topic; the partition is named as in the event."""

        partition: str
        offset: int

    class ItemFailure(TypedDict):
        """One record that has failed: its message id, its sequence number, or its offset."""

        itemIdentifier: str | KafkaOffset

    class BatchResponse(TypedDict):
        """What AWS reads from the answer to a batch; `state` is that of a tumbling window."""

        batchItemFailures: list[ItemFailure]
        state: NotRequired[dict[str, Any]]


class Batched(Delivered):
    """A source that takes partial batch responses: which of the records have failed.

    The app may answer `{"batchItemFailures": [{"itemIdentifier": ...}, ...]}` to the whole
    batch. With `per_record` it gets each record alone instead, in an event of the same
    shape, and its answers become such a report.
    """

    def __init__(self, path: str | None = None, *, per_record: bool = False) -> None:
        super().__init__(path)
        self.per_record = per_record

    def records_of(self, event: Any) -> Iterator[tuple[str, str | None, Any]]:
        """Each record, in order: its group, its identifier or None, and the event with it alone.

        Where order counts, it counts within a group.
        """
        raise NotImplementedError

    def keeps_order(self, event: Any) -> bool:
        """Whether a record has to wait for those before it in its group."""
        raise NotImplementedError

    def reports_rest(self, event: Any) -> bool:
        """Whether, where order counts, those that wait are to be reported one by one.

        Else AWS begins again with the first that is reported.
        """
        return False

    def identifier_in(self, item: object) -> str | None:
        """The record's identifier in an `itemIdentifier`, or None if it is none."""
        return item if isinstance(item, str) and item else None

    def item_identifier(self, identifier: str) -> str | KafkaOffset:
        """The `itemIdentifier` of a record."""
        return identifier

    def result(self, response: Response, event: Any) -> BatchResponse:
        """The failures that the response reports, else an empty list of them.

        To AWS an empty list is the same as an empty object, a success of the whole batch. The
        list says what is meant, and that the app's answer was understood.

        Raises:
            DeliveryError: the status is not from 200 to 299, or the report is malformed.
                AWS would take some of these reports for a failure of the whole batch as
                well; others, which might hide a failure, become one here.
        """
        self.check_status(response)
        return {"batchItemFailures": self._failures_in(self._answer_of(response), event)}

    def result_by_record(
        self, event: Any, deliver: Callable[[Any], Response | None]
    ) -> BatchResponse:
        """The report made by delivering each record alone, one after the other.

        `deliver` takes an event with one record and gives the app's answer, or None if there
        is no time for this record, nor for any other. What was not delivered has failed.

        Where order counts, nothing of a group is delivered after a failure in it. For a FIFO
        queue all the rest is then reported, or it would be deleted; for streams the one that
        failed is enough, as AWS goes back to it.

        Raises:
            EventError: a record has no identifier, or two have the same, so that a failure
                could not be reported. Nothing has been delivered.
        """
        records = self._identified(event)
        keeps_order, reports_rest = self.keeps_order(event), self.reports_rest(event)
        held: set[str] = set()
        failed: list[ItemFailure] = []
        has_time = True
        for identifier, group, part in records:
            is_held = keeps_order and group in held
            if is_held and not reports_rest:
                continue
            if has_time and not is_held:
                response = deliver(part)
                has_time = response is not None
                if response is not None and self._is_handled(response, part):
                    continue
            held.add(group)
            failed.append({"itemIdentifier": self.item_identifier(identifier)})
        return {"batchItemFailures": failed}

    def _identified(self, event: Any) -> list[tuple[str, str, Any]]:
        known: dict[str, tuple[str, str, Any]] = {}
        for group, identifier, part in self.records_of(event):
            if identifier is None or identifier in known:
                what = "no identifier" if identifier is None else "the identifier of another"
                raise EventError(
                    f"a record of a batch for {self.path} has {what}, so its failure could not "
                    "be reported; nothing was delivered"
                )
            known[identifier] = identifier, group, part
        return list(known.values())

    def _is_handled(self, response: Response, part: Any) -> bool:
        try:
            return not self.result(response, part)["batchItemFailures"]
        except DeliveryError as exc:
            import logging

            # The answer names the record; why it failed is to be known as well.
            logging.getLogger("penstock").error("a record was not handled: %s", exc)
            return False

    def _failures_in(self, answer: dict[str, Any], event: Any) -> list[ItemFailure]:
        failures = answer.get("batchItemFailures")
        if failures is None:
            # No report; AWS also takes null for an empty list.
            if (near := _near_miss_in(answer)) is not None:
                raise self._malformed(
                    f"has {near}, which nobody reads; a report is "
                    '{"batchItemFailures": [{"itemIdentifier": ...}]}'
                )
            return []
        if not isinstance(failures, list):
            raise self._malformed(
                f"has a {type(failures).__name__} for batchItemFailures; it should be a list "
                'of {"itemIdentifier": ...}'
            )
        known = {identifier for _, identifier, _ in self.records_of(event)} if failures else set()
        return [
            {"itemIdentifier": self.item_identifier(self._checked_identifier(failure, known))}
            for failure in failures
        ]

    def _answer_of(self, response: Response) -> dict[str, Any]:
        """The object that the app answered, empty if it answered something else."""
        try:
            answer = json_of(response)
        except ValueError:
            # "OK" as plain text is an answer, half an object is not.
            content_type = response.headers.get("content-type") or ""
            if "json" in content_type.lower() or response.body.lstrip().startswith(b"{"):
                raise self._malformed("is not valid JSON") from None
            return {}
        if isinstance(answer, list) and any(
            isinstance(item, dict) and "itemIdentifier" in item for item in answer
        ):
            raise self._malformed(
                "is a list of failures, which nobody reads; a report is "
                '{"batchItemFailures": [{"itemIdentifier": ...}]}'
            )
        return answer if isinstance(answer, dict) else {}

    def _checked_identifier(self, failure: object, known: set[str | None]) -> str:
        item = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        identifier = self.identifier_in(item)
        if identifier is None:
            raise self._malformed(
                "has an item in batchItemFailures without an itemIdentifier; each should be "
                '{"itemIdentifier": ...}'
            )
        if identifier not in known:
            raise self._malformed(
                "reports an itemIdentifier that no record of the event has; "
                "it should be that of a record"
            )
        return identifier

    def _malformed(self, what: str) -> DeliveryError:
        return DeliveryError(
            f"the app's answer to POST {self.path} {what}. The whole batch is reported as failed"
        )


class RecordBatch(Batched, Recorded):
    """A source of batches that are lists of `Records`; all of a batch are one group."""

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """What AWS calls the record, or None."""
        raise NotImplementedError

    def records_of(self, event: Any) -> Iterator[tuple[str, str | None, Any]]:
        """Each record: its group, its identifier or None, and the event with it alone."""
        for record in event["Records"]:
            yield "", self.identifier_of(record), {**event, "Records": [record]}


class Shard(RecordBatch):
    """A source of batches that are each of one shard of a stream, in the shard's order.

    Of several failures AWS goes back to the lowest sequence number and tries everything from
    there on again.

    With a tumbling window the answer has the window's `state`, an object, beside the
    failures. The last event of a window may be without records (unconfirmed), so
    such events are known by their `eventSourceARN`. They are never taken apart.
    """

    def matches(self, event: Any) -> bool:
        """Whether there are records, all of this service, or its window without any."""
        return super().matches(event) or (
            _has_window(event)
            and event.get("Records") == []
            and _service_in(event.get("eventSourceARN")) == self.event_source
        )

    def keeps_order(self, event: Any) -> bool:
        """It does, within a shard."""
        return True

    def result(self, response: Response, event: Any) -> BatchResponse:
        """The failures that the response reports, and the state of the event's window.

        Raises:
            DeliveryError: as for other batches; also if there is no `state`, or one that is
                no object, before the window's last event. AWS calls that a failure, too.
        """
        result = super().result(response, event)
        if not _has_window(event):
            return result
        state = self._answer_of(response).get("state")
        if isinstance(state, dict):
            return {"state": state, **result}
        if state is None and event.get("isFinalInvokeForWindow") is True:
            return result
        raise self._malformed(
            f"has {'no' if state is None else f'a {type(state).__name__} for'} state; to an event "
            'of a time window it should be {"state": {...}}'
        )

    def result_by_record(
        self, event: Any, deliver: Callable[[Any], Response | None]
    ) -> BatchResponse:
        """The report made by delivering each record alone; a window's event is delivered whole.

        Raises:
            EventError: as for other batches.
            DeliveryError: a window's event was not handled.
        """
        if not _has_window(event):
            return super().result_by_record(event, deliver)
        response = deliver(event)
        if response is None:
            raise DeliveryError(f"there was no time for POST {self.path}")
        return self.result(response, event)


def _near_miss_in(answer: dict[str, Any]) -> str | None:
    """A key that is meant for `batchItemFailures` and is not it: AWS would delete what failed."""
    for key in answer:
        letters = key.replace("_", "").replace("-", "").lower()
        if key != "batchItemFailures" and letters.removesuffix("s") == "batchitemfailure":
            return key
    return None


def _has_window(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("window"), dict)


def _service_in(arn: object) -> str:
    parts = arn.split(":") if isinstance(arn, str) else []
    return f"aws:{parts[2]}" if len(parts) > 5 and parts[0] == "arn" else ""
