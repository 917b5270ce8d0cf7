"""Values that a restore target cannot hold: each is refused by name, or fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from airflow_provider_elementary.exceptions import (
    ValueDoesNotFitError,
    WarehouseError,
)
from airflow_provider_elementary.snapshots import open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb, write_postgres
from tests.support.restores import EVERYTHING, original, postgres_target  # noqa: F401  # a fixture
from tests.support.stores import Rest, local_rest, world_after

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer


class TestValuesThatDoNotFit:
    """Of a DuckDB file that holds one value which the target's type cannot hold."""

    @pytest.fixture
    def rest_with(self, tmp_path: Path) -> Callable[[str], Rest]:
        def make(change: str) -> Rest:
            path = write_duckdb(world_after(2), tmp_path / "warehouse.duckdb")
            with duckdb.connect(str(path)) as connection:
                connection.execute(change)
            rest = local_rest(tmp_path)
            with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
                write_snapshot(source, rest.repository, policy=EVERYTHING)
            return rest

        return make

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                "UPDATE elementary.dbt_models SET description = 'planted' || chr(0)",
                r"dbt_models\.description holds a text with the character NUL .* Restore to a DuckDB file",
            ),
            (
                "UPDATE elementary.dbt_invocations SET threads = 5000000000",
                r"dbt_invocations\.threads holds a whole number of more than 32 bits.* Correct the row",
            ),
            (
                "UPDATE elementary.dbt_invocations SET threads = -9223372036854775808",
                r"dbt_invocations\.threads holds a whole number of more than 32 bits.* Correct the row",
            ),
            (
                "UPDATE elementary.dbt_invocations SET threads = -2147483649",
                r"dbt_invocations\.threads holds a whole number of more than 32 bits.* Correct the row",
            ),
        ],
    )
    def test_postgresql_says_which_column_holds_what_and_nothing_is_left(
        self,
        change: str,
        said: str,
        rest_with: Callable[[str], Rest],
        postgres_server: PostgresServer,
        postgres_database: str,
    ) -> None:
        rest = rest_with(change)

        with (
            postgres_target(postgres_server, postgres_database) as target,
            pytest.raises(ValueDoesNotFitError, match=said) as raised,
        ):
            restore(rest.repository, target)

        assert raised.value.permanent
        assert "planted" not in str(raised.value)
        assert "5000000000" not in str(raised.value)
        found = "SELECT 1 FROM pg_namespace WHERE nspname = 'elementary'"
        assert postgres_server.execute(found, database=postgres_database) == []

    @pytest.fixture
    def latin(self, postgres_server: PostgresServer, postgres_database: str) -> Iterator[str]:
        name = f"{postgres_database}_latin"
        postgres_server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        yield name
        postgres_server.execute(f"DROP DATABASE {name}")

    def test_a_database_of_another_encoding_says_what_to_restore_to(
        self, rest_with: Callable[[str], Rest], postgres_server: PostgresServer, latin: str
    ) -> None:
        rest = rest_with("UPDATE elementary.dbt_models SET description = 'planted \u20ac \u6f22'")
        said = r"SQLSTATE 22P05\)\. Nothing was restored\. .* encoding UTF8"

        with postgres_target(postgres_server, latin) as target, pytest.raises(WarehouseError, match=said) as raised:
            restore(rest.repository, target)

        assert "planted" not in str(raised.value)

    def test_text_survives_a_database_of_another_encoding(
        self, rest_with: Callable[[str], Rest], postgres_server: PostgresServer, latin: str, tmp_path: Path
    ) -> None:
        rest = rest_with("UPDATE elementary.dbt_models SET description = 'caf\u00e9 \u00fc'")
        with postgres_target(postgres_server, latin) as target:
            restore(rest.repository, target)
        (tmp_path / "again").mkdir()
        again = local_rest(tmp_path / "again")

        snapshot_postgres(again, postgres_server, latin)

        stored = postgres_server.execute("SELECT DISTINCT description FROM elementary.dbt_models", database=latin)
        read = read_all(open_snapshot(again.repository), "dbt_models")["description"].to_pylist()
        assert [row[0] for row in stored] == ["caf\u00e9 \u00fc"]
        assert set(read) == {"caf\u00e9 \u00fc"}

    def test_duckdb_says_which_column_holds_what_and_leaves_no_file(
        self, rest_with: Callable[[str], Rest], tmp_path: Path
    ) -> None:
        rest = rest_with(
            "ALTER TABLE elementary.data_monitoring_metrics ALTER metric_value TYPE DOUBLE;"
            "UPDATE elementary.data_monitoring_metrics SET metric_value = 1e300"
        )

        with pytest.raises(ValueDoesNotFitError, match=r"metric_value holds a number .* Restore to PostgreSQL"):
            restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        assert not (tmp_path / "restored.duckdb").exists()

    def test_a_long_text_is_named_where_the_packages_type_is_shorter(
        self, tmp_path: Path, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        write_postgres(world_after(2), postgres_server, postgres_database)
        postgres_server.execute(
            "UPDATE elementary.dbt_run_results SET status = repeat('x', 5000)", database=postgres_database
        )
        rest = local_rest(tmp_path)
        snapshot_postgres(rest, postgres_server, postgres_database)

        with (
            postgres_target(postgres_server, postgres_database, "restored") as target,
            pytest.raises(ValueDoesNotFitError, match=r"dbt_run_results\.status holds a text of more than 4,096"),
        ):
            restore(rest.repository, target)


def snapshot_postgres(rest: Rest, server: PostgresServer, database: str) -> None:
    import adbc_driver_postgresql.dbapi as dbapi

    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse

    transport = TransportFacts(True, "TLSv1.2", True, "sslmode=verify-full")
    connection = dbapi.connect(server.uri(database=database))
    with WarehouseSource(PostgresWarehouse(connection, "elementary", database, transport)) as source:
        write_snapshot(source, rest.repository, policy=EVERYTHING)
