"""The options of `penstock dev` that say how environments live."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.tools import wait_for

from .test_dev import PENSTOCK, dev  # noqa: F401  (a fixture)

TELLS = """
def handler(event, context):
    return [os.getpid(), context.memory_limit_in_mb, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


def test_options_reach_the_environment_and_its_events_a_file(dev, tmp_path):  # noqa: F811
    file = tmp_path / "events.jsonl"
    running = dev(TELLS, "--memory", "256", "--snap-start", "--events", str(file))
    assert httpx.get(running.url).json()[1:] == ["256", "snap-start"]
    wait_for(lambda: '"platform.report"' in file.read_text(), "the report's event")
    # What follows the report may be written at this moment.
    events = [json.loads(line) for line in file.read_text().rpartition("\n")[0].splitlines()]
    assert events[0]["type"] == "platform.initStart"
    assert events[0]["record"]["instanceMaxMemory"] == 256 * 1024 * 1024
    assert {event["function"] for event in events} == {"app"}


def test_events_may_go_to_standard_error(dev):  # noqa: F811
    running = dev(TELLS, "--events", "-", "--max-concurrency", "2")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: httpx.get(running.url).json(), range(2)))
    assert answers[0] == answers[1]
    wait_for(lambda: '"environment":"' in running.text, "an event")


def test_no_place_for_any_call(dev):  # noqa: F811
    running = dev(TELLS, "--reserved-concurrency", "0")
    assert httpx.get(running.url).status_code == 429


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--max-concurrency", "0"], "--max-concurrency must be at least 1, not 0"),
        (["--env", "AWS_LAMBDA_MAX_CONCURRENCY=0"], "AWS_LAMBDA_MAX_CONCURRENCY is a number of"),
        (["--reserved-concurrency", "-1"], "--reserved-concurrency cannot be below 0, and is -1"),
        (["--memory", "64"], "--memory is 128 to 10240 MB, not 64"),
        (["--account-concurrency", "0"], "--account-concurrency must be at least 1, not 0"),
        (["--extensions", "."], "is an executable file; chmod +x what is to start"),
        (["--extensions", "nowhere"], "--extensions: there is no folder"),
        (["--events", "no/such/file"], "--events cannot write no/such/file"),
        (["--snap-start", "--max-concurrency", "2"], "--snap-start and --max-concurrency"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, options, says, run_penstock):
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    ended = run_penstock("dev", "app.py:handler", "--port", "0", *options)
    assert ended.returncode == 1
    assert says in ended.stderr
