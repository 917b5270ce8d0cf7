"""Keeps encrypted parts inside the signed document of a result."""

from __future__ import annotations

import base64
import logging
import os
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.layout import result_series, series_key
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import Result, ResultKind
from airflow_provider_elementary.storage.records.result_files import ResultNames
from airflow_provider_elementary.storage.records.results import commit_result, earlier_results

log = logging.getLogger(__name__)

_NONCE_BYTES = 12
#: Of the parts together, in base64; a document has at most 4 MiB.
_MOST_BYTES = 3_500_000
#: Of one part, when it is decompressed.
_MOST_PLAIN_BYTES = 256 * 2**20


@dataclass(frozen=True)
class EncryptedParts:
    """The parts of a result, each opened when it is read.

    :param encrypted: by name, as the document holds them.
    """

    key: str
    encrypted: Mapping[str, str] = field(repr=False)
    data_keys: tuple[bytes, ...] = field(repr=False)

    def read(self, name: str) -> bytes | None:
        """Return a part; None where the result has no such part.

        :raises SnapshotCorruptError: it is not what the writer encrypted.
        """
        if (text := self.encrypted.get(name)) is None:
            return None
        try:
            encrypted = base64.b64decode(text)
            for data_key in reversed(self.data_keys):
                encrypted = AESGCM(data_key).decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], name.encode())
            unpacking = zlib.decompressobj()
            plain = unpacking.decompress(encrypted, _MOST_PLAIN_BYTES)
        except (InvalidTag, ValueError, zlib.error):
            raise SnapshotCorruptError(f"{self.key} does not open with its own keys. Compute it again.") from None
        if not unpacking.eof:
            raise SnapshotCorruptError(f"{self.key} is larger than its writer makes it. Compute it again.")
        return plain


def write_parts(
    opened: OpenStore,
    kind: ResultKind,
    parts: Mapping[str, bytes],
    categories: Collection[Category],
    *,
    run_key: str,
    origin: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> Result | None:
    """Store parts in one document, which only who has the keys of all their categories can read.

    The results of the two newest runs stay, as those of every series; older ones are removed.

    :param parts: by name, the most important first: those that do not fit are left out.
    :param categories: of what is in the parts; each part is encrypted with a data key of each in turn.
    :return: None where not even the first part fits.
    """
    opened.documents.require_signer()
    names = ResultNames(kind, "", run_key)
    data_keys = {one: opened.keys.new_data_key(one, Purpose.RESULT) for one in sorted(categories)}
    encrypted: dict[str, str] = {}
    for name, plain in parts.items():
        content = zlib.compress(plain)
        for data_key in data_keys.values():
            nonce = os.urandom(_NONCE_BYTES)
            content = nonce + AESGCM(data_key.plaintext).encrypt(nonce, content, name.encode())
        text = base64.b64encode(content).decode()
        if len(plain) > _MOST_PLAIN_BYTES or sum(map(len, encrypted.values())) + len(text) > _MOST_BYTES:
            log.info("left %s out of %s: it is too large, and is computed when it is read", name, kind)
            continue
        encrypted[name] = text
    if not encrypted:
        return None
    before = next(earlier_results(opened, kind, "", run_key), None)
    result = commit_result(opened, names, (), data_keys, origin=origin, parameters={**parameters, "parts": encrypted})
    # Those before it were removed by it; what a crash left, prune removes.
    if before is not None and before.previous_run is not None:
        opened.store.delete(series_key(result_series(kind, ""), before.previous_run.number))
    return result


def open_parts(opened: OpenStore, result: Result) -> EncryptedParts:
    """Return the parts of a result.

    :raises KeyUnavailableError: the key of one of its categories is missing.
    :raises SnapshotCorruptError: it holds something else.
    """
    encrypted = result.parameters.get("parts", {})
    if not isinstance(encrypted, Mapping) or not all(isinstance(text, str) for text in encrypted.values()):
        raise SnapshotCorruptError(f"{result.key} has parts that are no texts. Compute it again.")
    data_keys = (
        opened.keys.unwrap(Category(name), wrapped, Purpose.RESULT) for name, wrapped in sorted(result.keys.items())
    )
    return EncryptedParts(result.key, encrypted, tuple(data_keys))
