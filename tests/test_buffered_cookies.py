"""No cookie of a response in one piece is lost, whichever way it was given."""

from __future__ import annotations

import pytest

from penstock import HttpResponseStream, Prelude, streamify_response


@pytest.mark.parametrize("name", ["set-cookie", "Set-Cookie"])
@pytest.mark.parametrize("is_list", [False, True], ids=["header", "list of values"])
def test_cookies_join_those_that_are_given_otherwise(name, is_list):
    prelude = Prelude(
        200,
        {} if is_list else {name: "a=1"},
        cookies=["b=2"],
        multi_value_headers={name: ["a=1"]} if is_list else {},
    )

    @streamify_response
    def handler(event, response_stream, context):
        HttpResponseStream.from_(response_stream, prelude)

    response = handler({"multiValueHeaders": {}}, None)
    assert response["headers"] == {}
    assert response["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"]}
