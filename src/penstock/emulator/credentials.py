"""The access keys whose signatures the emulator accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import EmulatorError

# AWS says `\w+`; what stands in a credential scope must have no slash in it anyway.
_ID = re.compile(r"\w{1,128}", re.ASCII)


@dataclass(frozen=True)
class AccessKey:
    """An access key. One with a `token` is temporary: requests must bring the token, too."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Credentials:
    """The access keys that there are. Their secrets are in no text that is made of this."""

    keys: tuple[AccessKey, ...]

    def find(self, key_id: str) -> AccessKey | None:
        """The key with this id."""
        return next((key for key in self.keys if key.id == key_id), None)


def credentials_from(options: Iterable[str], environment: Mapping[str, str]) -> Credentials:
    """The keys of `--credentials`, else the environment's own, else the pair test:test.

    Raises:
        EmulatorError: an option is not ID:SECRET, or one id has two secrets.
    """
    keys: dict[str, AccessKey] = {}
    for option in options:
        key = _key(option)
        if keys.setdefault(key.id, key) != key:
            raise EmulatorError(f"--credentials has two secrets for the access key {key.id}")
    if keys:
        return Credentials(tuple(keys.values()))
    key_id = environment.get("AWS_ACCESS_KEY_ID")
    secret = environment.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        token = environment.get("AWS_SESSION_TOKEN") or None
        return Credentials((AccessKey(key_id, secret, token),))
    return Credentials((AccessKey("test", "test"),))


def _key(option: str) -> AccessKey:
    key_id, colon, secret = option.partition(":")
    # What was written is not repeated: it may be a secret.
    if not colon or not secret:
        raise EmulatorError("--credentials takes ID:SECRET, with a colon, as in test:test")
    if not _ID.fullmatch(key_id):
        raise EmulatorError(
            "the access key id in --credentials ID:SECRET has 1 to 128 letters, digits and _"
        )
    if not secret.isprintable() or " " in secret:
        raise EmulatorError(
            f"the secret of {key_id} in --credentials has a space or a control character in it"
        )
    return AccessKey(key_id, secret)
