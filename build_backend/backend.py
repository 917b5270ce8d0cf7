"""Builds distributions with setuptools, after the page's script."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from setuptools import build_meta as _setuptools
from setuptools.build_meta import *  # noqa: F403

from frontend import NODE, BuildFailed, build, is_built

_Settings = Mapping[str, Any] | None


def get_requires_for_build_wheel(config_settings: _Settings = None) -> list[str]:
    """Return what a wheel's build needs: Node too, where the script has to be built and npm is not installed."""
    return [*_setuptools.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: _Settings = None) -> list[str]:
    """Return what the build of a source distribution needs, as for a wheel."""
    return [*_setuptools.get_requires_for_build_sdist(config_settings), *_node()]


def build_wheel(directory: str, config_settings: _Settings = None, metadata_directory: str | None = None) -> str:
    """Build the script, then the wheel."""
    _bundle()
    return _setuptools.build_wheel(directory, config_settings, metadata_directory)


def build_sdist(directory: str, config_settings: _Settings = None) -> str:
    """Build the script, then the source distribution."""
    _bundle()
    return _setuptools.build_sdist(directory, config_settings)


def _is_wanted() -> bool:
    return os.environ.get("ELEMENTARY_FRONTEND") != "skip" and not is_built()


def _node() -> list[str]:
    return [NODE] if _is_wanted() and not shutil.which("npm") else []


def _bundle() -> None:
    if not _is_wanted():
        return
    try:
        build()
    except BuildFailed as failure:
        print(f"WARNING: built without the page's script: {failure}. The page will show the server's charts.")
        print("Build again where npm's registry can be reached, for hover, zoom and the graphs.", file=sys.stdout)
