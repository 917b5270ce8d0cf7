"""Spark reads the files with the factory that docs/format.md shows. It is large, so only where it is there."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import Manifest, Policy, SnapshotSource
from tests.support.stores import Rest, grow, local_rest

pyspark = pytest.importorskip("pyspark", reason="pip install pyspark, and a JDK of 17 or later")

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
JAVAC = shutil.which("javac")
EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)

pytestmark = pytest.mark.skipif(JAVAC is None, reason="no javac to compile the factory of docs/format.md")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, Manifest]:
    directory = tmp_path_factory.mktemp("spark")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 5], policy=EVERYTHING)[-1]


@pytest.fixture(scope="module")
def data_keys(taken: tuple[Rest, Manifest]) -> dict[Category, bytes]:
    rest, manifest = taken
    source = SnapshotSource(rest.repository, manifest)
    return {category: source.data_key(category) for category in Category}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory, data_keys: dict[Category, bytes]) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    directory = tmp_path_factory.mktemp("factory")
    [code] = re.findall(r"```java\n(.*?)```", PAGE.read_text(), re.DOTALL)
    directory.joinpath("ElementaryKeys.java").write_text(code)
    jars = Path(pyspark.__file__).parent / "jars" / "*"
    subprocess.run([str(JAVAC), "-cp", str(jars), "ElementaryKeys.java"], cwd=directory, check=True)
    settings = {
        "spark.driver.extraClassPath": str(directory),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.hadoop.parquet.crypto.factory.class": "ElementaryKeys",
        **{
            f"spark.hadoop.elementary.key.{category.value}": base64.b64encode(key).decode()
            for category, key in data_keys.items()
        },
    }
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()


def test_every_file_is_read_as_pyarrow_reads_it(
    spark: Any, taken: tuple[Rest, Manifest], data_keys: dict[Category, bytes]
) -> None:
    rest, manifest = taken
    read = {file.key: spark.read.parquet(str(rest.path(file.key))).collect() for file in manifest.files}

    assert {key: [row.asDict() for row in rows] for key, rows in read.items()} == {
        file.key: pq.read_table(
            rest.path(file.key), decryption_properties=pe.create_decryption_properties(data_keys[file.category])
        ).to_pylist()
        for file in manifest.files
    }


def test_files_of_one_table_are_read_together_and_searched(spark: Any, taken: tuple[Rest, Manifest]) -> None:
    rest, manifest = taken
    files = [file for file in manifest.files if file.table == "dbt_run_results" and file.category == "run_results"]
    newest = max(str(file.min_watermark) for file in files)

    rows = spark.read.parquet(*(str(rest.path(file.key)) for file in files))

    assert (len(files), rows.count(), rows.where(f"created_at >= timestamp_ntz '{newest}'").count()) == (2, 25, 10)
