"""Requests that no client would send: each is answered, and none with an error of ours."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.emulator.lambda_api.api import OPERATIONS
from penstock.emulator.lambda_api.routes import ROUTES, Route
from penstock.emulator.lambda_api.shapes import REQUESTS
from penstock.emulator.lambda_api.validation import (
    Flag,
    Number,
    Pairs,
    Several,
    Shape,
    Structure,
    Text,
)
from tests.tools import repeated

from .conftest import ARN, ROLE, zipped

NAMES = ["app", "app:1", "app:live", "app:$LATEST", ARN + "app", "nobody", "", "..", "a" * 70]
TEXTS = [*NAMES, ROLE, "1", "live", "$LATEST", "python3.11", "provided.al2023", "app.handler"]
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.just([]), st.just({}), st.just([None]), st.just({"": None}),
)  # fmt: skip


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Values for a member: mostly of its type, sometimes of another."""
    if isinstance(shape, Structure):
        members = {name: values(each) for name, each in shape.members.items()}
        fitting: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=members)
    elif isinstance(shape, Several):
        fitting = st.lists(values(shape.item), max_size=2)
    elif isinstance(shape, Pairs):
        fitting = st.dictionaries(
            st.sampled_from(["1", "AA", "é"]), values(shape.value), max_size=2
        )
    elif isinstance(shape, Number):
        fitting = st.sampled_from([0, 1, 3, 128, 0.5, -1, 10**30])
    elif isinstance(shape, Flag):
        fitting = st.booleans()
    else:
        assert isinstance(shape, Text)
        fitting = st.sampled_from([*TEXTS, *shape.values])
    return st.integers(0, 9).flatmap(lambda dice: ODD if dice == 0 else fitting)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes]:
    route: Route = draw(st.sampled_from([each for each in ROUTES if each.operation in OPERATIONS]))
    members = {name: values(each) for name, each in REQUESTS[route.operation].members.items()}
    body = draw(st.fixed_dictionaries({}, optional=members))
    if route.operation in ("CreateFunction", "PublishLayerVersion") and draw(st.booleans()):
        key = "Code" if route.operation == "CreateFunction" else "Content"
        body |= {key: {"ZipFile": ZIP}, "Role": ROLE, "Handler": "a.b", "Runtime": "python3.11"}
    names = st.sampled_from([quote(name, safe="") for name in NAMES])
    path = re.sub(r"\{\w+\}", lambda _: draw(names), route.path)
    query = {key: str(draw(st.sampled_from([*TEXTS, "1", "-1"]))) for key in route.query}
    chosen = {key: query[key] for key in query if draw(st.booleans())} | route.needs
    return route.method, path, chosen, json.dumps(body).encode()


ZIP = b64encode(zipped()).decode()


@pytest.mark.timeout(120)
def test_no_request_is_too_odd(aws):
    aws.create(Publish=True)
    aws.client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    with httpx.Client(base_url=aws.emulator.url, headers={"authorization": "x"}) as client:

        @settings(
            max_examples=repeated(300, here=60),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(requests())
        def check(request):
            method, path, query, body = request
            answer = client.request(method, path, params=query, content=body)
            assert answer.status_code < 500 or answer.status_code == 501, answer.text
            if answer.status_code >= 400:
                assert answer.headers["x-amzn-errortype"].endswith("Exception")

        check()
    # It still works.
    aws.create("after")
    assert aws.invoke("after") == {"version": "$LATEST"}
