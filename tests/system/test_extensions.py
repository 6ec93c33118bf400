"""Extensions: programs beside the runtime, and threads in it, that hear of its life."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from penstock.emulator.environments import environment, processes
from tests.tools import PATIENCE, lambda_client, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

AWS_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")

# What an extension is made of. It prints the events it gets, each as a line of JSON.
EXTENSION = """\
#!{python}
import http.server, json, os, socket, sys, threading, time, urllib.request, urllib.error

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(__file__)


def call(method, path, body=None, **headers):
    headers = {{name.replace("_", "-"): value for name, value in headers.items()}}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, headers, method=method)
    with urllib.request.urlopen(request) as response:
        return response.headers, response.read()


def register(*events):
    headers, body = call(
        "POST", "/2020-01-01/extension/register", {{"events": events}}, Lambda_Extension_Name=NAME
    )
    return headers["Lambda-Extension-Identifier"]


def next_event(me):
    path = "/2020-01-01/extension/event/next"
    return json.loads(call("GET", path, Lambda_Extension_Identifier=me)[1])


def pass_gate(name):
    path = os.path.join(os.environ["GATES"], name)
    try:
        os.mkfifo(path)
    except FileExistsError:
        pass
    with open(path) as gate:
        gate.read()


"""

LISTENS = """
me = register("INVOKE", "SHUTDOWN")
while True:
    event = next_event(me)
    print(json.dumps(event), flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit()
"""

PLAIN = "def handler(event, context): return context.aws_request_id"


@pytest.fixture
def extensions(tmp_path: Path):
    """Write extensions, by name, to a folder; gives the folder."""

    def write(**sources: str) -> Path:
        folder = tmp_path / "extensions"
        folder.mkdir(exist_ok=True)
        for name, source in sources.items():
            path = folder / name
            path.write_text(EXTENSION.format(python=sys.executable) + source)
            path.chmod(0o755)
        return folder

    return write


def events(log: str) -> list[dict]:
    return [json.loads(line) for line in log.splitlines() if line.startswith('{"eventType')]


@pytest.mark.parametrize("command", [None, AWS_CLIENT], ids=["penstock", "awslambdaric"])
def test_an_extension_hears_of_every_invocation_and_of_the_end(serve, extensions, command):
    options = {"command": command} if command else {}
    function = serve(PLAIN, extensions_folder=extensions(listens=LISTENS), **options)
    ids = [httpx.get(function.url).json() for _ in range(2)]
    assert "EXTENSION\tName: listens\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in function.log
    wait_for(lambda: function.log.count("REPORT") == 2, "two reports")
    function.emulator.stop()
    first, second, end = events(function.log)
    assert [first["requestId"], second["requestId"]] == ids
    assert first["eventType"] == "INVOKE"
    assert first["invokedFunctionArn"].endswith(":function:app")
    assert first["tracing"]["value"].startswith("Root=1-")
    assert first["deadlineMs"] < second["deadlineMs"]
    assert (end["eventType"], end["shutdownReason"]) == ("SHUTDOWN", "spindown")


def test_an_invocation_is_over_when_its_extensions_are(serve, gate, extensions):
    folder = extensions(
        slow="""
me = register("INVOKE")
while True:
    next_event(me)
    pass_gate("extension")
"""
    )
    function = serve(PLAIN, extensions_folder=folder, max_environments=1)
    assert httpx.get(function.url).status_code == 200
    assert httpx.get(function.url).status_code == 429
    assert "REPORT" not in function.log
    gate.open("extension")
    function.wait_for_log("REPORT")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, function.url)
        gate.open("extension")
        assert answer.result().status_code == 200


SAYS_GOODBYE = """
import signal
signal.signal(signal.SIGTERM, lambda *_: (print("goodbye", flush=True), os._exit(0)))

def handler(event, context): return 1
"""


def test_with_an_extension_the_runtime_hears_of_the_end_and_without_one_it_is_killed(
    serve, extensions, monkeypatch
):
    # Lambda gives it 0.3 seconds.
    monkeypatch.setattr(processes, "RUNTIME_SECONDS", PATIENCE)
    alone = serve(SAYS_GOODBYE)
    both = serve(SAYS_GOODBYE, extensions_folder=extensions(listens=LISTENS))
    for function in (alone, both):
        assert httpx.get(function.url).json() == 1
        function.wait_for_log("REPORT")
        function.emulator.stop()
    assert "goodbye" not in alone.log
    assert both.log.index("goodbye") < both.log.index('"eventType": "SHUTDOWN"')


def test_a_timeout_is_the_reason_of_the_end_and_nothing_is_left(serve, extensions):
    function = serve(
        "def handler(event, context): time.sleep(60)",
        extensions_folder=extensions(listens=LISTENS),
        timeout=1,
    )
    assert httpx.get(function.url, timeout=20).json()["errorType"] == "Sandbox.Timedout"
    function.wait_for_log('"shutdownReason": "timeout"')
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


# Says at the end what it finds in the folder for temporary files.
FINDS_ITS_FILE = """
folder = os.environ["TMPDIR"]
open(folder + "/mine", "w").write(folder)
me = register("SHUTDOWN")
next_event(me)
print("found", open(folder + "/mine").read(), flush=True)
"""


def test_temporary_files_are_there_when_only_the_runtime_is_killed(serve, extensions, monkeypatch):
    monkeypatch.setattr(environment, "SHUTDOWN_SECONDS", PATIENCE)
    function = serve(
        "def handler(event, context): time.sleep(60)",
        extensions_folder=extensions(finds=FINDS_ITS_FILE),
        timeout=1,
    )
    assert httpx.get(function.url, timeout=20).json()["errorType"] == "Sandbox.Timedout"
    folder = function.wait_for_log("found /").partition("found ")[2].split()[0]
    wait_for(lambda: not Path(folder).exists(), "the end of the folder")


# Hears of no end, so it is killed while others do. Its guardian is the last of it to go.
HEARS_NOTHING = """
open(os.environ["TMPDIR"] + "/guardian", "w").write(str(os.getppid()))
me = register("INVOKE")
while True:
    next_event(me)
"""
WAITS_FOR_THE_OTHER = """
guardian = int(open(folder + "/guardian").read())
try:
    while True:
        os.kill(guardian, 0)
        time.sleep(0.01)
except ProcessLookupError:
    print("it is gone")
"""


def test_temporary_files_are_there_when_an_extension_is_killed_before_another(
    serve, extensions, monkeypatch
):
    # Lambda gives them 2 seconds.
    monkeypatch.setattr(environment, "SHUTDOWN_SECONDS", PATIENCE)
    head, told, tail = FINDS_ITS_FILE.partition("next_event(me)\n")
    finds = head + told + WAITS_FOR_THE_OTHER + tail
    function = serve(
        "def handler(event, context): os._exit(1)",
        extensions_folder=extensions(finds=finds, hears_nothing=HEARS_NOTHING),
    )
    assert httpx.get(function.url).json()["errorType"] == "Runtime.ExitError"
    function.wait_for_log("it is gone\nfound /")


def test_an_extension_that_hangs_ends_the_invocation_in_time(serve, extensions):
    hangs = 'me = register("INVOKE")\nnext_event(me)\ntime.sleep(600)\n'
    function = serve(PLAIN, extensions_folder=extensions(hangs=hangs), timeout=1)
    assert httpx.get(function.url).status_code == 200
    function.wait_for_log("Task timed out after 1.00 seconds")
    assert "Status: timeout" in function.wait_for_log("REPORT")
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


def test_beside_several_invocations_an_extension_hears_of_the_end_only(serve, extensions):
    hears = 'me = register("SHUTDOWN")\nprint("HEARD", next_event(me)["eventType"], flush=True)\n'
    function = serve(PLAIN, extensions_folder=extensions(hears=hears), max_concurrency=2)
    assert httpx.get(function.url).status_code == 200
    assert httpx.get(function.url).status_code == 200
    function.emulator.stop()
    assert "HEARD SHUTDOWN\n" in function.log


HOLDS_MEMORY = """
data = bytearray(150_000_000)
me = register("INVOKE")
while next_event(me):
    pass
"""


@linux
def test_extensions_use_the_memory_of_the_function(serve, extensions):
    function = serve(PLAIN, extensions_folder=extensions(large=HOLDS_MEMORY))
    assert httpx.get(function.url).status_code == 200
    report = function.wait_for_log("REPORT RequestId")
    used = int(re.search(r"Max Memory Used: (\d+) MB", report)[1])
    assert used > 150
    function.wait_for_log(f"app has used {used} MB of memory and has 128: Lambda kills it then")


@linux
@pytest.mark.parametrize("asks", ["", "register()"], ids=["before it registers", "afterwards"])
def test_an_extension_that_uses_too_much_memory_is_the_end_if_it_is_to_be(serve, extensions, asks):
    # The limit is kept before there is a runtime, too.
    takes = f"{asks}\ndata = bytearray(150_000_000)\ntime.sleep(600)\n"
    function = serve(PLAIN, extensions_folder=extensions(large=takes), enforces_memory=True)
    error = httpx.get(function.url).json()
    assert error["errorType"] in ("Runtime.ExitError", "Extension.Crash")
    assert "signal: " in error["errorMessage"]
    assert re.search(r"app uses \d{3} MB of memory and has 128: killed", function.log)
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


REPORTS_AN_ERROR = """
me = register("INVOKE")
call("POST", "/2020-01-01/extension/init/error", {"errorMessage": "no"},
     Lambda_Extension_Identifier=me, Lambda_Extension_Function_Error_Type="Extension.NoConfig")
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("source", "error_type", "reason"),
    [
        ("sys.exit(7)", "Extension.Crash", "exit status 7"),
        ('register("INVOKE")\nsys.exit(8)', "Extension.Crash", "exit status 8"),
        (REPORTS_AN_ERROR, "Extension.InitError", "Extension.NoConfig"),
        ("sys.exit(127)", "Extension.Crash", "exit status 127"),
        ("#", "Extension.LaunchError", "fork/exec /opt/extensions/broken: no such file or direct"),
    ],
    ids=["ends unregistered", "ends registered", "reports", "ends as a shell", "no program"],
)
def test_without_its_extension_a_function_does_not_start(
    serve, extensions, source, error_type, reason
):
    folder = extensions(broken=source)
    if source == "#":
        (folder / "broken").write_text("#!/no/such/interpreter\n")
    function = serve(PLAIN, extensions_folder=folder)
    error = httpx.get(function.url).json()
    assert error["errorType"] == error_type
    assert reason in error["errorMessage"]
    assert f"Phase: init\tStatus: error\tError Type: {error_type}" in function.log
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


def test_an_extension_that_crashes_later_takes_the_environment_with_it(serve, gate, extensions):
    crashes = 'me = register("INVOKE")\nnext_event(me)\nos._exit(9)\n'
    function = serve(
        "def handler(event, context): pass_gate('never')",
        extensions_folder=extensions(crashes=crashes),
    )
    assert httpx.get(function.url).json()["errorType"] == "Extension.Crash"
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


INTERNAL = """
import threading, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"


def call(path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(API + path, data, headers))


answer = call("register", {"events": ["INVOKE"]}, Lambda_Extension_Name="inside")
me = answer.headers["Lambda-Extension-Identifier"]


def run():
    while True:
        event = json.load(call("event/next", Lambda_Extension_Identifier=me))
        print("inside heard of", event["requestId"], flush=True)


threading.Thread(target=run, daemon=True).start()


def handler(event, context):
    return context.aws_request_id
"""


def test_an_extension_inside_the_runtime(serve):
    function = serve(INTERNAL)
    for _ in range(2):
        request_id = httpx.get(function.url).json()
        function.wait_for_log(f"inside heard of {request_id}")
    assert "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]\n" in function.log


SUBSCRIBES = """
reported = threading.Event()

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            if event["type"] != "extension":
                print("GOT", json.dumps(event), flush=True)
            if event["type"] == "platform.report":
                reported.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
me = register("INVOKE", "SHUTDOWN")
call("PUT", "PATH", {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{server.server_port}"},
}, Lambda_Extension_Identifier=me)
open(os.path.join(os.environ["GATES"], "subscribed"), "w").close()
while next_event(me)["eventType"] != "SHUTDOWN":
    pass
reported.wait()
"""

# The runtime starts when the extension has registered: the one does not wait for the other.
SAYS_WHAT_IT_DOES = """
while not os.path.exists(os.path.join(os.environ["GATES"], "subscribed")):
    time.sleep(0.005)
print("loaded")
def handler(event, context): print("called")
"""


TELEMETRY = [
    *["initStart", "telemetrySubscription", "function", "initRuntimeDone", "extension"],
    *["initReport", "start", "function", "runtimeDone", "report"],
]
LOGS = [
    *["logsSubscription", "function", "extension"],
    *["start", "function", "runtimeDone", "end", "report"],
]


@pytest.mark.parametrize(
    ("path", "types", "api"),
    [
        ("/2022-07-01/telemetry", TELEMETRY, "TELEMETRY"),
        ("/2020-08-15/logs", LOGS, "LOGS"),
    ],
)
def test_an_extension_subscribes_to_what_happens(serve, gate, extensions, path, types, api):
    function = serve(
        SAYS_WHAT_IT_DOES,
        extensions_folder=extensions(subscribes=SUBSCRIBES.replace("PATH", path)),
    )
    httpx.get(function.url)
    function.wait_for_log('"type": "platform.report"')
    got = [json.loads(line[4:]) for line in function.log.splitlines() if line.startswith("GOT ")]
    assert [event["type"].removeprefix("platform.") for event in got] == types
    assert [event["record"] for event in got if event["type"] == "function"] == ["loaded", "called"]
    assert f"{api}\tName: subscribes\tState: Subscribed\tTypes: [Platform, Function]\n" in (
        function.log
    )


def test_what_waits_to_be_delivered_is_delivered_at_the_end(serve, gate, extensions):
    patient = SUBSCRIBES.replace("PATH", "/2022-07-01/telemetry").replace("25}", "30000}")
    function = serve(PLAIN, extensions_folder=extensions(patient=patient))
    httpx.get(function.url)
    function.wait_for_log("REPORT RequestId")
    assert "GOT" not in function.log
    function.emulator.stop()
    assert '"type": "platform.report"' in function.log


OVER_TCP = """
listener = socket.create_server(("127.0.0.1", 0))
me = register("INVOKE", "SHUTDOWN")
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13",
    "types": ["platform"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "TCP", "port": listener.getsockname()[1]},
}, Lambda_Extension_Identifier=me)

def read():
    connection, _ = listener.accept()
    for line in connection.makefile():
        print("GOT", json.loads(line)["type"], flush=True)

threading.Thread(target=read, daemon=True).start()
while next_event(me)["eventType"] != "SHUTDOWN":
    pass
"""


def test_events_come_over_tcp_too(serve, extensions):
    function = serve(PLAIN, extensions_folder=extensions(reads=OVER_TCP))
    httpx.get(function.url)
    function.wait_for_log("GOT platform.report")
    assert "GOT platform.initStart" in function.log


def test_two_extensions_and_a_log_tail_of_the_function_only(serve, extensions):
    function = serve(
        "def handler(event, context): print('said by the function')",
        extensions_folder=extensions(one=LISTENS, two=LISTENS),
    )
    answer = lambda_client(function.url).invoke(FunctionName="app", LogType="Tail")
    tail = b64decode(answer["LogResult"]).decode()
    assert "said by the function" in tail
    assert "eventType" not in tail
    # What they print comes on a way of its own.
    wait_for(lambda: len(events(function.log)) == 2, "what both extensions print")
