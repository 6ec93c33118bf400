"""A small Runtime API in Python: what a client answers, and the memory it then has.

The neutral server counts bytes. Here an answer is looked at, once per client, before anything
is measured: a client that answers something else is not compared. Memory is taken here too,
because it may be that of several processes.
"""

import base64
import json
import os
import queue
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from neutral_server import RunFailed

LIMIT_SECONDS: Final = 30
SHOWN_STDERR: Final = 2000
_ID: Final = "00000000-0000-4000-8000-000000000000"
_NEXT: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    f"Lambda-Runtime-Aws-Request-Id: {_ID}\r\n"
    f"Lambda-Runtime-Deadline-Ms: {(int(time.time()) + 900) * 1000}\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: "
    "arn:aws:lambda:us-east-1:123456789012:function:benchmark\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
    "Content-Length: 2\r\n\r\n{}"
).encode()
_ACCEPTED: Final = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


class Probed(NamedTuple):
    """The last answer's bytes, and the memory of the client's processes after it."""

    answer: bytes
    memory_mib: float | None  # Linux only


def probe(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, invocations: int
) -> Probed:
    """Run `command` as a runtime for so many invocations. Raises RunFailed."""
    with tempfile.TemporaryFile() as errors, socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": address},
            cwd=folder,
            start_new_session=True,
        )
        try:
            answer = _serve(server, invocations)
            return Probed(answer, _memory_mib(process.pid))
        except (OSError, RunFailed) as exc:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            raise RunFailed(f"{exc}\n{said[-SHOWN_STDERR:]}".strip()) from exc
        finally:
            # The session is the client's own, so its group is all that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def body_of(answer: bytes) -> tuple[int, bytes]:
    """Status and body of an answer, streamed with a prelude or as a proxy response."""
    prelude, has_prelude, body = answer.partition(b"\0" * 8)
    result = json.loads(prelude)
    if has_prelude:
        return result["statusCode"], body
    if "statusCode" not in result:
        return 200, answer
    text = result["body"].encode()
    return result["statusCode"], base64.b64decode(text) if result["isBase64Encoded"] else text


def _serve(server: socket.socket, invocations: int) -> bytes:
    """Give invocations; return the last answer when the client asks for one more.

    A client may have several connections, but has one request at a time.
    """
    requests: queue.Queue[tuple[str, bytes, socket.socket]] = queue.Queue()
    threading.Thread(target=_accept, args=(server, requests), daemon=True).start()
    answer = b""
    given = 0
    while True:
        try:
            line, body, connection = requests.get(timeout=LIMIT_SECONDS)
        except queue.Empty:
            raise RunFailed(f"no request came in {LIMIT_SECONDS} seconds") from None
        if line.endswith("/next HTTP/1.1"):
            if given == invocations:
                return answer
            given += 1
            connection.sendall(_NEXT)
        elif line.endswith(f"/{_ID}/response HTTP/1.1"):
            answer = body
            connection.sendall(_ACCEPTED)
        else:
            raise RunFailed(f"the client sent {line}: {body[:500].decode()}")


def _accept(server: socket.socket, requests: queue.Queue[tuple[str, bytes, socket.socket]]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # it is over
        threading.Thread(target=_read, args=(connection, requests), daemon=True).start()


def _read(
    connection: socket.socket, requests: queue.Queue[tuple[str, bytes, socket.socket]]
) -> None:
    with connection, connection.makefile("rb") as stream:
        try:
            while (found := _request(stream, connection)) is not None:
                requests.put((*found, connection))
        except OSError:
            pass  # the client was ended


def _request(stream: BinaryIO, connection: socket.socket) -> tuple[str, bytes] | None:
    line = stream.readline().decode().strip()
    if not line:
        return None
    fields = {}
    while field := stream.readline().decode().strip():
        name, _, value = field.partition(":")
        fields[name.lower()] = value.strip()
    if fields.get("expect"):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" not in fields.get("transfer-encoding", ""):
        return line, stream.read(int(fields.get("content-length") or 0))
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    while trailer := stream.readline().decode().strip():
        if trailer.lower().startswith("lambda-runtime-function-error-type"):
            return f"{line}, which ended in an error ({trailer})", body
    return line, body


def _memory_mib(group: int) -> float | None:
    """The resident memory of a process group; what its processes share counts once.

    That is all of the largest process's, and of the others what is theirs alone.
    """
    resident, alone = [], []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) != group:
                continue
            text = (folder / "smaps_rollup").read_text()
        except OSError:
            continue
        kib = {parts[0]: int(parts[1]) for parts in map(str.split, text.splitlines()[1:]) if parts}
        resident.append(kib["Rss:"])
        alone.append(kib["Private_Clean:"] + kib["Private_Dirty:"])
    if not resident:
        return None
    largest = resident.index(max(resident))
    return (resident[largest] + sum(alone) - alone[largest]) / 1024
