"""A blocking stream is a file object for whatever writes to one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile

import pytest

from penstock.stream import ResponseStream
from tests.stream_moves import Moves


@pytest.fixture
def file_moves():
    return Moves()


@pytest.fixture
def file(file_moves):
    return ResponseStream(file_moves)


def body(moves):
    return b"".join(b"".join(m[2]) if m[0] == "begin" else m[1] for m in moves if len(m) > 1)


def test_csv_rows_leave_one_by_one(file, file_moves):
    rows = csv.writer(file)
    rows.writerow(["a", "b"])
    assert file_moves == [("begin", "application/octet-stream", [b"a,b\r\n"])]
    rows.writerow([1, 2])
    assert file_moves[1:] == [("send", b"1,2\r\n")]


def test_print_writes_to_it(file, file_moves):
    print("one", 2, file=file, flush=True)

    assert body(file_moves) == b"one 2\n"


def test_json_is_dumped_to_it(file, file_moves):
    json.dump({"a": [1, 2]}, file)

    assert body(file_moves) == b'{"a": [1, 2]}'


def test_lines_are_written_to_it(file, file_moves):
    file.writelines(["one\n", b"two\n"])

    assert file_moves == [("begin", "application/octet-stream", [b"one\n"]), ("send", b"two\n")]


def test_a_zip_file_is_written_to_it(file, file_moves):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "one")
        before_the_second = len(file_moves)
        archive.writestr("b.txt", "two")

    assert before_the_second > 0
    with zipfile.ZipFile(io.BytesIO(body(file_moves))) as archive:
        assert archive.read("a.txt") == b"one"
        assert archive.read("b.txt") == b"two"


def test_gzip_is_written_to_it(file, file_moves):
    with gzip.open(file, "wb") as zipped:
        zipped.write(b"one")

    assert gzip.decompress(body(file_moves)) == b"one"
    assert not file.ended


def test_a_text_wrapper_around_it_closes_it(file, file_moves):
    with io.TextIOWrapper(file, encoding="latin-1", write_through=True) as text:
        text.write("grün")

    assert body(file_moves) == b"gr\xfcn"
    assert file_moves[-1] == ("end",)


def test_closing_it_ends_the_response(file, file_moves):
    file.write("one")
    file.close()
    file.close()

    assert file_moves[1:] == [("end",)]
