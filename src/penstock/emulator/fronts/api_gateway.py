"""REST APIs of API Gateway: which stage and method a request is for, and who may call it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..deadlines import Deadlines
from ..http.http_backend import Backend
from ..http.http_server import Exchange
from ..own_requests import OwnRequests
from ..rest_apis import RestApi
from .rest_api_authorizers import LambdaAuthorizers
from .rest_api_call import Call, RefusedError, Target
from .rest_api_http_proxy import answer_with_backend
from .rest_api_lambda import Find, answer_with_function


class ApiGateway:
    """Answers what is sent to REST APIs.

    `find` gives the environments of a function, by name and qualifier; `write_line` takes
    lines for the log; `own_requests` are those that come back to this emulator.
    `failed_stream_succeeds` is the quirk of that name.
    """

    def __init__(
        self,
        apis: Collection[RestApi],
        find: Find,
        write_line: Callable[[str], object],
        *,
        failed_stream_succeeds: bool,
        own_requests: OwnRequests,
        deadlines: Deadlines,
    ) -> None:
        self._failed_stream_succeeds = failed_stream_succeeds
        self._own_requests = own_requests
        self._deadlines = deadlines
        self._apis = {api.id.lower(): api for api in apis}
        self._find = find
        self._write_line = write_line
        self._authorizers = LambdaAuthorizers(find)
        self._open_backends: set[Backend] = set()
        for api in apis:
            keyed = [method for method in api.methods if method.api_key_required]
            if keyed:
                names = ", ".join(f"{each.http_method} {each.resource_path}" for each in keyed)
                write_line(
                    f"the REST API {api.id} asks for an API key at {names}; API keys are not "
                    "emulated, and everybody is let in"
                )

    def handle(self, exchange: Exchange, api_id: str, *, port: int) -> None:
        """Answer one request to the API called `api_id`, in any case; it came to `port`."""
        call = Call(exchange, port, self._write_line)
        try:
            target = self._target(exchange, api_id, port)
            authorizer = target.method.authorizer
            known = self._authorizers.authorize(call, target, authorizer) if authorizer else None
            if target.method.integration.type == "HTTP_PROXY":
                answer_with_backend(
                    call,
                    target,
                    known,
                    own_requests=self._own_requests,
                    deadlines=self._deadlines,
                    open_backends=self._open_backends,
                )
            else:
                answer_with_function(
                    call,
                    target,
                    self._find,
                    known,
                    failed_stream_succeeds=self._failed_stream_succeeds,
                )
        except RefusedError as refused:
            call.refuse_as(refused)

    def stop(self) -> None:
        """Wait for no backend any longer. Returns at once."""
        for backend in list(self._open_backends):
            backend.abort()

    def _target(self, exchange: Exchange, api_id: str, port: int) -> Target:
        api = self._apis.get(api_id.lower())
        if api is None:
            known = ", ".join(f"http://{each.domain_name}:{port}" for each in self._apis.values())
            raise _forbidden(
                f"there is no such REST API ({api_id}), and AWS answers 403; "
                + (f"there is {known}" if known else "start with --rest-api STREAM to have one")
            )
        parts = api.split(exchange.path)
        if parts is None:
            known = " or ".join(
                f"http://{api.domain_name}:{port}/{stage.stage_name}/" for stage in api.stages
            )
            raise _forbidden(
                f"there is no such stage, and AWS answers 403; the address of this API is {known}"
            )
        stage, path = parts
        found = api.find(exchange.method, path)
        if found is None:
            raise RefusedError(
                403,
                "MissingAuthenticationTokenException",
                b'{"message":"Missing Authentication Token"}',
                "the API has no such resource and method, and AWS answers 403",
            )
        return Target(api, stage, found[0], path, found[1])


def _forbidden(reason: str) -> RefusedError:
    return RefusedError(403, "ForbiddenException", b'{"message":"Forbidden"}', reason)
