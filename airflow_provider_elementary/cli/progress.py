"""Progress of long work on a terminal; on standard error, so that what a command prints stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

T = TypeVar("T")


def with_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Go through the items behind a progress bar that goes when it is full; where there is no terminal, without one."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return items
    return track(items, doing, total=len(items), console=console, transient=True)
