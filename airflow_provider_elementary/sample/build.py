"""Builds a DuckDB file from the sample's Parquet files."""

from __future__ import annotations

import os
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path
from uuid import uuid4

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import ConfigurationError

SCHEMA = "elementary"
#: The day of the last dbt command.
LAST_DAY = date(2026, 11, 22)


def build_sample(path: Path) -> Path:
    """Write the sample into a DuckDB file, as the Elementary dbt package would have declared it there.

    The file appears whole or not at all; one that is already there is replaced, so a second call changes nothing.

    :param path: the file to write; its folder is made where missing.
    :return: the same path.
    :raises ConfigurationError: the file is named like the schema.
    """
    import duckdb

    # DuckDB names the database after the file, up to its first inner dot.
    if path.name.lstrip(".").split(".")[0].lower() == SCHEMA:
        raise ConfigurationError(
            f"The DuckDB file {path.name} is named like its schema, so every {SCHEMA}.table would be ambiguous. Choose "
            "another file name."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}.draft")
    try:
        with duckdb.connect(str(draft)) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for table in TABLES:
                with as_file(files(__package__) / "parquet" / f"{table}.parquet") as parquet:
                    connection.execute(f"CREATE TABLE {SCHEMA}.{table} AS FROM read_parquet(?)", [str(parquet)])
        # A log left beside the old file must not be replayed onto the new one.
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path
