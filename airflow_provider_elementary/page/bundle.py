"""Serves the bundled script, where the build made one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi.responses import FileResponse

BUILT = Path(__file__).parent / "static"
#: The scripts of the page: that of every view, and that of views with a chart.
SCRIPTS = ("page.js", "charts.js")


@cache
def version() -> str:
    """Return what changes with the bundle; empty where none was built: then the page shows the server's charts."""
    stamp = BUILT / "built-from.txt"
    return stamp.read_text(encoding="utf-8")[:12] if stamp.is_file() else ""


def script(name: str) -> FileResponse:
    """Return one of the scripts. A browser may keep it, as its address changes with the bundle."""
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return FileResponse(BUILT / name, media_type="text/javascript", headers=headers)
