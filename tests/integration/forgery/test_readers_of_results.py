"""Forged snapshots, results and answers change nothing of what anomalies, alerts and the page read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.alerts.dispatch import send_alerts
from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.evaluate import EvaluationOptions, evaluate_and_store, open_metrics
from airflow_provider_elementary.incidents.store import TrackedIncidents, current_incidents, update_incidents
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import Manifest
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import FEEDBACK, manifest_key, result_series, series_key
from airflow_provider_elementary.storage.records.answer_log import append_answer, read_answers
from airflow_provider_elementary.storage.records.answers import Answer
from airflow_provider_elementary.storage.records.result_document import RESULT, Result, ResultKind
from airflow_provider_elementary.storage.records.results import latest_result, previous_result, write_result
from airflow_provider_elementary.storage.records.series import SeriesPlace
from tests.support.incidents import failing_test, of_dbt
from tests.support.metric_series import daily
from tests.support.signing import SIGNER, new_signer, signed
from tests.support.stores import Rest, grow, local_rest
from tests.support.tampering import flip

KINDS: tuple[ResultKind, ...] = ("metrics", "verdicts", "memories", "incidents", "alerts")
METRICS = pa.Table.from_pylist(
    [{**row, "id": f"{place}"} for place, row in enumerate(daily([100.0, 101.0] * 20).to_pylist())],
    schema=METRICS_SCHEMA,
)
NOW = datetime(2026, 11, 4, 13)


def series_of(kind: str) -> str:
    return {"memories": "dag/task/0", "incidents": "dag/task", "alerts": "dag/alerts"}.get(kind, "")


def alert(rest: Rest, incidents: str, run: str) -> list[str]:
    """Send alerts over one route, and return what was sent."""
    from airflow_provider_elementary.alerts import AlertFilter

    sent: list[str] = []
    send_alerts(
        rest.repository,
        incidents,
        {"route": AlertFilter()},
        lambda _, alert: sent.append(alert.title),
        series="dag/alerts",
        run_key=run,
        now=NOW,
        url_of=str,
    )
    return sent


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """A store in which each kind of result was written by a run of its task, and an answer."""
    directory = tmp_path_factory.mktemp("readers")
    rest = local_rest(directory)
    manifests = grow(rest, directory, [3])
    origin = {"snapshot_id": manifests[-1].snapshot_id}
    stored = write_result(rest.repository, "metrics", METRICS.to_reader(), run_key="1", origin=origin, parameters={})
    score(rest, stored.key, "1")
    assert alert(rest, update(rest, manifests[-1], "1").key, "1") != []
    append_answer(rest.repository, Answer("1", "0" * 16, "note", "ada", "2026-11-04T12:00:00", note="the loader"))
    return rest, manifests


def update(rest: Rest, manifest: Manifest, run: str) -> TrackedIncidents:
    return update_incidents(
        rest.repository,
        enrich(detect(METRICS).slice(0, 0), Lineage()),
        Lineage(),
        of_dbt(failing_test()),
        series="dag/task",
        run_key=run,
        origin={"snapshot_id": manifest.snapshot_id},
        now=NOW,
    )


def reader_of(rest: Rest) -> StoreReader:
    return StoreReader(lambda: SimpleNamespace(repository=rest.repository, store=rest.store, uri=rest.store.uri))


def score(rest: Rest, metrics: str, run: str) -> Any:
    options = EvaluationOptions(method="robust")
    rows, lineage, origin, _ = open_metrics(rest.repository, metrics, options)
    return evaluate_and_store(rest.repository, rows, lineage, options, series="dag/task", run_key=run, origin=origin)


def unsigned(_: str, content: bytes) -> bytes:
    return content.partition(b"\n")[2]


def by_a_key_of_their_own(name: str, content: bytes) -> bytes:
    return signed(new_signer(), "ab" * 32, name, content.partition(b"\n")[2])


def for_another_store(name: str, content: bytes) -> bytes:
    return signed(SIGNER, "ab" * 32, name, content.partition(b"\n")[2])


def an_older_true_one(_: str, content: bytes) -> bytes:
    return content


def deep(_: str, __: bytes) -> bytes:
    return b"[" * 200_000


@pytest.mark.parametrize(
    "forge",
    [unsigned, by_a_key_of_their_own, for_another_store, an_older_true_one, deep],
    ids=lambda each: each.__name__,
)
def test_what_is_forged_after_the_newest_is_passed_over(
    forge: Callable[[str, bytes], bytes], rest: Rest, manifests: list[Manifest]
) -> None:
    before = {kind: latest_result(rest.repository, kind) for kind in KINDS}
    incidents = current_incidents(rest.repository)
    answers = read_answers(rest.repository)
    places = [(FEEDBACK, 2), *((result_series(kind, series_of(kind)), 2) for kind in KINDS)]
    for folder, number in places:
        name = series_key(folder, number)
        rest.path(name).write_bytes(forge(name, rest.path(series_key(folder, 1)).read_bytes()))
    name = manifest_key(2)
    rest.path(name).write_bytes(forge(name, rest.path(manifest_key(1)).read_bytes()))

    # Anomalies resume from the true state, of the true metrics.
    metrics = before["metrics"]
    assert metrics is not None
    assert score(rest, metrics.key, "2").scored.resumed > 0
    # Alerts know what was sent, and send nothing again.
    assert before["incidents"] is not None
    assert alert(rest, before["incidents"].key, "2") == []
    # The page and the command line show what was there.
    reader = reader_of(rest)
    assert reader.sequences() == [1]
    assert reader.answers() == read_answers(rest.repository) == answers
    assert reader.documents.all("metrics") == [metrics]
    assert reader.documents.all("incidents") == [before["incidents"]]
    assert [each.incident_id for each in current_incidents(rest.repository)] == [each.incident_id for each in incidents]
    assert previous_result(rest.repository, "alerts", "dag/alerts", "3") == before["alerts"]


def naming_true_objects(rest: Rest, content: bytes) -> bytes:
    """Return the body of a result that names a manifest and data files as its own files."""
    facts = json.loads(content.partition(b"\n")[2])
    names = [manifest_key(1), *(found.key for found in rest.store.list("data/"))]
    [file, *_] = facts["files"] or [{}]
    facts.update(files=[{**file, "key": name} for name in names], created_at="2020-01-01T00:00:00+00:00", run_key="1")
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("sign", [False, True], ids=["unsigned", "by another key"])
def test_a_forged_result_makes_neither_a_rerun_nor_a_prune_remove_what_it_names(
    sign: bool, rest: Rest, manifests: list[Manifest]
) -> None:
    for kind in KINDS:
        name = series_key(result_series(kind, series_of(kind)), 2)
        body = naming_true_objects(rest, rest.path(series_key(result_series(kind, series_of(kind)), 1)).read_bytes())
        rest.path(name).write_bytes(by_a_key_of_their_own(name, b"\n" + body) if sign else body)

    # The same run again, which removes what its first attempt stored.
    update(rest, manifests[-1], "1")
    prune(rest.repository, Retention(), now=datetime(2100, 1, 1, tzinfo=UTC), grace=timedelta(0))

    assert verify(rest.repository, snapshot="all").findings == ()
    assert rest.store.get(manifest_key(1)) is not None


def test_metrics_continue_with_true_ones_whatever_is_put_after_them(rest: Rest, manifests: list[Manifest]) -> None:
    source = rest.repository.source(manifests[-1])
    true = update_metrics(rest.repository, source, run_key="2", origin={})
    name = series_key(result_series("metrics", ""), 3)
    rest.path(name).write_bytes(naming_true_objects(rest, rest.path(true.key).read_bytes()))

    result = update_metrics(rest.repository, source, run_key="3", origin={})

    assert result.key == name
    assert result.previous == SeriesPlace(2, sha256(RESULT.write(true)))
    assert {file.key for file in result.files} == {file.key for file in true.files}


def test_changed_files_of_metrics_stay_bound_to_their_hashes(rest: Rest, manifests: list[Manifest]) -> None:
    source = rest.repository.source(manifests[-1])
    true = update_metrics(rest.repository, source, run_key="2", origin={})
    change_files(rest, true)

    result = update_metrics(rest.repository, source, run_key="3", origin={})

    assert result.files == true.files
    with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
        score(rest, result.key, "3")


def newest_of(rest: Rest, kind: ResultKind) -> Result:
    found = latest_result(rest.repository, kind)
    assert found is not None
    return found


def change_files(rest: Rest, result: Result) -> None:
    """Change the files of a result that have rows."""
    for file in result.files:
        if file.rows:
            flip(rest.path(file.key))


class TestChangedFiles:
    """Somebody changed the files of the newest result of a kind: who continues it stops, and uses nothing of it."""

    def test_of_metrics_are_not_scored_or_shown(self, rest: Rest, manifests: list[Manifest]) -> None:
        metrics = newest_of(rest, "metrics")
        change_files(rest, metrics)

        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            score(rest, metrics.key, "2")
        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            list(reader_of(rest).rows(metrics, ["metric_value"]))

    def test_of_states_let_every_series_be_replayed(self, rest: Rest, manifests: list[Manifest]) -> None:
        before = newest_of(rest, "verdicts")
        change_files(rest, newest_of(rest, "memories"))

        scored = score(rest, newest_of(rest, "metrics").key, "2").scored

        assert (scored.resumed, scored.replayed) == (0, 1)
        assert newest_of(rest, "verdicts").rows == before.rows

    def test_of_verdicts_are_not_shown(self, rest: Rest, manifests: list[Manifest]) -> None:
        change_files(rest, newest_of(rest, "verdicts"))

        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            reader_of(rest).newest_verdicts()

    def test_of_incidents_are_not_continued_sent_or_shown(self, rest: Rest, manifests: list[Manifest]) -> None:
        incidents = newest_of(rest, "incidents")
        change_files(rest, incidents)

        for act in (
            lambda: update(rest, manifests[-1], "2"),
            lambda: alert(rest, incidents.key, "2"),
            lambda: current_incidents(rest.repository),
            reader_of(rest).incidents,
        ):
            with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
                act()

    def test_of_what_was_sent_let_nothing_be_sent_again(self, rest: Rest, manifests: list[Manifest]) -> None:
        change_files(rest, newest_of(rest, "alerts"))
        sent: list[str] = []

        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            sent += alert(rest, newest_of(rest, "incidents").key, "2")

        assert sent == []
