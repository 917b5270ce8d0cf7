"""Only small files whose rows belong together are merged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.maintenance.mergeable import MERGED, SNAPSHOTS, next_merges
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES
from airflow_provider_elementary.storage.layout import data_file

EVENTS, SPLIT, ARTIFACTS = "dbt_run_results", "data_monitoring_metrics", "dbt_models"
RUNS, LOGS = Category.RUN_RESULTS, Category.QUERY_LOGS


def file_of(snapshot: int, table: str = EVENTS, category: Category = RUNS, day: str | None = "2026-11-22") -> FileEntry:
    newest = f"{day}T08:00:00" if day else None
    return FileEntry(
        rows=1,
        size=10,
        sha256="",
        footer_size=4,
        footer_sha256="",
        row_groups=(),
        key=data_file(f"snapshot-{snapshot}", table, category),
        snapshot_id=f"snapshot-{snapshot}",
        table=table,
        category=category,
        columns=("created_at",),
        by_rows=table == SPLIT,
        min_watermark=newest,
        max_watermark=newest,
    )


def files_of(number: int = SNAPSHOTS, **facts: str) -> list[FileEntry]:
    return [file_of(snapshot, **facts) for snapshot in range(number)]


def test_files_of_enough_snapshots_are_merged_in_their_order() -> None:
    files = files_of()

    assert [merge.files for merge in next_merges(files)] == [tuple(files)]


def test_files_of_fewer_snapshots_are_not() -> None:
    assert next_merges(files_of(SNAPSHOTS - 1)) == []


def test_a_snapshot_of_which_little_is_left_does_not_begin_a_run_early() -> None:
    tables = (EVENTS, "elementary_test_results", "dbt_invocations")
    files = [file_of(0), *(file_of(snapshot, table) for snapshot in range(1, SNAPSHOTS) for table in tables)]
    last = [file_of(SNAPSHOTS, table) for table in tables]

    assert next_merges(files) == []
    assert len(next_merges([*files, *last])) == len(tables)


def test_the_oldest_day_of_a_table_is_merged_first() -> None:
    yesterday = [file_of(snapshot, day="2026-11-21") for snapshot in range(10, 12)]
    today = files_of(SNAPSHOTS - 2)

    assert [merge.files for merge in next_merges([*today, *yesterday])] == [tuple(yesterday)]


def test_what_was_merged_is_merged_with_what_is_new_of_its_day() -> None:
    merged = replace(file_of(99), part=MERGED)
    fresh, later = files_of(), [file_of(snapshot, day="2026-11-23") for snapshot in range(20, 20 + SNAPSHOTS)]

    assert next_merges([*fresh[1:], merged]) == []
    assert [merge.files for merge in next_merges([*fresh, merged])] == [(merged, *fresh)]
    assert [merge.files for merge in next_merges([merged, *later])] == [tuple(later)]
    assert [merge.files for merge in next_merges([merged, fresh[0], *later])] == [(merged, fresh[0])]


def test_what_was_merged_is_left_where_it_is_much_larger_than_what_is_new() -> None:
    fresh = files_of()
    size = sum(file.size for file in fresh)
    merged, large = (replace(file_of(99 + more), part=MERGED, size=4 * size + more) for more in range(2))

    assert [merge.files for merge in next_merges([large, merged, *fresh])] == [(merged, *fresh)]


def test_the_order_of_categories_does_not_matter() -> None:
    merged = [replace(file_of(99, category=category), part=MERGED) for category in (LOGS, RUNS)]
    fresh = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]

    assert [merge.files for merge in next_merges([*merged, *fresh])] == [(*merged, *fresh)]


def test_a_day_with_one_file_of_each_table_stays_as_it_is() -> None:
    assert next_merges([file_of(snapshot, day=f"2026-11-{snapshot + 10}") for snapshot in range(12)]) == []


def test_a_large_file_stays_as_it_is() -> None:
    large = replace(file_of(99), size=WHOLE_BYTES)

    assert [merge.files for merge in next_merges([large, *files_of()])] == [tuple(files_of())]


def test_a_table_that_is_replaced_in_place_is_never_merged() -> None:
    assert next_merges(files_of(table=ARTIFACTS)) == []


def test_files_without_a_time_stay_as_they_are() -> None:
    assert next_merges([file_of(snapshot, day=None) for snapshot in range(SNAPSHOTS)]) == []


def test_files_of_other_columns_of_the_same_rows_are_merged_together() -> None:
    files = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]

    merges = next_merges(files)

    assert [merge.files for merge in merges] == [tuple(files)]
    assert merges[0].rows == SNAPSHOTS


def test_parts_of_a_snapshot_hold_rows_of_their_own() -> None:
    files = [
        replace(file_of(snapshot, category=category), part=part)
        for snapshot in range(SNAPSHOTS)
        for part in ("1", "2")
        for category in (RUNS, LOGS)
    ]

    merges = next_merges(files)

    assert [merge.files for merge in merges] == [tuple(files)]
    assert merges[0].rows == 2 * SNAPSHOTS


def test_files_of_other_rows_are_merged_apart() -> None:
    categories = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS)
    files = [
        file_of(snapshot, table=SPLIT, category=category) for snapshot in range(SNAPSHOTS) for category in categories
    ]

    assert [merge.files[0].category for merge in next_merges(files)] == list(categories)


def test_a_snapshot_that_lacks_columns_is_not_merged_with_others() -> None:
    both = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]
    one = [replace(file, snapshot_id=f"old-{file.snapshot_id}") for file in files_of(3)]

    assert [merge.files for merge in next_merges([*one, *both])] == [tuple(both)]


def test_a_table_of_a_category_whose_key_is_gone_stays_as_it_is() -> None:
    files = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]

    assert next_merges(files, {LOGS}) == []


def test_tables_that_most_snapshots_wrote_are_merged_first() -> None:
    few = files_of(SNAPSHOTS - 1, table="dbt_source_freshness_results")
    many = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS + 1) for category in (RUNS, LOGS)]

    assert [merge.files for merge in next_merges([*few, *many])] == [tuple(many), tuple(few)]


@pytest.mark.parametrize(("requests", "expected"), [(24, [10]), (31, [10, 18]), (8, [7])])
def test_a_table_is_merged_in_part_only_where_none_fits(requests: int, expected: list[int]) -> None:
    first = files_of(SNAPSHOTS + 1, table="dbt_source_freshness_results")
    second = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]

    merges = next_merges([*second, *first], requests=requests)

    assert [len(merge.files) for merge in merges] == expected
    assert sum(merge.requests for merge in merges) <= requests


@pytest.mark.parametrize("requests", range(6))
def test_what_requests_do_not_allow_to_merge_twice_is_left(requests: int) -> None:
    files = [file_of(snapshot, category=category) for snapshot in range(SNAPSHOTS) for category in (RUNS, LOGS)]

    assert next_merges(files, requests=requests) == []
    assert [len(merge.files) for merge in next_merges(files, requests=6)] == [4]
