"""Nothing is read from a store but what a known key signed, under its name, for this store."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    DocumentExistsError,
    SnapshotCorruptError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import STRICT, Codec, sha256
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.signed_documents import MAX_BYTES, Documents, Signed
from airflow_provider_elementary.storage.signers import Ed25519Signer
from airflow_provider_elementary.storage.trust import read_trust
from tests.support.signing import created, documents, entry, new_signer, signed

NAME = "notes/1"
#: No message repeats it, wherever it stands.
SECRET = "4111-1111"


@dataclass(frozen=True)
class Note:
    """A document of this test."""

    number: int
    share: float
    facts: dict[str, Any]
    format_version: int = 2
    words: tuple[str, ...] = field(default=())

    __pydantic_config__ = STRICT


CODEC = Codec(Note, "note", "Write it again.", 2)
NOTE = Note(1, 0.5, {"a": [1, None, "ü"]})
BODY = '{"facts":{"a":[1,null,"ü"]},"format_version":2,"number":1,"share":0.5,"words":[]}'.encode()


@pytest.fixture
def ours(tmp_path: Path) -> Documents:
    return documents(tmp_path / "store")


def _by_object(ours: Documents, content: bytes) -> Signed[Note] | None:
    ours.store.put(NAME, content)
    return ours.read(NAME, CODEC, Role.STORE)


def _by_bytes(ours: Documents, content: bytes) -> Signed[Note] | None:
    return ours.decode(content, NAME, CODEC, Role.STORE)


def _by_text(ours: Documents, content: bytes) -> Signed[Note] | None:
    return ours.decode(content.decode(errors="surrogateescape"), NAME, CODEC, Role.STORE)


WAYS = pytest.mark.parametrize("way", [_by_object, _by_bytes, _by_text], ids=["object", "bytes", "XCom"])


def _true(ours: Documents) -> bytes:
    return ours.encode(NAME, CODEC, NOTE, Role.STORE)[1]


def _line(ours: Documents) -> list[str]:
    return _true(ours).partition(b"\n")[0].decode().split(" ")


def _forged(body: bytes) -> Callable[[Documents], bytes]:
    """Return what an outsider would write with a key of his own."""
    return lambda ours: signed(new_signer(), ours.trust.store_id, NAME, body)


def _unsigned(body: bytes) -> Callable[[Documents], bytes]:
    """Return a body below the line of a true document."""
    return lambda ours: _true(ours).partition(b"\n")[0] + b"\n" + body


def _with_word(place: int, word: str) -> Callable[[Documents], bytes]:
    def replaced(ours: Documents) -> bytes:
        words = _line(ours)
        words[place] = word
        return " ".join(words).encode() + b"\n" + BODY

    return replaced


def _of_another_role(ours: Documents) -> bytes:
    return ours.encode(NAME, CODEC, NOTE, Role.STORE)[1].replace(b"0.5", b"0.6")


def _under_another_name(ours: Documents) -> bytes:
    return ours.encode("notes/2", CODEC, NOTE, Role.STORE)[1]


def _of_another_store(ours: Documents) -> bytes:
    assert isinstance(ours.signer, Ed25519Signer)
    return signed(ours.signer, "ab" * 32, NAME, BODY)


def _other_algorithm_with_its_key(ours: Documents) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key_id = _line(ours)[3]
    message = "\n".join(
        ("elementary-signed 2", "ecdsa-p256-sha256", key_id, ours.trust.store_id, NAME, sha256(BODY))
    ).encode()
    value = base64.b64encode(ec.generate_private_key(ec.SECP256R1()).sign(message, ec.ECDSA(SHA256()))).decode()
    return f"elementary-signed 2 ecdsa-p256-sha256 {key_id} {value}\n".encode() + BODY


DEEP = b"[" * 100_000 + b"]" * 100_000
#: What somebody who may write to the store, and has no signing key, may put in place of a document.
HOSTILE: dict[str, Callable[[Documents], bytes]] = {
    "nothing": lambda ours: b"",
    "a newline": lambda ours: b"\n",
    "plain JSON": lambda ours: BODY,
    "format 1": lambda ours: b'{"format_version":1,"files":[]}',
    "binary": lambda ours: bytes(range(256)),
    "text that is not UTF-8": lambda ours: b"\xff\xfe" + _true(ours),
    "a byte order mark": lambda ours: b"\xef\xbb\xbf" + _true(ours),
    "a byte order mark before the body": lambda ours: _true(ours).replace(b"\n", b"\n\xef\xbb\xbf", 1),
    "UTF-16": lambda ours: _true(ours).decode().encode("utf-16"),
    "the line alone": lambda ours: _true(ours).partition(b"\n")[0],
    "the line without a body": lambda ours: _true(ours).partition(b"\n")[0] + b"\n",
    "truncated": lambda ours: _true(ours)[:-1],
    "truncated in the line": lambda ours: _true(ours)[:60],
    "one byte more": lambda ours: _true(ours) + b"\n",
    "another body": _unsigned(BODY.replace(b"0.5", b"0.25")),
    "spaces": _unsigned(BODY.replace(b",", b", ")),
    "deep JSON": _unsigned(DEEP),
    "NaN": _unsigned(BODY.replace(b"0.5", b"NaN")),
    "Infinity": _unsigned(BODY.replace(b"0.5", b"1e999")),
    "wrong types": _unsigned(BODY.replace(b'"number":1', b'"number":"1"')),
    "a name twice": _unsigned(BODY.replace(b'"number":1', b'"number":1,"number":2')),
    "a number of 5,000 digits": _unsigned(BODY.replace(b'"number":1', b'"number":' + b"9" * 5_000)),
    "55 MB": lambda ours: _true(ours) + b" " * 55_000_000,
    "a long line": lambda ours: b"elementary-signed 2 " + b"a" * 1_000_000 + b"\n" + BODY,
    "CRLF": lambda ours: _true(ours).replace(b"\n", b"\r\n", 1),
    "two lines": lambda ours: _true(ours).partition(b"\n")[0] + b"\n" + _true(ours),
    "the words of another version": _with_word(1, "1"),
    "an unknown algorithm": _with_word(2, "none"),
    "a MAC": _with_word(2, "hmac-sha256"),
    "the algorithm of another key": _with_word(2, "ecdsa-p256-sha256"),
    "another algorithm with the key's id": _other_algorithm_with_its_key,
    "an unknown key": _with_word(3, "0" * 32),
    "no key": _with_word(3, ""),
    "an empty signature": _with_word(4, ""),
    "a signature of zeros": _with_word(4, base64.b64encode(bytes(64)).decode()),
    "a signature that is not base64": _with_word(4, "A" * 85 + "="),
    "a short signature": _with_word(4, base64.b64encode(bytes(63)).decode()),
    "a key of the forger": _forged(BODY),
    "a key of the forger, and deep JSON": _forged(DEEP),
    "changed after it was signed": _of_another_role,
    "signed for another name": _under_another_name,
    "signed for another store": _of_another_store,
}


@WAYS
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=list(HOSTILE))
def test_what_no_known_key_signed_is_unproved(
    hostile: Callable[[Documents], bytes], way: Callable[..., Any], ours: Documents
) -> None:
    with pytest.raises(UnprovedError) as caught:
        way(ours, hostile(ours))

    assert NAME in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "value",
    [None, 7, 1.5, True, [], {}, {"anchor": "x"}, ["elementary-signed 2"], "\ud800", "", object()],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_text_in_xcom_or_an_asset_event_is_unproved(value: Any, ours: Documents) -> None:
    with pytest.raises(UnprovedError):
        ours.decode(value, NAME, CODEC, Role.STORE)


@WAYS
@pytest.mark.parametrize(
    "body",
    {
        "deep JSON": DEEP,
        "a byte order mark": b"\xef\xbb\xbf" + BODY,
        "NaN": BODY.replace(b"0.5", b"NaN"),
        "Infinity": BODY.replace(b"0.5", b"1e999"),
        "Infinity in a field that holds any JSON": BODY.replace(b"null", b"1e999"),
        "a huge number": BODY.replace(b"null", b"9" * 40),
        "5,000 digits": BODY.replace(b"null", b"9" * 5_000),
        "wrong type": BODY.replace(b'"number":1', f'"number":"{SECRET}"'.encode()),
        "true for a number": BODY.replace(b'"number":1', b'"number":true'),
        "a name twice": BODY.replace(b'"number":1', b'"number":1,"number":1'),
        "a name twice inside": BODY.replace(b'{"a":', b'{"a":2,"a":'),
        "an unknown field": BODY.replace(b'"number":1', f'"number":1,"{SECRET}":1'.encode()),
        "a missing field": BODY.replace(b'"number":1,', b""),
        "another order": b'{"number":1,"facts":{},"format_version":2,"share":0.5,"words":[]}',
        "spaces": BODY.replace(b",", b", "),
        "escapes": BODY.replace("ü".encode(), b"\\u00fc"),
        "a list": b"[]",
        "null": b"null",
        "empty": b"",
        "another version": BODY.replace(b'"format_version":2', b'"format_version":3'),
        "not UTF-8": BODY.replace("ü".encode(), b"\xff"),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_proved_document_that_is_not_valid_is_damaged(
    body: tuple[str, bytes], way: Callable[..., Any], ours: Documents
) -> None:
    assert isinstance(ours.signer, Ed25519Signer)
    content = signed(ours.signer, ours.trust.store_id, NAME, body[1])

    with pytest.raises(SnapshotCorruptError) as caught:
        way(ours, content)

    # Through text, bytes that are not UTF-8 do not come as they were signed.
    assert not isinstance(caught.value, UnprovedError) or (body[0] == "not UTF-8" and way is _by_text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@WAYS
def test_a_true_document_comes_back_with_the_hash_of_its_json(way: Callable[..., Any], ours: Documents) -> None:
    assert way(ours, _true(ours)) == Signed(NAME, NOTE, sha256(BODY), _line(ours)[3])


def test_a_document_is_one_signed_line_and_canonical_json(ours: Documents) -> None:
    line, body = _true(ours).split(b"\n")

    assert line.startswith(b"elementary-signed 2 ed25519 ")
    assert body == BODY


def test_a_document_that_is_not_there_is_none(ours: Documents) -> None:
    assert ours.read(NAME, CODEC, Role.STORE) is None


def test_a_document_is_never_replaced(ours: Documents) -> None:
    ours.write(NAME, CODEC, NOTE, Role.STORE)

    with pytest.raises(DocumentExistsError, match="notes/1 is there already"):
        ours.write(NAME, CODEC, replace(NOTE, number=2), Role.STORE)

    assert ours.read(NAME, CODEC, Role.STORE).document == NOTE  # type: ignore[union-attr]


def test_a_whole_number_in_a_field_of_fractions_is_written_as_it_is_read(ours: Documents) -> None:
    written = ours.write(NAME, CODEC, replace(NOTE, share=3), Role.STORE)

    assert ours.read(NAME, CODEC, Role.STORE) == written


@pytest.mark.parametrize(
    "note",
    [replace(NOTE, share=float("inf")), replace(NOTE, facts={"a": 2**70}), replace(NOTE, facts={"a": "\ud800"})],
    ids=["infinity", "a huge number", "a surrogate"],
)
def test_what_could_not_be_read_again_is_not_written(note: Note, ours: Documents) -> None:
    with pytest.raises(ConfigurationError):
        ours.write(NAME, CODEC, note, Role.STORE)

    assert ours.store.get(NAME) is None


def test_a_document_above_the_limit_is_not_written(ours: Documents) -> None:
    with pytest.raises(ConfigurationError, match="at most 4,194,304 can be read"):
        ours.write(NAME, CODEC, replace(NOTE, words=("x" * MAX_BYTES,)), Role.STORE)


def test_a_key_signs_only_what_its_role_allows(tmp_path: Path) -> None:
    from airflow_provider_elementary.storage.object_store.local import LocalStore

    store, writer, analyst = LocalStore(tmp_path), new_signer(), new_signer()
    trust = created(store, entry(writer), entry(analyst, Role.RESULTS))
    content = signed(analyst, trust.store_id, NAME, BODY)

    assert Documents(store, trust).decode(content, NAME, CODEC, Role.RESULTS).document == NOTE
    with pytest.raises(UnprovedError, match="may not sign it"):
        Documents(store, trust).decode(content, NAME, CODEC, Role.STORE)
    with pytest.raises(ConfigurationError, match="may not sign for access"):
        Documents(store, trust, analyst).write(NAME, CODEC, NOTE, Role.ACCESS)


def test_a_reader_without_a_signing_key_writes_nothing(ours: Documents) -> None:
    with pytest.raises(ConfigurationError, match="No signing key for file:"):
        Documents(ours.store, ours.trust).write(NAME, CODEC, NOTE, Role.STORE)


def test_without_a_pinned_store_id_nothing_is_written(ours: Documents) -> None:
    unpinned = read_trust(ours.store, None)

    with pytest.raises(ConfigurationError, match="No store_id in the connection"):
        Documents(ours.store, unpinned, ours.signer).write(NAME, CODEC, NOTE, Role.STORE)
