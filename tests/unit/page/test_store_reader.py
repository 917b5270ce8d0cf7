"""The newest verdicts are those of the task that wrote last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from airflow_provider_elementary.anomalies.schema import VERDICT_SCHEMA
from airflow_provider_elementary.page.settings import OpenedStore
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.storage.records import results
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.stores import Rest, local_rest


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


def reader_of(rest: Rest) -> StoreReader:
    opened = SimpleNamespace(repository=rest.repository, store=rest.store, uri=rest.store.uri)
    return StoreReader(cast(Callable[[], OpenedStore], lambda: opened))


@pytest.mark.parametrize("series", [("a", "b"), ("b", "a")])
def test_the_newest_verdicts_count_whatever_series_they_are_of(
    rest: Rest, series: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour, (name, method) in enumerate(zip(series, ("elementary", "robust"), strict=True)):
        monkeypatch.setattr(results, "_now", lambda hour=hour: datetime(2026, 11, 1, hour, tzinfo=UTC))
        write_result(
            rest.repository,
            "verdicts",
            VERDICT_SCHEMA.empty_table().to_reader(),
            run_key=method,
            origin={},
            parameters={"method": method},
            series=name,
        )

    verdicts = reader_of(rest).newest_verdicts()

    assert verdicts is not None
    assert verdicts.parameters["method"] == "robust"


def test_the_shards_of_one_task_are_merged(rest: Rest) -> None:
    for run in ("earlier", "newest"):
        for shard in (0, 1):
            write_result(
                rest.repository,
                "verdicts",
                VERDICT_SCHEMA.empty_table().to_reader(),
                run_key=f"{run} {shard}",
                origin={},
                parameters={"shards": 2, "shard": shard, "run": run},
            )

    verdicts = reader_of(rest).newest_verdicts()

    assert verdicts is not None
    assert verdicts.parameters == {"shards": 2, "run": "newest"}


def test_a_result_that_got_the_number_and_size_of_a_removed_one_is_shown(rest: Rest) -> None:
    def write(run: str) -> str:
        rows = VERDICT_SCHEMA.empty_table().to_reader()
        return write_result(
            rest.repository, "verdicts", rows, run_key=run, origin={}, parameters={"run": run}, series="task"
        ).key

    reader = reader_of(rest)
    first, before = write("1"), reader.newest_verdicts()
    size = rest.path(first).stat().st_size
    rest.path(first).unlink()
    second, after = write("2"), reader.newest_verdicts()

    assert (second, rest.path(second).stat().st_size) == (first, size)
    assert before is not None
    assert after is not None
    assert (before.parameters, after.parameters) == ({"run": "1"}, {"run": "2"})
