"""Which of the two interfaces an application has."""

from __future__ import annotations

from ..errors import AppError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# As in `inspect`, which costs 5 ms to import.
_VARARGS, _COROUTINE = 0x04, 0x80

_INTERFACES = {2: "wsgi", 3: "asgi"}


def interface_of(app: Any) -> str:
    """How the app is called, by its code: `wsgi` with two arguments, `asgi` with three.

    Raises:
        AppError: it is called with another number of them, or not at all.
    """
    if not callable(app):
        raise AppError(f"the app is {app!r:.80}, which is neither an ASGI nor a WSGI app{_hint()}")
    if isinstance(app, type):
        raise AppError(
            f"the app is the class {app.__name__}, neither an ASGI nor a WSGI app; hand in an "
            f"object of it, {app.__name__}(...)"
        )
    count, is_async = _arguments_of(app)
    interface = _INTERFACES.get(count) if count is not None else None
    if interface is None or (interface == "wsgi" and is_async):
        found = "any number of" if count is None else count
        raise AppError(
            f"{app!r:.80} {'is awaited with' if is_async else 'is called with'} {found} "
            "arguments, so it is neither an ASGI 3.0 app (scope, receive, send) nor a WSGI app "
            f"(environ, start_response){_hint()}"
        )
    return interface


def _hint() -> str:
    return "; if it is one all the same, say which with interface='asgi' or 'wsgi'"


def _arguments_of(app: Any) -> tuple[int | None, bool]:
    """How many arguments the app takes, None for any number, and whether it is awaited."""
    call: Any = app if hasattr(app, "__code__") else getattr(type(app), "__call__", None)  # noqa: B004
    while hasattr(call, "__wrapped__"):
        call = call.__wrapped__
    code = getattr(call, "__code__", None)
    if code is not None:
        if code.co_flags & _VARARGS:
            return None, bool(code.co_flags & _COROUTINE)
        has_self = call is not app and not hasattr(app, "__code__")
        # A bound method has its function's code.
        has_self = has_self or getattr(app, "__self__", None) is not None
        least = code.co_argcount - has_self - len(getattr(call, "__defaults__", None) or ())
        return least, bool(code.co_flags & _COROUTINE)
    from inspect import Parameter, iscoroutinefunction, signature

    try:
        parameters = list(signature(app).parameters.values())
    except (TypeError, ValueError):
        return None, False
    if any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters):
        return None, iscoroutinefunction(call)
    count = sum(parameter.default is Parameter.empty for parameter in parameters)
    return count, iscoroutinefunction(call)
