"""AWS's limits, with what AWS says when they are passed."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

#: A buffered request or response: 6 MiB and 100 bytes ("interop.MaxPayloadSize" in AWS's
#: own emulator; the number stands in the error text that AWS returns).
BUFFERED_PAYLOAD: Final = 6 * MIB + 100

#: A streamed response, since 2025-07-31. AWS delivers one byte more before it stops
#: (captured 2026-09-15: 209,715,201 bytes).
STREAMED_RESPONSE: Final = 200 * MIB

#: What a caller gets of the log with `X-Amz-Log-Type: Tail`.
LOG_TAIL: Final = 4096

#: `X-Amz-Client-Context`, in base64. (API reference of Invoke)
CLIENT_CONTEXT: Final = 3583

#: The longest a function may run, in seconds. (Lambda quotas)
FUNCTION_TIMEOUT: Final = 900

#: How long the start of an environment may take, in seconds, before it counts towards
#: the function's timeout. (Lambda runtime environment life cycle, "Init phase")
INIT: Final = 10.0

#: The header lines of a runtime's request. AWS's clients send an X-Ray cause of up to 1 MiB.
RUNTIME_HEADERS: Final = 2 * MIB

#: The header lines of a caller's request. AWS's own limit is not documented.
CALLER_HEADERS: Final = 64 * 1024
