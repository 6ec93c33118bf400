"""What can be asked of `emulator`, checked before anything is started."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import EmulatorError

# Those of the command line that errors of the emulator name, and `emulator` has as well.
_OPTION = re.compile(r"--(credentials|snap-start|max-concurrency)\b")


@contextmanager
def errors_in_python() -> Iterator[None]:
    """Have errors name options as `emulator` does, for the command line says it otherwise.

    Raises:
        EmulatorError: that of the block.
    """
    try:
        yield
    except EmulatorError as exc:
        told = _OPTION.sub(lambda option: option[1].replace("-", "_"), str(exc))
        raise EmulatorError(told) from None


def check_choice(name: str, value: object, choices: Collection[str | None]) -> None:
    """Refuse what is not one of `choices`, of which None stands for nothing."""
    if value not in choices:
        known = " or ".join(each for each in choices if each is not None)
        raise EmulatorError(f"{name} is {known}, not {value!r:.80}")


def check_target(name: str, value: object) -> None:
    """Refuse what is not the text of a target."""
    if not isinstance(value, str):
        raise EmulatorError(f"{name} is module:handler or path/file.py:handler, not {value!r:.80}")


def check_name(name: str, value: object) -> None:
    """Refuse what is not the text of a function's name, or None."""
    if value is not None and not isinstance(value, str):
        raise EmulatorError(f"{name} is the function's name, as in 'orders', not {value!r:.80}")


def check_folder(name: str, value: object) -> None:
    """Refuse what is not a path, or None."""
    if value is not None and not isinstance(value, str | Path):
        raise EmulatorError(f"{name} is a path, as text or a pathlib.Path, not {value!r:.80}")


def check_flag(name: str, value: object) -> None:
    """Refuse what is not True or False."""
    if not isinstance(value, bool):
        raise EmulatorError(f"{name} is True or False, not {value!r:.80}")


def check_number(name: str, value: object, least: float | None = None) -> None:
    """Refuse what is not a number, `least` or more if that is given."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise EmulatorError(f"{name} is a number of seconds, not {value!r:.80}")
    if least is not None and not value >= least:
        raise EmulatorError(f"{name} is {least:g} seconds or more, not {value!r:.80}")


def check_count(name: str, value: object) -> None:
    """Refuse what is not a whole number, 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise EmulatorError(f"{name} is a whole number, 1 or more, not {value!r:.80}")


def check_list(name: str, values: object, kind: type, example: str) -> None:
    """Refuse what is not several values of a kind."""
    is_many = isinstance(values, Collection) and not isinstance(values, str | bytes | Mapping)
    if not is_many or not all(isinstance(each, kind) for each in values):  # type: ignore[attr-defined]
        # What was given is not repeated: it may be a secret.
        raise EmulatorError(f"{name} is a list of {kind.__name__}, as in {example}")


def check_mapping(name: str, value: object, example: str) -> None:
    """Refuse what is not a mapping of text, or None."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise EmulatorError(f"{name} is a mapping, as in {example}, not {value!r:.80}")
    for key in value:
        if not isinstance(key, str):
            raise EmulatorError(f"{name} maps text, as in {example}, not {key!r:.80}")


def checked_variables(environment: object) -> dict[str, str]:
    """The variables that `environment` maps names to; None stands for none.

    Raises:
        EmulatorError: it is something else.
    """
    if environment is None:
        return {}
    if not isinstance(environment, Mapping):
        raise EmulatorError(
            'environment maps names to text, as in {"TABLE": "orders"}; it is '
            f"{environment!r:.80}"
        )
    for name, value in environment.items():
        # What no process can have; the value is not repeated, it may be a secret.
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise EmulatorError(f"a variable's name is text without = and NUL, not {name!r:.80}")
        if not isinstance(value, str):
            raise EmulatorError(f"a variable is text, but {name} is {value!r:.80}")
        if "\0" in value:
            raise EmulatorError(f"a variable is text without NUL, but {name} has one")
    return dict(environment)
