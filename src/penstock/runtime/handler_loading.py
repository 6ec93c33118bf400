"""From `module.handler` to the function, with AWS's names for everything that can fail."""

from __future__ import annotations

import sys
from importlib import import_module

from ..errors import HandlerLoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def load_handler(name: str) -> Callable[[Any, Any], Any]:
    """Import the module of `name` ("folder/module.function") and return the function.

    Raises:
        HandlerLoadError: with AWS's `error_type` for what is wrong.
        BaseException: whatever the module raises while it is imported.
    """
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        # The words after the colon are CPython's, for AWS's client unpacks two values.
        raise HandlerLoadError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise HandlerLoadError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = import_module(module_name.replace("/", "."))
    except ImportError as exc:
        raise HandlerLoadError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {exc}"
        ) from exc
    except SyntaxError as exc:
        raise HandlerLoadError(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {exc}",
            [f'  File "{exc.filename}" Line {exc.lineno}\n    {exc.text}'],
        ) from exc
    try:
        handler: Callable[[Any, Any], Any] = getattr(module, attribute)
    except AttributeError:
        raise HandlerLoadError(
            "Runtime.HandlerNotFound",
            f"Handler '{attribute}' missing on module '{module_name}'",
        ) from None
    return handler
