"""Small rules of single event sources, name by name."""

from __future__ import annotations

import pytest

from penstock.event_sources.lambda_edge import LambdaEdge
from penstock.event_sources.sqs import Sqs
from penstock.messages import Response
from penstock.testing.event_samples import EVENTS

# SQS.


def report_of(arns):
    """The messages that were delivered, and those reported, when all fail."""
    delivered = []
    records = [
        {"messageId": f"m-{number}", "eventSource": "aws:sqs", "eventSourceARN": arn}
        for number, arn in enumerate(arns)
    ]

    def fail(event):
        delivered.extend(record["messageId"] for record in event["Records"])
        return Response(500, (), b"")

    report = Sqs().result_by_record({"Records": records}, fail)
    return delivered, [failure["itemIdentifier"] for failure in report["batchItemFailures"]]


QUEUE = "arn:aws:sqs:eu-west-1:111122223333:"


def test_a_fifo_queue_s_messages_wait_for_those_before_them():
    assert report_of([QUEUE + "orders.fifo"] * 3) == (["m-0"], ["m-0", "m-1", "m-2"])


@pytest.mark.parametrize(
    "arn",
    [
        *(QUEUE + "orders", QUEUE + "orders.fifo-failed", QUEUE + "orders-fifo", QUEUE + "fifo"),
        *("arn:aws:sqs:eu.fifo-1:111122223333:orders", "", None, 5),
    ],
)
def test_only_a_queue_whose_name_ends_in_fifo_is_one(arn):
    assert report_of([arn] * 3) == (["m-0", "m-1", "m-2"],) * 2


# Lambda@Edge. Source: AWS documentation of CloudFront, "Restrictions on edge functions".

DISALLOWED = [
    *("Connection", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization"),
    *("Proxy-Connection", "Trailer", "Upgrade", "X-Accel-Buffering", "X-Accel-Charset"),
    *("X-Accel-Limit-Rate", "X-Accel-Redirect", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Amzn-Auth"),
    *("X-Amzn-Cf-Billing", "X-Amzn-Cf-Id", "X-Amzn-Cf-Xff", "X-Amzn-Errortype"),
    *("X-Amzn-Fle-Profile", "X-Amzn-Header-Count", "X-Amzn-Header-Order"),
    *("X-Amzn-Lambda-Integration-Tag", "X-Amzn-RequestId", "X-Cache", "X-Edge-Location"),
    *("X-Edge-Request-Id", "X-Forwarded-Proto", "X-Real-IP"),
]

# Read-only for a kind of event: nothing that an answer may add.
READ_ONLY = {
    "viewer-request": ["CDN-Loop", "Content-Length", "Host", "Transfer-Encoding", "Via"],
    "origin-request": [
        *("Accept-Encoding", "CDN-Loop", "Content-Length", "If-Modified-Since"),
        *("If-None-Match", "If-Range", "If-Unmodified-Since", "Transfer-Encoding", "Via"),
    ],
}

EDGE = {event["Records"][0]["cf"]["config"]["eventType"]: event for event in EVENTS["lambda_edge"]}


def fields_with(name, kind):
    """The names of the fields that are left of this one and another."""
    response = Response(200, [(name, "1"), ("X-Kept", "2")], b"")
    return list(LambdaEdge().result(response, EDGE[kind])["headers"])


@pytest.mark.parametrize("spelt", [str, str.lower, str.upper])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in READ_ONLY for name in [*DISALLOWED, *READ_ONLY[kind]]],
)
def test_each_field_that_cloudfront_would_answer_502_to_is_left_out(kind, name, spelt):
    assert fields_with(spelt(name), kind) == ["x-kept"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, other in [tuple(READ_ONLY), tuple(READ_ONLY)[::-1]]
        for name in sorted(set(READ_ONLY[other]) - set(READ_ONLY[kind]))
    ],
)
def test_what_is_read_only_for_the_other_kind_of_event_is_kept(kind, name):
    assert fields_with(name, kind) == [name.lower(), "x-kept"]
