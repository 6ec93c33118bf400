"""One small event, at least, of each event source that Penstock knows."""

from __future__ import annotations

from typing import Any

_ACCOUNT = "111122223333"


def _gateway(**values: Any) -> dict[str, Any]:
    return {
        "resource": "/{proxy+}",
        "path": "/rooms",
        "httpMethod": "GET",
        "headers": {"Host": "p9q8r7.execute-api.eu-west-1.amazonaws.com"},
        "multiValueHeaders": {"Host": ["p9q8r7.execute-api.eu-west-1.amazonaws.com"]},
        "queryStringParameters": {"a": "2"},
        "multiValueQueryStringParameters": {"a": ["1", "2"]},
        "requestContext": {
            "apiId": "p9q8r7",
            "domainName": "p9q8r7.execute-api.eu-west-1.amazonaws.com",
            "identity": {"sourceIp": "192.0.2.8"},
            "path": "/live/rooms",
            "protocol": "HTTP/1.1",
            "resourcePath": "/{proxy+}",
            "stage": "live",
        },
        "body": None,
        "isBase64Encoded": False,
        **values,
    }


def _format_2(domain: str) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/rooms",
        "rawQueryString": "a=1&a=2",
        "cookies": ["sid=1", "theme=dark"],
        "headers": {"host": domain, "content-type": "text/plain"},
        "requestContext": {
            "domainName": domain,
            "http": {
                "method": "POST",
                "path": "/rooms",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
            },
            "stage": "$default",
        },
        "body": "aGVsbG8=",
        "isBase64Encoded": True,
    }


def _load_balancer(**values: Any) -> dict[str, Any]:
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:..."}},
        "httpMethod": "POST",
        "path": "/rooms",
        "body": "hello",
        "isBase64Encoded": False,
        **values,
    }


def _edge(kind: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "cf": {
                    "config": {
                        "distributionDomainName": "d111111abcdef8.cloudfront.net",
                        "distributionId": "EDFDVBD6EXAMPLE",
                        "eventType": kind,
                        "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc",
                    },
                    "request": {
                        "clientIp": "203.0.113.178",
                        "method": "POST",
                        "uri": "/rooms",
                        "querystring": "a=1&a=2",
                        "headers": {
                            "host": [{"key": "Host", "value": "d111111abcdef8.cloudfront.net"}],
                            "cookie": [
                                {"key": "Cookie", "value": "sid=1"},
                                {"key": "Cookie", "value": "theme=dark"},
                            ],
                            "content-length": [{"key": "Content-Length", "value": "5"}],
                        },
                        "body": {
                            "inputTruncated": False,
                            "action": "read-only",
                            "encoding": "base64",
                            "data": "aGVsbG8=",
                        },
                    },
                }
            }
        ]
    }


def _websocket(kind: str, route: str, **values: Any) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
            "eventType": kind,
            "connectionId": "L0SM9cOFvHcCIhw=",
            "messageDirection": "IN",
            "stage": "live",
            "apiId": "w1",
            "domainName": "w1.execute-api.eu-west-1.amazonaws.com",
            "identity": {"sourceIp": "192.0.2.8"},
        },
        "isBase64Encoded": False,
        **values,
    }


def _records(service: str, *records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"eventSource": service, **record} for record in records]}


def _context_object() -> dict[str, Any]:
    machine = f"arn:aws:states:eu-west-1:{_ACCOUNT}:stateMachine:orders"
    return {
        "Execution": {
            "Id": f"arn:aws:states:eu-west-1:{_ACCOUNT}:execution:orders:17",
            "Input": {"order": 17},
            "Name": "17",
            "StartTime": "2026-09-15T11:15:42.381Z",
        },
        "State": {"EnteredTime": "2026-09-15T11:15:42.401Z", "Name": "Pay", "RetryCount": 0},
        "StateMachine": {"Id": machine, "Name": "orders"},
    }


# By the names of the sources that they are of.
EVENTS: dict[str, list[Any]] = {
    "function_url": [_format_2("abcdef.lambda-url.eu-west-1.on.aws")],
    "http_api": [_format_2("k3j5h2.execute-api.eu-west-1.amazonaws.com")],
    "http_api_v1": [_gateway(version="1.0")],
    "rest_api": [_gateway()],
    "load_balancer": [
        _load_balancer(headers={"host": "rooms"}, queryStringParameters={"a": "1"}),
        _load_balancer(
            multiValueHeaders={"host": ["rooms"]},
            multiValueQueryStringParameters={"a": ["1", "2"]},
        ),
    ],
    "vpc_lattice": [
        {
            "version": "2.0",
            "path": "/rooms?a=1",
            "method": "POST",
            "headers": {"host": ["rooms"], "x-forwarded-for": ["192.0.2.10"]},
            "queryStringParameters": {"a": ["1"]},
            "requestContext": {
                "serviceNetworkArn": f"arn:aws:vpc-lattice:eu-west-1:{_ACCOUNT}:servicenetwork/sn"
            },
            "body": "hello",
            "isBase64Encoded": False,
        }
    ],
    "vpc_lattice_v1": [
        {
            "raw_path": "/rooms?a=1",
            "method": "POST",
            "headers": {"host": "rooms", "x-forwarded-for": "192.0.2.10"},
            "query_string_parameters": {"a": "1"},
            "body": "aGVsbG8=",
            "is_base64_encoded": True,
        }
    ],
    "lambda_edge": [_edge("viewer-request"), _edge("origin-request")],
    "websocket": [
        _websocket("CONNECT", "$connect", headers={"Host": "w1"}),
        _websocket("MESSAGE", "$default", body="hello"),
        _websocket("MESSAGE", "sendMessage", body='{"action":"sendMessage"}'),
        _websocket("DISCONNECT", "$disconnect"),
    ],
    "sqs": [
        _records("aws:sqs", {"messageId": "m-1", "body": "1"}, {"messageId": "m-2", "body": "2"})
    ],
    "sns": [{"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "paid"}}]}],
    "s3": [_records("aws:s3", {"s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}})],
    "dynamodb": [_records("aws:dynamodb", {"dynamodb": {"SequenceNumber": "111"}})],
    "kinesis": [_records("aws:kinesis", {"kinesis": {"sequenceNumber": "4959", "data": "MQ=="}})],
    "eventbridge": [
        {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "Order Paid",
            "source": "shop.orders",
            "detail": {"order": 17},
        }
    ],
    "kafka": [
        {
            "eventSource": "aws:kafka",
            "records": {"orders-0": [{"topic": "orders", "partition": 0, "offset": 15}]},
        }
    ],
    "mq": [
        {"eventSource": "aws:amq", "messages": [{"messageID": "1", "data": "MQ=="}]},
        {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"orders::/": [{"data": "MQ=="}]}},
    ],
    "ses": [_records("aws:ses", {"ses": {"mail": {"messageId": "o3vrnil0e2ic28trm7dfhrc2v0"}}})],
    "logs": [{"awslogs": {"data": "H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTtVRUCrJzE1VsjI0NAIA"}}],
    "codepipeline": [
        {
            "CodePipeline.job": {
                "id": "11111111-abcd-1111-abcd-111111abcdef",
                "accountId": _ACCOUNT,
                "data": {"actionConfiguration": {"configuration": {"FunctionName": "deploy"}}},
            }
        }
    ],
    "step_functions": [
        {"Context": _context_object(), "order": 17},
        {**_context_object(), "order": 17},
    ],
}
