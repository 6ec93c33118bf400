"""REST APIs as values."""

from __future__ import annotations

import pytest

from penstock.emulator.rest_apis import Integration, RestApi, Route, api_of_function

API = api_of_function("app", "STREAM")


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("//", "/", {}),
        ("/a", "/{proxy+}", {"proxy": "a"}),
        ("/a/b%20c", "/{proxy+}", {"proxy": "a/b%20c"}),
        ("/a/", "/{proxy+}", {"proxy": "a"}),
    ],
)
def test_every_path_of_a_functions_api_leads_to_it(path, resource, parameters):
    for method in ("GET", "POST", "QUERY"):
        found = API.find(method, path)
        assert found is not None
        assert (found[0].resource, found[1]) == (resource, parameters)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/local", ("/local", "/")),
        ("/local/", ("/local", "/")),
        ("/local/a", ("/local", "/a")),
        ("/localhost", None),
        ("/", None),
        ("/other/a", None),
    ],
)
def test_the_first_segment_is_the_stage(path, parts):
    assert API.split(path) == parts


def test_routes_are_asked_in_order_and_may_be_of_one_method():
    one, two = (Integration(name, "BUFFERED", 29) for name in ("one", "two"))
    api = RestApi("a", (Route("GET", "/x", one), Route("ANY", "/y/{proxy+}", two)))

    assert api.find("GET", "/x") == (api.routes[0], {})
    assert api.find("POST", "/x") is None
    assert api.find("POST", "/y/z/") == (api.routes[1], {"proxy": "z"})
    assert api.find("POST", "/y") is None
    assert api.find("POST", "/yz") is None


@pytest.mark.parametrize(
    ("types", "media_type", "is_binary"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/png",), "image/jpeg", False),
        (("image/png",), None, False),
        (("*/*",), None, True),
    ],
)
def test_binary_media_types(types, media_type, is_binary):
    assert RestApi("a", (), binary_media_types=types).is_binary(media_type) is is_binary
