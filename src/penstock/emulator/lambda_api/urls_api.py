"""Operations on the configurations of Function URLs."""

from __future__ import annotations

import time

from .control_plane import ControlPlane
from .errors import ApiError, conflict, invalid, not_found
from .paging import page
from .records import FunctionRecord, Json

_SETTINGS = ("AuthType", "Cors", "InvokeMode")


def create_url(plane: ControlPlane, request: Json) -> Json:
    """`CreateFunctionUrlConfig`."""
    record, key = _target(plane, request)
    if key and key not in record.aliases:
        raise not_found(f"Function not found: {plane.arn(record.name, key)}")
    arn = plane.arn(record.name, key or None)
    if key in record.urls:
        raise conflict(
            f"Failed to create function url config for [functionArn = {arn}]. "
            "Error message:  FunctionUrlConfig exists for this Lambda function"
        )
    now = _now()
    with plane.change(record) as changed:
        settings = {name: request[name] for name in _SETTINGS if request.get(name) is not None}
        changed.urls[key] = {**settings, "CreationTime": now, "LastModifiedTime": now}
        url = plane.url_of(changed, key)
        other = plane.registry.find_url(url.id)
        if other is not None and (other.function, other.qualifier) != (url.function, url.qualifier):
            raise invalid(
                f"{arn} would have the URL {plane.address(url)}, which {other.function} has; "
                "rename one of the two"
            )
    plane.registry.put_url(url)
    shown = _view(plane, changed, key)
    del shown["LastModifiedTime"]
    return _as_asked(shown, request)


def update_url(plane: ControlPlane, request: Json) -> Json:
    """`UpdateFunctionUrlConfig`."""
    record, key = _target(plane, request)
    _check_is_there(record, key)
    with plane.change(record) as changed:
        settings = {name: request[name] for name in _SETTINGS if request.get(name) is not None}
        changed.urls[key] |= {**settings, "LastModifiedTime": _now()}
        url = plane.url_of(changed, key)
    plane.registry.put_url(url)
    return _as_asked(_view(plane, changed, key), request)


def get_url(plane: ControlPlane, request: Json) -> Json:
    """`GetFunctionUrlConfig`."""
    record, key = _known(plane, request)
    return _view(plane, record, key)


def delete_url(plane: ControlPlane, request: Json) -> None:
    """`DeleteFunctionUrlConfig`."""
    record, key = _known(plane, request)
    url = plane.url_of(record, key)
    with plane.change(record) as changed:
        del changed.urls[key]
    plane.registry.remove_url(url)


def _known(plane: ControlPlane, request: Json) -> tuple[FunctionRecord, str]:
    """The function and the key of a URL that is there."""
    written = plane.read(request)
    record, key = plane.find(written.name), written.qualifier or ""
    if record is None:
        raise _no_such_resource()
    _check_is_there(record, key)
    return record, key


def list_urls(plane: ControlPlane, request: Json) -> Json:
    """`ListFunctionUrlConfigs`."""
    record = plane.find(plane.read(request).name)
    if record is None:
        raise not_found("Function does not exist")
    urls = [_view(plane, record, key) for key in sorted(record.urls)]
    return page("FunctionUrlConfigs", urls, request, default=50)


def _target(plane: ControlPlane, request: Json) -> tuple[FunctionRecord, str]:
    written = plane.read(request)
    record = plane.find(written.name)
    if record is None:
        raise not_found("Function does not exist")
    return record, written.qualifier or ""


def _check_is_there(record: FunctionRecord, key: str) -> None:
    if key not in record.urls:
        raise _no_such_resource()


def _no_such_resource() -> ApiError:
    return not_found("The resource you requested does not exist.")


def _view(plane: ControlPlane, record: FunctionRecord, key: str) -> Json:
    return {
        "FunctionUrl": plane.address(plane.url_of(record, key)),
        "FunctionArn": plane.arn(record.name, key or None),
        "InvokeMode": "BUFFERED",
        **record.urls[key],
    }


def _as_asked(shown: Json, request: Json) -> Json:
    """Only `GetFunctionUrlConfig` tells the mode that nobody has set (recorded)."""
    if request.get("InvokeMode") is None and shown["InvokeMode"] == "BUFFERED":
        del shown["InvokeMode"]
    return shown


def _now() -> str:
    now = time.time()
    microseconds = int(now * 1_000_000) % 1_000_000
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{microseconds:06}Z"
