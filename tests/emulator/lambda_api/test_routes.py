"""Paths of the Lambda API, against the model that AWS's clients are made of."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from penstock.emulator.lambda_api.api import OPERATIONS
from penstock.emulator.lambda_api.routes import ROUTES, route
from penstock.emulator.lambda_api.shapes import REQUESTS
from penstock.emulator.lambda_api.validation import Pairs, Several, Structure

MODEL = botocore.session.get_session().get_service_model("lambda")

# These have a door of their own, or are younger than what the table names.
ELSEWHERE = re.compile(r"Invoke|InvokeAsync|InvokeWithResponseStream|.*Durable.*|.*ResourcePolicy")


@pytest.mark.parametrize("name", [n for n in MODEL.operation_names if not ELSEWHERE.fullmatch(n)])
def test_each_operation_of_the_model_is_found_by_its_path(name):
    http = MODEL.operation_model(name).http
    path, _, query = re.sub(r"\{\w+\}", "a%3Ab", http["requestUri"]).partition("?")
    found = route(http["method"], path, query)
    assert found is not None
    assert found.operation == name


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_members_in_path_and_query_are_those_of_the_model(name):
    members = MODEL.operation_model(name).input_shape.members
    in_query = {
        shape.serialization["name"]: member
        for member, shape in members.items()
        if shape.serialization.get("location") == "querystring"
    }
    (found,) = [each for each in ROUTES if each.operation == name]
    unused = {"MasterRegion"}
    assert found.query == {key: in_query[key] for key in in_query if key not in unused}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_statuses_are_those_of_the_model(name):
    status = OPERATIONS[name][1]
    # It has a member for its status, and 204 is what AWS answers.
    expected = 204 if name == "DeleteFunction" else MODEL.operation_model(name).http["responseCode"]
    assert status == expected


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_what_is_required_is_what_the_model_requires(name):
    # AddPermission's are checked by `policies`.
    if name != "AddPermission":
        compare(REQUESTS[name], MODEL.operation_model(name).input_shape)


# Longest and largest are quotas of functions that run on demand, not of the model.
QUOTAS = {"Timeout", "MemorySize", "EphemeralStorageSize"}


def compare(ours: Any, theirs: Any) -> None:
    """Each member that is checked is checked as in the model."""
    if isinstance(ours, Structure):
        assert set(ours.members) <= set(theirs.members)
        path_members = {"Name", "StatementId", "LayerName", "VersionNumber"}
        missing = set(theirs.required_members) - set(ours.required) - path_members
        assert missing == set()
        for name, member in ours.members.items():
            compare(member, theirs.members[name])
    elif isinstance(ours, Several):
        assert theirs.type_name == "list"
        assert (ours.longest or None) == theirs.metadata.get("max")
        compare(ours.item, theirs.member)
    elif isinstance(ours, Pairs):
        assert theirs.type_name == "map"
    elif getattr(ours, "values", ()):
        assert list(ours.values) == theirs.enum
    elif getattr(ours, "longest", 0):
        assert ours.longest == theirs.metadata.get("max")
    elif getattr(ours, "most", None) is not None and theirs.name not in QUOTAS:
        assert ours.most == theirs.metadata.get("max")


def test_a_slash_at_the_end_counts_for_nothing():
    assert route("GET", "/2015-03-31/functions/", "").operation == "ListFunctions"


def test_an_arn_is_one_segment():
    arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aapp"
    found = route("GET", f"/2015-03-31/functions/{arn}", "Qualifier=%24LATEST")
    assert found.members == {
        "FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:app",
        "Qualifier": "$LATEST",
    }


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/2015-03-31/functions"), ("GET", "/2015-03-31/nothing")]
)
def test_other_paths_and_methods_are_no_operation(method, path):
    assert route(method, path, "") is None
