"""Imports the names of a package when they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that imports its names when they are used.

    Forms, DAG files and readers of facts import such a package, and nothing heavy with it.

    :param package: its name.
    :param homes: the names that each module defines, by the module's name in this distribution.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"airflow_provider_elementary.{home_of[name]}"), name)

    return get
