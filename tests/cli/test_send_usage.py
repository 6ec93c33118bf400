"""`penstock send`: what it refuses, its help, and its page in the docs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import main


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["sqs", "app", "--attribute", "a", "one"], "--attribute takes NAME=VALUE, not 'a'"),
        (
            ["sqs", "app", "--attribute", "a=1", "--attribute", "a=2", "one"],
            "--attribute is given twice with the name 'a'; give it once",
        ),
        (["eventbridge", "app", "[1]"], """a JSON object, as in '{"order": 17}', not [1]"""),
        (["eventbridge", "app", '"x"'], """a JSON object, as in '{"order": 17}', not 'x'"""),
        (["sqs", "app", "--file", "/none"], "cannot read /none: No such file or directory"),
        (["s3", "app", "k", "--content", "/none"], "cannot read /none: No such file"),
        (["ses", "app", "--mail", "/none"], "cannot read /none: No such file"),
        (["sqs", "app", "\udcff"], r"the message b'\xff' is no text in UTF-8"),
        (["eventbridge", "app", "{"], "the message '{' is no JSON: Expecting property name"),
        (["dynamodb", "app", "[]"], "an item is a JSON object with attributes, not []"),
        (["dynamodb", "app", '{"a": 1}', "--key", "id"], "the item has no id, which is in"),
        (["dynamodb", "app", '{"a": [1]}'], "text, a number or bytes, but a is [1]"),
        (["dynamodb", "app", '{"a": NaN}'], """'{"a": NaN}' is no JSON: there is no NaN"""),
        (["eventbridge", "app", '{"a": -Infinity}'], "is no JSON: there is no -Infinity"),
        (["eventbridge", "app", '{"a": -1e999}'], "is no JSON: -1e999 is too large for a number"),
        (["eventbridge", "app", "[" * 100_000], "[[[ is no JSON: "),
        (["dynamodb", "app", '{"a": 1e126}'], "from 1E-130 to 9.99E+125, or as far below zero"),
        (["dynamodb", "app", '{"a": 1e99999999999999999999}'], "is no JSON: "),
        (["dynamodb", "app", '{"a": 1}', "--event-name", "MODIFY"], "--old goes with"),
        (["dynamodb", "app", '{"a": 1}', "--old", "{}"], "--old goes with --event-name MODIFY"),
        (["sqs", "app", "1", "--endpoint", "ftp://x"], "'ftp://x' is no emulator's address"),
        (["sqs", "app", "1", "--endpoint", "http://x:y"], "'http://x:y' is no address"),
    ],
)
def test_what_cannot_be_is_told(send, arguments, error):
    status, out, err = send(*arguments)

    assert (status, out) == (1, "")
    assert err.startswith("penstock: ")
    assert error in err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["sqs", "app"], "nothing to send: name a MESSAGE, --file or --lines"),
        (["s3", "app"], "nothing to send: name a KEY"),
        (["sqs", "app", "--file", "-", "--lines", "-"], "standard input can be read only once"),
        (["sqs", "app", "one", "--prot", "x"], "unrecognized arguments: --prot x"),
        (
            ["sqs", "app", "1", "--wait", "0"],
            "argument --wait: it is a number of seconds, over 0, not '0'",
        ),
        (["s3", "app", "k", "--lines", "x"], "unrecognized arguments: --lines x"),
    ],
)
def test_wrong_usage_is_answered_with_the_usage_of_the_source(capsys, arguments, error):
    with pytest.raises(SystemExit) as ended:
        main(["send", *arguments])

    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"usage: penstock send {arguments[0]} ")
    assert err.endswith(f"error: {error}\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["kafka", "--partition", "-1"], "--partition: it is a number, 0 or more, not '-1'"),
        (["kafka", "--partition", "one"], "--partition: it is a number, 0 or more, not 'one'"),
        (["s3", "--event-name", "nonsense"], "S3 has no event 'nonsense'; it has ObjectCreated:P"),
        (["s3", "--event-name", "ObjectCreated:*"], "S3 has no event 'ObjectCreated:*'; it has"),
    ],
)
def test_what_no_service_sends_is_told_with_what_it_does(capsys, arguments, error):
    with pytest.raises(SystemExit) as ended:
        main(["send", *arguments, "app", "x"])

    assert ended.value.code == 2
    assert error in capsys.readouterr().err


def test_the_usage_says_that_options_come_after_the_source(capsys):
    with pytest.raises(SystemExit):
        main(["send", "--endpoint", "http://localhost:9000", "sqs", "app", "one"])

    usage = capsys.readouterr().err.partition("\n")[0]
    assert usage == "usage: penstock send SOURCE FUNCTION [MESSAGE ...] [options]"


def test_the_help_of_each_source_has_an_example_that_is_right(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("orders.txt", "service.log", "record.bin", "flower.jpg", "events.jsonl"):
        (tmp_path / name).write_text("one\n")
    (tmp_path / "order.json").write_text("{}")
    (tmp_path / "question.eml").write_text("From: a@example.com\nTo: b@example.com\n\n")
    with pytest.raises(SystemExit):
        main(["send", "--help"])
    helps = [capsys.readouterr().out]
    sources = re.findall(r"^    (\w+)", helps[0], re.M)
    assert len(sources) == 11
    for source in sources:
        with pytest.raises(SystemExit):
            main(["send", source, "--help"])
        helps.append(capsys.readouterr().out)
        assert f"penstock send {source} app" in helps[-1]
    for text in helps:
        examples = text.partition("examples:\n")[2].replace("\\\n", "")
        for line in re.findall(r"^  penstock (send .*)$", examples, re.M):
            arguments = shlex.split(line.partition(" > ")[0])
            assert main([*arguments, "--print"]) == 0, line
            assert json.JSONDecoder().raw_decode(capsys.readouterr().out)


def test_every_option_is_in_the_page(capsys):
    page = (Path(__file__).parents[2] / "docs/reference/send.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` (\|.*)$", page, re.M))
    common = page.partition("## Sources")[0]
    with pytest.raises(SystemExit):
        main(["send", "--help"])
    sources = re.findall(r"^    (\w+)", capsys.readouterr().out.partition("\noptions:")[0], re.M)
    assert set(rows) == set(sources)
    for source in sources:
        with pytest.raises(SystemExit):
            main(["send", source, "--help"])
        for option in re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.M):
            assert f"`{option}" in common + rows[source], f"{option} of {source}"


def test_who_reads_may_have_enough():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "penstock.cli", "send", "sqs", "--print", "app", "x"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (1, b"")
