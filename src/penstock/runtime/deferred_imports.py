"""What asyncio imports and many handlers never use is loaded when it is first used.

`import asyncio` brings in `ssl` and `inspect`, which with what they import take a quarter of
its time, 10 ms in a cold start. Until somebody asks them for a name, stand-ins take their
place in `sys.modules`, which then become the modules themselves. (`importlib.util.LazyLoader`
will not do: it loads a module at the second `import` of it.)
"""

from __future__ import annotations

import sys
from _thread import RLock
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType
    from typing import Any

_Module = type(sys)
_loading = RLock()


def install() -> None:
    """See to it, unless asyncio is there already."""
    if "asyncio" not in sys.modules:
        sys.meta_path.insert(0, _AsyncioFinder())


class _AsyncioFinder:
    """Finds nothing, but is asked when asyncio is about to be imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name.startswith("asyncio."):
            # The package is there now: give it the submodule, as an import would have.
            if "asyncio.sslproto" in sys.modules:
                sys.modules["asyncio"].sslproto = sys.modules["asyncio.sslproto"]  # type: ignore[attr-defined]
            if self in sys.meta_path:
                sys.meta_path.remove(self)
        elif name == "asyncio":
            asyncio = PathFinder.find_spec("asyncio")
            folder = asyncio.submodule_search_locations if asyncio is not None else None
            # A Python without TLS is to say so where it is imported.
            if folder is not None and PathFinder.find_spec("_ssl") is not None:
                defer("ssl")
                # It uses ssl while it is imported.
                defer("asyncio.sslproto", folder)
            defer("inspect")


def defer(name: str, path: Sequence[str] | None = None) -> None:
    """Put a stand-in for a module that has not been imported into `sys.modules`."""
    spec = PathFinder.find_spec(name, path) if name not in sys.modules else None
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = _Deferred
        sys.modules[name] = module


class _Deferred(_Module):  # type: ignore[misc, valid-type]
    """A module that is loaded when somebody asks for a name in it."""

    def __getattr__(self, name: str) -> Any:
        _load(self)
        return _Module.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        # What is put in from outside is not to be overwritten by loading it afterwards.
        # The import system's own names are no such thing.
        if not name.startswith("__"):
            _load(self)
        _Module.__setattr__(self, name, value)

    def __dir__(self) -> Iterable[str]:
        _load(self)
        return _Module.__dir__(self)


def _load(module: Any) -> None:
    # Other threads wait; this one, if it comes here again, is in a cycle of imports and
    # finds what there is.
    with _loading:
        names: dict[str, Any] = module.__dict__
        if module.__class__ is _Module or "__penstock_loading__" in names:
            return
        names["__penstock_loading__"] = True
        try:
            module.__spec__.loader.exec_module(module)
            module.__class__ = _Module
        finally:
            del names["__penstock_loading__"]
