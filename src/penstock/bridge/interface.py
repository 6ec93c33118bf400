"""Which of the two interfaces an application has."""

from __future__ import annotations

from ..errors import AppError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COROUTINE = 0x80  # as in `inspect`, which costs 5 ms to import


def interface_of(app: Any) -> str:
    """How the app is called, by its code: `wsgi` with two arguments, `asgi` with three.

    Raises:
        AppError: with another number of them.
    """
    call: Any = app if hasattr(app, "__code__") else getattr(type(app), "__call__", None)  # noqa: B004
    while hasattr(call, "__wrapped__"):
        call = call.__wrapped__
    code = getattr(call, "__code__", None)
    if code is None:
        from inspect import Parameter, iscoroutinefunction, signature

        try:
            parameters = signature(app).parameters.values()
        except (TypeError, ValueError):
            parameters = []  # type: ignore[assignment]
        count = sum(parameter.default is Parameter.empty for parameter in parameters)
        is_async = iscoroutinefunction(call)
    else:
        count = code.co_argcount - (call is not app and not hasattr(app, "__code__"))
        is_async = bool(code.co_flags & _COROUTINE)
    if is_async or count == 3:
        return "asgi"
    if count == 2:
        return "wsgi"
    raise AppError(
        f"{app!r:.80} is called with {count} arguments, so it is neither an ASGI 3.0 app "
        "(scope, receive, send) nor a WSGI app (environ, start_response); "
        "say which with interface='asgi' or 'wsgi'"
    )
