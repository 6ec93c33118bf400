"""AWS's oddities, each of which can be switched. docs/reference/quirks.md has their sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..errors import EmulatorError


@dataclass(frozen=True)
class Quirks:
    """Which of AWS's oddities the emulator shows; by default those that AWS has.

    On the command line each is called as here, with `-` for `_`.
    """

    #: A response that fails after its first byte ends for clients of a URL like a whole one.
    clean_end_after_failure: bool = True
    #: `InvokeComplete` does not tell of a failure: no `ErrorCode`.
    no_error_code: bool = True
    #: `Invoke` calls a response a success that has failed after its first byte.
    failed_stream_succeeds: bool = True
    #: BUFFERED: of a response with a prelude only the head arrives.
    stream_body_dropped: bool = True
    #: BUFFERED, and `Invoke`: a stream without a prelude is called application/octet-stream.
    stream_type_dropped: bool = True
    #: RESPONSE_STREAM: an error before the first byte is a 200 whose body is the error.
    error_is_200: bool = True
    #: RESPONSE_STREAM: of a proxy response the head is applied, and all of its JSON is the body.
    proxy_response_as_body: bool = True
    #: `InvokeWithResponseStream` runs the function also for a `DryRun`.
    dry_run_runs: bool = True
    #: RESPONSE_STREAM: an answer with an empty body never ends. AWS does this at times.
    empty_body_hang: bool = False

    def switched(self, *, on: Iterable[str] = (), off: Iterable[str] = ()) -> Quirks:
        """The same but for the quirks of these names, as the command line has them.

        Raises:
            EmulatorError: there is no such quirk, or one is to be on and off.
        """
        on, off = list(on), list(off)
        both = {name.replace("_", "-") for name in on} & {name.replace("_", "-") for name in off}
        if both:
            raise EmulatorError(f"the quirk {min(both)} cannot be on and off at once")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for names, value in ((on, True), (off, False)):
            for name in names:
                key = name.replace("-", "_")
                if key not in values:
                    known = ", ".join(each.replace("_", "-") for each in values)
                    raise EmulatorError(f"there is no quirk {name!r}; there are {known}")
                values[key] = value
        return Quirks(**values)


#: What `--strict` means: what failed does not look whole.
STRICT = Quirks(
    clean_end_after_failure=False,
    no_error_code=False,
    failed_stream_succeeds=False,
    error_is_200=False,
)
