"""An emulator without functions, and boto3 in front of it."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.emulator.emulator import Emulator
from penstock.emulator.lambda_api.settings import ApiSettings
from tests.tools import lambda_client, wait_for

ROLE = "arn:aws:iam::123456789012:role/any"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"

ECHO = "def handler(event, context):\n    return {'version': context.function_version}\n"


def zipped(files: dict[str, str | bytes] | None = None, mode: int = 0o644) -> bytes:
    """A zip file; without files one with a handler."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files or {"app.py": ECHO}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


class Lambda:
    """A Lambda, and a client for it."""

    def __init__(self, emulator: Emulator, log: list[str]) -> None:
        self.emulator = emulator
        self.client = lambda_client(f"http://127.0.0.1:{emulator.port}")
        self.client.meta.events.register("before-parse.lambda.*", says_only_what_the_model_has)
        self._log = log

    @property
    def log(self) -> str:
        return "".join(self._log)

    def wait_for_log(self, text: str) -> str:
        wait_for(lambda: text in self.log, f"{text!r} in the log:\n{self.log}")
        return self.log

    def create(self, name: str = "app", **options: Any) -> dict[str, Any]:
        files = options.pop("files", None)
        settings = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": zipped(files)},
            **options,
        }
        wanted = {key: value for key, value in settings.items() if value is not None}
        return self.client.create_function(**wanted)

    def invoke(self, name: str = "app", **options: Any) -> Any:
        answer = self.client.invoke(FunctionName=name, **options)
        return json.load(answer["Payload"])

    @contextmanager
    def stream(self, name: str = "app", **options: Any) -> Iterator[Iterator[Any]]:
        """The events of a call with a streamed response."""
        answer = self.client.invoke_with_response_stream(FunctionName=name, **options)
        with closing(answer["EventStream"]) as events:
            yield iter(events)

    def refused(self, operation: str, **request: Any) -> tuple[int, str, str]:
        """Status, name and message of the error that an operation ends with."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**request)
        response = caught.value.response
        error = response["Error"]
        return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def says_only_what_the_model_has(operation_model, response_dict, **_: Any) -> None:
    """Every key of an answer is known to AWS's clients: boto3 would leave others out."""
    if response_dict["status_code"] >= 300 or not response_dict["body"]:
        return
    if operation_model.name in ("Invoke", "InvokeWithResponseStream"):
        return
    assert unknown(json.loads(response_dict["body"]), operation_model.output_shape) == []


def unknown(value: Any, shape: Any) -> list[str]:
    if shape.type_name == "structure":
        odd = [key for key in value if key not in shape.members]
        known = [key for key in value if key in shape.members]
        return odd + [each for key in known for each in unknown(value[key], shape.members[key])]
    if shape.type_name == "list":
        return [each for item in value for each in unknown(item, shape.member)]
    return []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Lambda]]:
    """Start a Lambda, with settings of its API."""
    started: list[Lambda] = []

    def start(function: Any = None, account: int = 1000, **settings: Any) -> Lambda:
        log: list[str] = []
        emulator = Emulator(
            function,
            host="127.0.0.1",
            write_log=log.append,
            api=ApiSettings(**settings),
            account_concurrency=account,
        )
        started.append(Lambda(emulator, log))
        return started[-1]

    yield start
    for each in started:
        each.client.close()
        each.emulator.stop()


@pytest.fixture
def aws(start: Callable[..., Lambda]) -> Lambda:
    """A Lambda in memory, without functions."""
    return start()


@pytest.fixture
def nothing_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractContextManager[None]]:
    """Inside, the disk refuses to delete what is there, or only folders ("rmdir")."""

    def refuse(path: Any, *, dir_fd: int | None = None) -> None:
        os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)

    @contextmanager
    def nothing_goes(*calls: str) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for call in calls or ("unlink", "rmdir"):
                patch.setattr(os, call, refuse)
            yield

    return nothing_goes
