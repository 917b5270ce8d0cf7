"""Keeps small what Arrow loads and holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import get_ident
from types import ModuleType


def use_system_allocator() -> None:
    """Let Arrow take memory from the system's allocator: its own keeps tens of MB for the threads that read rows."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def start_without_pandas() -> None:
    """Let Arrow start without pandas, which its first value imports: 1 s and 40 MB, for nothing in a command.

    Arrow looks for pandas once, finds none, and is shown it when anything else imports it. Conversions of tables then
    work, but values that are NaT or NA stay unknown to Arrow: only for a process in which no other code converts.
    """
    use_system_allocator()
    if "pandas" in sys.modules or any(isinstance(finder, _PandasLater) for finder in sys.meta_path):
        return
    finder = _PandasLater()
    sys.meta_path.insert(0, finder)
    if "pyarrow" in sys.modules:
        finder.start_arrow()


def release_arrow() -> None:
    """Give memory of rows that were read back to the system."""
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()


class _PandasLater(MetaPathFinder):
    """Hides pandas from Arrow when that is imported, and shows it when it is imported itself."""

    def __init__(self) -> None:
        self._hidden_in: int | None = None
        self._has_started = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how the two are loaded; None for other modules."""
        after = {"pyarrow": self.start_arrow, "pandas": self._show}.get(fullname)
        if after is None:
            return None
        if fullname == "pandas" and self._hidden_in == get_ident():
            raise ModuleNotFoundError("Arrow starts without pandas.", name=fullname)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _then(spec.loader.exec_module, after)  # type: ignore[assignment, method-assign]
        return spec

    def start_arrow(self) -> None:
        """Make Arrow look for pandas now, if nothing has imported it."""
        import pyarrow as pa

        if "pandas" not in sys.modules:
            self._hidden_in = get_ident()
            pa.scalar(0)
            self._hidden_in, self._has_started = None, True

    def _show(self) -> None:
        sys.meta_path.remove(self)
        # Arrow that has not started looks by itself, and may be what imports pandas now.
        if self._has_started:
            sys.modules["pyarrow"].nulls(0).to_pandas()


def _then(load: Callable[[ModuleType], None], after: Callable[[], None]) -> Callable[[ModuleType], None]:
    def load_and(module: ModuleType) -> None:
        load(module)
        after()

    return load_and
