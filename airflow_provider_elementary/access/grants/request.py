"""The reader that grants are written for, and how its names and values are quoted so that none can break out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from ipaddress import ip_network

from airflow_provider_elementary.exceptions import ConfigurationError

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Reader:
    """Who shall read which schema; the fields are the arguments of :func:`grants`.

    :raises ConfigurationError: a name is empty or holds control characters, or an address is none.
    """

    role: str
    user: str
    schema: str
    database: str | None = None
    dbt_role: str | None = None
    warehouse: str | None = None
    public_key: str | None = None
    network: tuple[str, ...] = ()

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
                    f"Expected IP addresses or CIDR ranges as network, found {address!r}. Write 10.0.0.0/8 or 10.0.0.5."
                ) from None

    def require(self, field: str, dialect: str, meaning: str) -> str:
        """Return a field that one warehouse cannot do without.

        :param meaning: what the field names there, as in ``the project``.
        :raises ConfigurationError: it was not given.
        """
        value = getattr(self, field)
        if not isinstance(value, str):
            raise ConfigurationError(f"Expected {field}, {meaning}, for grants on {dialect}, found none. Name it.")
        return value


def short_enough(name: str, limit: int, dialect: str) -> str:
    """Return a name that the warehouse will not cut: a cut name could be another role's.

    :param limit: the longest name, in bytes of UTF-8.
    :raises ConfigurationError: it is longer.
    """
    if len(name.encode()) > limit:
        raise ConfigurationError(
            f"Expected a name of at most {limit} bytes, found {name!r}. {dialect} would cut it; choose a shorter one."
        )
    return name


def public_key_body(key: str) -> str:
    """Return a public key as one line of base64, without PEM's frame.

    :raises ConfigurationError: that is no public key.
    """
    framed = _PEM.search(key)
    body = "".join((framed.group(1) if framed else key).split())
    if "PRIVATE" in key or not _BASE64.fullmatch(body):
        raise ConfigurationError(
            "Expected a public key in PEM or base64, found something else. "
            "Make one with: openssl rsa -in key.p8 -pubout"
        )
    return body


def commented(statement: str, *comments: str) -> str:
    """Return a statement with lines of comment before it."""
    return "\n".join([*(f"-- {comment}" for comment in comments), statement])


def _require_printable(field: str, value: str) -> None:
    # A line break would end a comment, and no warehouse needs one in a name.
    if not value.strip() or any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise ConfigurationError(
            f"Expected a name without control characters as {field}, found {value!r}. "
            "Write it as the warehouse shows it."
        )
