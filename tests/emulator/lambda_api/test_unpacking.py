"""Code is unpacked while others use the Lambda API."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.tools import PATIENCE, wait_for

from .conftest import ECHO, zipped


class Hold:
    """Where the unpacking of code waits that has a link called "held"."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reached = threading.Semaphore(0)
        self._is_open = threading.Event()
        real = os.symlink

        def symlink(target: Any, link: Any, *rest: Any, **others: Any) -> None:
            if Path(link).name == "held":
                self._reached.release()
                assert self._is_open.wait(PATIENCE)
            real(target, link, *rest, **others)

        monkeypatch.setattr(os, "symlink", symlink)

    def wait(self) -> None:
        """Wait until one more has come to it."""
        assert self._reached.acquire(timeout=PATIENCE), "nobody unpacks"

    def open(self) -> None:
        self._is_open.set()


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    hold = Hold(monkeypatch)
    yield hold
    hold.open()


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., Any]]:
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def held_zip(text: str = ECHO) -> bytes:
    data = io.BytesIO(zipped({"app.py": text}))
    with zipfile.ZipFile(data, "a") as archive:
        link = zipfile.ZipInfo("held")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "app.py")
    return data.getvalue()


def left(state: Path) -> list[int]:
    """How many functions, zip files and roots there are."""
    return [len(list((state / name).iterdir())) for name in ("functions", "code", "roots")]


def test_while_code_is_unpacked_other_functions_answer(start, hold, meanwhile, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create("other")
    creating = meanwhile(aws.create, "big", Code={"ZipFile": held_zip()})
    hold.wait()
    assert aws.client.get_function(FunctionName="other")["Configuration"]["State"] == "Active"
    names = [each["FunctionName"] for each in aws.client.list_functions()["Functions"]]
    assert names == ["other"]
    # What nobody has is swept, but for what is still to be somebody's.
    aws.client.delete_function(FunctionName="other")
    hold.open()
    assert creating.result(PATIENCE)["FunctionName"] == "big"
    assert aws.invoke("big") == {"version": "$LATEST"}
    assert left(tmp_path / "state") == [1, 1, 1]


def test_while_its_code_is_unpacked_a_function_runs_the_old(start, hold, meanwhile, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create()
    revision = aws.client.get_function(FunctionName="app")["Configuration"]["RevisionId"]
    new = held_zip("def handler(event, context): return 'new'")
    updating = meanwhile(aws.client.update_function_code, FunctionName="app", ZipFile=new)
    late = meanwhile(
        aws.client.update_function_code, FunctionName="app", ZipFile=new, RevisionId=revision
    )
    hold.wait()
    hold.wait()
    assert aws.invoke() == {"version": "$LATEST"}
    aws.client.update_function_configuration(FunctionName="app", Description="changed meanwhile")
    hold.open()
    assert updating.result(PATIENCE)["Description"] == "changed meanwhile"
    with pytest.raises(aws.client.exceptions.PreconditionFailedException):
        late.result(PATIENCE)
    assert aws.invoke() == "new"
    wait_for(lambda: len(aws.emulator.environment_pids) == 1, "the end of the old environment")
    aws.client.update_function_configuration(FunctionName="app", Timeout=5)
    assert left(tmp_path / "state") == [1, 1, 1]


def test_of_two_that_create_one_function_the_later_is_refused(start, hold, meanwhile, tmp_path):
    aws = start(state=tmp_path / "state")
    slow = meanwhile(aws.create, Code={"ZipFile": held_zip()})
    hold.wait()
    aws.create(files={"app.py": "def handler(event, context): return 'quick'"})
    hold.open()
    with pytest.raises(aws.client.exceptions.ResourceConflictException):
        slow.result(PATIENCE)
    assert aws.invoke() == "quick"
    assert left(tmp_path / "state") == [1, 1, 1]


def test_two_functions_may_have_the_same_code_unpacked_at_once(start, hold, meanwhile, tmp_path):
    aws = start(state=tmp_path / "state")
    both = [meanwhile(aws.create, name, Code={"ZipFile": held_zip()}) for name in ("one", "two")]
    hold.wait()
    hold.wait()
    hold.open()
    assert [each.result(PATIENCE)["FunctionName"] for each in both] == ["one", "two"]
    assert [aws.invoke(name) for name in ("one", "two")] == [{"version": "$LATEST"}] * 2
    assert left(tmp_path / "state") == [2, 1, 1]


def test_code_that_cannot_be_unpacked_leaves_nothing(start, tmp_path):
    aws = start(state=tmp_path / "state")
    with zipfile.ZipFile(io.BytesIO(data := zipped())) as archive:
        content = archive.infolist()[0].header_offset + 30 + len("app.py")
    damaged = data[:content] + b"\xff" * 4 + data[content + 4 :]
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        aws.create(Code={"ZipFile": damaged})
    assert left(tmp_path / "state") == [0, 0, 0]


def test_the_end_does_not_wait_for_code(start, hold, meanwhile, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    aws = start()
    creating = meanwhile(aws.create, Code={"ZipFile": held_zip()})
    hold.wait()
    meanwhile(aws.emulator.stop).result(PATIENCE)
    hold.open()
    assert creating.exception(PATIENCE) is not None
    wait_for(lambda: not list(tmp_path.iterdir()), "the end of what was unpacked")
