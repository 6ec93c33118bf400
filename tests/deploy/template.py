"""Reads CloudFormation templates: enough of it to say what they ask AWS for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


class Template:
    """A template without YAML's short tags; `file` is where linters find it."""

    def __init__(self, file: Path, content: dict[str, Any] | None = None) -> None:
        self.file = file
        self.content = json.loads(file.read_text()) if content is None else content

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of that type, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.content["Resources"].items()
            if resource["Type"] == kind
        }

    def only(self, kind: str) -> tuple[str, dict[str, Any]]:
        """Logical id and properties of the one resource of that type."""
        found = self.all(kind)
        assert len(found) == 1, f"{kind}: {list(found)}"
        return next(iter(found.items()))

    @property
    def outputs(self) -> list[str]:
        return [text(output["Value"]) for output in self.content["Outputs"].values()]

    @property
    def permissions(self) -> list[dict[str, Any]]:
        """What each AWS::Lambda::Permission grants, in text."""
        return [
            {name: text(value) for name, value in permission.items()}
            for permission in self.all("AWS::Lambda::Permission").values()
        ]

    @property
    def stage(self) -> str:
        """The name of the REST API's stage."""
        stages = self.all("AWS::ApiGateway::Stage") or self.all("AWS::ApiGateway::Deployment")
        assert len(stages) == 1
        return next(iter(stages.values()))["StageName"]

    @property
    def get_integration(self) -> dict[str, Any]:
        """What GET / of the REST API is integrated with, under CloudFormation's names.

        It is a resource, or SAM's OpenAPI document has it.
        """
        if self.all("AWS::ApiGateway::Method"):
            _, method = self.only("AWS::ApiGateway::Method")
            api, _ = self.only("AWS::ApiGateway::RestApi")
            assert method["HttpMethod"] == "GET"
            assert text(method["ResourceId"]) == f"<{api}.RootResourceId>"
            integration = method["Integration"]
        else:
            _, api = self.only("AWS::ApiGateway::RestApi")
            document = api["Body"]["paths"]["/"]["get"]["x-amazon-apigateway-integration"]
            integration = {name[0].upper() + name[1:]: value for name, value in document.items()}
            integration["IntegrationHttpMethod"] = integration.pop("HttpMethod")
            integration["Type"] = integration["Type"].upper()
        return {
            name: text(value) if name == "Uri" else value for name, value in integration.items()
        }


def text(value: Any) -> Any:
    """A value in which everything that only AWS knows stands in <>: <Function.Arn>."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [*names]}:
            return f"<{'.'.join(names)}>"
        case {"Fn::Join": [separator, [*parts]]}:
            return separator.join(text(part) for part in parts)
        case {"Fn::Sub": str(pattern)}:
            return re.sub(r"\$\{([^}]+)\}", r"<\1>", pattern)
        case {"Fn::Sub": [str(pattern), dict(values)]}:
            return re.sub(
                r"\$\{([^}]+)\}",
                lambda match: text(values.get(match[1], {"Ref": match[1]})),
                pattern,
            )
    return value
