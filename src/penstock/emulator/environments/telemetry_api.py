"""The Telemetry API and its older form, the Logs API: events for an extension's server.

Sources: AWS documentation, "Lambda Telemetry API reference", "Lambda Logs API"; AWS's open
emulator (schema of a subscription).
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..platform_events import PlatformEvent
from .environment_log import EnvironmentLog
from .extensions import Extension

# Names of this host inside an environment.
_LOCAL = ("sandbox.localdomain", "sandbox", "localhost", "127.0.0.1")

_TYPES = ("platform", "function", "extension")

# How much may wait for a server that does not take it, in events.
_MOST_WAITING = 20_000

# A frozen extension takes nothing until it is thawed, however long that is.
_SEND_SECONDS = None


class SubscriptionError(Exception):
    """A subscription that cannot be had."""

    def __init__(
        self, message: str, error_type: str = "ValidationError", status: int = 400
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.status = status


@dataclass(frozen=True)
class Subscription:
    """What an extension wants to hear of, where, and in portions of which size."""

    types: tuple[str, ...]
    protocol: str
    host: str
    port: int
    path: str = "/"
    max_items: int = 10_000
    max_bytes: int = 256 * 1024
    timeout: float = 1.0
    is_logs_api: bool = False

    def wants(self, event: PlatformEvent) -> bool:
        """Whether it is for events like this."""
        return event.type.partition(".")[0] in self.types


def read_subscription(body: bytes, *, is_logs_api: bool) -> Subscription:
    """The subscription that a request asks for.

    Raises:
        SubscriptionError: it is none.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise SubscriptionError(f"the subscription is no JSON: {exc}") from exc
    if not isinstance(request, dict):
        raise SubscriptionError("the subscription is no JSON object")
    types = request.get("types")
    if not isinstance(types, list) or not types or any(each not in _TYPES for each in types):
        raise SubscriptionError(f"types must be some of {', '.join(_TYPES)}, found {types!r}")
    destination = request.get("destination")
    if not isinstance(destination, dict):
        raise SubscriptionError(f"destination must be an object, found {destination!r}")
    buffering = request.get("buffering") or {}
    if not isinstance(buffering, dict):
        raise SubscriptionError(f"buffering must be an object, found {buffering!r}")
    protocol = destination.get("protocol")
    host, port, path = "127.0.0.1", destination.get("port"), "/"
    if protocol == "HTTP":
        try:
            address = urlsplit(str(destination.get("URI", "")))
            host, port = address.hostname or "", address.port or 80
        except ValueError as exc:
            raise SubscriptionError(f"URI is no address: {exc}") from exc
        path = address.path or "/"
        if not path.isascii() or not path.isprintable() or " " in path:
            raise SubscriptionError(f"the path in URI must be percent-encoded, found {path!r}")
        if host not in _LOCAL:
            raise SubscriptionError(
                "URI must lead to http://sandbox.localdomain:PORT, "
                f"found {destination.get('URI')!r}"
            )
        # Nothing else knows that name outside Lambda.
        host = "127.0.0.1"
    elif protocol != "TCP":
        raise SubscriptionError(f"protocol must be HTTP or TCP, found {protocol!r}")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise SubscriptionError(f"port must be 1 to 65535, found {port!r}")
    return Subscription(
        types=tuple(types),
        protocol=protocol,
        host=host,
        port=port,
        path=path,
        max_items=_number(buffering, "maxItems", 1_000, 10_000, 10_000),
        max_bytes=_number(buffering, "maxBytes", 262_144, 1_048_576, 262_144),
        timeout=_number(buffering, "timeoutMs", 25, 30_000, 1_000) / 1000,
        is_logs_api=is_logs_api,
    )


def _number(buffering: dict[str, Any], name: str, least: int, most: int, default: int) -> int:
    value = buffering.get(name, default)
    if not isinstance(value, int) or not least <= value <= most:
        raise SubscriptionError(f"{name} must be {least} to {most}, found {value!r}")
    return value


# What the Logs API has of the records of events that both have.
_LOGS_RECORDS = {
    "platform.start": ("requestId", "version"),
    "platform.runtimeDone": ("requestId", "status"),
    "platform.report": ("requestId", "metrics"),
    "platform.extension": ("name", "state", "events"),
    "platform.telemetrySubscription": ("name", "state", "types"),
    "platform.logsDropped": ("reason", "droppedRecords", "droppedBytes"),
}


def as_logs(event: dict[str, Any]) -> list[dict[str, Any]]:
    """An event of the Telemetry API as the Logs API has it: no event, one or two."""
    if not event["type"].startswith("platform."):
        return [event]
    keys = _LOGS_RECORDS.get(event["type"])
    if keys is None:
        return []
    record = {key: event["record"][key] for key in keys}
    kind = event["type"].replace("telemetrySubscription", "logsSubscription")
    log = {"time": event["time"], "type": kind, "record": record}
    if kind == "platform.report":
        end = {"requestId": record["requestId"]}
        return [{"time": event["time"], "type": "platform.end", "record": end}, log]
    return [log]


class Delivery:
    """Delivers the events of one subscription, from a thread of its own, until `stop`.

    A portion goes out when it is full, or when its first event has waited for the
    subscription's timeout. What the server does not take is dropped, as on AWS, and said so.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._dropped = [0, 0]
        self._is_stopping = False
        self._tcp: socket.socket | None = None
        threading.Thread(target=self._run, name="telemetry", daemon=True).start()

    def take(self, event: PlatformEvent) -> None:
        """Deliver an event, if it is wanted."""
        if not self._subscription.wants(event):
            return
        contents = [event.telemetry()]
        if self._subscription.is_logs_api:
            contents = as_logs(contents[0])
        for content in contents:
            data = json.dumps(content, separators=(",", ":")).encode()
            with self._changed:
                if len(self._waiting) >= _MOST_WAITING:
                    self._drop([data])
                    return
                self._waiting.append((time.monotonic(), data))
                self._size += len(data)
                self._changed.notify()

    def stop(self) -> None:
        """Deliver what there is now, and end. Returns at once."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            portion = self._next_portion()
            if not portion:
                break
            try:
                self._send(portion)
            except (OSError, ValueError):
                with self._changed:
                    self._drop(portion)
        if self._tcp is not None:
            self._tcp.close()

    def _drop(self, contents: list[bytes]) -> None:
        records, size = self._dropped
        self._dropped = [records + len(contents), size + sum(map(len, contents))]

    def _next_portion(self) -> list[bytes]:
        wanted = self._subscription
        with self._changed:
            while not self._is_stopping and not self._is_due():
                left = None
                if self._waiting:
                    left = self._waiting[0][0] + wanted.timeout - time.monotonic()
                self._changed.wait(left)
            portion: list[bytes] = []
            size = 0
            while self._waiting and len(portion) < wanted.max_items:
                data = self._waiting[0][1]
                if portion and size + len(data) > wanted.max_bytes:
                    break
                portion.append(data)
                size += len(data)
                self._waiting.popleft()
            self._size -= size
            if portion and self._dropped[0]:
                portion.append(self._told_dropped())
            return portion

    def _is_due(self) -> bool:
        wanted = self._subscription
        if not self._waiting:
            return False
        return (
            len(self._waiting) >= wanted.max_items
            or self._size >= wanted.max_bytes
            or time.monotonic() >= self._waiting[0][0] + wanted.timeout
        )

    def _told_dropped(self) -> bytes:
        records, size = self._dropped
        self._dropped = [0, 0]
        record = {
            "reason": "the subscriber did not take them",
            "droppedRecords": records,
            "droppedBytes": size,
        }
        event = PlatformEvent("platform.logsDropped", record, "", "", time.time())
        return json.dumps(event.telemetry(), separators=(",", ":")).encode()

    def _send(self, portion: list[bytes]) -> None:
        wanted = self._subscription
        if wanted.protocol == "TCP":
            if self._tcp is None:
                self._tcp = socket.create_connection((wanted.host, wanted.port), _SEND_SECONDS)
            # One JSON object in each line.
            try:
                self._tcp.sendall(b"\n".join(portion) + b"\n")
            except OSError:
                self._tcp.close()
                self._tcp = None
                raise
            return
        connection = http.client.HTTPConnection(wanted.host, wanted.port, timeout=_SEND_SECONDS)
        try:
            connection.request(
                "POST",
                wanted.path,
                b"[" + b",".join(portion) + b"]",
                {"Content-Type": "application/json"},
            )
            connection.getresponse().read()
        except http.client.HTTPException as exc:
            raise OSError(str(exc)) from exc
        finally:
            connection.close()


class Subscriptions:
    """The subscriptions to what happens in one environment, which `log` tells of."""

    def __init__(self, log: EnvironmentLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._deliveries: list[Delivery] = []
        self._is_closed = False

    def add(self, extension: Extension, subscription: Subscription) -> None:
        """Deliver to an extension what it wants to hear of, from the start on.

        Raises:
            SubscriptionError: it comes too late.
        """
        with self._lock:
            if self._is_closed:
                raise SubscriptionError(
                    "Telemetry API subscription is closed", "Telemetry.SubscriptionClosed", 403
                )
            delivery = Delivery(subscription)
            self._deliveries.append(delivery)
        self._log.subscribe(delivery.take)
        self._log.subscribed(
            extension.name, subscription.types, is_logs_api=subscription.is_logs_api
        )

    def close(self) -> None:
        """Take no more."""
        with self._lock:
            self._is_closed = True

    def stop(self) -> None:
        """The environment ends: deliver what there is, and no more."""
        for delivery in self._deliveries:
            delivery.stop()
