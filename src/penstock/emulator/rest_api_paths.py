"""Resources of a REST API: which of them a path leads to, and with which parameters.

A literal segment goes before `{id}`, and that before `{proxy+}`, from the left ("a request
against any specific resource takes precedence over a generic resource at the same level":
AWS documentation, "Set up a method request").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ..errors import EmulatorError

# A segment as AWS takes it when a resource is created.
_LITERAL = re.compile(r"[A-Za-z0-9._:%-]+")
_VARIABLE = re.compile(r"\{([A-Za-z0-9._-]+)(\+?)\}")

_LITERAL_RANK, _VARIABLE_RANK, _GREEDY_RANK = range(3)

_Segment = tuple[int, str]


def match(resources: Iterable[str], path: str) -> tuple[str, dict[str, str]] | None:
    """The best of the resources for a path without its stage, with the path parameters.

    As recorded on AWS, these stay encoded, and a slash at the end is no part of them.
    """
    path = path.rstrip("/") or "/"
    sent = path[1:].split("/") if path != "/" else []
    best: tuple[list[int], str, dict[str, str]] | None = None
    for resource in resources:
        segments = segments_of(resource)
        parameters = _parameters(segments, sent)
        ranks = [rank for rank, _ in segments]
        if parameters is not None and (best is None or ranks < best[0]):
            best = ranks, resource, parameters
    return None if best is None else best[1:]


@lru_cache(maxsize=1024)
def segments_of(resource: str) -> tuple[_Segment, ...]:
    """The segments of a resource's path, each with its rank and its name.

    Raises:
        EmulatorError: it is no path of a resource.
    """
    if not resource.startswith("/"):
        raise EmulatorError(f"a resource's path begins with a slash, but this is {resource!r}")
    texts = resource[1:].split("/") if resource != "/" else []
    segments: list[_Segment] = []
    for number, text in enumerate(texts):
        variable = _VARIABLE.fullmatch(text)
        if variable is None:
            if not _LITERAL.fullmatch(text):
                raise EmulatorError(
                    f"{text!r} in the resource {resource} is no segment that API Gateway takes; "
                    "write text, {name} or, at the end, {name+}"
                )
            segments.append((_LITERAL_RANK, text))
        elif variable[2] and number + 1 < len(texts):
            raise EmulatorError(f"{text} in the resource {resource} may be at the end only")
        else:
            segments.append((_GREEDY_RANK if variable[2] else _VARIABLE_RANK, variable[1]))
    names = [name for rank, name in segments if rank != _LITERAL_RANK]
    if len(set(names)) < len(names):
        raise EmulatorError(f"two path parameters of the resource {resource} have one name")
    return tuple(segments)


def variables_of(resource: str) -> list[str]:
    """The names of the path parameters of a resource.

    Raises:
        EmulatorError: it is no path of a resource.
    """
    return [name for rank, name in segments_of(resource) if rank != _LITERAL_RANK]


def check_siblings(resources: Iterable[str]) -> None:
    """Refuse resources of which API Gateway would not make one beside the others.

    Raises:
        EmulatorError: under one parent there are two path parameters, on which AWS says "A
            sibling of this resource already has a variable path part".
    """
    # As reported: amazon-archives/aws-apigateway-importer#202, and with a greedy one
    # serverless-nextjs/serverless-next.js#206.
    known: dict[tuple[_Segment, ...], tuple[_Segment, str]] = {}
    for resource in resources:
        segments = segments_of(resource)
        for number, segment in enumerate(segments):
            if segment[0] == _LITERAL_RANK:
                continue
            first, other = known.setdefault(segments[:number], (segment, resource))
            if first != segment:
                raise EmulatorError(
                    f"the resources {other} and {resource} differ in the name of a path parameter "
                    "at one place, where AWS takes one only"
                )


def _parameters(segments: tuple[_Segment, ...], sent: list[str]) -> dict[str, str] | None:
    is_greedy = bool(segments) and segments[-1][0] == _GREEDY_RANK
    if len(sent) < len(segments) or (len(sent) > len(segments) and not is_greedy):
        return None
    parameters: dict[str, str] = {}
    for number, (rank, name) in enumerate(segments):
        value = "/".join(sent[number:]) if rank == _GREEDY_RANK else sent[number]
        if rank == _LITERAL_RANK:
            if value != name:
                return None
        elif value:
            parameters[name] = value
        else:
            return None
    return parameters
