"""Recursive loops: how often one chain of calls has come to the same function.

AWS's SDKs pass on the trace header of the invocation that they run in, and Lambda counts in
its `Lineage`. Here an entry is `hash:count`, one for each function of the chain, the latest
last, and the number of all calls stands before the first; a chain of one function reads as on
AWS (captured: `Lineage=1:f5edea9f:0`). How AWS writes longer ones today is not known.

Source: AWS documentation, "Use Lambda recursive loop detection to prevent infinite loops".
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from urllib.parse import unquote

from ...errors import PenstockError
from ..invocations import new_trace_id

#: How often a chain may come to one function. (Documented: "approximately 16 times")
MOST_CALLS = 16

# Headers do not grow forever: the functions that a chain is remembered to have called.
_ENTRIES = 32

_FIELD = "Lineage="
_ENTRY = "[0-9a-f]{8}:[0-9]{1,5}"
_LINEAGE = re.compile(rf"((?P<calls>[0-9]{{1,5}}):)?(?P<entries>{_ENTRY}(\|{_ENTRY})*)")


class RecursiveInvocationError(PenstockError):
    """A chain of calls has come to a function too often. The text is the API reference's."""

    def __init__(self) -> None:
        super().__init__(
            "Lambda has detected your function being invoked in a recursive loop with other "
            "AWS resources and stopped your function's invocation."
        )


def next_trace_id(trace_id: str | None, function: str) -> str:
    """The trace header for a call of `function` by a caller whose own is `trace_id`.

    A header without a `Lineage` begins a chain; without a header there is a new one.

    Raises:
        RecursiveInvocationError: the chain has called the function 16 times.
    """
    if not trace_id:
        return f"{new_trace_id()};{_FIELD}1:{_key(function)}:0"
    fields = [field.strip() for field in trace_id.split(";") if field.strip()]
    rest = [field for field in fields if not field.startswith(_FIELD)]
    lineage = next((field.removeprefix(_FIELD) for field in fields if field not in rest), "")
    calls, counts = _read(lineage)
    key = _key(function)
    count = counts.pop(key, -1) + 1
    if count >= MOST_CALLS:
        raise RecursiveInvocationError
    counts[key] = count
    entries = "|".join(f"{each}:{number}" for each, number in [*counts.items()][-_ENTRIES:])
    head = ";".join(rest) or new_trace_id()
    return f"{head};{_FIELD}{calls + 1}:{entries}"


@lru_cache(maxsize=256)
def _key(function: str) -> str:
    return f"{zlib.crc32(function.encode()):08x}"


def _read(lineage: str) -> tuple[int, dict[str, int]]:
    """The number of calls, and how often each function was called again; nothing if malformed."""
    # botocore escapes the bar.
    match = _LINEAGE.fullmatch(unquote(lineage))
    if match is None:
        return 0, {}
    pairs = (entry.split(":") for entry in match["entries"].split("|"))
    return int(match["calls"] or 0), {key: int(count) for key, count in pairs}
