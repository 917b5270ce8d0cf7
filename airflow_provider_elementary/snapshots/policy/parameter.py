"""Describes one parameter of the policy to forms, commands and configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_elementary.elementary_schema import Category

#: How a value is spelled, and how a run narrows it: ``columns`` are ``table.column``, ``keys`` also
#: ``table.column.key``.
Kind = Literal["categories", "names", "columns", "keys", "count", "number", "switch"]

_TYPES = {"count": "integer", "number": "number", "switch": "boolean"}


@dataclass(frozen=True)
class PolicyParameter:
    """One parameter: everything that forms, commands, operators, the configuration and the docs show of it.

    :param name: as connections, operators and the configuration spell it.
    :param default: what counts where nobody says anything.
    :param title: its label in a form.
    :param description: what it means, in full sentences.
    :param option: the option of ``snapshot take``, if it is not the name.
    :param is_free: a run may choose any value, as it changes nothing about what is taken.
    """

    name: str
    kind: Kind
    default: Any
    title: str
    description: str
    option: str = ""
    is_free: bool = False

    @property
    def is_list(self) -> bool:
        """Whether it holds several values."""
        return self.kind not in _TYPES

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return self.option or f"--{self.name.replace('_', '-')}"

    @property
    def help(self) -> str:
        """The description for a form: how to write a list, and the default."""
        how = "One a line. " if self.is_list else ""
        return f"{how}{self.description} Default: {_in_words(self.default)}."

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a form's field; it may stay empty."""
        if self.kind == "categories":
            names = [category.value for category in Category]
            return {"type": ["null", "array"], "items": {"enum": names}, "examples": names}
        if self.is_list:
            # How a name is spelled is checked where a sentence can say what is wrong: a form says "Bad Request".
            return {"type": ["null", "array"], "items": {"type": "string", "minLength": 1}}
        limit = {} if self.kind == "switch" else {"minimum": 0}
        return {"type": ["null", _TYPES[self.kind]], **limit}


def _in_words(default: Any) -> str:
    if isinstance(default, bool):
        return "no" if not default else "yes"
    if isinstance(default, Sequence):
        return ", ".join(default) or "none"
    return str(default)
