"""`penstock dev`: a function on this machine, streaming."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..emulator.emulator import Emulator

_DESCRIPTION = """\
Run a function on this machine as Lambda would, streaming included.

One port serves its Function URL and the Lambda API (for AWS SDKs and the AWS CLI, as their
endpoint URL). Environments are processes of their own; when the source changes, the next
call starts a new one.
"""

_EXAMPLES = """\
examples:
  penstock dev app.py:handler                     http://localhost:9000/ streams
  penstock dev shop.pages:handler --port 8000     a module; found from this folder
  penstock dev app.py:handler --invoke-mode BUFFERED
  penstock dev app.py:handler --rest-api STREAM   a REST API besides
  penstock dev app.py:handler --env TABLE=orders --env DEBUG=1 --timeout 10

then, in another terminal:
  curl -N http://localhost:9000/
  aws lambda invoke --region us-east-1 --endpoint-url http://localhost:9000 \\
      --function-name app out.json          (with any credentials)
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `dev` to the commands."""
    parser = commands.add_parser(
        "dev",
        help="run a function on this machine, streaming",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help="module:handler or path/file.py:handler")
    add("--port", type=int, default=9000, help="port to serve on (default 9000; 0: any free)")
    add(
        "--host",
        default="localhost",
        help="address to listen on (default localhost: this machine only); "
        "others on the network, and web pages, can then run the function",
    )
    add("--function", metavar="NAME", help="the function's name (default: the file's)")
    add(
        "--invoke-mode",
        choices=["RESPONSE_STREAM", "BUFFERED"],
        default="RESPONSE_STREAM",
        help="of the Function URL (default RESPONSE_STREAM)",
    )
    add(
        "--rest-api",
        choices=["STREAM", "BUFFERED"],
        help="have a REST API, too, whose requests are all the function's, in this transfer mode",
    )
    add(
        "--bandwidth",
        choices=["aws"],
        help="let a REST API's streams be as slow as on AWS: 10 MB at once, then 2 MB a second",
    )
    add(
        "--timeout",
        type=float,
        default=60,
        metavar="SECONDS",
        help="how long one invocation may take, without its start (default 60)",
    )
    add(
        "--max-environments",
        type=int,
        default=10,
        metavar="N",
        help="how many may run at once; beyond it calls get AWS's 429 (default 10)",
    )
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable for the function (repeatable)",
    )
    add(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin call the function, e.g. http://localhost:5173 (repeatable)",
    )
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    emulator = _start(options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(_welcome(emulator), flush=True)
    try:
        stop.wait()
    finally:
        emulator.stop()
    return 0


def _start(options: argparse.Namespace) -> Emulator:
    try:
        from ..emulator.emulator import Emulator
        from ..emulator.function_urls import FunctionUrl
        from ..emulator.functions import function_from_target
        from ..emulator.rest_apis import api_of_function
    except ModuleNotFoundError as exc:
        if exc.name not in ("h11", "watchfiles"):
            raise
        raise EmulatorError(
            f"the emulator needs {exc.name}, which is not installed; "
            "install the extra: pip install 'penstock-lambda[local]', or, in a clone, '.[local]'"
        ) from exc
    function = function_from_target(
        options.target,
        name=options.function,
        timeout=options.timeout,
        max_environments=options.max_environments,
        environment=dict(_variable(text) for text in options.env),
    )
    mode, is_slow = options.rest_api, options.bandwidth == "aws"
    if is_slow and mode != "STREAM":
        raise EmulatorError("--bandwidth is for streams of a REST API; add --rest-api STREAM")
    return Emulator(
        function,
        function_url=FunctionUrl(function.name, invoke_mode=options.invoke_mode),
        rest_apis=[api_of_function(function.name, mode, bandwidth=is_slow)] if mode else [],
        port=options.port,
        host=options.host,
        origins=options.allow_origin,
        watch=True,
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or "\0" in text:
        raise EmulatorError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value


def _welcome(emulator: Emulator) -> str:
    function, function_url, url = emulator.function, emulator.function_url, emulator.url
    if function is None or function_url is None:
        return f"penstock {__version__}: an empty Lambda at {url}\n"
    return f"""\
penstock {__version__}: {function.name} ({function.handler}), {function_url.invoke_mode}

  open  {url}/
  or    curl -N {url}/
  or    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws lambda invoke \\
          --region {function.region} --endpoint-url {url} \\
          --function-name {function.name} out.json
{_rest_apis(emulator)}
A changed Python file in {function.folder} takes effect with the next call.
Ctrl-C stops it.
{_warning(emulator.host)}{_wrapper_warning({**function.inherited, **function.environment})}"""


def _rest_apis(emulator: Emulator) -> str:
    return "".join(
        f"  or    curl -N http://{api.domain_name}:{emulator.port}/{api.stage}/     (REST API, "
        f"{api.routes[0].integration.transfer_mode})\n"
        for api in emulator.rest_apis
    )


def _wrapper_warning(environment: Mapping[str, str]) -> str:
    if "AWS_LAMBDA_EXEC_WRAPPER" not in environment:
        return ""
    return """
AWS_LAMBDA_EXEC_WRAPPER is not heeded here: the function runs on Penstock's own runtime.
"""


def _warning(host: str) -> str:
    if host in ("localhost", "127.0.0.1", "::1"):
        return ""
    return f"""
Listening on {host}: whoever reaches this address can run the function, and so can web
pages, as browsers do not tell where a request to such an address comes from.
"""
