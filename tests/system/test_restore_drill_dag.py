"""The restore drill proves itself: it passes on a sound store and fails where a restore would give something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airflow_provider_elementary.snapshots import LocalKeys
from tests.support.connections import local_store
from tests.support.dag_runs import run_dag
from tests.support.stores import Rest, grow, local_rest

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


def test_the_drill_passes_and_removes_what_it_restored_or_fails_and_says_where(
    tmp_path: Path, airflow_connection: Callable[[str, Mapping[str, object]], str]
) -> None:
    (folder := tmp_path / "drill").mkdir()
    master_keys, made = LocalKeys.generate(), local_rest(tmp_path)
    rest = Rest(made.store, LocalKeys(master_keys), made.folder)
    manifests = grow(rest, tmp_path, [3, 4])
    conf = {
        "store_conn_id": airflow_connection("store", local_store(rest.store.uri, master_keys)),
        "folder": str(folder),
    }

    sound = run_dag("elementary_restore_drill", conf)
    rest.path(manifests[-1].files[0].key).write_bytes(b"forged")
    damaged = run_dag("elementary_restore_drill", conf)

    returned = sound.returned["drill"]
    assert (sound.state, damaged.state) == ("success", "failed")
    assert (returned["passed"], returned["sequence"], returned["differences"]) == (True, 2, [])
    assert returned["rows"] > 0
    assert list(folder.iterdir()) == []
