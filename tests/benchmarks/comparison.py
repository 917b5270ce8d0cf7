"""Compares our encrypted snapshot with other ways to copy PostgreSQL to S3.

``python -m tests.benchmarks comparison [--rows 2000000] [--rounds 3] [--dlt-python PATH]`` prints one table of medians.
Every measurement is a process of its own, and the ways take turns, so that a busy machine is busy for all of them;
the servers run beside them. dlt wants an environment of its own, with ``dlt[filesystem,s3,parquet,sql_database]``,
``connectorx`` and ``psycopg[binary]``; ``--dlt-python`` names its interpreter.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import Measurement, in_own_process, measured
from tests.support.signing import SIGNER, STORE_ID, create

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

_TABLE = "data_monitoring_metrics"
_PART_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Place:
    """Where a way reads from and writes to; handed to its process in the environment.

    :param postgres_uri: libpq's URI of the reader, with verified TLS.
    :param bucket: an empty bucket.
    :param endpoint_url: of S3 and KMS.
    :param ca: the authority of both servers, in PEM.
    """

    postgres_uri: str
    bucket: str
    endpoint_url: str
    ca: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    kms_key_id: str


Work = Callable[[], Mapping[str, Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks comparison", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--dlt-python", default=sys.executable, help="an interpreter that has dlt and connectorx")
    parser.add_argument("--only", nargs="*", default=list(_WAYS), choices=list(_WAYS))
    parsed = parser.parse_args(arguments)
    pythons = {name: parsed.dlt_python if name.startswith("dlt") else sys.executable for name in parsed.only}
    for name in [name for name in pythons if name.startswith("dlt") and not _has_dlt(parsed.dlt_python)]:
        print(f"{name} is left out: {parsed.dlt_python} cannot import dlt and connectorx.", file=sys.stderr)
        del pythons[name]
    found: dict[str, list[Measurement]] = {name: [] for name in pythons}
    with _servers(parsed.rows) as new_place:
        for number in range(parsed.rounds):
            for name, python in pythons.items():
                measurement = _measure(name, python, new_place, parsed.rows)
                found[name].append(measurement)
                print(f"round {number + 1}: {_row(name, [measurement])}", file=sys.stderr, flush=True)
    print(f"\n{parsed.rows:,} rows of {_TABLE}; medians of {parsed.rounds}\n")
    print("| way | seconds | rows/s | CPU seconds | peak MB | MB before the work | MB on S3 | bytes/row | at rest |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, measurements in found.items():
        print(_row(name, measurements))


def _measure(name: str, python: str, new_place: Callable[[], tuple[AwsServer, Place]], rows: int) -> Measurement:
    server, place = new_place()
    os.environ["RIVAL_PLACE"] = json.dumps(vars(place))
    found = in_own_process("tests.benchmarks.comparison", [name], python=python)
    if found.facts["rows"] not in (rows, None):
        raise RuntimeError(f"{name} copied {found.facts['rows']} rows of {rows}")
    client = server.client("s3")
    stored = client.list_objects_v2(Bucket=place.bucket)["Contents"]
    largest = max(stored, key=lambda entry: int(entry["Size"]))["Key"]
    at_rest = client.head_object(Bucket=place.bucket, Key=largest).get("ServerSideEncryption", "none")
    server.reset()
    facts = {**found.facts, "rows": rows, "bytes": sum(entry["Size"] for entry in stored), "at_rest": at_rest}
    return replace(found, facts=facts)


def _row(name: str, found: Sequence[Measurement]) -> str:
    wall = statistics.median(measurement.wall for measurement in found)
    cpu = statistics.median(measurement.cpu for measurement in found)
    peak = max(measurement.peak_mb for measurement in found)
    base = max(measurement.base_mb for measurement in found)
    facts = found[0].facts
    at_rest = facts["at_rest"] + (", encrypted" if facts.get("encrypted") else "")
    return (
        f"| {_WAYS[name].title} | {wall:.1f} | {facts['rows'] / wall:,.0f} | {cpu:.1f} | {peak:.0f} | {base:.0f} "
        f"| {facts['bytes'] / 1e6:.1f} | {facts['bytes'] / facts['rows']:.1f} | {at_rest} |"
    )


@contextmanager
def _servers(rows: int) -> Iterator[Callable[[], tuple[AwsServer, Place]]]:
    """Run PostgreSQL with the large table, and S3; yield how to make an empty place for one measurement."""
    from tests.servers.aws import ACCESS_KEY, SECRET_KEY, moto_server
    from tests.servers.certificates import issue_certificates
    from tests.servers.postgres import find_programs, postgres_cluster
    from tests.support.connections import postgres_reader
    from tests.support.datasets import copy_postgres, create_table, many_metrics

    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory() as directory:
        certificates = issue_certificates(Path(directory))
        with postgres_cluster(programs, certificates) as postgres, moto_server(Path(directory), certificates) as aws:
            postgres.create_database("benchmark")
            postgres.execute('CREATE SCHEMA "elementary"', database="benchmark")
            postgres.execute(create_table("postgres", _TABLE, f"elementary.{_TABLE}"), database="benchmark")
            copy_postgres(many_metrics(rows), postgres, "benchmark", "elementary", _TABLE)
            reader = postgres_reader(postgres, "benchmark")
            uri = postgres.uri(str(reader["login"]), str(reader["password"]), "benchmark")
            os.environ["AIRFLOW_CONN_RIVAL_POSTGRES"] = json.dumps(reader)
            os.environ["AIRFLOW_CONN_RIVAL_AWS"] = json.dumps(aws.airflow_connection())
            # What boto3, s3fs and requests of the other ways trust.
            os.environ["AWS_CA_BUNDLE"] = str(certificates.ca)

            def new_place() -> tuple[AwsServer, Place]:
                keys = (ACCESS_KEY, SECRET_KEY, aws.create_key())
                return aws, Place(uri, aws.create_bucket(), aws.endpoint_url, str(aws.ca), aws.region, *keys)

            yield new_place


def _has_dlt(python: str) -> bool:
    tried = subprocess.run([python, "-c", "import dlt, connectorx"], check=False, capture_output=True)
    return tried.returncode == 0


# From here on: one way each, in its own process. Imports come before the clock starts.


def _snapshot(place: Place) -> Work:
    import adbc_driver_postgresql.dbapi  # noqa: F401 (as the next two: they are imported when they are needed)
    import sqlglot.dialects.postgres  # noqa: F401

    import airflow_provider_elementary.hooks.connections
    import airflow_provider_elementary.warehouses.postgres  # noqa: F401
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots import Repository, write_snapshot

    extra = {"uri": f"s3://{place.bucket}/ours", "aws_conn_id": "rival_aws", "kms_key_id": place.kms_key_id}
    connection = {"conn_type": "elementary_store", "extra": extra}
    os.environ["AIRFLOW_CONN_RIVAL_STORE"] = json.dumps(connection)
    hook = ElementaryStoreHook("rival_store")
    store, keys = hook.open_store(), hook.open_keys()
    # A store is created once, by a command of its own.
    create(store)

    def work() -> Mapping[str, Any]:
        with ElementaryHook("rival_postgres").source() as source:
            repository = Repository(store, keys, store_id=STORE_ID, signing=SIGNER)
            return {"rows": write_snapshot(source, repository).rows, "encrypted": True}

    return work


def _unencrypted_snapshot(place: Place) -> Work:
    from airflow_provider_elementary.storage import encrypted_parquet

    encrypted_parquet.pe.create_encryption_properties = lambda *_, **__: None
    work = _snapshot(place)
    return lambda: {**work(), "encrypted": False}


def _bare_copy(place: Place) -> Work:
    import adbc_driver_postgresql.dbapi as adbc
    import boto3
    import pyarrow.parquet as pq

    s3: Any = boto3.client(
        "s3",
        endpoint_url=place.endpoint_url,
        region_name=place.region,
        verify=place.ca,
        aws_access_key_id=place.access_key,
        aws_secret_access_key=place.secret_key,
    )
    target = {"Bucket": place.bucket, "Key": "bare.parquet"}

    def work() -> Mapping[str, Any]:
        upload_id = s3.create_multipart_upload(**target)["UploadId"]
        parts: list[Future[dict[str, Any]]] = []
        buffer = io.BytesIO()

        def send(number: int, content: bytes) -> dict[str, Any]:
            answer = s3.upload_part(**target, UploadId=upload_id, PartNumber=number, Body=content)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        def send_buffer() -> None:
            parts.append(pool.submit(send, len(parts) + 1, buffer.getvalue()))
            buffer.seek(0)
            buffer.truncate()

        rows = 0
        with ThreadPoolExecutor(2) as pool, adbc.connect(place.postgres_uri) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM elementary.{_TABLE}")
                with cursor.fetch_record_batch() as reader:
                    with pq.ParquetWriter(buffer, reader.schema, compression="zstd") as writer:
                        for batch in reader:
                            writer.write_batch(batch)
                            rows += batch.num_rows
                            if buffer.tell() >= _PART_BYTES:
                                send_buffer()
                    send_buffer()
            finished = [part.result() for part in parts]
        s3.complete_multipart_upload(**target, UploadId=upload_id, MultipartUpload={"Parts": finished})
        return {"rows": rows}

    return work


def _sql_to_s3(place: Place) -> Work:
    import pandas  # noqa: F401 (the operator imports it when it runs)
    import psycopg2  # noqa: F401
    from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator

    operator = SqlToS3Operator(
        task_id="way",
        query=f"SELECT * FROM elementary.{_TABLE}",
        s3_bucket=place.bucket,
        s3_key="pandas.parquet",
        sql_conn_id="rival_postgres",
        aws_conn_id="rival_aws",
        file_format="parquet",
    )

    def work() -> Mapping[str, Any]:
        operator.execute({})
        return {"rows": None}

    return work


def _dlt_connectorx(place: Place) -> Work:
    import connectorx  # noqa: F401 (dlt imports it when it runs)
    import dlt
    import pyarrow.parquet  # noqa: F401
    import s3fs  # noqa: F401
    from dlt.destinations import filesystem
    from dlt.sources.sql_database import sql_table

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    directory = tempfile.mkdtemp(prefix="dlt-")
    destination = filesystem(
        bucket_url=f"s3://{place.bucket}/dlt",
        credentials={
            "aws_access_key_id": place.access_key,
            "aws_secret_access_key": place.secret_key,
            "endpoint_url": place.endpoint_url,
            "region_name": place.region,
        },
    )

    def work() -> Mapping[str, Any]:
        pipeline = dlt.pipeline("way", pipelines_dir=directory, destination=destination, dataset_name="elementary")
        table = sql_table(
            credentials=place.postgres_uri.replace("postgresql://", "postgresql+psycopg://"),
            schema="elementary",
            table=_TABLE,
            backend="connectorx",
            # connectorx's driver knows `require` and, given an authority, verifies with it.
            backend_kwargs={"conn": place.postgres_uri.replace("verify-full", "require")},
        )
        pipeline.run(table, loader_file_format="parquet")
        return {"rows": None}

    return work


@dataclass(frozen=True)
class _Way:
    title: str
    prepare: Callable[[Place], Work]


_WAYS: Mapping[str, _Way] = {
    "snapshot": _Way("our snapshot, both layers of encryption", _snapshot),
    "unencrypted": _Way("the same without the files' own encryption", _unencrypted_snapshot),
    "bare": _Way("bare ADBC to Parquet (zstd), in parts", _bare_copy),
    "dlt": _Way("dlt, connectorx", _dlt_connectorx),
    "pandas": _Way("SqlToS3Operator, Parquet", _sql_to_s3),
}


if __name__ == "__main__":
    measured(_WAYS[sys.argv[1]].prepare(Place(**json.loads(os.environ["RIVAL_PLACE"]))))
