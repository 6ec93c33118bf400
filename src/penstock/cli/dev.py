"""`penstock dev`: a function on this machine, streaming."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import EmulatorError
from . import environment_options, lambda_options

if TYPE_CHECKING:
    from ..emulator.emulator import Emulator
    from ..emulator.fault_values import Faults
    from ..emulator.function_urls import FunctionUrl
    from ..emulator.functions import Function
    from ..emulator.quirks import Quirks

_DESCRIPTION = """\
Run a function on this machine as Lambda would, streaming included.

One port serves its Function URL and the Lambda API (for AWS SDKs and the AWS CLI, as their
endpoint URL). Environments are processes of their own; when the source changes, the next
call starts a new one. Without TARGET it is a Lambda without functions, which come through
the API.
"""

_EXAMPLES = """\
examples:
  penstock dev app.py:handler                     http://localhost:9000/ streams
  penstock dev shop.pages:handler --port 8000     a module; found from this folder
  penstock dev app.py:handler --invoke-mode BUFFERED
  penstock dev app.py:handler --rest-api STREAM   a REST API besides
  penstock dev app.py:handler --env TABLE=orders --env DEBUG=1 --timeout 10
  penstock dev app.py:handler --auth-type AWS_IAM         signed requests only
  penstock dev app.py:handler --fault cut=1000 --strict   failures, seen as such
  penstock dev app.py:handler --freeze            nothing runs between invocations
  penstock dev --state functions                  no function yet: they are created and kept
  penstock dev --runtime-command ./bootstrap build/      a runtime of your own, in a folder
  penstock dev --runtime-command 'npx aws-lambda-ric' --handler index.handler

then, in another terminal:
  curl -N http://localhost:9000/
  aws lambda invoke --region us-east-1 --endpoint-url http://localhost:9000 \\
      --function-name app out.json          (with any credentials)
"""

_TIMEOUT_DEFAULT = 60


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `dev` to the commands."""
    parser = commands.add_parser(
        "dev",
        usage="penstock dev [TARGET] [options]",
        help="run a function on this machine, streaming",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "target",
        metavar="TARGET",
        nargs="?",
        help="module:handler or path/file.py:handler; without it there is no function to begin "
        "with; with --runtime-command the function's "
        "folder (default: this one)",
    )
    add("--port", type=port, default=9000, help="port to serve on (default 9000; 0: any free)")
    add(
        "--host",
        default="localhost",
        help="address to listen on (default localhost: this machine only); "
        "others on the network, and web pages, can then run the function",
    )
    add(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin call the function, e.g. http://localhost:5173 (repeatable)",
    )

    add = parser.add_argument_group("the function").add_argument
    add("--function", metavar="NAME", help="the function's name (default: the file's)")
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable for the function (repeatable)",
    )
    add(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="how long one invocation may take, without its start (default 60)",
    )
    add(
        "--runtime-command",
        metavar="COMMAND",
        help="run the function on any client of the Runtime API: what starts it, in its folder",
    )
    add(
        "--handler",
        metavar="NAME",
        help="with --runtime-command: what the client is told to load, its _HANDLER "
        "(default bootstrap)",
    )

    add = parser.add_argument_group("its Function URL").add_argument
    add(
        "--invoke-mode",
        choices=["RESPONSE_STREAM", "BUFFERED"],
        help="of the Function URL (default RESPONSE_STREAM)",
    )
    add(
        "--auth-type",
        choices=["NONE", "AWS_IAM"],
        help="of the Function URL; AWS_IAM takes signed requests only (default NONE)",
    )
    add(
        "--credentials",
        action="append",
        default=[],
        metavar="ID:SECRET",
        help="accept signatures of this access key, and no longer those of this shell's "
        "AWS_ACCESS_KEY_ID, or test:test if it has none (repeatable)",
    )

    add = parser.add_argument_group("its REST API").add_argument
    add(
        "--rest-api",
        choices=["STREAM", "BUFFERED"],
        help="have a REST API, too, whose requests are all the function's, in this transfer mode",
    )
    add(
        "--rest-api-port",
        type=port,
        metavar="PORT",
        help="the REST API's own port, for clients that do not know names under localhost "
        "(default 0: any free)",
    )

    group = parser.add_argument_group("environments")
    add = group.add_argument
    add(
        "--max-environments",
        type=int,
        default=10,
        metavar="N",
        help="how many may run at once; beyond it calls get AWS's 429 (default 10)",
    )
    environment_options.add_options(group)

    add = parser.add_argument_group("failures and AWS's oddities").add_argument
    add(
        "--bandwidth",
        choices=["aws"],
        help="let streams be as slow as on AWS: 6 MiB at once (REST API: 10), then 2 MiB a second",
    )
    add(
        "--strict",
        action="store_true",
        help="let no failure look like a success: cut failed streams, answer errors with 502, "
        "fill ErrorCode; AWS does not",
    )
    add(
        "--quirk",
        action="append",
        default=[],
        metavar="NAME",
        help="show this oddity of AWS's, e.g. empty-body-hang (repeatable)",
    )
    add(
        "--no-quirk",
        action="append",
        default=[],
        metavar="NAME",
        help="do not show this oddity of AWS's, e.g. error-is-200 (repeatable)",
    )
    add(
        "--retry-delay",
        type=float,
        default=1,
        metavar="SECONDS",
        help="how long a failed asynchronous invocation waits before it is tried again; AWS "
        "takes 60, and twice as long the next time, as here (default 1)",
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="have something go wrong with every call: cut=BYTES, delay=SECONDS, "
        "chunk-delay=SECONDS, throttle=BYTES_PER_SECOND, 429, kill[=BYTES], slow-init=SECONDS; "
        "with every=N only with each nth (repeatable)",
    )

    lambda_options.add_options(parser.add_argument_group("the Lambda API"))
    parser.set_defaults(run=run, parser=parser)


def port(text: str) -> int:
    """A port to listen on, as argparse reads it."""
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(
            f"it is a number from 0 (any free one) to 65535, not {text!r}"
        )
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    emulator = _start(options)
    _open_ports(emulator, options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(_welcome(emulator, options), flush=True)
    try:
        stop.wait()
    finally:
        emulator.stop()
    return 0


def _start(options: argparse.Namespace) -> Emulator:
    try:
        from ..emulator.credentials import credentials_from
        from ..emulator.emulator import Emulator
        from ..emulator.function_urls import FunctionUrl
        from ..emulator.rest_apis import api_of_function
    except ModuleNotFoundError as exc:
        if exc.name not in ("h11", "watchfiles"):
            raise
        raise EmulatorError(
            f"the emulator needs {exc.name}, which is not installed; "
            "install Penstock with its extra: pip install 'path/to/the/clone/of/penstock[local]'"
        ) from exc
    _check(options)
    function = _function(options)
    name = ""
    if function is not None:
        function = environment_options.with_options(function, options)
        name = function.name
    mode, is_slow = options.rest_api, options.bandwidth == "aws"
    return Emulator(
        function,
        function_url=FunctionUrl(
            name,
            invoke_mode=options.invoke_mode or "RESPONSE_STREAM",
            auth_type=options.auth_type or "NONE",
        )
        if function is not None
        else None,
        quirks=_quirks(options),
        credentials=credentials_from(options.credentials, os.environ),
        bandwidth=is_slow,
        rest_apis=[api_of_function(name, mode, bandwidth=is_slow)] if mode else [],
        port=options.port,
        host=options.host,
        origins=options.allow_origin,
        watch=True,
        retry_delay=_retry_delay(options.retry_delay),
        faults=_faults(options.fault),
        api=lambda_options.api_settings(options),
        account_concurrency=options.account_concurrency,
        listener=environment_options.event_writer(options.events),
    )


def _check(options: argparse.Namespace) -> None:
    """Refuse what would do nothing, or could only break."""
    if options.rest_api_port is not None and options.rest_api is None:
        raise EmulatorError(
            "--rest-api-port is the port of a REST API; add --rest-api STREAM, or leave it out"
        )
    if options.account_concurrency < 1:
        raise EmulatorError(
            f"--account-concurrency must be at least 1, not {options.account_concurrency}"
        )
    if options.state is not None and options.state.exists() and not options.state.is_dir():
        raise EmulatorError(f"--state takes a folder, and {options.state} is a file")
    if options.state is not None and not options.state.absolute().parent.is_dir():
        raise EmulatorError(
            f"--state makes the folder {options.state.name}, and there is no folder "
            f"{options.state.absolute().parent} to make it in"
        )


def _function(options: argparse.Namespace) -> Function | None:
    """The function that TARGET, or --runtime-command, is for; None without them."""
    from ..emulator.functions import check_variables, function_from_target
    from ..emulator.runtime_commands import function_from_command

    environment = dict(_variable(text) for text in options.env)
    check_variables(environment)
    if options.runtime_command is not None:
        return function_from_command(
            options.runtime_command,
            options.target or ".",
            handler=options.handler,
            name=options.function,
            timeout=_TIMEOUT_DEFAULT if options.timeout is None else options.timeout,
            max_environments=options.max_environments,
            environment=environment,
        )
    if options.target is None:
        lambda_options.check_no_target(options)
        return None
    if options.handler is not None:
        raise EmulatorError(
            "--handler is for --runtime-command; without one the handler stands in TARGET, as in "
            f"app.py:{options.handler.rpartition('.')[2]}"
        )
    return function_from_target(
        options.target,
        name=options.function,
        timeout=_TIMEOUT_DEFAULT if options.timeout is None else options.timeout,
        max_environments=options.max_environments,
        environment=environment,
    )


def _faults(texts: list[str]) -> Faults:
    from ..emulator.fault_values import NONE, BadFaultError, faults_from_text

    try:
        return faults_from_text(*texts) if texts else NONE
    except BadFaultError as exc:
        raise EmulatorError(f"--fault: {exc}") from exc


def _quirks(options: argparse.Namespace) -> Quirks:
    from ..emulator.quirks import STRICT, Quirks

    start = STRICT if options.strict else Quirks()
    return start.switched(on=options.quirk, off=options.no_quirk)


def _retry_delay(seconds: float) -> float:
    if not 0 <= seconds <= 3600:
        raise EmulatorError(f"--retry-delay takes 0 to 3600 seconds, not {seconds:g}")
    return seconds


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or "\0" in text:
        raise EmulatorError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value


def _welcome(emulator: Emulator, options: argparse.Namespace) -> str:
    function, function_url, url = emulator.function, emulator.function_url, emulator.url
    if function is None or function_url is None:
        text = lambda_options.welcome(emulator, options.state)
        return text + _in_effect(options, None) + _warning(emulator.host)
    return f"""\
penstock {__version__}: {function.name} ({function.handler}), {function_url.invoke_mode}

{_ways_to_url(function_url, function.region, url, emulator.port, _user(options))}\
  or    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws lambda invoke \\
          --region {function.region} --endpoint-url {url} \\
          --function-name {function.name} out.json
{_rest_apis(emulator)}
A changed {_code(function)} in {function.folder} takes effect with the next call.
Ctrl-C stops it.
{_in_effect(options, function)}{_warning(emulator.host)}{_problem(function)}"""


def _open_ports(emulator: Emulator, options: argparse.Namespace) -> None:
    try:
        for api in emulator.rest_apis:
            emulator.open_port(api.id, options.rest_api_port or 0)
    except EmulatorError:
        emulator.stop()
        raise


def _user(options: argparse.Namespace) -> str:
    """What curl is to sign with: the key that is known to everybody, or a name for another."""
    from ..emulator.credentials import credentials_from

    key = credentials_from(options.credentials, os.environ).find("test")
    return "test:test" if key is not None and key.secret == "test" else "ID:SECRET"  # noqa: S105


def _ways_to_url(function_url: FunctionUrl, region: str, url: str, port: int, user: str) -> str:
    by_host = f"http://{function_url.domain_name}:{port}/     (the same, by its host)"
    if function_url.auth_type == "AWS_IAM":
        signed = f"curl -N --aws-sigv4 aws:amz:{region}:lambda --user {user}"
        return f"""\
  open  {url}/ signed, with an access key ID and its SECRET:
        {signed} {url}/
  or    {signed} {by_host}
"""
    return f"""\
  open  {url}/
  or    curl -N {url}/
  or    curl -N {by_host}
"""


def _rest_apis(emulator: Emulator) -> str:
    host = emulator.url.rpartition(":")[0]
    return "".join(
        f"  or    curl -N http://{api.domain_name}:{emulator.port}/{api.stages[0].stage_name}/"
        f"     (REST API, {api.methods[0].integration.response_transfer_mode})\n"
        f"  or    curl -N {host}:{emulator.rest_api_ports[api.id]}/{api.stages[0].stage_name}/"
        "     (the same, for clients that do not know the name)\n"
        for api in emulator.rest_apis
    )


def _in_effect(options: argparse.Namespace, function: Function | None) -> str:
    """What makes calls fail or differ, which looks like a bug to those who have forgotten it."""
    account = options.account_concurrency
    is_usual = account == options.parser.get_default("account_concurrency")
    switches = {
        "--strict": options.strict,
        "--freeze": options.freeze,
        "--enforce-memory": options.enforce_memory,
        "--enforce-permissions": options.enforce_permissions,
    }
    values = {
        "--fault": options.fault,
        "--quirk": options.quirk,
        "--no-quirk": options.no_quirk,
        "--bandwidth": [options.bandwidth],
        "--reserved-concurrency": [options.reserved_concurrency],
        "--account-concurrency": [None if is_usual else account],
        "--max-concurrency": [environment_options.concurrency_in_effect(options, function)],
    }
    parts = [name for name, is_on in switches.items() if is_on]
    parts += [
        f"{name} {value}" for name, given in values.items() for value in given if value is not None
    ]
    return f"\nIn effect: {', '.join(parts)}\n" if parts else ""


def _code(function: Function) -> str:
    return "Python file" if function.execution_env else "file of code"


def _problem(function: Function) -> str:
    """What the first call would find out, told now."""
    from ..emulator.handler_check import problem_of

    problem = problem_of(function)
    return f"\nEvery call will fail until this is mended: {problem}\n" if problem else ""


def _warning(host: str) -> str:
    if host in ("localhost", "127.0.0.1", "::1"):
        return ""
    return f"""
Listening on {host}: whoever reaches this address can run the function, and so can web
pages, as browsers do not tell where a request to such an address comes from.
"""
