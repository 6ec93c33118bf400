"""What can be made to go wrong with a call, as values and as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import PenstockError

# Longer than any call may take.
_LONGEST = 86_400.0

# A byte in all of that time.
_SLOWEST = 1e-5


class BadFaultError(PenstockError):
    """A text names no fault, or gives it a value that it cannot have."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong with a call. Bytes are counted in bodies, times in seconds.

    Raises:
        BadFaultError: a value is out of range.
    """

    #: Cut the connection to the caller when so much of the answer's body was sent.
    cut: int | None = None
    #: Wait before the answer's head, and before each part of its body.
    delay: float = 0
    chunk_delay: float = 0
    #: Send the body at so many bytes a second.
    throttle: float | None = None
    #: Refuse the call as if every environment were busy.
    refuse: bool = False
    #: Kill the environment when so much of the function's response was read; 0: when it
    #: has been given the call.
    kill: int | None = None
    #: Start an environment so much later, if the call starts one.
    slow_init: float = 0
    #: For faults of many calls: have them with every nth only.
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("cut", "kill"):
            size = getattr(self, name)
            if size is not None and (not _is_whole(size) or size < 0):
                raise BadFaultError(f"{name} is a number of bytes, 0 or more, not {size!r:.80}")
        for name in ("delay", "chunk_delay", "slow_init"):
            seconds = getattr(self, name)
            if not _is_number(seconds) or not 0 <= seconds <= _LONGEST:
                written = name.replace("_", "-")
                raise BadFaultError(
                    f"{written} is in seconds, from 0 to {_LONGEST:g}, not {_shown(seconds)}"
                )
        rate = self.throttle
        if rate is not None and (not _is_number(rate) or not _SLOWEST <= rate < float("inf")):
            raise BadFaultError(
                f"throttle is in bytes a second, at least {_SLOWEST:.5f}, not {_shown(rate)}"
            )
        if not isinstance(self.refuse, bool):
            raise BadFaultError(f"refuse is True or False, not {self.refuse!r:.80}")
        if not _is_whole(self.every) or self.every < 1:
            raise BadFaultError(f"every is a number of calls, 1 or more, not {self.every!r:.80}")

    def __bool__(self) -> bool:
        """Whether anything goes wrong at all."""
        return replace(self, every=1) != NONE


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, float)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value!r:.80}"


NONE = Faults()

_SPELLINGS = (
    "cut=BYTES, delay=SECONDS, chunk-delay=SECONDS, throttle=BYTES_PER_SECOND, 429, "
    "kill or kill=BYTES, slow-init=SECONDS"
)

# By the name in the text: the field, and what reads its value.
_READERS: dict[str, tuple[str, Callable[[str], float]]] = {
    "cut": ("cut", int),
    "delay": ("delay", float),
    "chunk-delay": ("chunk_delay", float),
    "throttle": ("throttle", float),
    "kill": ("kill", int),
    "slow-init": ("slow_init", float),
    "every": ("every", int),
}


def faults_from_text(*texts: str, of_one_call: bool = False) -> Faults:
    """The faults in texts like `cut=1000, delay=0.5`; `none`, which stands alone, for none.

    Raises:
        BadFaultError: there is another word in them, a value that cannot be, or one fault
            twice; or of faults `of_one_call` is said which calls have them.
    """
    found: dict[str, float] = {}
    words = [word.strip() for text in texts for word in text.split(",")]
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if word == "none" and len(words) == 1:
            return NONE
        if word == "none":
            raise BadFaultError("none is for calls without faults; leave it out, or the others")
        if name == "every" and of_one_call:
            raise BadFaultError("every=CALLS is for --fault and tests, not for one call")
        read: float
        if word == "429":
            field, read = "refuse", True
        elif word == "kill":
            field, read = "kill", 0
        elif name in _READERS and equals:
            field, reader = _READERS[name]
            try:
                read = reader(value)
            except ValueError as exc:
                kind = "a whole number" if reader is int else "a number"
                raise BadFaultError(f"{name} takes {kind}, not {value!r}") from exc
        else:
            more = "or none" if of_one_call else "none, and for more than one call every=CALLS"
            raise BadFaultError(f"{word!r} is no fault; there are {_SPELLINGS}, {more}")
        if field in found:
            raise BadFaultError(f"{name} is given twice")
        found[field] = read
    faults = Faults(**found)  # type: ignore[arg-type]
    if "every" in found and not faults:
        raise BadFaultError(
            f"every={faults.every} says which calls have a fault; add one, as in "
            f"kill,every={faults.every}"
        )
    return faults
