"""Events of every service that speaks HTTP, and of some that look as if they did."""

from __future__ import annotations

import copy

BODY = '{"name":"Zoë"}'

FUNCTION_URL = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/a%20b",
    "rawQueryString": "x=1",
    "headers": {"host": "abcdef.lambda-url.eu-west-1.on.aws"},
    "requestContext": {
        "domainName": "abcdef.lambda-url.eu-west-1.on.aws",
        "http": {
            "method": "GET",
            "path": "/a%20b",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
        },
        "stage": "$default",
    },
    "isBase64Encoded": False,
}

HTTP_API = {
    "version": "2.0",
    "routeKey": "POST /rooms/{proxy+}",
    "rawPath": "/rooms/red room",
    "rawQueryString": "a=1&a=2&to=https%3A%2F%2Fexample.org%2F&plus=a%2Bb&blank=a+b",
    "cookies": ["sid=1", "theme=dark"],
    "headers": {
        "content-type": "application/json",
        "host": "k3j5h2.execute-api.eu-west-1.amazonaws.com",
        "x-tag": "one,two",
    },
    "queryStringParameters": {"a": "1,2", "to": "https://example.org/", "plus": "a+b"},
    "pathParameters": {"proxy": "red room"},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "k3j5h2",
        "domainName": "k3j5h2.execute-api.eu-west-1.amazonaws.com",
        "domainPrefix": "k3j5h2",
        "http": {
            "method": "POST",
            "path": "/rooms/red room",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.7",
            "userAgent": "curl/8.7.1",
        },
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "POST /rooms/{proxy+}",
        "stage": "$default",
        "timeEpoch": 1789473342381,
    },
    "body": BODY,
    "isBase64Encoded": False,
}

REST_API = {
    "resource": "/{proxy+}",
    "path": "/rooms/red%20room",
    "httpMethod": "POST",
    "headers": {
        "Content-Type": "application/json",
        "Host": "p9q8r7.execute-api.eu-west-1.amazonaws.com",
        "X-Tag": "two",
    },
    "multiValueHeaders": {
        "Content-Type": ["application/json"],
        "Cookie": ["sid=1", "theme=dark"],
        "Host": ["p9q8r7.execute-api.eu-west-1.amazonaws.com"],
        "X-Tag": ["one", "two"],
    },
    "queryStringParameters": {"a": "2", "plus": "a+b", "name": "Zoë & co"},
    "multiValueQueryStringParameters": {"a": ["1", "2"], "plus": ["a+b"], "name": ["Zoë & co"]},
    "pathParameters": {"proxy": "rooms/red%20room"},
    "stageVariables": None,
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "p9q8r7",
        "httpMethod": "POST",
        "identity": {"sourceIp": "192.0.2.8", "userAgent": "curl/8.7.1"},
        "path": "/live/rooms/red%20room",
        "protocol": "HTTP/1.1",
        "requestId": "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0",
        "resourceId": "al6gqb",
        "resourcePath": "/{proxy+}",
        "stage": "live",
    },
    "body": BODY,
    "isBase64Encoded": False,
}

HTTP_API_V1 = {**copy.deepcopy(REST_API), "version": "1.0", "path": "/rooms/red room"}

LOAD_BALANCER = {
    "requestContext": {
        "elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
            "targetgroup/rooms/6d0ecf831eec9f09"
        }
    },
    "httpMethod": "POST",
    "path": "/rooms/red%20room",
    "queryStringParameters": {"to": "https%3A%2F%2Fexample.org%2F", "plus": "a%2Bb", "b": "a+b"},
    "headers": {
        "content-type": "application/json",
        "cookie": "sid=1; theme=dark",
        "host": "rooms-1316758055.eu-west-1.elb.amazonaws.com",
        "x-forwarded-for": "198.51.100.99, 192.0.2.9",
    },
    "body": BODY,
    "isBase64Encoded": False,
}

LOAD_BALANCER_WITH_LISTS = {
    **{
        key: copy.deepcopy(value)
        for key, value in LOAD_BALANCER.items()
        if key not in ("headers", "queryStringParameters")
    },
    "multiValueQueryStringParameters": {"a": ["1", "2"], "to": ["https%3A%2F%2Fexample.org%2F"]},
    "multiValueHeaders": {
        "content-type": ["application/json"],
        "cookie": ["sid=1", "theme=dark"],
        "x-forwarded-for": ["192.0.2.9"],
        "x-tag": ["one", "two"],
    },
}

LATTICE = {
    "version": "2.0",
    "path": "/rooms/red%20room?a=1&a=2",
    "method": "POST",
    "headers": {"x-forwarded-for": ["192.0.2.10"], "cookie": ["sid=1", "theme=dark"]},
    "queryStringParameters": {"a": ["1", "2"]},
    "requestContext": {
        "serviceNetworkArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:servicenetwork/sn-1",
        "serviceArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:service/svc-1",
        "targetGroupArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-1",
        "identity": {"sourceVpcArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"},
        "region": "eu-west-1",
        "timeEpoch": "1789473342381000",
    },
    "body": BODY,
    "isBase64Encoded": False,
}

LATTICE_V1 = {
    "raw_path": "/rooms/red%20room?a=1&a=2",
    "method": "POST",
    "headers": {"x-forwarded-for": "192.0.2.10", "cookie": "sid=1; theme=dark"},
    "query_string_parameters": {"a": "2"},
    "body": BODY,
    "is_base64_encoded": False,
}

LAMBDA_EDGE = {
    "Records": [
        {
            "cf": {
                "config": {
                    "distributionDomainName": "d111111abcdef8.cloudfront.net",
                    "distributionId": "EDFDVBD6EXAMPLE",
                    "eventType": "viewer-request",
                    "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc",
                },
                "request": {
                    "clientIp": "203.0.113.178",
                    "method": "POST",
                    "uri": "/rooms/red%20room",
                    "querystring": "a=1&a=2",
                    "headers": {
                        "host": [{"key": "Host", "value": "d111111abcdef8.cloudfront.net"}],
                        "cookie": [
                            {"key": "Cookie", "value": "sid=1"},
                            {"key": "Cookie", "value": "theme=dark"},
                        ],
                    },
                    "body": {
                        "inputTruncated": False,
                        "action": "read-only",
                        "encoding": "text",
                        "data": BODY,
                    },
                },
            }
        }
    ]
}

# By the name of the source that they are of; nobody's are under other names.
EVENTS = {
    "function_url": FUNCTION_URL,
    "http_api": HTTP_API,
    "http_api_v1": HTTP_API_V1,
    "rest_api": REST_API,
    "load_balancer": LOAD_BALANCER,
    "load_balancer, with lists": LOAD_BALANCER_WITH_LISTS,
    "vpc_lattice": LATTICE,
    "vpc_lattice_v1": LATTICE_V1,
    "lambda_edge": LAMBDA_EDGE,
    "an HTTP API's authorizer, 2.0": {
        **{key: value for key, value in HTTP_API.items() if key not in ("body", "isBase64Encoded")},
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:k3j5h2/$default/POST/rooms",
        "identitySource": ["token"],
    },
    "an HTTP API's authorizer, 1.0": {
        **{key: value for key, value in HTTP_API_V1.items() if key != "body"},
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:k3j5h2/$default/POST/rooms",
    },
    "a REST API's authorizer": {
        **{key: value for key, value in REST_API.items() if key != "body"},
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:p9q8r7/live/POST/rooms",
    },
    "a REST API's token authorizer": {
        "type": "TOKEN",
        "authorizationToken": "allow",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:p9q8r7/live/POST/rooms",
    },
    "websocket": {
        "headers": {"Host": "w1.execute-api.eu-west-1.amazonaws.com"},
        "multiValueHeaders": {"Host": ["w1.execute-api.eu-west-1.amazonaws.com"]},
        "requestContext": {
            "routeKey": "$connect",
            "eventType": "CONNECT",
            "connectionId": "L0SM9cOFvHcCIhw=",
            "apiId": "w1",
            "stage": "live",
        },
        "isBase64Encoded": False,
    },
    "EventBridge": {"version": "0", "id": "1", "source": "aws.ec2", "detail": {}},
    "SQS": {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
    "Alexa": {"version": "1.0", "session": {}, "request": {"type": "LaunchRequest"}},
    "a Bedrock agent": {"messageVersion": "1.0", "apiPath": "/x", "httpMethod": "GET"},
    "an empty object": {},
    "a text": "2.0",
    "a number": 2.0,
    "a list": [{"version": "2.0"}],
    "null": None,
    "a version without a context": {"version": "2.0"},
    "a context that is null": {**REST_API, "requestContext": None},
    "a context that is a text": {**HTTP_API, "requestContext": "elb http apiId"},
    "a context that is a list": {**HTTP_API_V1, "requestContext": ["elb", "http", "apiId"]},
    "a version that is a number": {**HTTP_API, "version": 2.0},
    "a version that is a list": {**HTTP_API_V1, "version": ["1.0"]},
}


def changed(event, **values):
    """The event with other values; `...` takes a key away."""
    event = copy.deepcopy(event) | values
    return {key: value for key, value in event.items() if value is not ...}


def owner_of(which):
    """The name of the source that an event in EVENTS is of."""
    return which.partition(",")[0]


def fields_of(request):
    """The request's header fields, names in lower case."""
    return [(name.lower(), value) for name, value in request.headers]
