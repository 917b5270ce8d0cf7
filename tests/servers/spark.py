"""Runs Spark's Thrift server with the tables of a test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.servers import HOST, free_port, is_listening, running


@contextmanager
def thrift_server(directory: Path, heap: str = "1g") -> Iterator[int]:
    """Run the server, and yield its port; pyspark and a JDK have to be installed.

    :param heap: the size of its Java heap; the default is Spark's own.
    """
    import pyspark

    number = free_port()
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": HOST,
        "spark.driver.host": HOST,
        "spark.driver.memory": heap,
        "spark.sql.warehouse.dir": str(directory / "warehouse"),
        # What a session shows times in, unless it says otherwise.
        "spark.sql.session.timeZone": "Asia/Tokyo",
        "spark.hadoop.hive.server2.thrift.bind.host": HOST,
        "spark.hadoop.hive.server2.thrift.port": str(number),
    }
    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-submit"), "--master", "local[1]"]
    command += ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"]
    command += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST}
    with running(
        [*command, "spark-internal"],
        log=directory / "server.log",
        is_ready=lambda: is_listening(number),
        ready_seconds=400,
        environment=environment,
        directory=directory,
    ):
        yield number


def create_tables(port: int, tables: Mapping[str, pa.RecordBatchReader], directory: Path) -> None:
    """Make the schema ``elementary`` of Parquet files; times have a zone, as is usual in Spark."""
    from pyhive import hive

    with hive.connect(HOST, port, username="loader", auth="NONE") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE SCHEMA elementary")
        for name, reader in tables.items():
            schema = pa.schema(
                field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field
                for field in reader.schema
            )
            (directory / name).mkdir()
            with pq.ParquetWriter(directory / name / "rows.parquet", schema) as writer:
                for batch in reader:
                    writer.write_batch(batch.cast(schema))
            cursor.execute(f"CREATE TABLE elementary.{name} USING parquet LOCATION 'file://{directory / name}'")
