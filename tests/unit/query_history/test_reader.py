"""What is stored is read back, and the nodes of queries come from dbt's run results."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.query_history.reader import read_nodes
from airflow_provider_elementary.snapshots import Policy
from tests.support.stores import local_rest, take, world_after


def test_queries_without_a_comment_have_the_node_of_dbts_run_results(tmp_path: Path) -> None:
    rest, world = local_rest(tmp_path), world_after(1)
    take(rest, tmp_path / "warehouse.duckdb", world, policy=Policy(categories=tuple(Category)))
    results = world["dbt_run_results"].to_pylist()

    nodes = read_nodes(rest.repository)

    assert nodes
    assert nodes == {row["query_id"]: row["unique_id"] for row in results if row["query_id"]}


def test_a_store_without_a_snapshot_names_no_nodes(tmp_path: Path) -> None:
    assert read_nodes(local_rest(tmp_path).repository) == {}
