"""Penstock does as @h4ad/serverless-adapter was recorded doing, or better, as said here.

The recordings are not part of the project: without PENSTOCK_RECORDINGS these tests skip,
but for those of docs/reference/peer-decisions.md.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from penstock import adapt
from penstock.errors import AppError, EventError
from penstock.event_sources.common import body_of
from penstock.event_sources.detect import all_sources
from penstock.event_sources.http_api import HttpApiV2
from penstock.event_sources.rest_api import RestApi
from penstock.messages import Response
from penstock.testing import run, stepped

from .peer import (
    App,
    answer_differences,
    answer_form,
    event_of,
    function_url_event_of,
    load,
    outcome_of,
    request_differences,
    streamed_form,
)
from .peer_policies import POLICIES, WITHOUT_OUTCOME

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "peer-decisions.md"
KINDS = ("asgi", "wsgi")

FILES = (
    "alb-multi-value.json",
    "alb-single-value.json",
    "api-gateway-v1.json",
    "api-gateway-v2.json",
    "aws-stream-handler.json",
    "composition.json",
    "dynamodb.json",
    "eventbridge.json",
    "lambda-edge-generic.json",
    "lambda-edge-header-state.json",
    "lambda-edge-request.json",
    "s3.json",
    "sns.json",
    "sqs.json",
    "wrappers.json",
)
# Compared in ways of their own, below.
OTHER_FILES = ("core-helpers.json", "routing-matrix.json")
# Of other clouds, whose events Penstock does not take yet.
LATER = (
    "azure-http-trigger.json",
    "digital-ocean-http.json",
    "gcp-raw-request.json",
    "huawei-api-gateway.json",
)
# A wrapper around the app answers there, and the app's frameworks have that here.
OF_FRAMEWORKS = ("cors.json",)

# Records that are to agree, and what of them does not, by the row in the docs that says why.
DIFFERENCES = {
    "the path of an HTTP API": {"api-gateway-v2/event/percent_encoded_raw_path": {"path"}},
    "the text of an error": {
        "alb-multi-value/error/response_emits_error/respond_with_errors_false": {"headers", "body"},
        "alb-single-value/error/framework_throws_sync/respond_with_errors_false": {
            "headers",
            "body",
        },
        "api-gateway-v1/error/response_emits_error/respond_with_errors_false": {"headers", "body"},
    },
    "a header in two spellings": {
        "api-gateway-v1/option/lowercase_request_headers": {"headers"},
    },
    "headers that are taken away": {
        "lambda-edge-request/option/disallowed_headers_custom": {"headers"},
        "lambda-edge-request/option/should_strip_header_all": {"headers"},
    },
    "the method of an internal event": {
        "dynamodb/option/custom_path_and_method": {"method"},
        "sqs/option/custom_path_and_method": {"method"},
    },
    "an internal event that is redirected": {
        "dynamodb/response/status_302": {"outcome"},
        "dynamodb/response/status_304": {"outcome"},
        "eventbridge/response/status_302": {"outcome"},
        "sns/response/status_304": {"outcome"},
        "sqs/response/status_304": {"outcome"},
    },
    "reports of failed records": {
        "dynamodb/batch/base64_body": {"outcome"},
        "dynamodb/batch/partial_failures": {"outcome"},
        "dynamodb/response/json_ignored_without_batch": {"outcome"},
    },
    "a source more": {"composition/all_adapters/kinesis": {"outcome"}},
    "callers that take no stream": {
        "stream/alb/app_200": {"answer"},
        "stream/sqs/app_200": {"answer"},
    },
}

# What the app of a record did, where the record says it in words.
IN_WORDS = {
    "stream/trailers": {
        "headers": [["content-type", "text/plain"], ["trailer", "x-t"]],
        "chunks": ["a"],
    },
    "stream/write_callback": {"headers": [["content-type", "text/plain"]], "chunks": ["a", "b"]},
}


# Helpers of the peer with something like it here; where they do otherwise, by the docs' row.
HELPERS = {
    "base64 that is none": {
        'getEventBodyAsBuffer ["not base64!!", true]',
        'getEventBodyAsBuffer ["YW Jj", true]',
        'getEventBodyAsBuffer ["_-8", true]',
    },
    "a query inside a path": {
        'getPathWithQueryStringParams ["/users?x=1", {"y": "2"}]',
        'buildStripBasePath ["/prod", "/prod?x=1"]',
    },
    "a base path without a slash": {'buildStripBasePath ["prod", "/prod/x"]'},
    "one header under two names": {'getMultiValueHeadersMap [{"A": "1", "a": "2"}]'},
}
# It looks at types of content to say what is binary; here the body itself decides.
WITHOUT_COUNTERPART = {"getContentType", "isBinary", "parseHeaders"}


@pytest.fixture
def folder(recordings):
    return recordings("serverless-adapter")


def records(folder, verdict):
    return [
        record | {"app_response": IN_WORDS.get(record["id"], record.get("app_response"))}
        for record in load(folder, *FILES)
        if record["verdict"] == verdict
    ]


def answered(record, kind):
    """What an app of ours makes of the record."""
    if "prelude" not in record:
        return outcome_of(record, kind)
    return outcome_of(record, kind, function_url_event_of(record), mode="stream")


def differences(record, kind):
    found = answered(record, kind)
    return request_differences(record, found) | answer_differences(record, found)


def test_every_file_of_the_recordings_has_its_place(folder):
    names = {path.name for path in folder.glob("*.json")}

    assert names == {*FILES, *OTHER_FILES, *LATER, *OF_FRAMEWORKS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_portable_record_agrees_but_for_the_differences_that_are_listed(folder, kind):
    portable = records(folder, "portable")
    found = {record["id"]: differences(record, kind) for record in portable}

    assert len(portable) > 100
    assert {name: parts for name, parts in found.items() if parts} == {
        name: parts for listed in DIFFERENCES.values() for name, parts in listed.items()
    }


# Defects that a comparison of what matters to somebody does not show.
def is_a_path_as_it_may_be_sent(record, found):
    return found.app.target is None or (found.app.target.isascii() and " " not in found.app.target)


def has_no_transfer_encoding(record, found):
    return "transfer-encoding" not in json.dumps(found.result).lower()


def is_held_back_by_a_slow_reader(record, found):
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for index in range(3):
            sent.append(index)
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body"})

    with stepped(adapt(app), function_url_event_of(record)) as steps:
        next(steps)
        return sent == [0]


HIDDEN_DEFECTS = {
    "raw space and non-ASCII put into the request target": is_a_path_as_it_may_be_sent,
    "transfer-encoding is passed on": has_no_transfer_encoding,
    "write() never reports pressure; whole body buffered": is_held_back_by_a_slow_reader,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_a_defect_differs(folder, kind):
    for record in records(folder, "peer_defect"):
        found = answered(record, kind)
        parts = request_differences(record, found) | answer_differences(record, found)
        is_better = HIDDEN_DEFECTS.get(record["verdict_reason"])

        assert is_better(record, found) if is_better else parts, record["id"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_peer_hangs_there_is_an_answer(folder, kind):
    hanging = [r for r in records(folder, "peer_defect") if r["outcome"] == "hang"]
    assert len(hanging) > 5
    for record in hanging:
        found = answered(record, kind)
        form = streamed_form(found.streamed) if found.streamed else answer_form(found.result)
        told = record["app_response"]
        is_broken_off = told.get("mode") == "destroy" or "fail_after_chunks" in told
        is_empty = record["request"]["method"] == "HEAD" or found.app.status in (204, 304)

        assert form["status"] == (500 if is_broken_off else found.app.status), record["id"]
        if not is_broken_off:
            assert form["body"] == (b"" if is_empty else b"".join(found.app.chunks))


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_a_policy_is_answered_as_the_docs_say(folder, kind):
    decided = records(folder, "policy")
    for record in decided:
        _, check = POLICIES[record["verdict_reason"]]
        check(record, None if check in WITHOUT_OUTCOME else answered(record, kind))

    assert {record["verdict_reason"] for record in decided} == set(POLICIES)


def rows_of(heading):
    """The first cells of the table below a heading of the docs."""
    section = DOCS.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    return [row for row in rows[1:] if not row.startswith("---")]


def test_the_docs_have_a_row_for_each_policy_and_no_other():
    assert sorted(rows_of("Decided by policy")) == sorted(title for title, _ in POLICIES.values())


def test_the_docs_have_a_row_for_each_difference_and_no_other():
    assert sorted(rows_of("Where Penstock does otherwise")) == sorted([*DIFFERENCES, *HELPERS])


# Whose an event of the matrix is: by what the peer calls it, and where it knows too little.
NAMES = {
    "AlbAdapter": "load_balancer",
    "ApiGatewayV1Adapter": "rest_api",
    "ApiGatewayV2Adapter": "http_api",
    "DynamoDBAdapter": "dynamodb",
    "EventBridgeAdapter": "eventbridge",
    "RequestLambdaEdgeAdapter": "lambda_edge",
    "S3Adapter": "s3",
    "SNSAdapter": "sns",
    "SQSAdapter": "sqs",
}
OURS = {
    # "A source more" in the docs.
    "routing/self_managed_kafka#1": "kafka",
    "routing/amazon_mq#1": "mq",
    "routing/cloudwatch_logs#1": "logs",
    "routing/apigw_websocket_connect#1": "websocket",
    "routing/apigw_websocket_message#1": "websocket",
    "routing/vpc_lattice_v1#1": "vpc_lattice_v1",
    # The peer has one adapter for both kinds of API.
    "routing/httpapi_payload_v1#1": "http_api_v1",
    # Its `detail` is a list, which nobody can send.
    "routing/eventbridge_detail_array#1": "eventbridge",
    # Defects: without lists a REST API's event is one made by hand, which the peer takes for
    # Huawei's; a query without single values it does not take at all.
    "routing/apigw_v1_without_multivalue#1": None,
    "routing/apigw_v1_query_null_multi_present#1": "rest_api",
}
OF_OTHER_CLOUDS = {"HuaweiApiGatewayAdapter", "HttpFunctionAdapter", "HttpTriggerV4Adapter"}


def test_each_event_of_the_matrix_is_exactly_one_source_s_or_nobody_s(folder):
    found, expected = {}, {}
    for record in load(folder, "routing-matrix.json"):
        peers = set(record["matched_by"]["aws_context"]) - OF_OTHER_CLOUDS
        # It has two for CloudFront, of which one takes what cannot be answered with HTTP.
        peers.discard("LambdaEdgeAdapter")
        owner = OURS.get(record["id"], NAMES[peers.pop()] if peers else None)
        event = event_of(record)
        names = [source.name for source in all_sources() if source.matches(event)]
        found[record["id"]], expected[record["id"]] = names, [owner] if owner else []

    assert found == expected


def helped(record):
    """What ours makes of a helper's arguments, and what the peer's did, in one form."""
    name, args, result = record["fn"], record["args"], record["result"]
    context = {"stage": "live"}
    if name == "getEventBodyAsBuffer":
        try:
            body = body_of({"body": args[0], "isBase64Encoded": args[1]})
        except EventError:
            body = None
        return body, b64decode(result["body_base64"])
    if name == "getPathWithQueryStringParams":
        event = {"path": args[0], "queryStringParameters": args[1], "requestContext": context}
        request = RestApi().request(event)
        path, _, query = result.partition("?")
        return (request.path, parse_qsl(request.query)), (path or "/", parse_qsl(query))
    if name == "buildStripBasePath":
        app = App("asgi", {})
        event = {"path": args[1], "httpMethod": "GET", "multiValueHeaders": {}}
        try:
            run(adapt(app.callable, base_path=args[0]), event | {"requestContext": context})
        except AppError:
            return None, result
        return app.seen["path"][len(app.seen["root_path"]) :] or "/", result
    headers = [
        (name, value)
        for name, values in args[0].items()
        for value in (values if isinstance(values, list) else [values])
    ]
    if name == "getMultiValueHeadersMap":
        return RestApi().result(Response(200, headers), {})["multiValueHeaders"], result
    ours = HttpApiV2().result(Response(200, headers), {})
    fields = {name: value.replace(", ", ",") for name, value in ours["headers"].items()}
    theirs = result.get("headers", result)
    return (
        (fields, ours.get("cookies", [])),
        ({name.lower(): value for name, value in theirs.items()}, result.get("cookies", [])),
    )


def test_helpers_agree_but_for_the_differences_that_are_listed(folder):
    different = set()
    for record in load(folder, "core-helpers.json"):
        # Values that are no texts cannot be in a header here.
        is_of_texts = not re.search(r'"__undefined"|: \d', json.dumps(record["args"]))
        if record["fn"] not in WITHOUT_COUNTERPART and is_of_texts:
            ours, theirs = helped(record)
            if ours != theirs:
                different.add(f"{record['fn']} {json.dumps(record['args'])}")

    assert different == {name for names in HELPERS.values() for name in names}
