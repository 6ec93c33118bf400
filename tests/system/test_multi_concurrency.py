"""Managed Instances: several invocations at once in one environment of the emulator."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.tools import PATIENCE, RawClient, lambda_client, wait_for

AT_GATE = """
@streamify_response
def handler(event, context):
    yield f"{os.getpid()} "
    pass_gate(event["rawPath"].strip("/"))
    yield "end"
"""


def get(function, path: str) -> str:
    return httpx.get(f"{function.url}/{path}", timeout=30).text


def test_invocations_share_an_environment_until_it_is_full(serve, gate):
    function = serve(AT_GATE, max_concurrency=3, max_environments=2)
    with ThreadPoolExecutor(7) as pool:
        answers = {name: pool.submit(get, function, name) for name in "abcdef"}
        wait_for(lambda: function.log.count("platform.start") == 6, "six that have begun")
        assert httpx.get(f"{function.url}/g").status_code == 429
        gate.open("b")  # whoever is answered first makes room
        first = answers["b"].result()
        again = pool.submit(get, function, "g")
        wait_for(lambda: function.log.count("platform.start") == 7, "one more that has begun")
        for name in "acdefg":
            gate.open(name)
        pids = [answer.result().split()[0] for answer in answers.values()]
        assert sorted(pids.count(pid) for pid in set(pids)) == [3, 3]
        assert again.result().split()[0] == first.split()[0]
    wait_for(lambda: function.log.count('"platform.report"') == 7, "the last report")
    assert function.log.count('"platform.start"') == 7


APP_AT_GATE = """
from penstock import adapt

def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{os.getpid()} {name} ".encode()
    if name == "held":
        pass_gate(name)
    yield environ["aws.context"].aws_request_id.encode()

handler = adapt(app)
"""


def test_one_request_of_a_wsgi_app_is_held_while_another_is_answered(serve, gate):
    function = serve(APP_AT_GATE, max_concurrency=2, max_environments=1)
    with httpx.stream("GET", f"{function.url}/held", timeout=30) as held:
        chunks = held.iter_text()
        pid, name = next(chunks).split()
        assert name == "held"
        assert get(function, "other").split()[:2] == [pid, "other"]
        gate.open("held")
        rest = "".join(chunks)
    assert rest == held.headers["x-amzn-requestid"]


def test_async_handlers_of_one_environment_meet(serve):
    function = serve(
        """
        together = None

        @streamify_response
        async def handler(event, context):
            global together
            together = together or asyncio.Barrier(20)
            yield str(os.getpid())
            await together.wait()
        """,
        max_concurrency=20,
    )
    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(lambda _: get(function, ""), range(20)))) == 1


def test_a_timeout_is_of_one_invocation_and_its_late_answer_is_refused(serve, gate):
    function = serve(
        """
        def handler(event, context):
            if event["rawPath"] != "/quick":
                pass_gate(event["rawPath"].strip("/"))
            return [os.getpid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
        """,
        max_concurrency=2,
        max_environments=1,
        timeout=3,
    )
    pid, kind = json.loads(get(function, "quick"))
    assert kind == "lambda-managed-instances"
    assert json.loads(get(function, "late"))["errorType"] == "Sandbox.Timedout"
    function.wait_for_log('"status":"timeout"')
    assert json.loads(get(function, "quick"))[0] == pid
    gate.open("late")
    assert re.search(r"\b410\b", function.wait_for_log("Invoke timeout"))
    assert json.loads(get(function, "quick"))[0] == pid
    # Both of its places are free again.
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(get, function, name) for name in "ab"]
        gate.open("a")
        gate.open("b")
        assert [json.loads(answer.result())[0] for answer in answers] == [pid, pid]


def test_a_stream_that_times_out_is_cut_and_others_go_on(serve, gate):
    function = serve(AT_GATE, max_concurrency=2, timeout=3)
    with httpx.stream("GET", f"{function.url}/slow") as slow:
        parts = slow.iter_raw()
        pid = next(parts)
        with pytest.raises(httpx.RemoteProtocolError):
            next(parts)
    function.wait_for_log('"status":"timeout"')
    gate.open("slow")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, function, "next")
        gate.open("next")
        assert answer.result() == pid.decode() + "end"


def test_a_client_that_reads_slowly_keeps_no_place_beyond_its_timeout(serve):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            while event["rawPath"] == "/endless":
                yield b"x" * 1_000_000
            yield "quick"
        """,
        max_concurrency=1,
        max_environments=1,
        timeout=1,
    )
    with RawClient(function.port) as client:
        client.send(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        # Which takes no more from here on.
        function.wait_for_log('"status":"timeout"')
        wait_for(lambda: httpx.get(function.url).text == "quick", "room for another call")


def test_a_call_finds_the_place_of_one_whose_report_is_being_written(serve, gate):
    function = serve(AT_GATE, max_concurrency=2, max_environments=1)
    writing, written = threading.Event(), threading.Event()

    def hold(event) -> None:
        if event.type == "platform.report":
            writing.set()
            written.wait(PATIENCE)

    unsubscribe = function.emulator.subscribe(hold)
    with ThreadPoolExecutor(3) as pool:
        held, answered = (pool.submit(get, function, name) for name in "ab")
        wait_for(lambda: function.log.count("platform.start") == 2, "two that have begun")
        gate.open("b")
        answered.result()
        assert writing.wait(PATIENCE)
        late = pool.submit(httpx.get, f"{function.url}/c", timeout=30)
        (environment,) = function.emulator.registry.find("app")._all
        assert environment.is_finishing
        written.set()
        gate.open("c")
        assert late.result().status_code == 200
        gate.open("a")
        held.result()
    unsubscribe()


def test_an_environment_in_which_all_hangs_is_replaced(serve, gate):
    function = serve(
        """
        def handler(event, context):
            if event["rawPath"] == "/hang":
                time.sleep(300)
            return os.getpid()
        """,
        max_concurrency=2,
        max_environments=1,
        timeout=1,
    )
    pid = get(function, "")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: get(function, "hang"), range(2)))
    assert httpx.get(function.url).status_code == 429
    function.wait_for_log("an environment is killed in which all hangs")
    wait_for(lambda: httpx.get(function.url).status_code == 200, "a new environment")
    assert get(function, "") != pid


def test_a_crash_breaks_all_of_them_off(serve, gate):
    function = serve(AT_GATE, max_concurrency=3)
    cut = []

    def read(name: str) -> None:
        with httpx.stream("GET", f"{function.url}/{name}") as response:
            parts = response.iter_raw()
            pids.append(next(parts))
            try:
                next(parts)
            except httpx.RemoteProtocolError:
                cut.append(name)

    pids: list[bytes] = []
    threads = [threading.Thread(target=read, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(pids) == 3, "three streams that have begun")
    os.kill(int(pids[0]), signal.SIGKILL)
    for thread in threads:
        thread.join(15)
    assert sorted(cut) == ["a", "b", "c"]
    wait_for(lambda: function.log.count('"platform.report"') == 3, "three reports")
    assert function.log.count('"status":"failure"') >= 3


def test_changed_code_waits_for_all_that_an_environment_does(serve, gate):
    function = serve(AT_GATE, max_concurrency=3)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(get, function, name) for name in "ab"]
        wait_for(lambda: function.log.count("platform.start") == 2, "two that have begun")
        old = function.emulator.environment_pids
        function.emulator.registry.put(function.emulator.function)
        gate.open("a")
        assert answers[0].result().endswith("end")
        assert function.emulator.environment_pids == old
        gate.open("b")
        assert answers[1].result().endswith("end")
        wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


def test_a_log_tail_has_the_lines_of_its_own_invocation(serve):
    function = serve(
        """
        import logging, threading
        together = threading.Barrier(2)

        def handler(event, context):
            together.wait(10)
            logging.getLogger().warning("I am %s", event["name"])
            together.wait(10)
        """,
        max_concurrency=2,
    )

    def tail(name: str) -> str:
        answer = lambda_client(function.url).invoke(
            FunctionName="app", LogType="Tail", Payload=json.dumps({"name": name})
        )
        return b64decode(answer["LogResult"]).decode()

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(tail, ["one", "two"])
    assert "I am one" in one
    assert "I am two" not in one
    assert "I am two" in two
    assert "I am one" not in two


def test_a_variable_of_the_function_is_what_it_gets(serve, gate):
    function = serve(AT_GATE, environment={"AWS_LAMBDA_MAX_CONCURRENCY": "3"}, max_environments=1)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(get, function, name) for name in "abc"]
        wait_for(lambda: function.log.count("platform.start") == 3, "three that have begun")
        for name in "abc":
            gate.open(name)
        found = {answer.result() for answer in answers}
    assert len(found) == 1
    assert found.pop().endswith(" end")


def test_aws_s_own_client_has_a_process_for_each(serve, gate):
    function = serve(
        """
        def handler(event, context):
            pass_gate(event["rawPath"].strip("/"))
            return [os.getpid(), os.getppid()]
        """,
        max_concurrency=3,
        command=(sys.executable, "-m", "awslambdaric", "app.handler"),
    )
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(get, function, name) for name in "abc"]
        wait_for(lambda: function.log.count('"platform.start"') == 3, "three that have begun")
        for name in "abc":
            gate.open(name)
        found = [json.loads(answer.result()) for answer in answers]
    assert len({pid for pid, _ in found}) == 3
    assert len({parent for _, parent in found}) == 1
