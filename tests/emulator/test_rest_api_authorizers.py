"""REST APIs with Lambda authorizers: real functions that say who may call."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator.rest_apis import Authorizer, Integration, Method, RestApi, Stage
from tests.emulator.api_server import serving_apis
from tests.tools import PATIENCE

# The authorizer does what the token says, and keeps every event that it gets in a file: the
# log may come later than the answer.
SOURCE = """
def handler(event, context):
    body = {"authorizer": event["requestContext"].get("authorizer"), "path": event["path"]}
    return {"body": json.dumps(body)}


def authorize(event, context):
    with open(os.path.join(os.path.dirname(__file__), "asked"), "a") as file:
        print(json.dumps(event), file=file)
    token = event.get("authorizationToken") or (event["headers"].get("token") or "Allow")
    arn = event["methodArn"]
    if token == "raise":
        raise ValueError("secret")
    if token == "unauthorized":
        raise Exception("Unauthorized")
    if token == "nonsense":
        return "yes"
    if token == "nested":
        return answer("Allow", arn, context={"a": {"b": 1}})
    if token == "elsewhere":
        return answer("Allow", arn + "/else")
    if token == "all":
        return answer("Allow", "*", context={"number": 7, "yes": True, "text": "a"})
    return answer(token, arn)


def answer(effect, resource, **more):
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "user", "policyDocument": policy, **more}
"""

TOKEN = Authorizer("guard", "TOKEN", "auth", "method.request.header.Token")
REQUEST = Authorizer(
    "guard", "REQUEST", "auth", "method.request.header.Token, method.request.querystring.who"
)


@pytest.fixture
def serve_api(tmp_path: Path) -> Iterator[Any]:
    """Serve a function behind an authorizer."""
    with serving_apis(tmp_path) as serve:

        def guarded(
            authorizer: Authorizer, *, more: Authorizer | None = None, **options: Any
        ) -> Any:
            def change(api: RestApi) -> RestApi:
                app = Integration("AWS_PROXY", "app")
                methods = [Method("ANY", "/pets/{id}", app, authorizer)]
                if more is not None:
                    methods.append(Method("ANY", "/other", app, more))
                return RestApi(api.id, tuple(methods), **options)

            return serve(SOURCE, change=change, functions={"auth": "authorize"})

        yield guarded


def ask(api, token: str | None = None, path: str = "/local/pets/7", method: str = "GET"):
    return api.request(method, path, headers={} if token is None else {"token": token})


def without_cache(authorizer: Authorizer) -> Authorizer:
    return dataclasses.replace(authorizer, authorizer_result_ttl_in_seconds=0)


def events(api) -> list[dict[str, Any]]:
    """Every event that the authorizer's function has got."""
    kept = api.emulator.function.folder / "asked"
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def asked(api) -> int:
    """How often the authorizer's function was called."""
    return len(events(api))


def test_who_is_allowed_gets_to_the_function_which_knows_what_was_said_of_him(serve_api):
    api = serve_api(TOKEN)
    authorizer = ask(api, "all").json()["authorizer"]
    assert isinstance(authorizer.pop("integrationLatency"), int)
    assert authorizer == {"principalId": "user", "number": "7", "yes": "true", "text": "a"}


ANSWERS = {
    "Deny": (
        403,
        "AccessDeniedException",
        b'{"Message":"User is not authorized to access this resource with an explicit deny"}',
        "(explicit deny), and AWS answers 403",
    ),
    "elsewhere": (
        403,
        "AccessDeniedException",
        b'{"Message":"User is not authorized to access this resource"}',
        "(implicit deny), and AWS answers 403",
    ),
    "unauthorized": (
        401,
        "UnauthorizedException",
        b'{"message":"Unauthorized"}',
        "the authorizer guard says Unauthorized",
    ),
    "raise": (
        500,
        "AuthorizerConfigurationException",
        b'{"message":null}',
        "it failed (ValueError: secret)",
    ),
    "nonsense": (
        500,
        "AuthorizerConfigurationException",
        b'{"message":null}',
        "of its result: it is text, not an object",
    ),
    "nested": (
        500,
        "AuthorizerConfigurationException",
        b'{"message":null}',
        "context has an object at 'a'",
    ),
}


@pytest.mark.parametrize("which", ANSWERS)
def test_who_is_not_allowed_gets_awss_answer(which, serve_api):
    status, error_type, body, reason = ANSWERS[which]
    api = serve_api(without_cache(TOKEN))
    answer = ask(api, which)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["x-amzn-errortype"] == error_type
    assert answer.headers["content-type"] == "application/json"
    assert reason in api.log
    assert ask(api, "Allow").status_code == 200


@pytest.mark.parametrize("token", [None, ""])
def test_without_its_identity_source_the_function_is_not_asked(token, serve_api):
    api = serve_api(TOKEN)
    answer = ask(api, token)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert asked(api) == 0
    assert "method.request.header.Token, the identity source of the authorizer guard" in api.log


def test_a_token_that_does_not_match_is_refused_without_asking(serve_api):
    api = serve_api(dataclasses.replace(TOKEN, identity_validation_expression="[A-Z][a-z]+"))
    for token in ("allow", "Allow me"):
        assert ask(api, token).json() == {"message": "Unauthorized"}
    assert asked(api) == 0
    assert ask(api, "Allow").status_code == 200


def test_every_identity_source_has_to_be_there(serve_api):
    api = serve_api(REQUEST)
    assert ask(api, "Allow").status_code == 401
    assert ask(api, None, "/local/pets/7?who=me").status_code == 401
    assert asked(api) == 0
    assert ask(api, "Allow", "/local/pets/7?who=me").status_code == 200


def test_stage_variables_and_the_context_may_be_identity_sources(serve_api):
    sources = "stageVariables.who, context.identity.sourceIp"
    authorizer = Authorizer("guard", "REQUEST", "auth", sources)
    api = serve_api(authorizer, stages=(Stage("local", {"who": "me"}), Stage("bare")))
    assert ask(api).status_code == 200
    assert ask(api, path="/bare/pets/7").status_code == 401


def test_the_event_of_a_token_authorizer(serve_api):
    api = serve_api(TOKEN)
    ask(api, "Allow", "/local/pets/a%20b?x=1", "POST")
    event = events(api)[0]
    arn = event.pop("methodArn")
    assert event == {"type": "TOKEN", "authorizationToken": "Allow"}
    region = api.emulator.function.region
    assert arn == f"arn:aws:execute-api:{region}:123456789012:app/local/POST/pets/a%20b"


def test_the_event_of_a_request_authorizer(serve_api):
    api = serve_api(REQUEST, stages=(Stage("local", {"v": "1"}),))
    api.request("POST", "/local/pets/7?who=me&who=you", content=b"body", headers={"token": "Allow"})
    event = events(api)[0]
    assert event["type"] == "REQUEST"
    assert event["methodArn"].endswith(":app/local/POST/pets/7")
    assert (event["resource"], event["path"]) == ("/pets/{id}", "/pets/7")
    assert event["httpMethod"] == "POST"
    assert event["headers"]["token"] == "Allow"
    assert event["multiValueHeaders"]["token"] == ["Allow"]
    assert event["queryStringParameters"] == {"who": "you"}
    assert event["multiValueQueryStringParameters"] == {"who": ["me", "you"]}
    assert event["pathParameters"] == {"id": "7"}
    assert event["stageVariables"] == {"v": "1"}
    context = event["requestContext"]
    assert (context["resourcePath"], context["stage"]) == ("/pets/{id}", "local")
    assert "authorizer" not in context
    assert not {"body", "isBase64Encoded"} & set(event)


def test_what_a_request_lacks_is_an_empty_map_for_an_authorizer(serve_api):
    api = serve_api(Authorizer("guard", "REQUEST", "auth", "context.stage"))
    ask(api)
    event = events(api)[0]
    assert event["queryStringParameters"] == event["stageVariables"] == {}


def test_a_policy_is_kept_and_judged_anew_for_each_method(serve_api):
    api = serve_api(TOKEN)
    assert ask(api, "Allow").status_code == 200
    latency = ask(api, "Allow").json()["authorizer"]["integrationLatency"]
    assert latency == 0
    assert asked(api) == 1
    # The policy allows /pets/7 only, and is still that of this token.
    assert ask(api, "Allow", "/local/pets/8").status_code == 403
    assert asked(api) == 1
    assert "it should be about all methods of the API" in api.log
    assert ask(api, "all", "/local/pets/8").status_code == 200
    assert ask(api, "all", "/local/pets/9", "PUT").status_code == 200
    assert asked(api) == 2


@pytest.mark.parametrize("authorizer", [TOKEN, REQUEST])
def test_of_two_tokens_the_last_counts_for_the_cache_as_in_the_event(authorizer, serve_api):
    api = serve_api(authorizer)
    for tokens, status in (("Allow", "all"), 200), (("Allow", "Deny"), 403):
        headers = [("host", api.host), *(("token", token) for token in tokens)]
        answer = httpx.get(f"{api.url}/local/pets/7?who=me", headers=headers, timeout=PATIENCE)
        assert answer.status_code == status
    assert asked(api) == 2


def test_what_one_authorizer_has_said_is_not_anothers(serve_api):
    other = dataclasses.replace(TOKEN, name="other")
    api = serve_api(TOKEN, more=other)
    for path in ("/local/pets/7", "/local/other"):
        assert ask(api, "all", path).status_code == 200
    assert asked(api) == 2


def test_another_stage_asks_again(serve_api):
    api = serve_api(TOKEN, stages=(Stage("local"), Stage("other")))
    for stage in ("local", "other", "local"):
        assert ask(api, "all", f"/{stage}/pets/7").status_code == 200
    assert asked(api) == 2


def test_a_failure_is_not_kept(serve_api):
    api = serve_api(TOKEN)
    for _ in range(2):
        assert ask(api, "raise").status_code == 500
    assert asked(api) == 2


def test_without_a_time_to_live_every_request_asks(serve_api):
    api = serve_api(without_cache(TOKEN))
    for _ in range(2):
        assert ask(api, "Allow").status_code == 200
    assert asked(api) == 2


def test_an_authorizer_that_is_not_there_is_500(serve_api):
    api = serve_api(dataclasses.replace(TOKEN, authorizer_uri="nobody"))
    answer = ask(api, "Allow")
    assert (answer.status_code, answer.json()) == (500, {"message": None})
    assert "there is no function nobody" in api.log
