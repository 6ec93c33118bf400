"""REST APIs as values: which resource and method leads to which integration."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from . import limits

DOMAIN = ".execute-api.localhost"

_GREEDY = "{proxy+}"


@dataclass(frozen=True)
class Integration:
    """A Lambda proxy integration (`AWS_PROXY`) with the function called `function`.

    `transfer_mode` is STREAM or BUFFERED. `timeout` is for all of a response, `idle` for
    the time without a byte of one that streams; both in seconds.
    """

    function: str
    transfer_mode: str
    timeout: float
    idle: float = limits.API_IDLE


@dataclass(frozen=True)
class Route:
    """A resource's method, or ANY, and what it leads to.

    The resource is a path as it stands, or has `{proxy+}` for all the rest as its end.
    """

    method: str
    resource: str
    integration: Integration

    @property
    def resource_id(self) -> str:
        """An id like those of API Gateway, the same for the same resource."""
        return _id(self.resource)

    def parameters(self, method: str, path: str) -> dict[str, str] | None:
        """The path parameters of a request that this route takes, else None.

        As recorded on AWS, they stay encoded, and a slash at the end is no part of them.
        """
        if self.method not in ("ANY", method):
            return None
        path = path.rstrip("/") or "/"
        if not self.resource.endswith(_GREEDY):
            return {} if path == self.resource else None
        start = self.resource.removesuffix(_GREEDY)
        rest = path.removeprefix(start)
        return {"proxy": rest} if path.startswith(start) and rest else None


@dataclass(frozen=True)
class RestApi:
    """An API with one stage, at the host `<id>.execute-api.localhost`.

    Of its `routes` the first that takes a request has it. `binary_media_types` are types
    as they stand in headers, or `*/*` for all. With `bandwidth` a response that streams
    gets what AWS gives it.
    """

    id: str
    routes: tuple[Route, ...]
    stage: str = "local"
    binary_media_types: tuple[str, ...] = ()
    bandwidth: bool = False

    @property
    def domain_name(self) -> str:
        """The host that it is found at, without a port."""
        return f"{self.id}{DOMAIN}"

    @property
    def deployment_id(self) -> str:
        """An id like those of API Gateway."""
        return _id(f"{self.id}/{self.stage}")

    def split(self, path: str) -> tuple[str, str] | None:
        """The root path (the stage) and the rest of `path`; None if it is of another stage."""
        root_path = f"/{self.stage}"
        if path != root_path and not path.startswith(f"{root_path}/"):
            return None
        return root_path, path[len(root_path) :] or "/"

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route for a path without the stage, with the path parameters."""
        for route in self.routes:
            parameters = route.parameters(method, path)
            if parameters is not None:
                return route, parameters
        return None

    def is_binary(self, media_type: str | None) -> bool:
        """Whether bodies of this type, as a header has it, are binary to this API."""
        if "*/*" in self.binary_media_types:
            return True
        plain = (media_type or "").partition(";")[0].strip().lower()
        return plain in self.binary_media_types


def api_of_function(name: str, transfer_mode: str, *, bandwidth: bool = False) -> RestApi:
    """An API called like the function, all of whose requests are the function's."""
    streams = transfer_mode == "STREAM"
    timeout = limits.API_STREAM if streams else limits.API_BUFFERED
    integration = Integration(name, transfer_mode, timeout)
    routes = tuple(Route("ANY", resource, integration) for resource in ("/", f"/{_GREEDY}"))
    return RestApi(name, routes, bandwidth=bandwidth)


def _id(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:10]
