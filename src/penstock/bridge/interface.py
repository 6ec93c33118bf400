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
    if _is_lambda_handler(app):
        raise AppError(
            f"{app!r:.80} takes an event and a context, so it is a Lambda handler already and "
            f"needs no adapt; hand in the ASGI or WSGI app itself{_hint()}"
        )
    return interface


def _is_lambda_handler(app: Any) -> bool:
    """Whether the app calls its arguments what Lambda does."""
    code = getattr(_call_of(app), "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    names = [name.strip("_") for name in names if name != "self"]
    return bool(names) and names[0] == "event" and names[-1] in ("context", "ctx")


def _hint() -> str:
    return "; if it is one all the same, say which with interface='asgi' or 'wsgi'"


def _arguments_of(app: Any) -> tuple[int | None, bool]:
    """How many arguments the app takes, None for any number, and whether it is awaited."""
    call = _call_of(app)
    code = getattr(call, "__code__", None)
    if code is not None:
        if code.co_flags & _VARARGS:
            return None, bool(code.co_flags & _COROUTINE)
        has_self = not hasattr(app, "__code__") and not _is_static(app)
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


def _call_of(app: Any) -> Any:
    """The function that is called when the app is, below its decorators."""
    call: Any = app if hasattr(app, "__code__") else getattr(type(app), "__call__", None)  # noqa: B004
    while hasattr(call, "__wrapped__"):
        call = call.__wrapped__
    return call


def _is_static(app: Any) -> bool:
    """Whether the app's `__call__` is a static method, which is not given the app itself."""
    found = (vars(base)["__call__"] for base in type(app).__mro__ if "__call__" in vars(base))
    return isinstance(next(found, None), staticmethod)
