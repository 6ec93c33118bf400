"""What `penstock dev` has for functions that come through the Lambda API."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import EmulatorError

if TYPE_CHECKING:
    from ..emulator.emulator import Emulator
    from ..emulator.lambda_api.settings import ApiSettings

# Without TARGET there is nothing that these could be about.
_FOR_TARGET = (
    *("function", "env", "rest_api", "handler", "extensions"),
    *("max_concurrency", "reserved_concurrency", "snap_start"),
    *("invoke_mode", "auth_type", "timeout", "memory"),
)


def add_options(parser: argparse._ArgumentGroup) -> None:
    """Add them to the command's parser."""
    add = parser.add_argument
    add(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep the functions that are made through the Lambda API in this folder",
    )
    add(
        "--enforce-permissions",
        action="store_true",
        help="refuse requests to a NONE URL whose policy lacks the two permissions, as AWS does; "
        "without it they are served, and the log says so; only URLs made through the API",
    )


def check_no_target(options: argparse.Namespace) -> None:
    """Refuse options that are for a TARGET, where there is none.

    Raises:
        EmulatorError: there is one.
    """
    for name in _FOR_TARGET:
        value = getattr(options, name)
        if value is not None and value is not False and value != []:
            option = "--" + name.replace("_", "-")
            raise EmulatorError(
                f"{option} is for a function that is named here; add a TARGET, as in "
                "penstock dev app.py:handler, or leave it out"
            )


def api_settings(options: argparse.Namespace) -> ApiSettings:
    """How functions that come through the API are kept and run.

    Raises:
        EmulatorError: a value cannot be used.
    """
    from ..emulator.lambda_api.settings import ApiSettings

    if options.max_environments < 1:
        raise EmulatorError(
            f"--max-environments must be at least 1, not {options.max_environments}"
        )
    return ApiSettings(
        state=options.state,
        enforce_permissions=options.enforce_permissions,
        max_environments=options.max_environments,
        freezes=options.freeze,
        enforces_memory=options.enforce_memory,
    )


def welcome(emulator: Emulator, state: Path | None) -> str:
    """What to do with a Lambda that was started without a function."""
    url, port = emulator.url, emulator.port
    names = emulator.registry.names
    has = f"with {', '.join(names)}" if names else "without functions yet"
    kept = (
        f"Functions are kept in {state.absolute()}."
        if state
        else "Functions go when it stops; --state DIR keeps them."
    )
    return f"""\
penstock {__version__}: Lambda at {url}, {has}

In another terminal, for the AWS CLI and every AWS SDK:

  export AWS_ENDPOINT_URL_LAMBDA={url}
  export AWS_REGION={emulator.region} AWS_DEFAULT_REGION={emulator.region}
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

  zip function.zip app.py
  aws lambda create-function --function-name app --runtime python3.13 --handler app.handler \\
      --role arn:aws:iam::123456789012:role/any --zip-file fileb://function.zip
  aws lambda create-function-url-config --function-name app --auth-type NONE \\
      --invoke-mode RESPONSE_STREAM
  curl -N http://app.lambda-url.localhost:{port}/

{kept} Ctrl-C stops it.
"""
