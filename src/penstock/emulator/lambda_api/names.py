"""Names of functions as callers write them: a name, or a part or the whole of an ARN."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..functions import ACCOUNT
from .errors import ApiError, invalid, not_found

_PARTS = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)


@dataclass(frozen=True)
class Written:
    """What a caller has named: a function, and perhaps one of its versions or aliases."""

    name: str
    qualifier: str | None


def read_name(text: str, qualifier: str | None, *, region: str) -> Written:
    """Take a `FunctionName` apart, and the `Qualifier` that came with it.

    `text` has been checked against the pattern of the API's model.

    Raises:
        ApiError: it is of another region or account, or the two name different qualifiers.
    """
    match = _PARTS.fullmatch(text)
    if match is None:
        return Written(text, qualifier)
    if match["region"] not in (None, region):
        raise not_found(
            f"Functions from '{match['region']}' are not reachable in this region ('{region}')"
        )
    if match["account"] not in (None, ACCOUNT):
        raise ApiError(
            403,
            "AccessDeniedException",
            {"Message": f"this emulator has the account {ACCOUNT} only, not {match['account']}"},
        )
    if qualifier is not None and match["qualifier"] not in (None, qualifier):
        raise invalid(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Written(match["name"], match["qualifier"] or qualifier)


def function_arn(region: str, name: str, qualifier: str | None = None) -> str:
    """The ARN of a function, or of its version or alias."""
    arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"
    return arn if qualifier is None else f"{arn}:{qualifier}"


def layer_arn(region: str, name: str, version: int | None = None) -> str:
    """The ARN of a layer, or of its version."""
    arn = f"arn:aws:lambda:{region}:{ACCOUNT}:layer:{name}"
    return arn if version is None else f"{arn}:{version}"
