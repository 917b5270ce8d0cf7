"""Defines the fixtures of blocks: connections, stores and servers that pages name.

A fixture returns what replaces a name that only a real machine has, as ``/srv/elementary``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Repository, open_store, write_snapshot
from airflow_provider_elementary.storage.layout import manifest_key
from tests.docs.mail import mail_server
from tests.support.connections import duckdb_file, local_store, postgres_reader, s3_store, snowflake_reader
from tests.support.datasets import write_postgres, write_snowflake
from tests.support.little_project import small_world
from tests.support.signing import STORE_ID, opened
from tests.support.stores import Rest, copied, grow, local_rest
from tests.support.tampering import digest_of, exchange_data_keys, flip, remove_pages, rewrite_chain, swap

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Scene = Mapping[str, str]

BUCKET = "my-bucket"
KEY_ALIAS = "elementary"
SIGNING_ALIAS = "elementary-signing"
#: What pages write in place of a store's id.
ID_ON_THE_PAGE = "<printed by store init>"
STORE_URI = f"s3://{BUCKET}/elementary"


def take_snapshot(file: Path, repository: Repository, run_key: str) -> Manifest:
    """Take a snapshot of a DuckDB file, its access checked as a task checks it."""
    from airflow_provider_elementary.access import check_access
    from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource

    with WarehouseSource(DuckDBWarehouse(file, "elementary")) as source:
        access = check_access(source.warehouse).to_dict()
        return write_snapshot(source, repository, run_key=run_key, access=access)


def write_results(repository: Repository) -> None:
    """Write metrics and verdicts of the latest snapshot to its store."""
    from airflow_provider_elementary.anomalies import detect
    from airflow_provider_elementary.anomalies.summary import recent
    from airflow_provider_elementary.metrics import compute_metrics, scored_metrics
    from airflow_provider_elementary.snapshots import open_snapshot
    from airflow_provider_elementary.storage.records.results import write_result

    source = open_snapshot(repository)
    origin = {"store": repository.uri, "snapshot_id": source.manifest.snapshot_id}
    with compute_metrics(source) as reader:
        metrics = reader.read_all()
    write_result(repository, "metrics", metrics.to_reader(), run_key="docs/m", origin=origin, parameters={})
    verdicts = recent(detect(scored_metrics(metrics)), 60)
    write_result(repository, "verdicts", verdicts.to_reader(), run_key="docs/v", origin=origin, parameters={})


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program ``airflow-elementary``, for the start of ``PATH``."""
    from tests.servers.commands import command_server

    with command_server(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as a DuckDB file; nobody writes to it."""
    return build_sample(tmp_path_factory.mktemp("sample") / "observability.duckdb")


@pytest.fixture(scope="session")
def master_keys() -> dict[str, str]:
    """One master key for each category."""
    return LocalKeys.generate()


@pytest.fixture(scope="session")
def taken_store(sample_file: Path, master_keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two snapshots of the sample, and metrics and verdicts of the later one; copy it before use."""
    directory = tmp_path_factory.mktemp("taken") / "store"
    repository = opened(open_store(directory.as_uri()), LocalKeys(master_keys))
    for run in ("first", "second"):
        take_snapshot(sample_file, repository, f"docs/{run}")
    write_results(repository)
    return directory


@pytest.fixture
def sample(sample_file: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The connection ``elementary_default``: the sample in a DuckDB file."""
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_DEFAULT", json.dumps(duckdb_file(sample_file)))
    return {"/data/observability.duckdb": str(sample_file)}


@pytest.fixture
def store(master_keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The connection ``elementary_store_default``: an empty local store ``/srv/elementary``, and its keys."""
    connection = local_store(tmp_path / "store", master_keys)
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_STORE_DEFAULT", json.dumps(connection))
    return {"/srv/elementary": str(tmp_path / "store"), ID_ON_THE_PAGE: STORE_ID}


@pytest.fixture
def taken(store: Scene, taken_store: Path, tmp_path: Path) -> Scene:
    """The local store with two snapshots, metrics and verdicts."""
    shutil.copytree(taken_store, tmp_path / "store", dirs_exist_ok=True)
    return store


@pytest.fixture
def tampered(master_keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Connections of four damaged stores, and ``ANCHOR``, which was kept before the damage."""
    made = local_rest(tmp_path)
    sound = Rest(made.store, LocalKeys(master_keys), made.folder)
    manifests = grow(sound, tmp_path, [3, 4, 5, 6])
    monkeypatch.setenv("ANCHOR", f"4:{digest_of(sound, 4)}")
    names = ("damaged", "swapped", "short", "rewritten")
    damaged, swapped, short, rewritten = (copied(sound, tmp_path / name) for name in names)
    files = {(file.snapshot_id, file.table, file.category): damaged.path(file.key) for file in manifests[0].files}
    first = manifests[0].snapshot_id
    flip(files[first, "data_monitoring_metrics", Category.TABLE_METRICS])
    files[first, "dbt_run_results", Category.RUN_RESULTS].unlink()
    swap(*(files[first, name, Category.METADATA] for name in ("dbt_models", "dbt_sources")))
    exchange_data_keys(damaged, 4, "configuration", "failed_rows_sample")
    swap(*(swapped.path(manifest_key(number)) for number in (2, 3)))
    short.store.delete(manifest_key(4))
    remove_pages(short)
    rewrite_chain(rewritten, 2, 4)
    for name in names:
        connection = local_store(tmp_path / name / "store", master_keys)
        monkeypatch.setenv(f"AIRFLOW_CONN_ELEMENTARY_{name.upper()}", json.dumps(connection))
    return {}


@pytest.fixture
def scratch(tmp_path: Path) -> Scene:
    """The empty folder ``/srv/drill``, and room for a store ``/srv/elementary``."""
    (tmp_path / "drill").mkdir()
    return {"/srv/drill": str(tmp_path / "drill"), "/srv/elementary": str(tmp_path / "store")}


@pytest.fixture
def new_bucket(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An empty bucket ``my-bucket``, two KMS keys, and credentials for them in the environment.

    The connection ``elementary_store_default`` names them, for a store that is to be created.
    """
    s3, kms = aws_server.client("s3"), aws_server.client("kms")
    try:
        aws_server.create_bucket(BUCKET)
    except ClientError:
        for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    aliases = [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]]
    if f"alias/{KEY_ALIAS}" not in aliases:
        aws_server.create_key(KEY_ALIAS)
    if f"alias/{SIGNING_ALIAS}" not in aliases:
        key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{SIGNING_ALIAS}", TargetKeyId=key["KeyId"])
    extra = {
        "uri": STORE_URI,
        "aws_conn_id": "aws_default",
        "kms_key_id": f"alias/{KEY_ALIAS}",
        "signing_kms_key_id": f"alias/{SIGNING_ALIAS}",
    }
    connection = {"conn_type": "elementary_store", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_STORE_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws_server.airflow_connection()))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": aws_server.region,
        "AWS_ENDPOINT_URL": aws_server.endpoint_url,
        "AWS_CA_BUNDLE": str(aws_server.ca),
    }.items():
        monkeypatch.setenv(name, value)
    return {}


@pytest.fixture
def bucket(new_bucket: Scene, aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The bucket with a store that holds no snapshot; the connection ``elementary_store_default`` pins it."""
    key, signing = f"alias/{KEY_ALIAS}", f"alias/{SIGNING_ALIAS}"
    connection = s3_store(aws_server, STORE_URI, key, aws_conn_id="aws_default", signing_kms_key_id=signing)
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_STORE_DEFAULT", json.dumps(connection))
    return {ID_ON_THE_PAGE: connection["extra"]["store_id"]}


@pytest.fixture
def samples_key(bucket: Scene, aws_server: AwsServer) -> Scene:
    """The key ``alias/elementary-samples``."""
    aws_server.create_key(f"{KEY_ALIAS}-samples")
    return {}


@pytest.fixture
def taken_bucket(bucket: Scene, sample_file: Path) -> Scene:
    """The store in ``my-bucket`` with a snapshot, metrics and verdicts."""
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook

    repository = ElementaryStoreHook("elementary_store_default").repository
    take_snapshot(sample_file, repository, "docs/first")
    write_results(repository)
    return bucket


@pytest.fixture
def postgres(postgres_server: PostgresServer, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The connection ``elementary_default``: a reader of a small Elementary schema on PostgreSQL."""
    write_postgres(small_world(days=2), postgres_server, postgres_database)
    reader = postgres_reader(postgres_server, postgres_database)
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_DEFAULT", json.dumps(reader))
    return {}


@pytest.fixture
def snowflake(snowflake_server: SnowflakeServer, snowflake_database: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The connection ``elementary_default``: a reader of a small Elementary schema on a Snowflake look-alike."""
    write_snowflake(small_world(days=2), snowflake_server, snowflake_database)
    reader = snowflake_reader(snowflake_server, snowflake_database)
    monkeypatch.setenv("AIRFLOW_CONN_ELEMENTARY_DEFAULT", json.dumps(reader))
    return {}


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The connection ``smtp_default``: a mail server that has to have got a mail when the test ends."""
    with mail_server() as (port, mails):
        extra = {"disable_ssl": True, "disable_tls": True}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield mails
        assert mails, "no mail came"


@pytest.fixture
def dbt_project(tmp_path: Path) -> Scene:
    """The dbt project ``/srv/dbt/jaffle``, compiled: a manifest with one model and one test of it."""
    project = tmp_path / "jaffle"
    for folder in ("models", "target"):
        (project / folder).mkdir(parents=True)
    (project / "dbt_project.yml").write_text("name: jaffle\nversion: '1.0'\nprofile: jaffle\n")
    (project / "profiles.yml").write_text(
        "jaffle:\n  target: prod\n  outputs:\n    prod: {type: duckdb, path: warehouse.duckdb}\n"
    )
    shared = {"package_name": "jaffle", "tags": [], "config": {"tags": []}}
    nodes = {
        "model.jaffle.orders": {
            "resource_type": "model",
            "original_file_path": "models/orders.sql",
            "depends_on": {"nodes": []},
        },
        "test.jaffle.unique_orders_id.1": {
            "resource_type": "test",
            "original_file_path": "models/schema.yml",
            "depends_on": {"nodes": ["model.jaffle.orders"]},
        },
    }
    manifest = {
        "nodes": {
            unique_id: {**shared, **node, "unique_id": unique_id, "name": unique_id.split(".")[2]}
            for unique_id, node in nodes.items()
        },
        "sources": {},
        "exposures": {},
    }
    (project / "target" / "manifest.json").write_text(json.dumps(manifest))
    return {"/srv/dbt/jaffle": str(project)}
