"""Reads the JSON documents of a store strictly."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, NoReturn, TypeVar

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Larger documents are neither written nor read.
MAX_BYTES = 4 * 2**20
#: ``__pydantic_config__`` of every document: no conversions, and no further fields.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

_LARGEST = 2**63 - 1
#: A field's name may come from anyone: only what could be one of ours is repeated.
_FIELD = re.compile(r"\w{1,60}")


def sha256(content: bytes) -> str:
    """Return the hash by which documents are chained and named, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


T = TypeVar("T", bound="DataclassInstance")


def _naive(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is not None:
        raise ValueError("zone")
    return text


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


#: Bytes as text.
Base64 = Annotated[str, AfterValidator(_base64)]
#: ISO 8601 without a zone: UTC, or the warehouse's own time.
NaiveTime = Annotated[str, AfterValidator(_naive)]
#: ISO 8601, with or without a zone.
Time = Annotated[str, AfterValidator(_moment)]


@dataclass(frozen=True)
class Codec(Generic[T]):
    """Reads and writes one kind of document, a frozen dataclass.

    :param kind: the dataclass; its ``__pydantic_config__`` is :data:`STRICT`.
    :param noun: what to call it in an error, as in ``a valid manifest``.
    :param remedy: what to do about one that is not valid.
    :param version: the ``format_version`` that is read, where the document has one.
    """

    kind: type[T]
    noun: str
    remedy: str
    version: int | None = None

    def read(self, content: bytes, name: str) -> T:
        """Return the document.

        :param name: its object's name, for an error.
        :raises SnapshotCorruptError: it is not valid; the message says where, and repeats no value.
        """
        if len(content) > MAX_BYTES:
            self._refuse(name, f"it is larger than {MAX_BYTES // 2**20} MiB")
        try:
            document = self._adapter.validate_json(content)
        except ValidationError as error:
            self._require_version(_version_of(content), name)
            self._refuse(name, _first_fault(error))
        self._require_version(getattr(document, "format_version", None), name)
        try:
            # Where a field may hold any JSON, the first parser lets pass what no writer of ours writes.
            _parse(content)
        except ValueError as error:
            self._refuse(name, str(error))
        return document

    def write(self, document: T) -> bytes:
        """Return the canonical JSON: sorted keys, no spaces, UTF-8.

        :raises ConfigurationError: it holds a number that JSON does not know, or is too large to be read again.
        """
        return self.dump(_fields_of(document), separators=(",", ":"), ensure_ascii=False, default=_fields_of)

    def canonical(self, document: T, name: str) -> tuple[bytes, T]:
        """Return the canonical JSON of a document, and the document as it will be read from it.

        :raises ConfigurationError: it could not be read again.
        """
        try:
            document = self.read(self.write(document), name)
        except SnapshotCorruptError as error:
            raise ConfigurationError(str(error)) from None
        return self.write(document), document

    def dump(self, facts: Mapping[str, Any], **style: Any) -> bytes:
        """Return facts as JSON with sorted keys; see :meth:`write`.

        :param style: arguments of :func:`json.dumps`.
        """
        try:
            content = json.dumps(facts, sort_keys=True, allow_nan=False, **style).encode()
        except ValueError:
            raise ConfigurationError(
                f"A {self.noun} cannot be written with a number that is not finite, or with text that is not Unicode. "
                "Correct the value."
            ) from None
        if len(content) > MAX_BYTES:
            raise ConfigurationError(
                f"The {self.noun} would be {len(content):,} bytes, and at most {MAX_BYTES:,} can be read. Take full "
                "snapshots more often, and prune."
            )
        return content

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.kind)

    def _require_version(self, found: Any, name: str) -> None:
        if self.version is not None and isinstance(found, int) and found != self.version:
            raise SnapshotCorruptError(
                f"{name} is in format {found}, and this version reads format {self.version}. "
                "Read it with the version of this package that wrote it, or a later one."
            )

    def _refuse(self, name: str, fault: str) -> NoReturn:
        raise SnapshotCorruptError(f"{name} is not a valid {self.noun}: {fault}. {self.remedy}") from None


def _fields_of(document: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as they are: to copy all that they hold takes longer than to write it."""
    return {field.name: getattr(document, field.name) for field in fields(document)}


@dataclass(frozen=True)
class _Versioned:
    """The part of a document of any format that says which format it is."""

    format_version: int

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


_VERSIONED = TypeAdapter(_Versioned)


def _version_of(content: bytes) -> int | None:
    try:
        return _VERSIONED.validate_json(content).format_version
    except ValidationError:
        return None


def _first_fault(error: ValidationError) -> str:
    """Say in words what is wrong first, without the value that is."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    kind = first["type"]
    if kind == "json_invalid":
        return "it is not JSON"
    if not first["loc"]:
        return "it is not a JSON object"
    field = f"field {_path(first['loc'])}"
    if kind == "missing":
        return f"{field} is missing"
    if kind == "unexpected_keyword_argument":
        return f"{field} is not known"
    return f"{field} has another type or value than expected"


def _path(location: Sequence[int | str]) -> str:
    """Return where a field is, as in ``files.3.rows``."""
    parts = [str(part) for part in location]
    return ".".join(part if _FIELD.fullmatch(part) else "(unprintable)" for part in parts)


def _parse(content: bytes) -> Any:
    """Parse JSON that is known to be well formed and not deep.

    :raises ValueError: a name comes twice in one object, or a number is too large.
    """
    return json.loads(
        content, object_pairs_hook=_unique, parse_int=_bounded, parse_float=_finite, parse_constant=_finite
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field comes twice")
    return found


def _bounded(text: str) -> int:
    # As text first: Python refuses to convert thousands of digits, in words of its own.
    if len(text) > len(str(-_LARGEST)) or abs(number := int(text)) > _LARGEST:
        raise ValueError("a number is too large")
    return number


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("a number is too large")
    return number
