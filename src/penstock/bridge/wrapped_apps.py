"""What an app consists of, as far as it can be seen: apps that it wraps, apps that it mounts.

It decides what an app makes of a path: which framework is behind the middleware, and below
which paths one of the apps answers as it does without them.
"""

from __future__ import annotations

from sys import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Where middleware has what it wraps: as an attribute, or as a variable of the function around.
_NAMES = ("__wrapped__", "app", "_app", "application", "wsgi_app", "asgi_app", "inner", "wrapped")

# No app has so many; a stand-in of a test may have another app in each of its attributes.
_MOST = 300


def wrapped_in(app: Any) -> Iterator[Any]:
    """The app, and whatever it wraps, from the outside in."""
    found = [app]
    # Kept, so that no other object comes to have the id of one.
    seen: dict[int, Any] = {}
    while found and len(seen) < _MOST:
        each = found.pop(0)
        if each is not None and id(each) not in seen:
            seen[id(each)] = each
            yield each
            found += _directly_in(each)


def roots_of(app: Any) -> set[str]:
    """The paths that an app takes off those of its requests, and answers without as well.

    These are the `root_path` of an ASGI app (FastAPI's, say), Django's FORCE_SCRIPT_NAME, and
    the paths below which Starlette or Werkzeug's dispatcher mounts one app more than once.
    """
    roots = set()
    if "django.conf" in modules and modules["django.conf"].settings.configured:
        roots.add(modules["django.conf"].settings.FORCE_SCRIPT_NAME)
    mounted: dict[int, tuple[Any, set[str]]] = {}
    found = [("", app)]
    while found and len(mounted) < _MOST:
        prefix, outer = found.pop(0)
        for each in wrapped_in(outer):
            _, prefixes = mounted.setdefault(id(each), (each, set()))
            # Apps that mount each other have no end.
            if prefix in prefixes or len(prefixes) > 10:
                continue
            prefixes.add(prefix)
            # Flask's and Quart's `root_path` is a folder.
            if _attribute(each, "import_name") is None:
                roots.add(_attribute(each, "root_path"))
            found += [(prefix + path, inner) for path, inner in _mounted_in(each)]
    for _, prefixes in mounted.values():
        if len(prefixes) > 1:
            roots |= prefixes
    return {root for root in roots if isinstance(root, str) and root.strip("/")}


def _directly_in(app: Any) -> list[Any]:
    inside = [_attribute(app, name) for name in _NAMES]
    cells = _attribute(app, "__closure__") or ()
    names = getattr(_attribute(app, "__code__"), "co_freevars", ())
    for name, cell in zip(names, cells, strict=False):
        if name in _NAMES:
            inside.append(_attribute(cell, "cell_contents"))
    # The object of a method need not be one that is called itself.
    return [*filter(callable, inside), _attribute(app, "__self__")]


def _mounted_in(app: Any) -> Iterator[tuple[str, Any]]:
    routes, mounts = _attribute(app, "routes"), _attribute(app, "mounts")
    for route in routes if isinstance(routes, list) else ():
        inner, path = _attribute(route, "app"), _attribute(route, "path")
        # A plain route has its function wrapped in an app, too.
        if callable(inner) and _attribute(route, "endpoint") is None:
            yield path.rstrip("/") if isinstance(path, str) else "", inner
    for path, inner in mounts.items() if isinstance(mounts, dict) else ():
        if isinstance(path, str) and callable(inner):
            yield path.rstrip("/"), inner


def _attribute(of: Any, name: str) -> Any:
    try:
        return getattr(of, name, None)
    except Exception:
        # Of an object that is made when somebody asks for something in it, and cannot be now;
        # or the variable has no value yet.
        return None
