"""The AWS CLI against the emulator: `lambda invoke`, and what it says of errors."""

from __future__ import annotations

import base64
import json

from tests.system.clients.tools import FAILING, HELLO, assert_platform_lines
from tests.tools import PATIENCE


def test_aws_cli_invokes_with_the_log(serve, aws, tmp_path):
    function = serve(HELLO)
    (tmp_path / "event.json").write_text('{"name": "world"}')
    answer = json.loads(
        aws(
            function,
            *("lambda", "invoke", "--function-name", "app", "--log-type", "Tail"),
            *("--payload", "file://event.json", "out.json"),
        ).read_all()
    )
    log = base64.b64decode(answer.pop("LogResult")).decode()
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    request_id = log.partition("START RequestId: ")[2].partition(" ")[0]
    assert_platform_lines(log, request_id)
    assert json.loads((tmp_path / "out.json").read_text()) == {"hello": "world"}


def test_aws_cli_learns_of_a_function_that_failed(serve, aws, tmp_path):
    function = serve(FAILING)
    answer = aws(function, "lambda", "invoke", "--function-name", "app", "out.json").read_all()
    assert json.loads(answer) == {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "ExecutedVersion": "$LATEST",
    }
    error = json.loads((tmp_path / "out.json").read_text())
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "out of cheese"


def test_aws_cli_does_not_find_a_function_that_does_not_exist(serve, aws):
    function = serve(HELLO)
    client = aws(function, "lambda", "invoke", "--function-name", "nobody", "out.json")
    _, errors = client.process.communicate(timeout=PATIENCE)
    assert client.process.returncode == 255
    assert b"(ResourceNotFoundException)" in errors
    assert b"Function not found: arn:aws:lambda:us-east-1:" in errors
