"""AWS's limits, with what AWS says when they are passed."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

#: A buffered request or response: 6 MiB and 100 bytes ("interop.MaxPayloadSize" in AWS's
#: own emulator; the number stands in the error text that AWS returns).
BUFFERED_PAYLOAD: Final = 6 * MIB + 100

#: The event of an asynchronous invocation, since 2025. (API reference of Invoke)
EVENT_PAYLOAD: Final = MIB

#: A streamed response, since 2025-07-31. AWS delivers one byte more before it stops
#: (captured 2026-09-15: 209,715,201 bytes).
STREAMED_RESPONSE: Final = 200 * MIB

#: What a caller gets of the log with `X-Amz-Log-Type: Tail`.
LOG_TAIL: Final = 4096

#: `X-Amz-Client-Context`, in base64. (API reference of Invoke)
CLIENT_CONTEXT: Final = 3583

#: The longest a function may run, in seconds. (Lambda quotas)
FUNCTION_TIMEOUT: Final = 900

#: How long the start of an environment may take, in seconds, before there is another one
#: in the time of the invocation. (Lambda runtime environment life cycle, "Init phase")
INIT: Final = 10.0

#: How long the restore of a SnapStart snapshot may take, hooks included, in seconds.
#: (AWS documentation, "Lambda SnapStart runtime hooks")
RESTORE: Final = 10.0

#: The header lines of a runtime's request. AWS's clients send an X-Ray cause of up to 1 MiB.
RUNTIME_HEADERS: Final = 2 * MIB

#: The header lines of a caller's request. AWS's own limit is not documented.
CALLER_HEADERS: Final = 64 * 1024

#: What a REST API takes as a request. (API Gateway quotas, "Payload size")
API_PAYLOAD: Final = 10 * MIB

#: How long a REST API waits for a whole response, and how long one may stream, in seconds.
#: (API Gateway quotas, "Integration timeout"; "Stream the integration response")
API_BUFFERED: Final = 29.0
API_STREAM: Final = 900.0

#: How long a regional API waits for the next byte of a stream, in seconds.
API_IDLE: Final = 300.0

#: The same of an edge-optimized one.
API_IDLE_EDGE: Final = 30.0

#: What a REST API takes of a whole response. (API Gateway quotas, "Payload size")
API_RESPONSE: Final = 10 * MIB

#: What of a stream a REST API passes on at once, and then in each second, in bytes.
API_BURST: Final = 10 * MIB
API_RATE: Final = 2 * MIB

#: The same of a stream through a Function URL or `InvokeWithResponseStream`. (Lambda
#: documentation, "Bandwidth limits for response streaming"; measured by others: a bit more)
STREAM_BURST: Final = 6 * MIB
STREAM_RATE: Final = 2 * MIB
