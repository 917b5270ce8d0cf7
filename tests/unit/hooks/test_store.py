"""A connection of type elementary_store names a store once; what does not fit together is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import airflow
import pytest
from packaging.version import Version

from airflow_provider_elementary.cli.options import add_store, open_hook
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, ConnectionNotFoundError, StoreRefusedError
from airflow_provider_elementary.hooks.store import DEFAULT_STORE, ElementaryStoreHook, suggested_stores
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices
from airflow_provider_elementary.snapshots.store_settings import StoreSettings
from airflow_provider_elementary.snapshots.store_setup import new_local_keys, write_private_file
from tests.support.connections import local_store

Connect = Callable[[str, Mapping[str, object]], str]
Open = Callable[..., ElementaryStoreHook]

AWS = {"conn_type": "aws", "login": "id", "password": "secret", "extra": {"region_name": "eu-central-1"}}
S3 = {"uri": "s3://bucket/prefix", "kms_key_id": "alias/elementary"}
MASTER_KEYS = LocalKeys.generate()


@pytest.fixture
def hook(airflow_connection: Connect) -> Open:
    """Return the hook of a connection with these extra fields; ``login`` and ``password`` are its own."""

    def open_hook(**fields: Any) -> ElementaryStoreHook:
        standard = {name: fields.pop(name) for name in ("login", "password") if name in fields}
        return ElementaryStoreHook(
            airflow_connection("a_store", {"conn_type": "elementary_store", **standard, "extra": fields})
        )

    return open_hook


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "No uri in the extra of connection 'a_store'"),
        ({"uri": "  "}, "No uri in the extra"),
        ({"uri": 7}, "uri of connection 'a_store' must be text"),
        ({"uri": "gs://bucket/prefix"}, "'gs://bucket/prefix' is not a store"),
        ({"uri": "relative/directory"}, "'relative/directory' is not a store"),
        ({"uri": "file://host/share"}, "'file://host/share' is not a store"),
        ({"uri": "file:~/share"}, "'file:~/share' is not a store"),
        ({"uri": "file:///share%00"}, "'file:///share%00' is not a store"),
        ({"uri": "s3://user:PLANTED@bucket/prefix"}, "URI holds credentials"),
        ({"uri": "s3://PLANTED@bucket/prefix"}, "URI holds credentials"),
        ({"uri": "ftp://user:PLANTED@host/prefix"}, "URI holds credentials"),
        ({"uri": "file://user:PLANTED@/srv"}, "URI holds credentials"),
        ({"uri": "s3://bucket/prefix?password=PLANTED"}, "URI holds credentials"),
        ({"uri": "s3://bucket/prefix#PLANTED"}, "URI holds credentials"),
        ({"uri": "s3://[PLANTED/prefix"}, "URI is not valid"),
        ({"uri": "s3://bucket/prefix"}, "No kms_key_id in connection 'a_store', for s3://bucket/prefix"),
        ({"uri": "s3://bucket", "secret_keys": MASTER_KEYS}, "No kms_key_id"),
        ({"uri": "s3://bucket", "server_side_encryption": "none"}, "nothing is written to S3 unencrypted"),
        ({**S3, "kms_key": "alias/x"}, "Unknown field 'kms_key' in the extra .* Did you mean kms_key_id"),
        ({**S3, "masked_column": ["dbt_models.owner"]}, "Did you mean masked_columns"),
        ({**S3, "aws_conn_id": "aws", "login": "id", "password": "x"}, "Both aws_conn_id and login, password"),
        ({**S3, "aws_conn_id": "aws", "region_name": "eu-central-1"}, "Both aws_conn_id and region_name"),
        ({**S3, "login": "id"}, "No password .secret access key. in"),
        ({**S3, "password": "x"}, "No login .access key id. in"),
        ({**S3, "endpoint_url": "http://minio:9000"}, "endpoint_url of .* is not an https address"),
        ({**S3, "verify": False}, "verify of .* switches off the check"),
        ({**S3, "verify": "false"}, "verify of .* switches off the check"),
        ({**S3, "category_kms_key_ids": {"everything": "alias/x"}}, "found 'everything'"),
        ({**S3, "category_kms_key_ids": ["metadata"]}, "as in failed_rows_sample=alias/samples"),
        ({**S3, "category_kms_key_ids": {"metadata": "alias/x"}, "secret_keys": MASTER_KEYS}, "one master key"),
        ({"uri": "file:///srv", "category_kms_key_ids": {"metadata": "alias/x"}}, "without kms_key_id"),
        (
            {"uri": "file:///srv", "secret_keys": MASTER_KEYS, "keys_file": "/srv/keys"},
            "Both secret_keys and keys_file",
        ),
        ({"uri": "file:///srv", "secret_keys": "PLANTED"}, "secret_keys of .* must hold a master key for each"),
        ({"uri": "file:///srv", "secret_keys": {"metadata": "PLANTED"}}, "master key of metadata is not 32 bytes"),
        ({"uri": "file:///srv", "secret_keys": {"signing_key": "PLANTED"}}, "signing key of .* is not 32 bytes"),
        ({"uri": "file:///srv", "secret_keys": {"signing_key": ["PLANTED"]}}, "signing key of .* is not 32 bytes"),
        ({"uri": "file:///srv", "secret_keys": {"metadata": []}}, "master key of metadata is not 32 bytes"),
        ({"uri": "file:///srv", "secret_keys": {"metadata": [7]}}, "must hold a master key for each category"),
        ({"uri": "file:///srv", "store_id": "PLANTED"}, "store_id of .* is not an id of 64 hexadecimal digits"),
        (
            {**S3, "signing_kms_key_id": "alias/s", "secret_keys": {"signing_key": MASTER_KEYS["metadata"]}},
            "Both signing_kms_key_id and a signing_key",
        ),
        ({"uri": "file:///srv", "failed_rows_per_test": "many"}, "failed_rows_per_test of .* 0 or more"),
        ({"uri": "file:///srv", "failed_rows_days": -1}, "failed_rows_days of .* 0 or more"),
        ({"uri": "file:///srv", "failed_rows_days": 1.5}, "must be a whole number"),
        ({"uri": "file:///srv", "without_raw_values": "maybe"}, "must be true or false"),
        ({"uri": "file:///srv", "masked_columns": {"dbt_models": "owner"}}, "must be a list of names"),
    ],
)
def test_what_does_not_fit_together_is_refused(hook: Open, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refusal:
        _ = hook(**fields).settings

    assert "PLANTED" not in str(refusal.value)


def test_a_variable_that_airflow_cannot_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": "elementary_store", ')

    with pytest.raises(ConnectionNotFoundError, match="cannot read connection 'broken' from AIRFLOW_CONN_BROKEN"):
        _ = ElementaryStoreHook("broken").repository


def test_a_connection_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectionNotFoundError, match="Airflow has no connection 'nowhere'"):
        _ = ElementaryStoreHook("nowhere").repository


def test_a_connection_of_another_type_is_refused(airflow_connection: Connect) -> None:
    with pytest.raises(ConfigurationError, match="'aws' is of type 'aws'"):
        _ = ElementaryStoreHook(airflow_connection("aws", AWS)).settings


@pytest.mark.skipif(
    Version(airflow.__version__) < Version("3.2"), reason="Airflow 3.1 itself refuses a connection with such an extra"
)
def test_an_extra_that_is_no_json_object_is_refused(airflow_connection: Connect) -> None:
    hook = ElementaryStoreHook(
        airflow_connection("odd", {"conn_type": "elementary_store", "extra": "uri=s3://PLANTED"})
    )

    with pytest.raises(ConfigurationError, match="'odd' is no JSON object") as refusal:
        _ = hook.settings

    assert "PLANTED" not in str(refusal.value)


def test_a_plaintext_endpoint_of_the_aws_connection_is_refused(hook: Open, airflow_connection: Connect) -> None:
    extra = {"region_name": "eu-central-1", "endpoint_url": "http://minio.internal:9000"}
    aws = airflow_connection("aws", {**AWS, "extra": extra})

    with pytest.raises(StoreRefusedError, match=r"endpoint http://minio\.internal"):
        _ = hook(**S3, aws_conn_id=aws).repository


def test_an_aws_connection_that_is_not_there_is_not_replaced_by_the_machines_role(hook: Open) -> None:
    with pytest.raises(
        ConnectionNotFoundError, match=r"'no_such_aws'\. The store's connection 'a_store' names it as aws_conn_id"
    ):
        _ = hook(**S3, aws_conn_id="no_such_aws").repository


def test_own_credentials_without_a_region_are_refused_by_name(hook: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(ConfigurationError, match=r"connection 'a_store' \(NoRegionError\). Name region_name"):
        _ = hook(**S3, login="id", password="secret").open_keys()


def test_a_store_without_keys_reads_manifests_and_opens_nothing(hook: Open, tmp_path: Path) -> None:
    repository = hook(uri=tmp_path.as_uri()).repository

    assert not repository.has_keys
    with pytest.raises(ConfigurationError, match=r"No master keys for file:///.*: nothing is stored unencrypted"):
        _ = repository.keys


@pytest.mark.parametrize("spelling", [MASTER_KEYS, json.dumps(MASTER_KEYS)], ids=["object", "text of a form"])
def test_local_keys_come_from_the_connection(hook: Open, tmp_path: Path, spelling: object) -> None:
    keys = hook(uri=tmp_path.as_uri(), secret_keys=spelling).open_keys()

    made = keys.new_data_key(Category.METADATA, {})

    assert LocalKeys(MASTER_KEYS).unwrap(Category.METADATA, made.wrapped, {}) == made.plaintext


def test_local_keys_come_from_a_file(hook: Open, tmp_path: Path) -> None:
    write_private_file(tmp_path / "keys.json", MASTER_KEYS)

    keys = hook(uri=tmp_path.as_uri(), keys_file=str(tmp_path / "keys.json")).open_keys()

    made = keys.new_data_key(Category.METADATA, {})
    assert LocalKeys(MASTER_KEYS).unwrap(Category.METADATA, made.wrapped, {}) == made.plaintext
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, "PLANTED", "[]", '{"metadata": 7}'])
def test_a_keys_file_that_holds_none_is_named(hook: Open, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_text(content)

    with pytest.raises(ConfigurationError, match=r"keys\.json of connection 'a_store'") as refusal:
        _ = hook(uri=tmp_path.as_uri(), keys_file=str(tmp_path / "keys.json")).open_keys()

    assert "PLANTED" not in str(refusal.value)


def test_a_keys_file_is_never_replaced(tmp_path: Path) -> None:
    write_private_file(tmp_path / "keys.json", MASTER_KEYS)

    with pytest.raises(ConfigurationError, match=r"cannot be made"):
        write_private_file(tmp_path / "keys.json", LocalKeys.generate())

    assert json.loads((tmp_path / "keys.json").read_text()) == MASTER_KEYS


def test_a_form_a_uri_and_json_say_the_same(airflow_connection: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {
        **S3,
        "category_kms_key_ids": {"metadata": "alias/metadata"},
        "signing_kms_key_id": "alias/signing",
        "former_kms_key_ids": ["alias/older", "alias/oldest"],
        "store_id": "ab" * 32,
        "categories": ["metadata", "run_results"],
        "failed_rows_days": 3,
        "without_raw_values": True,
        "full_every_days": 0.5,
    }
    form = {
        **dict.fromkeys(("aws_conn_id", "keys_file", "endpoint_url", "verify", "region_name"), ""),
        **dict.fromkeys(("secret_keys", "masked_columns", "hashed_columns", "server_side_encryption")),
        **said,
        "category_kms_key_ids": ["metadata=alias/metadata"],
        "failed_rows_excluded_tables": [],
    }
    as_text = {
        **said,
        "category_kms_key_ids": "metadata=alias/metadata",
        "former_kms_key_ids": "alias/older, alias/oldest",
        "categories": "metadata,run_results",
        "without_raw_values": "true",
    }
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in as_text.items())
    monkeypatch.setenv("AIRFLOW_CONN_AS_URI", f"elementary-store://?{query}")
    airflow_connection("as_json", {"conn_type": "elementary_store", "extra": said})
    airflow_connection("as_form", {"conn_type": "elementary_store", "login": "", "password": "", "extra": form})

    settings = [vars(ElementaryStoreHook(name).settings) for name in ("as_json", "as_form", "as_uri")]

    compared = [{name: value for name, value in found.items() if name != "name"} for found in settings]
    assert compared[0] == compared[1] == compared[2]
    assert compared[0]["former_kms_key_ids"] == ("alias/older", "alias/oldest")
    assert compared[0]["policy"].said["failed_rows_days"] == 3


def test_a_printed_setting_shows_no_secret() -> None:
    shown = repr(StoreSettings("it", "file:///srv", secret_access_key="PLANTED", secret_keys={"metadata": "PLANTED"}))

    assert "PLANTED" not in shown


def test_airflow_masks_each_key(hook: Open, tmp_path: Path) -> None:
    from airflow.sdk.log import redact

    keys = new_local_keys()
    older = LocalKeys.generate()["metadata"]
    held = {**keys, "metadata": [keys["metadata"], older]}

    _ = hook(uri=tmp_path.as_uri(), secret_keys=held).settings

    assert not [key for key in (*keys.values(), older) if key in str(redact(f"the key is {key}"))]


class TestThePolicy:
    def test_the_connection_comes_before_the_configuration(
        self, hook: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__FAILED_ROWS_DAYS", "9")
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__MASKED_COLUMNS", "dbt_models.owner, dbt_tests.description")

        resolved = hook(uri=tmp_path.as_uri(), failed_rows_days=3).resolve_policy(PolicyChoices())

        assert resolved.policy.failed_rows_days == 3
        assert resolved.policy.masked_columns == ("dbt_models.owner", "dbt_tests.description")
        assert resolved.sources["failed_rows_days"] == "connection 'a_store'"
        assert resolved.sources["masked_columns"] == "[elementary] of Airflow's configuration"
        assert resolved.sources["failed_rows_per_test"] == "built in"

    def test_a_run_may_not_widen_what_the_configuration_says(
        self, hook: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__FAILED_ROWS_DAYS", "9")

        with pytest.raises(
            ConfigurationError, match=r"asks for 10, and \[elementary\] of Airflow's configuration allows 9"
        ):
            hook(uri=tmp_path.as_uri()).resolve_policy(PolicyChoices({"failed_rows_days": 10}))


def test_forms_suggest_the_configured_stores_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert suggested_stores() == [DEFAULT_STORE]

    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", " one, two ,,one")

    assert suggested_stores() == ["one", "two"]


def test_the_command_line_has_the_default_of_the_operators() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_store(parser)

    assert open_hook(parser.parse_args([])).store_conn_id == DEFAULT_STORE


def test_the_command_line_opens_the_first_store_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_store(parser)
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", "first, second")

    assert open_hook(parser.parse_args([])).store_conn_id == "first"
    assert open_hook(parser.parse_args(["--store-conn-id", "second"])).store_conn_id == "second"


def test_a_local_store_is_opened_without_aws(airflow_connection: Connect, tmp_path: Path) -> None:
    repository = ElementaryStoreHook(airflow_connection("local", local_store(tmp_path))).repository

    assert repository.uri == tmp_path.as_uri()
    assert repository.documents.signer is not None
