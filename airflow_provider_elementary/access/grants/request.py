"""Validates the reader that grants are created for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from ipaddress import ip_network

from airflow_provider_elementary.exceptions import ConfigurationError

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class GrantRequest:
    """The reader and its schema; the fields are the arguments of :func:`grants`.

    :raises ConfigurationError: a name is empty or has control characters, or an address is not valid.
    """

    role: str
    user: str
    schema: str
    database: str | None = None
    dbt_role: str | None = None
    warehouse: str | None = None
    public_key: str | None = None
    network: tuple[str, ...] = ()
    harden: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and field.name != "public_key":
                _require_printable(field.name, value)
        for address in self.network:
            try:
                ip_network(address, strict=False)
            except ValueError:
                raise ConfigurationError(
                    f"Network {address!r} is not an IP address or CIDR range. Write 10.0.0.0/8 or 10.0.0.5."
                ) from None

    def require(self, field: str, dialect: str, meaning: str) -> str:
        """Return a field that the warehouse requires.

        :param meaning: what the field names there, as in ``the project``.
        :raises ConfigurationError: it was not given.
        """
        value = getattr(self, field)
        if not isinstance(value, str):
            raise ConfigurationError(f"Grants on {dialect} need {field}, {meaning}. Pass {field}.")
        return value


def short_enough(name: str, limit: int, dialect: str) -> str:
    """Return a name that the warehouse does not truncate: a truncated name could be another role's.

    :param limit: the longest name, in bytes of UTF-8.
    :raises ConfigurationError: it is longer.
    """
    if len(name.encode()) > limit:
        raise ConfigurationError(
            f"{name!r} is longer than {limit} bytes, and {dialect} would truncate it. Choose a shorter name."
        )
    return name


def public_key_body(key: str) -> str:
    """Return a public key as one line of base64, without the PEM header and footer.

    :raises ConfigurationError: the text is not a public key.
    """
    framed = _PEM.search(key)
    body = "".join((framed.group(1) if framed else key).split())
    if "PRIVATE" in key or not _BASE64.fullmatch(body):
        raise ConfigurationError(
            "The public key is not in PEM or base64. Create one with: openssl rsa -in key.p8 -pubout"
        )
    return body


def commented(statement: str, *comments: str) -> str:
    """Return a statement with lines of comment before it."""
    return "\n".join([*(f"-- {comment}" for comment in comments), statement])


def _require_printable(field: str, value: str) -> None:
    # A line break would end a comment, and no warehouse needs one in a name.
    if not value.strip() or any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ConfigurationError(
            f"{field} {value!r} is empty or has control characters. Write the name as the warehouse shows it."
        )
