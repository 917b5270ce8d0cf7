"""Results and access reports that were changed, removed or brought back are named by verify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots import Manifest
from airflow_provider_elementary.snapshots.verify import VerifyReport, verify
from airflow_provider_elementary.storage.layout import access_folder, manifest_key, result_series, series_key
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.records.report_log import record
from airflow_provider_elementary.storage.records.result_document import ResultKind
from airflow_provider_elementary.storage.records.results import (
    anchor_result,
    find_result,
    recorded_result,
    write_result,
)
from tests.support.signing import opened
from tests.support.stores import Rest, grow, local_rest
from tests.support.tampering import edit, edit_signed, flip

KINDS: tuple[ResultKind, ...] = ("metrics", "incidents", "alerts")
RUNS = 4
REPORT = AccessReport(
    dialect="postgres",
    database="dwh",
    schema="elementary",
    user="reader",
    roles=(),
    checked_at=datetime(2026, 11, 23, 4, tzinfo=UTC),
    findings=(AccessFinding("ownership", "pass", "nothing is owned"),),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """Two snapshots, and the results and access reports of four runs; one run was repeated."""
    directory = tmp_path_factory.mktemp("results")
    rest = local_rest(directory)
    manifests = grow(rest, directory, [3, 4])
    for run in (*range(RUNS), RUNS - 1):
        for kind in KINDS:
            add(rest, kind, f"run {run}", manifests[-1].snapshot_id)
        report = replace(REPORT, checked_at=REPORT.checked_at + timedelta(days=run))
        record(rest.repository, report, subject="dwh", run_key=f"run {run}")
    return rest, manifests


def add(rest: Rest, kind: ResultKind, run_key: str, snapshot_id: str, known: int = 0) -> None:
    rows = pa.table({"column_name": [None, "id"], "value": [1.0, 2.0]})
    origin = {"store": rest.store.uri, "snapshot_id": snapshot_id}
    write_result(
        rest.repository,
        kind,
        rows.to_reader(),
        run_key=run_key,
        origin=origin,
        parameters={},
        series="dag/task",
        known=known,
    )


def name(kind: str, number: int) -> str:
    return series_key(result_series(kind, "dag/task"), number)


def report_name(number: int) -> str:
    return series_key(access_folder("dwh"), number)


def anchor_of(rest: Rest, key: str) -> str:
    result = find_result(rest.repository, key)
    assert result is not None
    return anchor_result(rest.repository, result)


def found(report: VerifyReport) -> set[tuple[str, str]]:
    return {(finding.damage.value, finding.object) for finding in report.findings}


#: The newest result of each series: the fourth run was repeated, which removed number 4.
NEWEST = RUNS + 1


def test_a_signed_result_of_another_name_makes_no_writer_delete_that(rest: Rest, manifests: list[Manifest]) -> None:
    victim = manifest_key(manifests[-1].sequence)
    edit_signed(rest, name("incidents", NEWEST), lambda facts: facts.update(key=victim))

    with pytest.raises(SnapshotCorruptError, match="names objects of another result"):
        add(rest, "incidents", f"run {RUNS - 1}", manifests[-1].snapshot_id)

    assert rest.path(victim).exists()


class TestWhatWasWritten:
    def test_a_result_is_sound_and_counted(self, rest: Rest, manifests: list[Manifest]) -> None:
        latest, all_of_it = verify(rest.repository), verify(rest.repository, snapshot="all")

        assert latest.findings == all_of_it.findings == ()
        assert (latest.results, latest.reports) == (2 * len(KINDS), 2 + 1)
        assert (all_of_it.results, all_of_it.reports) == (RUNS * len(KINDS), RUNS + 1)

    def test_is_checked_without_keys_and_named_without_the_keys_of_a_category(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        assert verify(opened(rest.store)).sound

    def test_older_results_may_be_gone(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(name("metrics", 1)).unlink()
        rest.path(name("metrics", 2)).unlink()

        assert verify(rest.repository, snapshot="all").findings == ()

    def test_junk_beside_it_is_a_note(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(name("alerts", NEWEST + 1)).write_bytes(b"{}")

        report = verify(rest.repository)

        assert report.findings == ()
        assert f"{name('alerts', NEWEST + 1)}: no key of the store signed it, ignored" in report.notes


def flip_a_file(rest: Rest) -> tuple[str, str]:
    result = find_result(rest.repository, name("incidents", NEWEST))
    assert result is not None
    flip(rest.path(result.files[0].key))
    return "changed", result.files[0].key


def remove_a_file(rest: Rest) -> tuple[str, str]:
    result = find_result(rest.repository, name("alerts", NEWEST))
    assert result is not None
    rest.path(result.files[-1].key).unlink()
    return "missing", result.files[-1].key


def swap_two_files(rest: Rest) -> tuple[str, str]:
    older, newest = (find_result(rest.repository, name("metrics", number)) for number in (NEWEST - 2, NEWEST))
    assert older is not None
    assert newest is not None
    rest.path(newest.files[0].key).write_bytes(rest.path(older.files[0].key).read_bytes())
    return "reordered", newest.files[0].key


def remove_the_run_before(rest: Rest) -> tuple[str, str]:
    rest.path(name("incidents", NEWEST - 2)).unlink()
    return "missing", name("incidents", NEWEST - 2)


def forge_the_run_before(rest: Rest) -> tuple[str, str]:
    edit(rest.path(name("incidents", NEWEST - 2)), lambda facts: facts.update(run_key="forged"))
    return "missing", name("incidents", NEWEST - 2)


def write_after_a_roll_back(rest: Rest) -> tuple[str, str]:
    """Let a task write that knows of number 5, after an adversary removed it and the one before."""
    changed = name("incidents", NEWEST)
    edit_signed(rest, changed, lambda facts: facts["previous"].update(number=2))
    return "rolled back", name("incidents", NEWEST - 1)


def rewrite_the_run_before(rest: Rest) -> tuple[str, str]:
    edit_signed(rest, name("alerts", NEWEST - 2), lambda facts: facts.update(created_at="2020-01-01T00:00:00+00:00"))
    return "rewritten", name("alerts", NEWEST - 2)


def make_it_of_a_hidden_snapshot(rest: Rest) -> tuple[str, str]:
    edit_signed(
        rest,
        name("metrics", NEWEST),
        lambda facts: facts["origin"].update(snapshot_id="20300101T000000Z-00000000"),
    )
    return "rolled back", name("metrics", NEWEST)


def remove_a_report(rest: Rest) -> tuple[str, str]:
    rest.path(report_name(2)).unlink()
    return "missing", report_name(2)


def replace_a_report(rest: Rest) -> tuple[str, str]:
    """Bring a passing report over a failing one, as somebody without the key can: under a name it was not made for."""
    rest.path(report_name(NEWEST - 1)).write_bytes(rest.path(report_name(1)).read_bytes())
    return "missing", report_name(NEWEST - 1)


def spoil_a_report(rest: Rest) -> tuple[str, str]:
    edit_signed(rest, report_name(NEWEST), lambda facts: facts.update(report={}))
    return "changed", report_name(NEWEST)


ATTACKS: tuple[Callable[[Rest], tuple[str, str]], ...] = (
    flip_a_file,
    remove_a_file,
    swap_two_files,
    remove_the_run_before,
    forge_the_run_before,
    write_after_a_roll_back,
    rewrite_the_run_before,
    make_it_of_a_hidden_snapshot,
    remove_a_report,
    replace_a_report,
    spoil_a_report,
)


@pytest.mark.parametrize("snapshot", ["latest", "all"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_damage_is_named(
    attack: Callable[[Rest], tuple[str, str]], snapshot: str, rest: Rest, manifests: list[Manifest]
) -> None:
    expected = attack(rest)

    report = verify(rest.repository, snapshot=snapshot)

    assert expected in found(report)
    assert report.outcome is Outcome.DAMAGED
    assert report.outcome.exit_status == 1


def test_results_show_that_the_newest_snapshot_was_hidden(
    rest: Rest, manifests: list[Manifest], tmp_path: Path
) -> None:
    rest.path(manifest_key(2)).unlink()

    report = verify(rest.repository)

    assert ("rolled back", name("metrics", NEWEST)) in found(report)


class TestARollBackOfSeries:
    """An adversary removes the newest of a series; the next run of the task knows it from XCom."""

    def test_incidents_continue_after_the_recorded_number_and_the_run_fails(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        anchor = anchor_of(rest, name("incidents", NEWEST))
        rest.path(name("incidents", NEWEST)).unlink()

        known, lost = recorded_result(rest.repository, "incidents", "dag/task", anchor)
        add(rest, "incidents", "next run", manifests[-1].snapshot_id, known)

        assert lost is not None
        assert "ends at number 3, and an earlier run recorded number 5" in lost
        assert recorded_result(rest.repository, "incidents", "dag/task", anchor) == (NEWEST, None)
        assert ("rolled back", name("incidents", NEWEST)) in found(verify(rest.repository))

    def test_a_number_that_was_given_again_is_noticed(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, name("incidents", NEWEST))
        rest.path(name("incidents", NEWEST)).unlink()
        rest.path(name("incidents", NEWEST - 2)).unlink()

        for run, known in (("one that knows nothing", NEWEST - 1), ("and another", 0)):
            add(rest, "incidents", run, manifests[-1].snapshot_id, known)

        number, lost = recorded_result(rest.repository, "incidents", "dag/task", anchor)
        assert number == NEWEST
        assert "has another number 5 than an earlier run recorded" in str(lost)

    def test_access_reports_are_recorded_after_the_known_number(self, rest: Rest, manifests: list[Manifest]) -> None:
        before = record(rest.repository, REPORT, subject="dwh", run_key="failing")
        rest.path(before.key).unlink()

        again = record(rest.repository, REPORT, subject="dwh", run_key="next", anchor=before.anchor)

        assert "were removed" in str(again.lost)
        assert again.key == report_name(NEWEST + 2)
        assert ("rolled back", before.key) in found(verify(rest.repository))

    def test_nothing_is_lost_where_the_newest_is_there(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, name("alerts", NEWEST - 2))

        assert recorded_result(rest.repository, "alerts", "dag/task", anchor) == (NEWEST - 2, None)

    @pytest.mark.parametrize("statement", [None, 7, "", {}, "elementary-signed 2 ed25519 x y\n{}"], ids=repr)
    def test_what_is_no_signed_statement_counts_for_nothing(
        self, statement: Any, rest: Rest, manifests: list[Manifest]
    ) -> None:
        assert recorded_result(rest.repository, "alerts", "dag/task", statement) == (0, None)

    def test_a_statement_about_another_series_counts_for_nothing(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, name("metrics", NEWEST))

        assert recorded_result(rest.repository, "alerts", "dag/task", anchor) == (0, None)
