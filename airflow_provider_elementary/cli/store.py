"""How the commands name a store and open it: the same words for each of them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.cli.connections import look_in_the_database
from airflow_provider_elementary.cli.exits import UsageError

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook

CATEGORIES = [category.value for category in Category]


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a store and its keys."""
    parser.add_argument("--store", required=True, type=_store, help="s3://bucket/prefix or file:///directory")
    parser.add_argument("--keys-conn-id", help="Airflow connection with the master keys, for a local store")
    parser.add_argument("--kms-key-id", help="KMS key, for S3")
    parser.add_argument(
        "--category-kms-key-id",
        action="append",
        default=[],
        metavar="CATEGORY=KEY",
        help="a KMS key of its own for a category; may be repeated",
    )
    parser.add_argument("--aws-conn-id", default="aws_default", help="AWS connection (default: aws_default)")


def open_hook(arguments: argparse.Namespace, *, reads_files: bool = True) -> ElementaryStoreHook:
    """Open the store; who reads manifests only needs no key, neither for the server's encryption nor for files."""
    look_in_the_database()
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook

    return ElementaryStoreHook(
        arguments.store,
        aws_conn_id=arguments.aws_conn_id,
        kms_key_id=arguments.kms_key_id,
        category_kms_key_ids=by_category(arguments.category_kms_key_id, "KEY"),
        keys_conn_id=arguments.keys_conn_id,
        server_side_encryption="aws:kms" if reads_files else "AES256",
    )


def number(least: float) -> Callable[[str], float]:
    """Return an argument's type: a finite number of at least this."""

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or value < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least:g} or more")
        return value

    return number


def whole_number(least: int) -> Callable[[str], int]:
    """Return an argument's type: a whole number of at least this."""

    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least} or more")
        return value

    return whole_number


def _store(uri: str) -> str:
    parts = urlsplit(uri)
    if not (parts.scheme == "s3" and parts.netloc) and not uri.startswith("file:///"):
        raise argparse.ArgumentTypeError(f"{uri!r} is no store: write s3://bucket/prefix or file:///absolute/directory")
    return uri


def by_category(pairs: Sequence[str], value: str, fits: Callable[[str], bool] = bool) -> dict[str, str]:
    """Take ``CATEGORY=VALUE`` pairs apart.

    :param value: what the value is called in an error.
    :param fits: whether a value will do.
    :raises UsageError: a pair is none, or its value will not do.
    """
    given = {}
    for pair in pairs:
        name, _, told = pair.partition("=")
        if name not in CATEGORIES or not fits(told):
            raise UsageError(f"Write CATEGORY={value} with a category of {', '.join(CATEGORIES)}, not {pair!r}.")
        given[name] = told
    return given
